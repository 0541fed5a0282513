"""Plans that are accepted, held against what the daemons of Kubernetes themselves refuse.

Each check is a rule of upstream in words of our own, with the file that it is from. They know nothing of the
planner: addresses are read by Python's ipaddress.
"""

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from plan_cases import ALL_GROUPS, FLANNEL, GROUPED, KUBENET, contracts_of, group

from flatnet.errors import FlatnetError
from flatnet.plan import Planned, node_objects, plan_from_data
from flatnet.settings import SETTINGS
from flatnet.settings.cluster import CHECK, PROGRAMS, SWITCH

CONTRACTS = contracts_of(KUBENET, FLANNEL, GROUPED)

# One sound value first, so that a shrunk example differs from a sound cluster in few places.
FOUR = [
    "10.32.0.0/24",
    "10.32.0.0/29",
    "10.32.0.0/30",
    "128.0.0.0/1",
    "224.0.0.0/24",
    "255.255.255.0/24",
    "0.0.0.0/24",
    "10.200.0.0/24",
]
SIX = ["2001:db8:32::/112", "2001:db8:32::/63", "2001:db8:32::/126", "ff00::/112", "2001:db8:200::/112"]
PODS = ["10.200.0.0/16", "10.200.0.0/24", "10.200.0.0/30", "10.200.0.0/32", "127.0.0.0/16", "10.32.0.0/16"]
PODS_SIX = ["2001:db8:200::/56", "2001:db8:200::/120", "::/56", "fe80::/56"]
NAMES = [
    "cluster.local",
    "x",
    "a" * 63 + "." + "b" * 63,
    "ip6.arpa",
    "Cluster.local",
    "a_b",
    "-a",
    "a" * 64,
    "1",
    "",
]
HOSTS = [
    "api.example.com",
    "*.example.com",
    "192.0.2.99",
    "0.0.0." + "0",
    "::1",
    "ff02::1",
    "10.200.0.9",
    "a b",
    "240.0.0.1",
]
UPSTREAMS = [
    "/etc/resolv.conf",
    "192.0.2.53",
    "192.0.2.53:5353",
    "[2001:db8::53]:53",
    "tls://192.0.2.53%dns.example.com",
    "10.200.0.53",
    "10.32.0.10",
    "127.0.0.53",
    "dns.example.com",
    "/etc/other.conf",
    "192.0.2.53:99999",
    "quic://192.0.2.53",
    "https://192.0.2.53/path",
    "",
    "a b",
    "}",
]
NUMBERS = st.integers(-2, 70000) | st.sampled_from([0, 1, 110, 253, 6443, 10250, 2**31, 2**40])


def mostly(values: list[str]) -> st.SearchStrategy[str]:
    return st.just(values[0]) | st.sampled_from(values)


def some(values: list[str], most: int = 2) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), max_size=most)


