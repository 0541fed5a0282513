import shutil
import subprocess

import pytest

from flatnet.errors import FlatnetError
from flatnet.masquerade import masquerade_tables

PODS = ["10.200.0.0/16", "10.201.0.0/16", "2001:db8:200::/48"]


def test_each_family_of_the_pods_has_a_table_with_its_own_destinations() -> None:
    ipv4, ipv6 = masquerade_tables(PODS, [*PODS, "192.0.2.0/24"])
    assert (ipv4["family"], ipv4["table"]) == ("ip", "flatnet_masquerade")
    assert "elements = { 10.200.0.0/16, 10.201.0.0/16 }" in ipv4["content"]
    assert "elements = { 10.200.0.0/16, 10.201.0.0/16, 192.0.2.0/24, 224.0.0.0/4 }" in ipv4["content"]
    assert ipv6["family"] == "ip6"
    assert "elements = { 2001:db8:200::/48 }" in ipv6["content"]
    assert "elements = { 2001:db8:200::/48, ff00::/8 }" in ipv6["content"]


def test_a_family_without_pods_has_no_table() -> None:
    assert [table["family"] for table in masquerade_tables(["10.200.0.0/16"], ["2001:db8::/64"])] == ["ip"]
    assert masquerade_tables([], ["192.0.2.0/24"]) == []


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(FlatnetError, match=r"10\.200\.0\.1/16"):
        masquerade_tables(["10.200.0.1/16"], [])


@pytest.mark.skipif(shutil.which("unshare") is None or shutil.which("nft") is None, reason="needs nft")
def test_nft_takes_the_tables_as_they_are() -> None:
    text = "".join(
        f"table {table['family']} {table['table']} {{\n{table['content']}}}\n"
        for table in masquerade_tables(PODS, [*PODS, "192.0.2.0/24"])
    )
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "nft", "--check", "--file", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
