"""Examples of rules about hosts, allocations and what is deployed: what breaks one, what is just beside."""

from dataclasses import replace
from typing import Any

from plan_cases import (
    ALL_GROUPS,
    FLANNEL,
    GROUPED,
    HOSTS,
    KUBENET,
    OWN_IPAM,
    WITH_ETCD,
    group,
    host,
    members,
    prepare,
    with_facts,
)
from plan_examples import (
    DEPLOYED,
    DUAL,
    ENGINE,
    FOUR,
    INTERFACE,
    MODES,
    SIX,
    Case,
    facts,
    ledger,
    node_b,
    running,
    settings,
)

HERE = "node-port-in-use"
ON_SIX = settings(SIX)
MASTER = frozenset({"kube_control_plane", "kube_node"})
DEPLOYED_NOW = {"deployed": DEPLOYED}
DEPLOYED_FEW = {"deployed": prepare(**settings(pod_cidrs=("10.200.0.0/22",))).plan}
DEPLOYED_WITH_ENGINE = prepare(**settings(network_policy_engine="example"), others=[ENGINE]).plan
DEPLOYED_IN_MODE = {"deployed": prepare(contract=MODES).plan}
SOCKET = {"address": "192.0.2.11", "port": 6443, "protocol": "tcp", "process": "nginx"}
SWITCHED = KUBENET | {"needs": {"optional_kernel_features": ["openvswitch"]}}
AROUND = {"destination": "192.0.2.12/32", "device": "wg0"}
STRICT = {"all": {"ipv4": {"rp_filter": 1}}, "eth0": {"ipv4": {"rp_filter": 0}}}

RACKS = [group("rack-1", "node-a", "node-b"), group("rack-2", "node-c")]


def grouped(*groups: object, **changed: object) -> dict[str, Any]:
    """Return arguments with these groups in the topology of a backend that routes by groups."""
    return settings(FOUR, pod_topology=list(groups), **changed) | {"contract": GROUPED}


