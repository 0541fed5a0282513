from typing import Any

import pytest

from flatnet.state.leftovers import fits, leftovers
from flatnet.state.place import Place

PLACE = Place(
    ["192.0.2.11"],
    ["10.200.0.0/16"],
    ["10.32.0.0/24"],
    ["kubelet"],
    own_interfaces=["cbr0"],
    own_data=["/var/lib/etcd"],
    uses_iptables=True,
)
NOTHING: dict[str, Any] = {
    "unrecorded_data": [],
    "networkd": True,
    "network_files": [],
    "incompatible_chains": [],
    "other_chains": [],
}
NO_NODE = PLACE._replace(is_node=False)


def found(place: Place = PLACE, **changes: object) -> list[str]:
    return list(leftovers({**NOTHING, **changes}, place))


def network_file(name: str, unmanaged: bool = False, **match: str) -> dict[str, Any]:
    words = {key: value.split() for key, value in match.items()}
    return {"path": f"/etc/systemd/network/{name}", "match": words, "unmanaged": unmanaged}


def test_a_clean_host_has_no_problem() -> None:
    assert found() == []


def test_etcd_data_of_another_cluster_is_refused() -> None:
    data = ["/var/lib/etcd"]
    [problem] = found(NO_NODE, unrecorded_data=data)
    assert problem.startswith(
        "has data of another cluster in /var/lib/etcd, which none of flatnet's runs here"
    )
    # Restored with its certificates, which are held against the cluster's.
    assert found(NO_NODE, unrecorded_data=data, files={"/etc/etcd/pki/ca.crt": "PEM"}) == []


def test_rules_of_nftables_in_a_chain_of_iptables_are_refused_where_iptables_is_used() -> None:
    chains = ["POSTROUTING of table ip nat"]
    [problem] = found(incompatible_chains=chains)
    assert problem.startswith(
        "has rules of nftables in the chain POSTROUTING of table ip nat, which is iptables'"
    )
    assert found(PLACE._replace(uses_iptables=False), incompatible_chains=chains) == []
    assert found(NO_NODE, incompatible_chains=chains) == []


def test_chains_of_another_kube_proxy_are_refused() -> None:
    [problem] = found(other_chains=["KUBE-NODEPORTS", "KUBE-SERVICES"])
    assert problem.startswith(
        "has chains of another kube-proxy or kubelet (KUBE-NODEPORTS, KUBE-SERVICES) in"
    )
    assert found(NO_NODE, other_chains=["KUBE-SERVICES"]) == []


def test_a_file_of_networkd_that_takes_every_link_is_refused_for_each_of_ours() -> None:
    bridge, pods = found(network_files=[network_file("50-all.network", Name="*")])
    assert bridge == (
        "has systemd-networkd configure cbr0 by /etc/systemd/network/50-all.network ([Match] Name=*), which "
        "takes away what flatnet sets there; narrow that file, or put one that sorts before 50-all.network "
        "into /etc/systemd/network, with [Match] Name=cbr0 and [Link] Unmanaged=yes"
    )
    assert pods.startswith("has systemd-networkd configure veth* by /etc/systemd/network/50-all.network")


@pytest.mark.parametrize(
    "files",
    [
        [network_file("10-lan.network", Name="en* eth0")],
        [network_file("10-lan.network", MACAddress="02:00:00:00:00:01", Name="*")],
        [network_file("10-pods.network", True, Name="cbr0 veth*"), network_file("50-all.network", Name="*")],
        [network_file("90-all.network", True, Name="*")],
        [network_file("90-all.network", Name="!cbr* veth*")],
    ],
)
def test_files_for_other_links_are_not(files: list[dict[str, Any]]) -> None:
    assert found(network_files=files) == []


def test_files_of_a_networkd_that_does_not_run_are_not() -> None:
    files = [network_file("50-all.network", Name="*")]
    assert found(network_files=files, networkd=False) == []
    assert found(NO_NODE, network_files=files) == []


@pytest.mark.parametrize(
    ("match", "does"),
    [
        ({"Type": ["ether"]}, True),
        ({"Name": ["v*"], "Kind": ["veth"], "Host": ["node-1"]}, True),
        ({"Type": ["!bridge"]}, True),
        ({"Kind": ["bridge"]}, False),
        ({"Driver": ["veth"]}, False),
    ],
)
def test_a_section_fits_a_link_when_all_of_it_does(match: dict[str, list[str]], does: bool) -> None:
    assert fits(match, "veth1", {"Kind": "veth", "Type": "ether"}) is does