GIVEN: dict[str, st.SearchStrategy[Any]] = {
    "cluster_name": mostly(["kubernetes", "a_b", "a b", "", "a" * 63, "a" * 64]),
    "cluster_extra_service_cidrs": st.just([]) | some(["10.33.0.0/24", "10.34.0.0/31", *FOUR, *SIX]),
    "cluster_node_prefixes": st.just([]) | st.lists(st.integers(0, 130), max_size=2),
    "cluster_max_pods": st.just(110) | NUMBERS,
    "cluster_node_port_range": mostly(
        ["30000-32767", "1-1", "0-5", "6443-6443", "65000-65536", "10240-10260", "9-8"]
    ),
    "cluster_excluded_cidrs": st.just([]) | some(["203.0.113.0/24", "192.0.2.0/25"], 1),
    "cluster_host_cidrs": st.just([]) | some(["192.0.2.0/24", "10.0.0.0/8"], 1),
    "cluster_tunnel_cidrs": st.just([]) | some(["198.51.100.0/24", "10.200.0.0/30"], 1),
    "cluster_non_masquerade_cidrs": st.just([]) | some(["10.0.0.0/8", "198.51.100.1/24"], 1),
    "cluster_network_backend": st.sampled_from(["kubenet", "flannel", "grouped"]),
    "cluster_network_backend_mode": mostly(["", "vxlan"]),
    "cluster_network_backend_options": st.just({})
    | st.dictionaries(st.sampled_from(["port", "vni", "colour"]), NUMBERS, max_size=2),
    "cluster_pod_topology": st.just([])
    | st.lists(
        st.sampled_from(
            [
                group("rack-1", "node-a"),
                group("rack-2", "node-b", gateways=["192.0.2.1", "2001:db8::9"]),
                {"name": "zone", "groups": [group("rack-1", "node-a", "node-b")]},
                5,
            ]
        ),
        max_size=3,
    ),
    "cluster_kube_proxy_mode": mostly(["iptables", "nftables", "ipvs", "none", "userspace"]),
    "cluster_underlay_mtu": st.none() | NUMBERS,
    "cluster_network_policy_engine": mostly(["none", "backend", "x"]),
    "cluster_api_port": st.just(6443) | NUMBERS | st.sampled_from([30000, 10248, 2379, 8472, "abc"]),
    "cluster_api_endpoint": mostly(["", *HOSTS, "api.example.com:0", "[2001:db8::9]:443"]),
    "cluster_apiserver_endpoints": st.just([]) | some(HOSTS),
    "cluster_apiserver_extra_sans": st.just([]) | some(HOSTS),
    "cluster_apiserver_certificate_sans": st.just([]) | some(HOSTS),
    "cluster_dns_domain_name": mostly(NAMES),
    "cluster_dns_service_addresses": st.just([])
    | some(["10.32.0.10", "10.32.0.1", "10.32.0.0", "10.32.0.255", "10.33.0.5", "2001:db8:32::a", "x"]),
    "cluster_dns_upstreams": st.just(["/etc/resolv.conf"])
    | st.lists(st.sampled_from(UPSTREAMS), max_size=17),
}
NODE_NAMES = ["node-b", "Node-B", "b" * 63, "b" * 52 + ".c", "node_b", "b.", "192.0.2.1", "node-a"]
ADDRESSES = [
    "192.0.2.12",
    "0.0.0.5",
    "240.0.0.1",
    "255.255.255.255",
    "127.0.0.1",
    "169.254.0.9",
    "10.200.0.1",
    "x",
]


HOST: dict[str, st.SearchStrategy[Any]] = {
    "node_name": st.sampled_from(NODE_NAMES),
    "ipv4": st.sampled_from(ADDRESSES),
    "ipv6": st.sampled_from(["ff02::1", "fe80::1", "::ffff:1.2.3.4", "2001:db8:32::5"]),
    "max_pods": NUMBERS,
    "pod_prefix": st.integers(0, 130),
    "pod_cidr": st.sampled_from(["10.200.9.0/24", "10.200.9.0/25", "10.200.9.1/24", "10.201.0.0/24"]),
}
NETWORKS = {"pods": PODS, "pods_six": PODS_SIX, "services": FOUR, "services_six": SIX}
PLACES = st.sampled_from([*sorted(GIVEN), *HOST, *NETWORKS])


@st.composite
def inputs(draw: st.DrawFn) -> dict[str, Any]:
    """Return arguments of plan_from_data: a sound cluster in which up to three values are others."""
    places = draw(st.lists(PLACES, max_size=3, unique=True))
    network = {
        name: draw(st.sampled_from(values)) if name in places else values[0]
        for name, values in NETWORKS.items()
    }
    host = {name: draw(HOST[name]) for name in places if name in HOST}
    families = draw(st.sampled_from([["", "_six"], [""], ["_six"], ["_six", ""]]))
    values: dict[str, Any] = {name: draw(GIVEN[name]) for name in places if name in GIVEN}
    values["cluster_pod_cidrs"] = [network["pods" + family] for family in families]
    values["cluster_service_cidrs"] = [network["services" + family] for family in families]
    addresses = [host.pop("ipv4", "192.0.2.12"), host.pop("ipv6", "2001:db8::12")]
    return {
        "settings": values,
        "hosts": [
            {
                "inventory_name": "node-a",
                "addresses": ["192.0.2.11", "2001:db8::11"],
                "groups": sorted(ALL_GROUPS),
            },
            {"inventory_name": "node-b", "addresses": addresses, "groups": ["kube_node"], **host},
        ],
        "contracts": CONTRACTS,
    }


def test_every_setting_that_is_planned_with_is_drawn() -> None:
    beside = {
        "cluster_state_directory",
        "cluster_reports_directory",
        "cluster_allowed_changes",
        "cluster_existing_nodes",
    }
    beside |= {one.variable for one in SETTINGS if one.section in (PROGRAMS, SWITCH, CHECK)}
    drawn = {*GIVEN, "cluster_pod_cidrs", "cluster_service_cidrs"}
    assert drawn == {one.variable for one in SETTINGS} - beside


def is_subdomain(text: str) -> bool:
    """apimachinery, pkg/util/validation/validation.go, IsDNS1123Subdomain."""
    label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
    return len(text) <= 253 and re.fullmatch(rf"{label}(\.{label})*", text) is not None


