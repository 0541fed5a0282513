import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from plugin_loader import load_plugin

ROLE = Path(__file__).parents[2] / "roles/cni_l2_bridge"
FIX = "Fix: name an interface that is in the pods' segment and serves nothing else"


def load() -> dict[str, Any]:
    path = ROLE / "filter_plugins/l2_bridge.py"
    module = load_plugin(path)
    found: dict[str, Any] = module.FilterModule().filters()
    return found


FILTERS = load()


def node(*cidrs: str, clusters: tuple[str, ...] = ("10.200.0.0/16", "fd00:200::/48")) -> dict[str, Any]:
    found: dict[str, Any] = FILTERS["l2_bridge_node"](list(cidrs), list(clusters))
    return found


def link(name: str, *addresses: str, **values: object) -> dict[str, Any]:
    """Return a link as ip tells it; a master makes it a port of a bridge."""
    entries = [dict(zip(("local", "prefixlen"), text.split("/"), strict=True)) for text in addresses]
    base = {"ifname": name, "link_type": "ether", "mtu": 1500, "flags": ["UP"], "addr_info": entries}
    return base | values


def shown(*links: dict[str, Any], default: str = "") -> str:
    """Return what the host prints: its links, then its default routes of both families, a line each."""
    return "\n".join(json.dumps(x) for x in (list(links), [{"dst": "default", "dev": default}], [])) + "\n"


def refusals(uplink: str, *links: dict[str, Any], default: str = "") -> list[str]:
    found: list[str] = FILTERS["l2_bridge_refusals"](shown(*links, default=default), uplink, "br-pods", 1500)
    return found


def bridge(data: dict[str, int] | None = None, **values: object) -> dict[str, Any]:
    settings = {"stp_state": 0, "forward_delay": 0, "mcast_snooping": 0} | (data or {})
    return link(
        "br-pods",
        "10.200.1.1/16",
        "fe80::858:aff:fec8:101/64",
        **{"address": "0a:58:0a:c8:01:01", "linkinfo": {"info_kind": "bridge", "info_data": settings}}
        | values,
    )


def port(**values: object) -> dict[str, Any]:
    slave = {"linkinfo": {"info_slave_kind": "bridge", "info_slave_data": {"hairpin": False}}}
    return link("eth1", **{"master": "br-pods"} | slave | values)


def drift(*links: dict[str, Any]) -> list[str]:
    found: list[str] = FILTERS["l2_bridge_drift"](
        shown(*links), "eth1", "br-pods", 1500, node("10.200.1.0/24")
    )
    return found


def test_a_node_gives_its_pods_addresses_between_its_gateway_and_its_last() -> None:
    assert node("10.200.1.0/24") == {
        "gateways": ["10.200.1.1/16"],
        "mac": "0a:58:0a:c8:01:01",
        "ranges": [
            [
                {
                    "subnet": "10.200.0.0/16",
                    "rangeStart": "10.200.1.2",
                    "rangeEnd": "10.200.1.254",
                    "gateway": "10.200.1.1",
                }
            ]
        ],
        "routes": [{"dst": "0.0.0.0/0"}],
    }


def test_a_node_of_both_families_has_a_range_of_each() -> None:
    found = node("10.200.1.0/24", "fd00:200:0:1::/64")
    assert found["gateways"] == ["10.200.1.1/16", "fd00:200:0:1::1/48"]
    assert found["ranges"][1] == [
        {
            "subnet": "fd00:200::/48",
            "rangeStart": "fd00:200:0:1::2",
            "rangeEnd": "fd00:200:0:1:ffff:ffff:ffff:fffe",
            "gateway": "fd00:200:0:1::1",
        }
    ]
    assert found["routes"] == [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]


@pytest.mark.parametrize(
    ("cluster", "nodes"),
    [
        ("10.200.0.0/16", ["10.200.0.0/24", "10.200.1.0/25", "10.200.1.128/25", "10.200.255.0/24"]),
        ("fd00:200::/48", ["fd00:200::/64", "fd00:200:0:1::/64", "fd00:200:0:ffff::/64"]),
        ("fd00:200::/108", ["fd00:200::/124", "fd00:200::10/124", "fd00:200::f:fff0/124"]),
    ],
)
def test_every_node_has_a_mac_address_of_its_own_that_is_no_maker_s(cluster: str, nodes: list[str]) -> None:
    found = [node(cidr, clusters=(cluster,))["mac"] for cidr in nodes]
    assert len(set(found)) == len(nodes)
    assert {mac[:6] for mac in found} == {"0a:58:"}


