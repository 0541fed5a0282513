from typing import Any

import pytest
from plan_cases import FLANNEL, HOSTS, KUBENET, OWN_IPAM, contracts_of, findings, host, prepare, with_facts

from flatnet.plan import Settings, prepare_plan

UNDERLAY = {"name": "eth0", "mtu": 1500, "addresses": ["192.0.2.11/24", "fe80::1/64"], "kind": "veth"}
DEFAULT = {"destination": "default", "gateway": "192.0.2.1", "device": "eth0", "protocol": "static"}
LINK = {"destination": "192.0.2.0/24", "gateway": None, "device": "eth0", "protocol": "kernel"}


def interface(name: str, *addresses: str, mtu: int = 1500) -> dict[str, Any]:
    return {"name": name, "mtu": mtu, "addresses": list(addresses), "kind": "bridge"}


def route(destination: str, device: str, protocol: str = "kernel") -> dict[str, Any]:
    return {"destination": destination, "gateway": None, "device": device, "protocol": protocol}


def live(
    interfaces: list[dict[str, Any]] | None = None, routes: list[dict[str, Any]] | None = None, **more: object
) -> list[Any]:
    facts = {"interfaces": [UNDERLAY, *(interfaces or [])], "routes": [DEFAULT, LINK, *(routes or [])]}
    return [with_facts(HOSTS[0], **(facts | more)), *HOSTS[1:]]


def test_a_clean_host_is_accepted() -> None:
    assert prepare(some=live()).warnings == []


@pytest.mark.parametrize(
    ("interfaces", "routes", "contract"),
    [
        ([interface("cbr0", "10.200.0.1/24")], [route("10.200.0.0/24", "cbr0")], KUBENET),
        ([interface("cni0", "10.200.0.1/24")], [route("10.200.0.0/24", "cni0")], FLANNEL),
        ([], [route("10.200.1.0/24", "eth0", "157")], KUBENET),
        ([interface("flannel.1", "10.200.0.0/32")], [route("10.200.1.0/24", "flannel.1", "boot")], FLANNEL),
        ([interface("kube-ipvs0", "10.32.0.1/32")], [route("10.32.0.1", "kube-ipvs0")], KUBENET),
    ],
    ids=["bridge of kubenet", "bridge of flannel", "static route", "tunnel", "service addresses"],
)
def test_what_we_deployed_ourselves_is_accepted(
    interfaces: list[dict[str, Any]], routes: list[dict[str, Any]], contract: dict[str, Any]
) -> None:
    assert prepare(some=live(interfaces, routes), contract=contract).warnings == []


@pytest.mark.parametrize(
    ("interfaces", "routes", "place", "mine"),
    [
        (
            [interface("docker0", "10.200.7.1/24")],
            [],
            "docker0 has 10.200.7.1/24",
            "cluster_pod_cidrs 10.200.0.0/16",
        ),
        (
            [interface("cbr0", "10.200.1.1/24")],
            [],
            "cbr0 has 10.200.1.1/24",
            "cluster_pod_cidrs 10.200.0.0/16",
        ),
        (
            [interface("eth1", "10.32.0.77/32")],
            [],
            "eth1 has 10.32.0.77/32",
            "cluster_service_cidrs 10.32.0.0/24",
        ),
        (
            [],
            [route("10.200.1.0/24", "tun0")],
            "route to 10.200.1.0/24 through tun0",
            "cluster_pod_cidrs 10.200.0.0/16",
        ),
        (
            [],
            [route("10.200.1.0/24", "cbr0")],
            "route to 10.200.1.0/24 through cbr0",
            "cluster_pod_cidrs 10.200.0.0/16",
        ),
        (
            [],
            [route("10.200.0.0/15", "x", "157")],
            "route to 10.200.0.0/15 through x",
            "cluster_pod_cidrs 10.200.0.0/16",
        ),
        (
            [],
            [route("10.32.0.0/16", "tun0")],
            "route to 10.32.0.0/16 through tun0",
            "cluster_service_cidrs 10.32.0.0/24",
        ),
    ],
)
def test_what_others_have_in_our_networks_is_refused(
    interfaces: list[dict[str, Any]], routes: list[dict[str, Any]], place: str, mine: str
) -> None:
    is_of_pods = "cbr0" in place
    adopt = (
        "give the Node objects as cluster_existing_nodes if the cluster runs already, or "
        if is_of_pods
        else ""
    )
    assert findings(some=live(interfaces, routes)) == [
        f"[live-overlap] node-a: {place}: it overlaps {mine}. Fix: {adopt}move {mine.split()[0]} to a free "
        "network, or remove this from the host if it is left over."
    ]