def is_special(text: str) -> bool:
    """kubernetes, pkg/apis/core/validation/validation.go, ValidateEndpointIP."""
    address = ip_address(text)
    return address.is_unspecified or address.is_loopback or address.is_link_local or address.is_multicast


def is_pair(networks: list[str]) -> bool:
    """Tell whether it is one network, or one of each family: k8s.io/utils, net/net.go, IsDualStackCIDRs."""
    versions = [ip_network(text).version for text in networks]
    return len(versions) in (1, 2) and len(set(versions)) == len(versions)


def api_server(plan: dict[str, Any], values: dict[str, Any]) -> None:
    flags = plan["flags"]["kube-apiserver"]
    ranges = flags["service-cluster-ip-range"].split(",")
    # cmd/kube-apiserver/app/options/validation.go, validateClusterIPFlags.
    assert is_pair(ranges)
    # apimachinery, pkg/util/net/port_range.go, Set; apiserver, pkg/server/options/serving.go, Validate.
    low, high = map(int, flags["service-node-port-range"].split("-"))
    port = values.get("cluster_api_port", 6443)
    assert 1 <= low <= high <= 65535
    assert 1 <= int(port) <= 65535
    assert not low <= int(port) <= high
    masters = [node for node in plan["nodes"].values() if "kube_control_plane" in node["groups"]]
    for node in masters:
        # pkg/controlplane/instance.go: the public address is of the family of the first service network.
        assert ip_address(node["addresses"][0]).version == ip_network(ranges[0]).version
        assert not is_special(node["addresses"][0])
    # A certificate's names: crypto/x509 refuses to make one with others; RFC 5280, 4.2.1.6.
    assert all(is_subdomain(name.removeprefix("*.")) for name in plan["apiserver_sans"]["dns"])
    assert all(ip_address(text) for text in plan["apiserver_sans"]["ip"])
    # pkg/apis/networking/validation/validation.go, ValidateServiceCIDR.
    for item in plan.get("service_cidr_objects", []):
        assert is_pair(item["spec"]["cidrs"])
        assert is_subdomain(item["metadata"]["name"])


def services(plan: dict[str, Any], _values: dict[str, Any]) -> None:
    # pkg/registry/core/service/ipallocator/cidrallocator.go: within the range; neither the first address nor
    # the last one of IPv4; pkg/controlplane/controller/kubernetesservice: the next one is taken.
    for text in plan["dns_addresses"]:
        networks = [ip_network(one) for one in plan["service_cidrs"]]
        own = [one for one in networks if ip_address(text) in one]
        assert own
        assert ip_address(text) not in (own[0][0], own[0][1])
        assert own[0].version == 6 or ip_address(text) != own[0][-1]
    assert plan["dns_addresses"]
    assert len({ip_address(text).version for text in plan["dns_addresses"]}) == len(plan["dns_addresses"])
    every = [*plan["pod_cidrs"], *plan["service_cidrs"], *plan.get("extra_service_cidrs", [])]
    for index, text in enumerate(every):
        for other in every[index + 1 :]:
            one, two = ip_network(text), ip_network(other)
            assert one.version != two.version or not one.overlaps(two)


def kubelet(plan: dict[str, Any], _values: dict[str, Any]) -> None:
    configuration = plan["kubelet_configuration"]
    # pkg/kubelet/apis/config/validation/validation.go: maxPods is an int32 and not negative.
    numbers = [configuration["maxPods"], *(n["max_pods"] for n in plan["nodes"].values() if "max_pods" in n)]
    assert all(0 < number < 2**31 for number in numbers)
    # pkg/kubelet/network/dns/dns.go, NewConfigurer; pkg/apis/core/validation, MaxDNSNameservers.
    assert all(ip_address(text) for text in configuration["clusterDNS"])
    assert len(configuration["clusterDNS"]) <= 3
    assert is_subdomain(f"{'s' * 63}.{'n' * 63}.svc.{configuration['clusterDomain']}")
    for node in plan["nodes"].values():
        # component-helpers, node/util/hostname.go, GetHostname; pkg/apis/core/validation, ValidateNodeName.
        assert is_subdomain(node["name"])
        # RFC 5280, ub-common-name: the Node authorizer wants system:node:<name> as common name.
        assert len(f"system:node:{node['name']}") <= 64
        # pkg/kubelet/kubelet_node_status.go, validateNodeIP.
        assert not any(is_special(text) for text in node["addresses"])