REFUSED_HOSTS = [
    Case("topology-format", grouped({"name": "rack-1"}), grouped(*RACKS)),
    Case(
        "topology-format",
        grouped({"name": "zone", "groups": RACKS, "hosts": []}),
        grouped({"name": "zone", "groups": RACKS}),
    ),
    Case("topology-format", grouped(*RACKS, group("rack-2")), grouped(*RACKS, group("rack-3"))),
    Case("topology-format", grouped(*RACKS, group("Rack")), grouped(*RACKS, group("rack"))),
    Case(
        "topology-format",
        grouped(*RACKS, {"name": "x", "host": []}),
        grouped(*RACKS, {"name": "x", "hosts": []}),
    ),
    Case("topology-host", grouped(*RACKS, group("rack-3", "node-d")), grouped(*RACKS, group("rack-3"))),
    Case("topology-cover", grouped(RACKS[0]), grouped(*RACKS)),
    Case("topology-twice", grouped(*RACKS, group("rack-3", "node-a")), grouped(*RACKS)),
    Case("topology-twice", grouped(RACKS[0], group("rack-2", "node-c", "node-c")), grouped(*RACKS)),
    Case(
        "topology-gateway",
        grouped(RACKS[0], group("rack-2", "node-c", gateways=[])),
        grouped(group("all", "node-a", "node-b", "node-c", gateways=[])),
    ),
    Case(
        "topology-gateway",
        grouped(RACKS[0], group("rack-2", "node-c", gateways=["192.0.2.1", "192.0.2.2"])),
        grouped(*RACKS),
    ),
    Case(
        "topology-gateway",
        grouped(RACKS[0], group("rack-2", "node-c", gateways=["192.0.2.1", "2001:db8::1"])),
        grouped(*RACKS),
    ),
    Case(
        "topology-depth",
        grouped(*RACKS, group("rack-3"), pod_cidrs=("10.200.0.0/23",), node_prefixes=(24,)),
        grouped(*RACKS, group("rack-3"), pod_cidrs=("10.200.0.0/21",), node_prefixes=(24,)),
    ),
    Case(
        "topology-full",
        grouped(*RACKS, pod_cidrs=("10.200.0.0/23",)),
        grouped(*RACKS, pod_cidrs=("10.200.0.0/22",)),
    ),
    Case(
        "topology-moved",
        grouped(*RACKS) | ledger(nodes={"node-c": ["10.200.2.0/24"]}),
        grouped(*RACKS) | ledger(nodes={"node-c": ["10.200.130.0/24"]}),
    ),
    Case(
        HERE,
        facts(listening=[{"address": "192.0.2.11", "port": 30080}]),
        facts(listening=[{"address": "127.0.0.1", "port": 30080}, {"address": "192.0.2.11", "port": 22}]),
    ),
    Case(
        HERE,
        facts(listening=[{"address": "::", "port": 32767}]),
        facts(listening=[{"address": "::1", "port": 32767}, {"address": "::", "port": 32768}]),
    ),
    Case(
        HERE,
        facts(listening=[{"address": "::", "port": 30080, "process": "nginx"}]),
        facts(listening=[{"address": "::", "port": 30080, "process": "kube-proxy"}]),
    ),
    Case(
        "kernel-feature",
        facts(kernel_features={"vxlan": False}) | {"contract": FLANNEL},
        facts(kernel_features={"vxlan": False}),
    ),
    Case(
        "backend-address",
        facts(interfaces=[INTERFACE, {"name": "cali1", "addresses": ["10.99.0.1/32"]}])
        | {"contract": OWN_IPAM},
        facts(interfaces=[INTERFACE, {"name": "cali1", "addresses": ["10.200.9.1/32"]}])
        | {"contract": OWN_IPAM},
    ),
    Case("host-missing", {"some": HOSTS[1:]}, {"some": HOSTS[:1]}),
    Case("control-plane-several", node_b(groups=MASTER), node_b(groups=WITH_ETCD)),
    Case(
        "host-group",
        node_b(is_in_cluster=False),
        node_b(is_in_cluster=False, groups=frozenset()),
    ),
    Case(
        "host-group",
        {"some": [*HOSTS, replace(host("db", "192.0.2.9", groups=["etcd"]), is_in_cluster=False)]},
        {"some": [*HOSTS, host("db", "192.0.2.9", groups=["etcd"])]},
    ),
    Case("host-duplicate", node_b(addresses=("192.0.2.11",)), node_b(addresses=("192.0.2.21",))),
    Case(
        "host-duplicate", node_b(SIX, addresses=("2001:db8:0::1",)), node_b(SIX, addresses=("2001:db8::9",))
    ),
    Case("host-duplicate", node_b(node_name="node-a"), node_b(node_name="node-d")),
    Case("node-name", node_b(node_name="node_b"), node_b(node_name="node-b.example.com")),
    Case("node-name", node_b(node_name="b." + "n" * 62), node_b(node_name="b." + "n" * 50)),
    Case("node-name", node_b(node_name="n" * 53), node_b(node_name="n" * 52)),
    Case(
        "node-name",
        {"some": [*HOSTS, host("b." + "n" * 63, "192.0.2.9", groups=["etcd"])]},
        {"some": [*HOSTS, host("b." + "n" * 62, "192.0.2.9", groups=["etcd"])]},
    ),
    Case("node-address", node_b(addresses=("169.254.1.1",)), node_b(addresses=("169.253.1.1",))),
    Case("node-address", node_b(SIX, addresses=("fe80::1",)), node_b(SIX, addresses=("fd00::1",))),
    Case("node-address", node_b(DUAL, addresses=("192.0.2.12",)), node_b(addresses=("192.0.2.12",))),
    Case(
        "node-address",
        facts(interfaces=[INTERFACE | {"addresses": ["192.0.2.11/30"]}]),
        facts(interfaces=[INTERFACE | {"addresses": ["192.0.2.11/24"]}]),
    ),
    Case("pin-format", node_b(pod_cidr_pins=("10.200.0.1/24",)), node_b(pod_cidr_pins=("10.200.1.0/24",))),
    Case(
        "pin-format",
        node_b(pod_cidr_pins=("2001:db8:200::/64",)),
        node_b(DUAL, pod_cidr_pins=("2001:db8:200::/64",)),
    ),
    Case(
        "allocation-cluster",
        settings(cluster_name="paris") | ledger(cluster="berlin"),
        settings(cluster_name="berlin") | ledger(cluster="berlin"),
    ),
    Case(
        "allocation-cluster",
        ledger(nodes={"web-1": ["10.200.0.0/24"], "web-2": ["10.200.1.0/24"]}),
        ledger(nodes={"web-1": ["10.200.0.0/24"], "node-c": ["10.200.1.0/24"]}),
    ),
    Case(
        "allocation-cluster",
        ON_SIX | ledger(nodes={"web-1": ["2001:db8:200::/64"], "web-2": ["2001:db8:200:1::/64"]}),
        ON_SIX | ledger(nodes={"web-1": ["2001:db8:200::/64"]}),
    ),
    Case(
        "allocation-outside",
        ledger(nodes={"node-a": ["10.201.0.0/24"]}),
        ledger(nodes={"node-a": ["10.200.9.0/24"]}),
    ),
    Case(
        "allocation-outside",
        ON_SIX | ledger(nodes={"node-a": ["2001:db8:201::/64"]}),
        ON_SIX | ledger(nodes={"node-a": ["2001:db8:200:9::/64"]}),
    ),
    Case(
        "allocation-conflict",
        ledger(nodes={"node-a": ["10.200.4.0/23"], "node-b": ["10.200.5.0/24"]}),
        ledger(nodes={"node-a": ["10.200.4.0/23"], "node-b": ["10.200.6.0/24"]}),
    ),
    Case(
        "allocation-conflict",
        ON_SIX | ledger(nodes={"node-a": ["2001:db8:200::/64"], "node-b": ["2001:db8:200::/64"]}),
        ON_SIX | ledger(nodes={"node-a": ["2001:db8:200::/64"], "node-b": ["2001:db8:200:1::/64"]}),
    ),
    Case(
        "pin-conflict",
        node_b(pod_cidr_pins=("10.200.9.0/24",)) | ledger(nodes={"node-c": ["10.200.9.0/24"]}),
        node_b(pod_cidr_pins=("10.200.9.0/24",)) | ledger(nodes={"node-c": ["10.200.8.0/24"]}),
    ),
    Case(
        "pin-conflict",
        {"some": [*HOSTS[:2], host("node-d", "192.0.2.14", pins=("10.200.2.0/24",))]} | DEPLOYED_NOW,
        {"some": [*HOSTS[:2], host("node-d", "192.0.2.14", pins=("10.200.3.0/24",))]} | DEPLOYED_NOW,
    ),
    Case(
        "allocation-conflict",
        {"some": [*HOSTS, host("node-d", "192.0.2.14")]}
        | ledger(nodes={"node-c": ["10.200.9.0/24"], "node-d": ["10.200.2.0/24"]})
        | DEPLOYED_NOW,
        {"some": [*HOSTS, host("node-d", "192.0.2.14")]}
        | ledger(nodes={"node-d": ["10.200.9.0/24"]})
        | DEPLOYED_NOW,
    ),
    Case(
        "pod-network-full",
        settings(pod_cidrs=("10.200.0.0/22",))
        | {"some": [HOSTS[0], *(host(f"new-{i}", f"192.0.2.2{i}") for i in range(2))]}
        | DEPLOYED_FEW,
        settings(pod_cidrs=("10.200.0.0/22",))
        | {"some": [HOSTS[0], host("new-0", "192.0.2.20")]}
        | DEPLOYED_FEW,
    ),
    Case(
        "adoption-format",
        {"existing_nodes": running("node-a", "10.200.0.1/24")},
        {"existing_nodes": running("node-a", "10.200.1.0/24")},
    ),
    Case(
        "adoption-conflict",
        {"existing_nodes": running("node-a", "10.200.5.0/24")} | ledger(nodes={"node-a": ["10.200.6.0/24"]}),
        {"existing_nodes": running("node-a", "10.200.5.0/24")} | ledger(nodes={"node-a": ["10.200.5.0/24"]}),
    ),
    Case(
        "adoption-conflict",
        {"existing_nodes": running("node-z", "10.200.5.0/24")} | ledger(nodes={"node-a": ["10.200.5.0/24"]}),
        {"existing_nodes": running("node-z", "10.200.5.0/24")} | ledger(nodes={"node-a": ["10.200.6.0/24"]}),
    ),
    Case(
        "adoption-families",
        settings(DUAL) | {"existing_nodes": running("node-a", "2001:db8:200::/64", "10.200.5.0/24")},
        settings(DUAL) | {"existing_nodes": running("node-a", "10.200.5.0/24", "2001:db8:200::/64")},
    ),
    Case(
        "adoption-families",
        {"existing_nodes": running("node-a", "10.200.5.0/24", "2001:db8:200::/64")},
        {"existing_nodes": running("node-z", "10.200.5.0/24", "2001:db8:200::/64")},
    ),
    Case(
        "adoption-prefix",
        {"existing_nodes": running("node-a", "10.200.6.0/23")},
        {"existing_nodes": running("node-a", "10.200.6.0/23")} | ledger(nodes={"node-a": ["10.200.6.0/23"]}),
    ),
    Case(
        "adoption-missing",
        {"existing_nodes": running("node-b")},
        {"existing_nodes": running("node-b")} | node_b(pod_cidr_pins=("10.200.6.0/24",)),
    ),
    Case(
        "pin-moves-node",
        {"existing_nodes": running("node-b", "10.200.5.0/24")} | node_b(pod_cidr_pins=("10.200.6.0/24",)),
        {"existing_nodes": running("node-b", "10.200.6.0/24")} | node_b(pod_cidr_pins=("10.200.6.0/24",)),
    ),
    Case("facts-format", facts(routes=["default"]), facts(routes=[{"destination": "default"}])),
    Case(
        "node-address-elsewhere",
        facts(interfaces=[INTERFACE | {"addresses": ["192.0.2.99/24"]}]),
        facts(interfaces=[INTERFACE]),
    ),
    Case(
        "live-overlap",
        facts(routes=[{"destination": "10.200.0.0/16", "device": "tun0"}]),
        facts(routes=[{"destination": "10.201.0.0/16", "device": "tun0"}]),
    ),
    Case(
        "live-overlap",
        facts(interfaces=[INTERFACE, {"name": "docker0", "addresses": ["10.32.0.1/16"]}]),
        facts(interfaces=[INTERFACE, {"name": "docker0", "addresses": ["10.33.0.1/16"]}]),
    ),
    Case(
        "live-overlap", facts(nameservers=["10.32.0.53"]), facts(nameservers=["10.33.0.53", "fe80::1%eth0"])
    ),
    Case(
        "live-overlap",
        ON_SIX | {"some": [with_facts(ON_SIX["some"][0], nameservers=["2001:db8:200::53"])]},
        ON_SIX | {"some": [with_facts(ON_SIX["some"][0], nameservers=["2001:db8:201::53"])]},
    ),
    Case("facts-format", facts(nameservers=["dns"]), facts(nameservers=[])),
    Case(
        "port-in-use",
        facts(listening=[SOCKET | {"unit": "nginx.service"}]),
        facts(listening=[SOCKET | {"unit": "kube-apiserver.service"}]),
    ),
    Case(
        "gateway-elsewhere",
        facts(interfaces=[INTERFACE | {"addresses": ["192.0.2.11/32"]}]),
        facts(interfaces=[INTERFACE | {"addresses": ["192.0.2.11/28"]}]),
    ),
    Case(
        "reverse-path",
        facts(interfaces=[INTERFACE], routes=[AROUND], interface_settings=STRICT),
        facts(interfaces=[INTERFACE], routes=[AROUND | {"device": "eth0"}], interface_settings=STRICT),
    ),
    Case(
        "machine-id",
        {"some": [with_facts(one, machine_id="3d1219c7c4c5404aaa1f6d2a48adfda4") for one in HOSTS[:2]]},
        {"some": [with_facts(HOSTS[0], machine_id="3d1219c7c4c5404aaa1f6d2a48adfda4"), *HOSTS[1:]]},
    ),
    Case("deployed-format", {"deployed": {"nodes": 5}}, {"deployed": {"nodes": {}}}),
    Case(
        "immutable-pod-cidr",
        settings(pod_cidrs=("10.200.0.0/17",)) | DEPLOYED_NOW,
        settings(pod_cidrs=("10.200.0.0/15",)) | DEPLOYED_NOW,
    ),
    Case(
        "immutable-service-cidr",
        settings(service_cidrs=("10.32.0.0/23",)) | DEPLOYED_NOW,
        settings(extra_service_cidrs=("10.32.1.0/24",)) | DEPLOYED_NOW,
    ),
    Case(
        "immutable-families",
        settings() | {"deployed": {"families": ["ipv6"]}},
        settings(DUAL) | {"deployed": {"families": ["ipv4"]}},
    ),
    Case(
        "immutable-dns-domain",
        settings(dns_domain="example.com") | DEPLOYED_NOW,
        settings(dns_domain="cluster.local") | DEPLOYED_NOW,
    ),
    Case(
        "immutable-dns-address",
        settings(dns_addresses=("10.32.0.53",)) | DEPLOYED_NOW,
        settings(dns_addresses=("10.32.0.10",)) | DEPLOYED_NOW,
    ),
    Case(
        "immutable-node-cidr",
        ledger(nodes={"node-b": ["10.200.9.0/24"]}) | DEPLOYED_NOW,
        ledger(nodes={"node-b": ["10.200.1.0/24"]}) | DEPLOYED_NOW,
    ),
    Case(
        "immutable-node-name",
        node_b(node_name="other") | DEPLOYED_NOW,
        node_b(node_name="node-b") | DEPLOYED_NOW,
    ),
    Case(
        "immutable-node-name",
        {"some": [HOSTS[0], host("node-b", "192.0.2.13"), host("node-c", "192.0.2.12")]} | DEPLOYED_NOW,
        {"some": [HOSTS[0], host("node-b", "192.0.2.13"), host("node-d", "192.0.2.12")]} | DEPLOYED_NOW,
    ),
    Case("immutable-backend", {"contract": FLANNEL} | DEPLOYED_NOW, {"contract": KUBENET} | DEPLOYED_NOW),
    Case(
        "immutable-policy-engine",
        {"deployed": DEPLOYED_WITH_ENGINE},
        settings(network_policy_engine="example") | {"others": [ENGINE], "deployed": DEPLOYED_WITH_ENGINE},
    ),
    Case(
        "immutable-backend-mode",
        settings(network_backend_mode="tunnel") | {"contract": MODES} | DEPLOYED_IN_MODE,
        settings(network_backend_mode="direct") | {"contract": MODES} | DEPLOYED_IN_MODE,
    ),
    Case(
        "immutable-control-plane",
        {"some": [replace(HOSTS[0], groups=WITH_ETCD), replace(HOSTS[1], groups=MASTER), HOSTS[2]]}
        | DEPLOYED_NOW,
        {"some": [replace(HOSTS[0], inventory_name="host-7"), *HOSTS[1:]]} | DEPLOYED_NOW,
    ),
    Case(
        "immutable-etcd-members",
        node_b(groups=WITH_ETCD) | DEPLOYED_NOW,
        node_b(groups=frozenset({"kube_node"})) | DEPLOYED_NOW,
    ),
]