@pytest.mark.parametrize(
    "wide",
    [
        {"destination": "10.0.0.0/8", "gateway": "192.0.2.9", "device": "eth0", "protocol": "static"},
        {"destination": "0.0.0.0/1", "gateway": "192.0.2.9", "device": "tun0"},
        {"destination": "8.0.0.0/6", "device": "wg0"},
    ],
)
def test_a_wider_route_of_others_is_told_and_not_refused(wide: dict[str, Any]) -> None:
    warnings = prepare(some=live(routes=[wide])).warnings
    assert [line.partition(" as well")[0] for line in warnings] == [
        f"[live-overlap] node-a: route to {wide['destination']} through {wide['device']}: it leads to {mine}"
        for mine in ("cluster_pod_cidrs 10.200.0.0/16", "cluster_service_cidrs 10.32.0.0/24")
    ]


def test_the_networks_of_a_link_and_routes_as_wide_as_ours_are_refused() -> None:
    for route_of_others in (route("10.0.0.0/8", "eth1"), route("10.200.0.0/16", "tun0", "static")):
        lines = findings(some=live(routes=[route_of_others]))
        assert lines
        assert [line for line in lines if not line.startswith("[live-overlap] node-a: route to 10.")] == []


def test_two_hosts_with_one_machine_id_are_refused() -> None:
    copied = "3d1219c7c4c5404aaa1f6d2a48adfda4"
    some = [with_facts(one, machine_id=copied) for one in HOSTS[:2]]
    [line] = findings(some=some)
    assert line.startswith("[machine-id] node-b: it has the machine ID of node-a, so that systemd")
    for unknown in ("", "uninitialized"):
        assert prepare(some=[with_facts(one, machine_id=unknown) for one in HOSTS]).plan


@pytest.mark.parametrize(
    ("mode", "features", "words"),
    [
        (
            "iptables",
            {"xt_statistic": False},
            "it lacks rules of iptables with `statistic`, which kube_proxy in mode iptables needs. Fix: "
            "install or load the kernel module xt_statistic (Red Hat: in kernel-modules-extra), or choose",
        ),
        (
            "nftables",
            {"nftables_services": False},
            "it lacks tables of nftables with maps of verdicts (it has Linux 5.10.0-28-amd64, nft 0.9.8), "
            "which kube_proxy in mode nftables needs. Fix: give it Linux 5.13 and nft "
            "1.0.1, or later ones, or choose",
        ),
        (
            "ipvs",
            {"ip_vs": False},
            "it lacks the kernel feature ip_vs, which kube_proxy in mode ipvs needs. Fix: install or load "
            "the kernel module ip_vs, or choose",
        ),
    ],
)
def test_what_the_mode_of_kube_proxy_needs_of_the_kernel_is_named(
    mode: str, features: dict[str, bool], words: str
) -> None:
    some = live(kernel_features=features, kernel="5.10.0-28-amd64", nft="0.9.8")
    assert findings(settings=Settings(kube_proxy_mode=mode), some=some) == [
        f"[kernel-feature] node-a: {words} a backend or mode without it."
    ]


WEAVE = OWN_IPAM | {"makes": {"interfaces": {"bridge": {"name": "weave", "carries": "own_pods"}}}}


def test_interfaces_that_the_contract_names_are_ours_within_the_plan() -> None:
    some = live([interface("weave", "10.200.64.0/16")], [route("10.200.0.0/16", "weave")])
    assert prepare(some=some, contract=WEAVE).warnings == []
    assert findings(some=some, contract=OWN_IPAM) == [
        "[live-overlap] node-a: route to 10.200.0.0/16 through weave; node-a: weave has 10.200.64.0/16: "
        "it overlaps cluster_pod_cidrs 10.200.0.0/16. Fix: move cluster_pod_cidrs to a free network, "
        "or remove this from the host if it is left over."
    ]


def test_an_address_that_no_interface_has_is_refused() -> None:
    assert findings(some=[with_facts(HOSTS[0], interfaces=[interface("eth0", "192.0.2.99/24")])]) == [
        "[node-address-elsewhere] node-a: address 192.0.2.11: no interface of the host has it, "
        "so the kubelet would refuse it. Fix: set node_address to an address of the host."
    ]


def test_a_missing_kernel_feature_is_refused_by_name_and_an_unprobed_one_is_not() -> None:
    some = live(kernel_features={"bridge": True, "vxlan": False})
    assert prepare(some=some).warnings == []
    assert findings(some=some, contract=FLANNEL) == [
        "[kernel-feature] node-a: it lacks the kernel feature vxlan, which backend flannel needs. "
        "Fix: install or load the kernel module vxlan, or choose a backend or mode without it."
    ]