def nodes(plan: dict[str, Any], _values: dict[str, Any]) -> None:
    for item in node_objects(plan["nodes"]):
        # pkg/apis/core/validation/validation.go, ValidateNode.
        assert is_pair(item["spec"]["podCIDRs"])
        assert item["spec"]["podCIDR"] == item["spec"]["podCIDRs"][0]
    given_out = [ip_network(text) for node in plan["nodes"].values() for text in node["pod_cidrs"]]
    for one in given_out:
        pools = [pool for text in plan["pod_cidrs"] if (pool := ip_network(text)).version == one.version]
        assert any(int(pool[0]) <= int(one[0]) and int(one[-1]) <= int(pool[-1]) for pool in pools)
    # containernetworking, plugins/ipam/host-local: without network, gateway and last address.
    for node in plan["nodes"].values():
        most = node.get("max_pods") or plan["kubelet_configuration"]["maxPods"]
        assert all(ip_network(text).num_addresses - 3 >= most for text in node["pod_cidrs"])


def kube_proxy(plan: dict[str, Any], _values: dict[str, Any]) -> None:
    configuration = plan.get("kube_proxy_configuration")
    if configuration is None:
        return
    # pkg/proxy/apis/config/validation/validation.go, Validate and validateProxyMode.
    assert configuration["mode"] in ("iptables", "nftables", "ipvs")
    if "clusterCIDR" in configuration:
        assert is_pair(configuration["clusterCIDR"].split(","))


def etcd(plan: dict[str, Any], _values: dict[str, Any]) -> None:
    members = [node for node in plan["nodes"].values() if "etcd" in node["groups"]]
    # server/embed/config.go, checkBindURLs and Validate: addresses in URLs, one name each.
    assert members
    assert len({node["name"] for node in members}) == len(members)
    assert not any(is_special(node["addresses"][0]) for node in members)


def coredns(plan: dict[str, Any], values: dict[str, Any]) -> None:
    upstreams = values.get("cluster_dns_upstreams", ["/etc/resolv.conf"])
    # plugin/forward/setup.go: at most 15, over dns, tls and https; plugin/pkg/parse/host.go: an address, with
    # a port or without, or a file that is there, which in the pod is only resolv.conf.
    assert len(upstreams) <= 15
    for text in upstreams:
        if text == "/etc/resolv.conf":
            continue
        assert re.fullmatch(r"((dns|tls|https)://)?[0-9a-f.:\[\]]+(%[a-z0-9.-]+)?(:[0-9]+)?", text), text
        bare = re.sub(r"^[a-z]+://|%.*$|[\[\]]", "", text)
        bare = bare if text.count(":") > 3 and "[" not in text else re.sub(r":[0-9]+$", "", bare)
        address = ip_address(bare)
        assert not is_special(str(address))
        # plugin/loop ends a CoreDNS that asks itself.
        assert str(address) not in plan["dns_addresses"]
        assert not any(address in ip_network(pool) for pool in plan["pod_cidrs"])
        assert ("ipv4" if address.version == 4 else "ipv6") in plan["families"]
    # core/dnsserver/register.go: a zone is served by one block.
    zones = [plan["dns_domain"], "in-addr.arpa", "ip6.arpa"]
    assert len(set(zones)) == len(zones)


CHECKS: list[Callable[[dict[str, Any], dict[str, Any]], None]] = [
    api_server,
    services,
    kubelet,
    nodes,
    kube_proxy,
    etcd,
    coredns,
]


def planned(arguments: dict[str, Any]) -> Planned | None:
    try:
        return plan_from_data(**arguments)
    except FlatnetError:
        return None


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(inputs())
def test_no_daemon_refuses_what_a_plan_that_is_accepted_tells_it(arguments: dict[str, Any]) -> None:
    found = planned(arguments)
    event("refused" if found is None else "accepted")
    if found is not None:
        for check in CHECKS:
            check(found.plan, arguments["settings"])


@pytest.mark.parametrize("variable", sorted(GIVEN))
def test_of_the_values_that_are_drawn_some_are_accepted(variable: str) -> None:
    """The property above says nothing of a setting of which every value is refused."""
    accepted = []

    @settings(max_examples=30, database=None)
    @given(GIVEN[variable])
    def look(value: object) -> None:
        if planned({**SOUND, "settings": {variable: value}}):
            accepted.append(value)

    look()
    assert accepted


SOUND: dict[str, Any] = {
    "hosts": [{"inventory_name": "node-a", "addresses": ["192.0.2.11"], "groups": sorted(ALL_GROUPS)}],
    "contracts": CONTRACTS,
}
