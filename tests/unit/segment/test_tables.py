import pytest

from flatnet.errors import FlatnetError
from flatnet.segment.tables import segment_tables

CLUSTER = ["10.200.0.0/16", "2001:db8:200::/48"]


def test_each_family_has_a_table_with_its_own_addresses_whatever_their_order() -> None:
    ipv6, ipv4 = segment_tables(
        ["2001:db8:200:1::/64", "10.200.1.0/24"], CLUSTER, ["192.0.2.11", "2001:db8::11"]
    )
    assert (ipv4["family"], ipv4["table"]) == ("ip", "flatnet_l2_bridge")
    assert ipv4["content"].splitlines()[-2] == (
        "  ip saddr 10.200.0.0/16 ip saddr != 10.200.1.0/24 ip daddr 10.200.0.0/16 ip daddr != 10.200.1.0/24 "
        "ct status dnat snat to 192.0.2.11"
    )
    assert ipv6["family"] == "ip6"
    assert ipv6["content"].splitlines()[-2].endswith("snat to 2001:db8::11")


def test_a_family_that_the_node_has_no_address_of_is_refused() -> None:
    with pytest.raises(
        FlatnetError, match=r"10\.200\.1\.0/24: there is no address of the node of the family ipv4"
    ):
        segment_tables(["10.200.1.0/24"], CLUSTER, ["2001:db8::11"])