@pytest.mark.parametrize(("mode", "feature"), [("ipvs", "ip_vs"), ("nftables", "nftables")])
def test_a_mode_of_kube_proxy_needs_its_kernel_feature(mode: str, feature: str) -> None:
    some = live(kernel_features={feature: False})
    contract = KUBENET | {"masquerade": "backend"}
    assert prepare(Settings(kube_proxy_mode="iptables"), some, contract).warnings == []
    assert findings(Settings(kube_proxy_mode=mode), some, contract)[0].startswith(
        f"[kernel-feature] node-a: it lacks the kernel feature {feature}, which kube_proxy in "
    )


def test_everybody_who_needs_a_missing_kernel_feature_is_named() -> None:
    assert findings(Settings(kube_proxy_mode="nftables"), live(kernel_features={"nftables": False})) == [
        "[kernel-feature] node-a: it lacks the kernel feature nftables, which kube_proxy in mode nftables "
        "and pod_masquerade need. Fix: install or load the kernel module nftables, or choose a backend or "
        "mode without it."
    ]


def test_what_another_backend_has_left_is_recognised() -> None:
    some = live(
        [interface("cni0", "10.200.0.1/24"), interface("flannel.1", "10.200.0.0/32")],
        [route("10.200.0.0/24", "cni0"), route("10.200.1.0/24", "flannel.1", "boot")],
    )
    assert prepare(some=some, others=[FLANNEL]).warnings == []
    assert "flannel.1 has 10.200.0.0/32" in findings(some=some)[0]


OWN_ROUTES = [
    route("10.200.0.130", "cali1234", "boot"),
    route("10.200.1.0/26", "eth0", "bird"),
    {"destination": "10.200.0.128/26", "device": "", "protocol": "12", "type": "blackhole"},
]


def test_routes_of_a_backend_that_owns_the_addresses_are_its_own() -> None:
    assert prepare(some=live([], OWN_ROUTES), contract=OWN_IPAM).warnings == []
    assert len(findings(some=live([], OWN_ROUTES))) == 1


HOST_GW = FLANNEL | {
    "node_links": "needed",
    "makes": {
        "interfaces": {"bridge": {"name": "cni0", "carries": "own_pods"}},
        "routes": [{"protocol": "boot", "leads_to": "pods"}],
    },
}


def test_routes_through_another_node_are_those_of_a_backend_that_makes_such() -> None:
    some = live([], [route("10.200.1.0/24", "eth0", "boot") | {"gateway": "192.0.2.12"}])
    assert prepare(some=some, contract=HOST_GW).warnings == []
    # Under another backend nobody makes them, nor does anybody through a stranger.
    assert "route to 10.200.1.0/24 through eth0" in findings(some=some, others=[HOST_GW])[0]
    some = live([], [route("10.200.1.0/24", "eth0", "boot") | {"gateway": "192.0.2.99"}])
    assert "route to 10.200.1.0/24 through eth0" in findings(some=some, contract=HOST_GW)[0]


def test_routes_through_another_node_are_those_of_a_backend_that_a_switch_takes_off() -> None:
    some = live([], [route("10.200.1.0/24", "eth0", "boot") | {"gateway": "192.0.2.12"}])
    contracts = contracts_of(KUBENET, HOST_GW)
    going = [contracts["cni_flannel"].all_makes()]
    planned = prepare_plan(Settings(), some, contracts, leaving=going)
    assert planned.warnings == []


def test_a_blackhole_of_others_is_told_by_its_type() -> None:
    hole = {"destination": "10.200.3.0/24", "device": "", "protocol": "static", "type": "blackhole"}
    assert findings(some=live([], [hole]))[0].startswith(
        "[live-overlap] node-a: route to 10.200.3.0/24, blackhole: it overlaps cluster_pod_cidrs "
    )


def test_a_route_that_belongs_to_an_address_is_judged_with_the_address() -> None:
    local = route("10.200.0.1", "cbr0") | {"type": "local", "table": "local"}
    assert prepare(some=live([interface("cbr0", "10.200.0.1/24")], [local])).warnings == []


def test_addresses_that_the_backend_gave_from_elsewhere_are_refused() -> None:
    some = live([interface("weave", "10.99.0.1/16", "fe80::1/64")])
    assert findings(some=some, contract=WEAVE) == [
        "[backend-address] node-a: weave has 10.99.0.1/16: backend kubenet gave it, and it is outside "
        "cluster_pod_cidrs 10.200.0.0/16. Fix: set cluster_pod_cidrs to what the backend uses, or "
        "reset the host."
    ]
    elsewhere = WEAVE | {"makes": WEAVE["makes"] | {"addresses": ["10.99.0.1/16"]}}
    assert prepare(some=some, contract=elsewhere).warnings == []