@pytest.mark.parametrize(
    ("cidrs", "words"),
    [
        (["10.201.1.0/24"], "10.201.1.0/24 is in none of 10.200.0.0/16"),
        (["node-1"], "cannot be read"),
        ([None], "cannot be read"),
        ([], "the node has no pod network; plan one, or take it out of kube_node"),
    ],
)
def test_pod_networks_that_are_none_are_refused(cidrs: list[str], words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        FILTERS["l2_bridge_node"](cidrs, ["10.200.0.0/16"])


def test_an_interface_with_nothing_but_a_link_local_address_will_do() -> None:
    assert refusals("eth1", link("eth0", "192.0.2.11/24"), link("eth1", "fe80::1/64"), default="eth0") == []


def test_the_present_uplink_will_do() -> None:
    assert refusals("eth1", bridge(), port()) == []


def test_the_interface_of_the_node_is_refused_for_its_address_and_for_its_route() -> None:
    assert refusals("eth0", link("eth0", "192.0.2.11/24", "2001:db8::11/64"), default="eth0") == [
        "cni_l2_bridge_interface eth0: it has 192.0.2.11/24, 2001:db8::11/64, which the host would lose. "
        f"{FIX}.",
        f"cni_l2_bridge_interface eth0: the host's default route leads through it. {FIX}.",
    ]


def test_an_interface_that_is_not_there_is_refused_with_those_that_would_do() -> None:
    pod = port(ifname="veth1", linkinfo={"info_slave_data": {"hairpin": True}})
    links = [
        link("lo", link_type="loopback"),
        link("eth0", "192.0.2.11/24"),
        bridge(),
        port(),
        pod,
        link("eth2"),
    ]
    assert refusals("eth9", *links) == [
        f"cni_l2_bridge_interface eth9: the host has no such interface; eth1, eth2 would do. {FIX}."
    ]
    assert refusals("eth9", links[0]) == [
        f"cni_l2_bridge_interface eth9: the host has no such interface; none of those it has would do. {FIX}."
    ]


def test_an_interface_that_nobody_named_is_refused() -> None:
    assert refusals("", link("eth1")) == [
        f"cni_l2_bridge_interface: it is not set. {FIX}, for every host or for a group of them."
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"link_type": "loopback"}, "an interface of the kind loopback cannot carry the frames of pods"),
        (
            {"linkinfo": {"info_kind": "bridge"}},
            "an interface of the kind bridge cannot carry the frames of pods",
        ),
        ({"linkinfo": {"info_kind": "macvlan"}}, "an interface of the kind macvlan cannot"),
        ({"master": "br0"}, "it is a port of br0. Fix: take it out of br0, or name an interface"),
        (
            {"mtu": 1450},
            "it carries 1450 bytes, and pods would send 1500. "
            "Fix: set cluster_underlay_mtu to 1450, or raise the MTU of eth1.",
        ),
    ],
)
def test_an_interface_that_cannot_carry_the_pods_is_refused(values: dict[str, Any], words: str) -> None:
    found = refusals("eth1", link("eth1", **values))
    assert len(found) == 1
    assert found[0].startswith(f"cni_l2_bridge_interface eth1: {words}")


def test_a_bridge_name_that_something_else_has_is_refused() -> None:
    assert refusals("eth1", link("br-pods", linkinfo={"info_kind": "dummy"}), link("eth1")) == [
        "cni_l2_bridge_interface eth1: the host's br-pods is no bridge, and flatnet needs the name. "
        "Fix: rename or remove br-pods."
    ]


def test_what_is_no_answer_of_ip_is_told() -> None:
    with pytest.raises(
        AnsibleFilterError, match=r"`ip -details -json address` on the host says 'sh: ip: not found'"
    ):
        FILTERS["l2_bridge_refusals"]("sh: ip: not found", "eth1", "br-pods", 1500)


def test_a_bridge_as_it_was_set_up_is_left_alone() -> None:
    assert drift(bridge(), port()) == []


@pytest.mark.parametrize(
    ("links", "reasons"),
    [
        ([port()], ["there is no br-pods"]),
        ([bridge()], ["eth1 is no port of br-pods", "eth1 is down"]),
        ([bridge(), port(master="br0")], ["eth1 is no port of br-pods"]),
        (
            [bridge(), port(linkinfo={"info_slave_data": {"hairpin": True}})],
            ["eth1 sends frames back where they came from"],
        ),
        ([bridge(), port(flags=["BROADCAST"])], ["eth1 is down"]),
        ([bridge(flags=[]), port()], ["br-pods is down"]),
        ([bridge(address="02:00:00:00:00:01"), port()], ["br-pods has the MAC address 02:00:00:00:00:01"]),
        ([bridge(mtu=1450), port()], ["br-pods has MTU 1450"]),
        ([bridge(addr_info=[]), port()], ["br-pods has no address"]),
        (
            [bridge(addr_info=[{"local": "10.200.1.1", "prefixlen": 24}]), port()],
            ["br-pods has 10.200.1.1/24"],
        ),
        ([bridge(data={"stp_state": 1}), port()], ["br-pods has stp_state 1"]),
        ([bridge(data={"mcast_snooping": 1}), port()], ["br-pods has mcast_snooping 1"]),
    ],
)
def test_what_somebody_changed_about_the_bridge_is_seen(
    links: list[dict[str, Any]], reasons: list[str]
) -> None:
    assert drift(*links) == reasons


def test_the_bridge_of_the_role_is_one_that_preflight_takes_for_ours() -> None:
    contract = yaml.safe_load((ROLE / "vars/contract.yml").read_text())["cni_l2_bridge_contract"]
    name = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__cni_l2_bridge_name"]
    assert contract["interfaces"] == [name]
    # Linux: IFNAMSIZ is 16, with the byte that ends the name.
    assert len(name) < 16