MEMBERS_MAY_CHANGE = settings(allowed_changes=("etcd_members",)) | DEPLOYED_NOW
MEMBERS_MAY_CHANGE.pop("some")

WARNED = [
    Case("topology-unused", settings(pod_topology=RACKS), grouped(*RACKS)),
    Case("forward-policy", facts(forward_drops=["table ip filter, chain FORWARD"]), facts(forward_drops=[])),
    Case("network-public", settings(pod_cidrs=("11.0.0.0/16",)), settings(pod_cidrs=("100.64.0.0/16",))),
    Case(
        "network-public",
        settings(SIX, service_cidrs=("2a00::/112",)),
        settings(SIX, service_cidrs=("fd00::/112",)),
    ),
    Case(
        "allowed-change-unused",
        settings(allowed_changes=("dns_domain",)) | DEPLOYED_NOW,
        settings(allowed_changes=("dns_domain",), dns_domain="example.com") | DEPLOYED_NOW,
    ),
    Case("node-leaving", {"some": HOSTS[:2]} | DEPLOYED_NOW, {"some": HOSTS} | DEPLOYED_NOW),
    Case(
        "node-leaving",
        {"some": [*HOSTS[:2], replace(HOSTS[2], groups=frozenset({"etcd"}))], **MEMBERS_MAY_CHANGE},
        {"some": [*HOSTS[:2], replace(HOSTS[2], inventory_name="other", node_name="node-c")]} | DEPLOYED_NOW,
    ),
    Case("node-mask-limit", settings(SIX, node_prefixes=(65,)), settings(SIX, node_prefixes=(64,))),
    Case("max-pods-tight", settings(max_pods=127), settings(max_pods=126)),
    Case(
        "max-pods-tight",
        settings(SIX, node_prefixes=(120,), max_pods=127),
        settings(SIX, node_prefixes=(120,)),
    ),
    Case(
        "node-port-ephemeral",
        settings(node_port_range="32768-33000"),
        settings(node_port_range="32000-32767"),
    ),
    Case(
        "kernel-feature-optional",
        facts(kernel_features={"openvswitch": False}) | {"contract": SWITCHED},
        facts(kernel_features={"openvswitch": True}) | {"contract": SWITCHED},
    ),
    Case(
        "mtu-differs",
        {
            "some": [
                with_facts(HOSTS[0], interfaces=[INTERFACE | {"mtu": 9000}]),
                with_facts(HOSTS[1], interfaces=[INTERFACE | {"addresses": ["192.0.2.12/24"]}]),
            ]
        },
        facts(interfaces=[INTERFACE | {"mtu": 9000}]),
    ),
    Case(
        "host-missing",
        {"some": [host("cp", "192.0.2.1", groups=["etcd", "kube_control_plane"])]},
        {"some": HOSTS},
    ),
    Case(
        "control-plane-node",
        {"some": [replace(HOSTS[0], groups=ALL_GROUPS - {"kube_node"}), *HOSTS[1:]], "contract": FLANNEL},
        {"some": [replace(HOSTS[0], groups=ALL_GROUPS - {"kube_node"}), *HOSTS[1:]], "contract": KUBENET},
    ),
    Case("etcd-even", node_b(groups=WITH_ETCD), {"some": members(HOSTS)}),
    Case("node-address-unused", node_b(addresses=("192.0.2.12", "2001:db8::2")), node_b(DUAL)),
    Case("host-outside", settings(host_cidrs=("192.0.2.0/29",)), settings(host_cidrs=("192.0.2.0/28",))),
    Case(
        "host-outside",
        settings(SIX, host_cidrs=("2001:db8::/127",)),
        settings(SIX, host_cidrs=("2001:db8::/64", "2001:db8::/127")),
    ),
    Case(
        "pod-prefix",
        node_b(pod_prefixes=(23,)) | ledger(nodes={"node-b": ["10.200.1.0/24"]}),
        node_b(pod_prefixes=(23,)) | ledger(nodes={"node-b": ["10.200.2.0/23"]}),
    ),
    Case(
        "pin-unused",
        {"some": [HOSTS[0], host("db", "192.0.2.9", groups=["etcd"], pins=("10.200.5.0/24",))]},
        {"some": [HOSTS[0], host("db", "192.0.2.9", groups=["kube_node"], pins=("10.200.5.0/24",))]},
    ),
    Case(
        "pin-moves-node",
        node_b(pod_cidr_pins=("10.200.9.0/24",)) | ledger(nodes={"node-b": ["10.200.8.0/24"]}),
        node_b(pod_cidr_pins=("10.200.9.0/24",)) | ledger(nodes={"node-b": ["10.200.9.0/24"]}),
    ),
    Case(
        "pin-takes-tombstone",
        node_b(pod_cidr_pins=("10.200.9.0/24",)) | ledger(removed={"gone": ["10.200.8.0/23"]}),
        node_b(pod_cidr_pins=("10.200.9.0/24",)) | ledger(removed={"gone": ["10.200.8.0/24"]}),
    ),
    Case(
        "tombstone-reused",
        settings(pod_cidrs=("10.200.0.0/22",))
        | ledger(removed={"x": ["10.200.0.0/24"], "y": ["10.200.1.0/24"]}),
        settings(pod_cidrs=("10.200.0.0/22",)) | ledger(removed={"x": ["10.200.0.0/24"]}),
    ),
    Case(
        "adoption-missing",
        {"existing_nodes": running("node-z")},
        {"existing_nodes": running("node-z", "10.200.6.0/24")},
    ),
    Case(
        "adoption-stranger",
        {"existing_nodes": running("node-z", "10.200.5.0/24")},
        {"existing_nodes": running("node-c", "10.200.5.0/24")},
    ),
    Case(
        "adoption-conflict",
        {"existing_nodes": running("node-a", "10.200.5.0/24")} | ledger(removed={"gone": ["10.200.5.0/24"]}),
        {"existing_nodes": running("node-a", "10.200.5.0/24")} | ledger(removed={"gone": ["10.200.6.0/24"]}),
    ),
]