def mtu_of(*facts: dict[str, Any], setting: int | None = None) -> tuple[int, int]:
    some = [with_facts(one, **fact) for one, fact in zip(HOSTS, facts, strict=False)]
    plan = prepare(Settings(underlay_mtu=setting), some, FLANNEL).plan
    return plan["underlay_mtu"], plan["mtu"]


def facts_with_mtu(address: str, mtu: int, other: int = 1500) -> dict[str, Any]:
    return {"interfaces": [interface("lo", "127.0.0.1/8", mtu=other), interface("eth0", address, mtu=mtu)]}


def test_the_underlay_mtu_is_the_smallest_of_the_interfaces_with_the_node_addresses() -> None:
    one, two = facts_with_mtu("192.0.2.11/24", 9000, 600), facts_with_mtu("192.0.2.12/24", 1400, 600)
    assert mtu_of(one, two) == (1400, 1350)
    assert mtu_of(one) == (9000, 8950)


def test_without_facts_the_underlay_mtu_is_1500() -> None:
    assert prepare(contract=FLANNEL).plan["underlay_mtu"] == 1500


@pytest.mark.parametrize(
    ("looked_at", "underlay_mtu"),
    # None: as when planning or verifying. One that carries more, as with --limit. One that carries less. All.
    [({}, 1460), ({0: 1500}, 1460), ({0: 1400}, 1400), ({0: 1500, 1: 9000, 2: 1500}, 1500)],
)
def test_what_is_deployed_stands_for_the_hosts_that_nobody_looked_at(
    looked_at: dict[int, int], underlay_mtu: int
) -> None:
    some = [
        with_facts(one, **facts_with_mtu(f"192.0.2.{11 + index}/24", looked_at[index]))
        if index in looked_at
        else one
        for index, one in enumerate(HOSTS)
    ]
    deployed = {**prepare(contract=FLANNEL).plan, "underlay_mtu": 1460, "mtu": 1410}
    assert prepare(some=some, contract=FLANNEL, deployed=deployed).plan["underlay_mtu"] == underlay_mtu


def test_the_default_route_tells_the_interface_when_no_address_does() -> None:
    facts = {"interfaces": [interface("lo", mtu=65536), interface("eth0", mtu=1420)], "routes": [DEFAULT]}
    assert mtu_of(facts) == (1420, 1370)


def test_a_setting_above_what_a_host_carries_is_refused_and_one_below_is_kept() -> None:
    some = [with_facts(HOSTS[0], **facts_with_mtu("192.0.2.11/24", 1400))]
    assert findings(Settings(underlay_mtu=1500), some) == [
        "[underlay-mtu] node-a: cluster_underlay_mtu 1500: eth0 carries 1400 bytes only. "
        "Fix: lower it to 1400, leave it out, or raise the MTU of that interface."
    ]
    assert [prepare(Settings(underlay_mtu=mtu), some).plan["underlay_mtu"] for mtu in (1300, 1400)] == [
        1300,
        1400,
    ]


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"interfaces": "eth0"}, "facts, interfaces: 'eth0' is not a mapping"),
        (
            {"interfaces": [interface("eth0", "192.0.2.11/24", "x")]},
            "facts, interface eth0: 'x' is not a network",
        ),
        ({"routes": [{"destination": "nowhere"}]}, "facts, routes: 'nowhere' is not an IP address"),
        ({"routes": [5]}, "facts, routes: 5 is not a mapping"),
        ({"ip_local_port_range": [1]}, "facts, ip_local_port_range: [1] is not a pair of ports"),
        ({"ip_local_reserved_ports": [5]}, "facts, ip_local_reserved_ports: 5 is not a pair of ports"),
    ],
)
def test_facts_that_cannot_be_read_are_refused(facts: dict[str, Any], line: str) -> None:
    assert findings(some=[with_facts(HOSTS[0], **facts)]) == [
        f"[facts-format] node-a: {line}. Fix: run preflight again."
    ]


def test_an_ipv6_default_route_and_host_routes_are_understood() -> None:
    routes = [
        {"destination": "default", "gateway": "fe80::1", "device": "eth0", "protocol": "ra"},
        {"destination": "::/0", "gateway": "fe80::1", "device": "eth0", "protocol": "ra"},
        {"destination": "2001:db8::5", "gateway": "fe80::1", "device": "eth0", "protocol": "ra"},
        {"destination": "203.0.113.7", "gateway": "192.0.2.1", "device": "eth0", "protocol": "static"},
    ]
    assert prepare(some=live(routes=routes)).warnings == []


def test_hosts_without_facts_are_not_judged() -> None:
    assert prepare(some=[host("x", "192.0.2.1", groups=HOSTS[0].groups)], contract=FLANNEL).warnings == []
