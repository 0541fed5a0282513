"""Examples of rules about settings: what breaks a rule, and what is just beside that."""

from plan_cases import FLANNEL, KUBENET
from plan_examples import (
    DUAL,
    ENGINE,
    INTERFACE,
    MODES,
    POLICY,
    SANS,
    SEVERAL,
    SIX,
    Case,
    facts,
    node_b,
    settings,
)

TWO = ("10.200.0.0/16", "10.201.0.0/16")
FULL = "pod-network-full"
SIZE = "service-network-size"
UPSTREAM = "dns-upstream"

REFUSED = [
    Case("network-format", settings(pod_cidrs=("10.200.0.1/16",)), settings(pod_cidrs=("10.200.0.0/16",))),
    Case("network-format", settings(SIX, pod_cidrs=("2001:db8:200::1/48",)), settings(SIX)),
    Case("network-format", settings(service_cidrs=("::ffff:10.32.0.0/120",)), settings()),
    Case(
        "network-format",
        settings(non_masquerade_cidrs=("198.51.100.1/24",)),
        settings(non_masquerade_cidrs=("198.51.100.0/24",)),
    ),
    Case("network-missing", settings(pod_cidrs=()), settings()),
    Case("network-missing", settings(SIX, service_cidrs=()), settings(SIX)),
    Case("network-special", settings(pod_cidrs=("169.254.0.0/16",)), settings(pod_cidrs=("169.253.0.0/16",))),
    Case("network-special", settings(pod_cidrs=("127.0.0.0/16",)), settings(pod_cidrs=("240.0.0.0/16",))),
    Case("network-special", settings(SIX, pod_cidrs=("fe80::/48",)), settings(SIX, pod_cidrs=("fd00::/48",))),
    Case(
        "network-special",
        settings(service_cidrs=("224.0.0.0/24",)),
        settings(service_cidrs=("223.255.255.0/24",)),
    ),
    Case("network-overlap", settings(pod_cidrs=("10.32.0.0/16",)), settings(pod_cidrs=("10.33.0.0/16",))),
    Case(
        "network-overlap",
        settings(SIX, service_cidrs=("2001:db8:200:ffff::/112",)),
        settings(SIX, service_cidrs=("2001:db8:201::/112",)),
    ),
    Case("network-overlap", settings(host_cidrs=("10.0.0.0/8",)), settings(host_cidrs=("192.0.2.0/24",))),
    Case(
        "network-overlap", settings(tunnel_cidrs=("10.200.9.0/30",)), settings(tunnel_cidrs=("10.9.9.0/30",))
    ),
    Case(
        "network-overlap",
        settings(excluded_cidrs=("10.32.0.9/32",)),
        settings(excluded_cidrs=("10.32.1.0/32",)),
    ),
    Case(
        "network-overlap",
        settings(host_cidrs=("192.0.2.0/24",), tunnel_cidrs=("192.0.2.128/25",)),
        settings(host_cidrs=("192.0.2.0/25",), tunnel_cidrs=("192.0.2.128/25",)),
    ),
    Case(
        "network-overlap",
        settings(extra_service_cidrs=("10.32.0.0/23",)),
        settings(extra_service_cidrs=("10.33.0.0/24",)),
    ),
    Case("network-overlap", node_b(addresses=("10.200.255.255",)), node_b(addresses=("10.201.0.0",))),
    Case(
        "network-overlap",
        node_b(SIX, addresses=("2001:db8:200::9",)),
        node_b(SIX, addresses=("2001:db8:201::9",)),
    ),
    Case(
        "address-excluded",
        settings(excluded_cidrs=("192.0.2.12/32",)),
        settings(excluded_cidrs=("192.0.2.14/32",)),
    ),
    Case(
        "address-excluded",
        settings(SIX, excluded_cidrs=("2001:db8::/64",)),
        settings(SIX, excluded_cidrs=("2001:db8:1::/64",)),
    ),
    Case(
        "address-excluded",
        settings(excluded_cidrs=("203.0.113.0/24",), apiserver_endpoints=("203.0.113.5",)),
        settings(excluded_cidrs=("203.0.113.0/24",), apiserver_endpoints=("198.51.100.5",)),
    ),
    Case("family-order", settings(service_cidrs=SIX.service_cidrs), settings()),
    Case("family-order", settings(DUAL, service_cidrs=DUAL.service_cidrs[::-1]), settings(DUAL)),
    Case(
        "family-order",
        settings(extra_service_cidrs=("2001:db8:33::/112",)),
        settings(DUAL, extra_service_cidrs=("2001:db8:33::/112",)),
    ),
    Case("family-twice", settings(pod_cidrs=TWO), settings(pod_cidrs=TWO) | {"contract": SEVERAL}),
    Case(
        "family-twice",
        settings(SIX, service_cidrs=("2001:db8:32::/112", "2001:db8:33::/112")),
        settings(SIX, extra_service_cidrs=("2001:db8:33::/112",)),
    ),
    Case("family-unsupported", settings(DUAL) | {"contract": FLANNEL}, settings() | {"contract": FLANNEL}),
    Case(
        "node-prefix",
        settings(node_prefixes=(15,)),
        settings(pod_cidrs=("10.128.0.0/9",), node_prefixes=(16,)),
    ),
    Case("node-prefix", settings(SIX, node_prefixes=(129,)), settings(SIX, node_prefixes=(56,))),
    Case("node-prefix-count", settings(node_prefixes=(24, 64)), settings(DUAL, node_prefixes=(24, 64))),
    Case("node-prefix-count", settings(DUAL, node_prefixes=(24,)), settings(node_prefixes=(24,))),
    Case("max-pods", settings(max_pods=254), settings(max_pods=126)),
    Case("max-pods", settings(SIX, node_prefixes=(122,)), settings(SIX, node_prefixes=(120,))),
    Case(FULL, settings(pod_cidrs=("10.200.0.0/23",)), settings(pod_cidrs=("10.200.0.0/22",))),
    Case(
        FULL, settings(SIX, pod_cidrs=("2001:db8:200::/63",)), settings(SIX, pod_cidrs=("2001:db8:200::/62",))
    ),
    Case("pod-prefix", node_b(pod_prefixes=(15,)), node_b(pod_prefixes=(23,))),
    Case("pod-prefix", node_b(DUAL, pod_prefixes=(23,)), node_b(DUAL, pod_prefixes=(23, 63))),
    Case(SIZE, settings(service_cidrs=("10.32.0.0/30",)), settings(service_cidrs=("10.32.0.0/28",))),
    Case(SIZE, settings(service_cidrs=("128.0.0.0/1",)), settings(service_cidrs=("32.0.0.0/3",))),
    Case(
        SIZE,
        settings(SIX, service_cidrs=("2001:db8:32::/63",)),
        settings(SIX, service_cidrs=("2001:db8:32::/64",)),
    ),
    Case(
        SIZE,
        settings(SIX, service_cidrs=("2001:db8:32::/126",), dns_addresses=("2001:db8:32::2",)),
        settings(SIX, service_cidrs=("2001:db8:32::/125",), dns_addresses=("2001:db8:32::2",)),
    ),
    Case(
        SIZE,
        settings(extra_service_cidrs=("10.33.0.0/31",)),
        settings(extra_service_cidrs=("10.33.0.0/30",)),
    ),
    Case("dns-address", settings(dns_addresses=("10.32.0.1",)), settings(dns_addresses=("10.32.0.2",))),
    Case("dns-address", settings(dns_addresses=("10.32.1.10",)), settings(dns_addresses=("10.32.0.254",))),
    Case(
        "dns-address",
        settings(SIX, dns_addresses=("2001:db8:32::1",)),
        settings(SIX, dns_addresses=("2001:db8:32::ffff",)),
    ),
    Case(
        "dns-address",
        settings(dns_addresses=("10.32.0.255",)),
        settings(dns_addresses=("10.32.0.254",)),
    ),
    Case(UPSTREAM, settings(dns_upstreams=("10.200.0.53",)), settings(dns_upstreams=("10.201.0.53",))),
    Case(UPSTREAM, settings(dns_upstreams=("10.32.0.10",)), settings(dns_upstreams=("10.32.0.11",))),
    Case(UPSTREAM, settings(dns_upstreams=("10.32.0.1:53",)), settings(dns_upstreams=("10.33.0.1:53",))),
    Case(UPSTREAM, settings(dns_upstreams=("dns.example.com",)), settings(dns_upstreams=("203.0.113.53",))),
    Case(UPSTREAM, settings(dns_upstreams=("/etc/hosts",)), settings(dns_upstreams=("/etc/resolv.conf",))),
    Case(UPSTREAM, settings(dns_upstreams=("127.0.0.53",)), settings(dns_upstreams=("126.0.0.53",))),
    Case(UPSTREAM, settings(dns_upstreams=("192.0.2.53:0",)), settings(dns_upstreams=("192.0.2.53:5353",))),
    Case(
        UPSTREAM,
        settings(dns_upstreams=("192.0.2.53%dns.example.com",)),
        settings(dns_upstreams=("tls://192.0.2.53%dns.example.com:853",)),
    ),
    Case(
        UPSTREAM,
        settings(dns_upstreams=tuple(f"192.0.2.{i}" for i in range(16))),
        settings(dns_upstreams=tuple(f"192.0.2.{i}" for i in range(15))),
    ),
    Case(
        UPSTREAM,
        settings(SIX, dns_upstreams=("192.0.2.53",)),
        settings(SIX, dns_upstreams=("[2001:db8::53]:53", "2001:db8::54", "tls://2001:db8::55")),
    ),
    Case(UPSTREAM, settings(SIX, dns_upstreams=("fe80::53",)), settings(DUAL, dns_upstreams=("192.0.2.53",))),
    Case("dns-domain", settings(dns_domain="ip6.arpa"), settings(dns_domain="home.arpa")),
    Case(
        "dns-domain",
        settings(dns_domain=f"{'a' * 60}.{'b' * 61}"),
        settings(dns_domain=f"{'a' * 60}.{'b' * 60}"),
    ),
    Case("dns-domain", settings(dns_domain="Cluster.local"), settings(dns_domain="cluster.local")),
    Case("cluster-name", settings(cluster_name="a b"), settings(cluster_name="a_b")),
    Case(
        "apiserver-san", settings(extra_apiserver_sans=("api:6443",)), settings(extra_apiserver_sans=("api",))
    ),
    Case(
        "apiserver-endpoint", settings(apiserver_endpoints=("a_b",)), settings(apiserver_endpoints=("a-b",))
    ),
    Case(
        "apiserver-endpoint",
        settings(apiserver_endpoints=("10.200.0.5",)),
        settings(apiserver_endpoints=("203.0.113.5",)),
    ),
    Case(
        "apiserver-endpoint",
        settings(SIX, apiserver_endpoints=("2001:db8:32::5",)),
        settings(SIX, apiserver_endpoints=("2001:db8:1::5",)),
    ),
    Case(
        "apiserver-san-missing",
        settings(apiserver_certificate_sans=tuple(SANS[1:])),
        settings(apiserver_certificate_sans=tuple(SANS)),
    ),
    Case(
        "apiserver-san-missing",
        settings(apiserver_certificate_sans=tuple(SANS), apiserver_endpoints=("api.example.com",)),
        settings(
            apiserver_certificate_sans=(*SANS, "*.example.com"), apiserver_endpoints=("api.example.com",)
        ),
    ),
    Case("node-port-range", settings(node_port_range="10250-10260"), settings(node_port_range="10260-10300")),
    Case("node-port-range", settings(api_port=30443), settings(api_port=29443)),
    Case("apiserver-endpoint", settings(api_endpoint="0.0.0." + "0"), settings(api_endpoint="1.0.0.0")),
    Case("apiserver-endpoint", settings(api_endpoint="[::1]:6443"), settings(api_endpoint="[fd00::1]:6443")),
    Case(
        "apiserver-endpoint",
        settings(apiserver_endpoints=("*.example.com",)),
        settings(apiserver_endpoints=("api.example.com",), extra_apiserver_sans=("*.example.com",)),
    ),
    Case("api-port", settings(api_port=10248), settings(api_port=10247)),
    Case("api-port", settings(api_port=10250), settings(api_port=443)),
    Case(
        "api-port",
        settings(api_port=8472) | {"contract": FLANNEL},
        settings(api_port=8472) | {"contract": KUBENET},
    ),
    Case(
        "apiserver-endpoint", settings(api_endpoint="api:0"), settings(api_endpoint="api.example.com:65535")
    ),
    Case(
        "apiserver-endpoint",
        settings(api_endpoint="10.32.0.5:443"),
        settings(api_endpoint="203.0.113.5:443"),
    ),
    Case(
        "address-excluded",
        settings(SIX, excluded_cidrs=("2001:db8:1::/64",), api_endpoint="[2001:db8:1::5]:443"),
        settings(SIX, excluded_cidrs=("2001:db8:1::/64",), api_endpoint="2001:db8:2::5"),
    ),
    Case("node-port-range", settings(node_port_range="2-1"), settings(node_port_range="1-1")),
    Case(
        "node-port-ephemeral",
        settings(node_port_range="30000-32768") | facts(ip_local_port_range=[32768, 60999]),
        settings(node_port_range="30000-32768") | facts(ip_local_port_range=[32769, 60999]),
    ),
    Case(
        "node-port-ephemeral",
        facts(ip_local_port_range=[20000, 60999], ip_local_reserved_ports=[[30000, 31000], [31002, 32767]]),
        facts(ip_local_port_range=[20000, 60999], ip_local_reserved_ports=[[31001, 32767], [30000, 31000]]),
    ),
    Case("kube-proxy-mode", settings(kube_proxy_mode="userspace"), settings(kube_proxy_mode="ipvs")),
    Case(
        "kube-proxy-mode",
        settings(kube_proxy_mode="ipvs") | {"contract": KUBENET | {"kube_proxy_modes": ["iptables"]}},
        settings() | {"contract": KUBENET | {"kube_proxy_modes": ["iptables"]}},
    ),
    Case(
        "policy-unsupported",
        settings(network_policy_engine="backend"),
        settings(network_policy_engine="backend") | {"contract": POLICY},
    ),
    Case(
        "policy-unsupported",
        settings(network_policy_engine="exampel") | {"others": [ENGINE]},
        settings(network_policy_engine="example") | {"others": [ENGINE]},
    ),
    Case(
        "policy-unsupported",
        settings(DUAL, network_policy_engine="example") | {"others": [ENGINE]},
        settings(DUAL, network_policy_engine="example")
        | {"others": [ENGINE | {"families": ["ipv4", "ipv6"]}]},
    ),
    Case("backend-mode", settings(network_backend_mode="direct"), settings(network_backend_mode="")),
    Case(
        "backend-mode",
        settings(network_backend_mode="tunel") | {"contract": MODES},
        settings(network_backend_mode="tunnel") | {"contract": MODES},
    ),
    Case(
        "backend-option",
        settings(network_backend_options={"vni": 10_000}) | {"contract": FLANNEL},
        settings(network_backend_options={"vni": 9_999}) | {"contract": FLANNEL},
    ),
    Case(
        "backend-option",
        settings(network_backend_options={"port": 10250}) | {"contract": FLANNEL},
        settings(network_backend_options={"port": 10251}) | {"contract": FLANNEL},
    ),
    Case(
        "backend-option",
        settings(network_backend_options={"port": 4789}),
        settings(network_backend_options={"port": 4789}) | {"contract": FLANNEL},
    ),
    Case(
        "kube-proxy-mode",
        settings(kube_proxy_mode="none"),
        settings(kube_proxy_mode="none") | {"contract": KUBENET | {"kube_proxy_modes": ["iptables", "none"]}},
    ),
    Case(
        "kube-proxy-mode",
        settings(kube_proxy_mode="nftables", network_policy_engine="example")
        | {"others": [ENGINE | {"kube_proxy_modes": ["iptables"]}]},
        settings(network_policy_engine="example") | {"others": [ENGINE | {"kube_proxy_modes": ["iptables"]}]},
    ),
    Case(
        "underlay-mtu",
        settings(underlay_mtu=1500) | facts(interfaces=[INTERFACE | {"mtu": 1499}]),
        settings(underlay_mtu=1500) | facts(interfaces=[INTERFACE]),
    ),
    Case(
        "pod-mtu",
        settings(underlay_mtu=625) | {"contract": FLANNEL},
        settings(underlay_mtu=626) | {"contract": FLANNEL},
    ),
    Case("pod-mtu", settings(SIX, underlay_mtu=1279), settings(SIX, underlay_mtu=1280)),
]
