"""What Kubernetes really accepts, found by asking the daemons of v1.36.3 and not by memory.

Each limit was found by starting the real kube-apiserver and kube-controller-manager with sizes on both sides
of it, creating a Service or a Node, and reading the answer. docs/plan_rules.md has the tables.
"""

from collections.abc import Mapping

from flatnet.plan.addresses import Address, Family, parse_network

ASKED = "kube-apiserver v1.36.3"

# A shorter IPv4 prefix stops the API server ("must be at least 8 IP addresses": the size overflows), a longer
# one too. An IPv6 network wider than /64 is worse: the API server starts, and no Service ever gets an address
# ("range is full"). (shortest, longest) prefix length of --service-cluster-ip-range.
SERVICE_PREFIXES: Mapping[Family, tuple[int, int]] = {"ipv4": (2, 29), "ipv6": (64, 125)}

# The same for the networks of further ServiceCIDR objects, from which an address was asked.
EXTRA_SERVICE_PREFIXES: Mapping[Family, tuple[int, int]] = {"ipv4": (2, 30), "ipv6": (64, 127)}

# kube-controller-manager with --allocate-node-cidrs=true: how many bits the node prefix may be longer than
# the pod network's. "New CIDR set failed; the node CIDR size is too big" is said of IPv6 only. With
# --allocate-node-cidrs=false, which is what flatnet runs, it takes anything.
NODE_MASK_BITS: Mapping[Family, int] = {"ipv4": 32, "ipv6": 16}

# Ranges that the daemons take as pod and service networks without a word, and in which nothing can work. (Not
# 240.0.0.0/4: Linux routes it, and clouds use it for pods.)
SPECIAL = {
    parse_network(text): what
    for text, what in (
        ("0.0.0.0/8", "this network (RFC 1122)"),
        ("127.0.0.0/8", "loopback (RFC 1122)"),
        ("169.254.0.0/16", "link-local (RFC 3927)"),
        ("224.0.0.0/4", "multicast (RFC 5771)"),
        ("255.255.255.255/32", "the limited broadcast address (RFC 919)"),
        ("::/127", "unspecified and loopback (RFC 4291)"),
        ("fe80::/10", "link-local (RFC 4291)"),
        ("ff00::/8", "multicast (RFC 4291)"),
    )
}

# Addresses that no host has for others to call it by. kubernetes, pkg/kubelet/kubelet_node_status.go,
# validateNodeIP, refuses loopback, unspecified, link-local and multicast ones. Nobody sends to the rest of
# 0.0.0.0/8, and routers drop what is from or to 240.0.0.0/4 (RFC 1112, section 4).
HOSTLESS = {
    parse_network(text): what
    for text, what in (
        ("0.0.0.0/8", "unspecified (RFC 1122)"),
        ("127.0.0.0/8", "loopback (RFC 1122)"),
        ("169.254.0.0/16", "link-local (RFC 3927)"),
        ("224.0.0.0/4", "multicast (RFC 5771)"),
        ("240.0.0.0/4", "reserved (RFC 1112)"),
        ("::/128", "unspecified (RFC 4291)"),
        ("::1/128", "loopback (RFC 4291)"),
        ("fe80::/10", "link-local (RFC 4291)"),
        ("ff00::/8", "multicast (RFC 4291)"),
    )
}

# What nobody else on the internet has: https://www.iana.org/assignments/iana-ipv4-special-registry and
# iana-ipv6-special-registry. Packets to any other network go to its owner as soon as one of them leaves the
# cluster, and pods cannot reach that owner.
PRIVATE = tuple(
    parse_network(text)
    for text in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "172.16.0.0/12",
        "192.0.2.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
        "2001:db8::/32",
        "3fff::/20",
        "fc00::/7",
    )
)

# How many servers CoreDNS forwards to: coredns, plugin/forward/setup.go, max.
MOST_DNS_UPSTREAMS = 15

# The longest domain below which the longest names of Services still are DNS names (RFC 1035, section 2.3.4):
# <63 characters>.<63 characters>.svc.<domain>.
LONGEST_DNS_DOMAIN = 253 - 63 - 1 - 63 - len(".svc.")

# What Linux uses for its own connections unless told otherwise: net.ipv4.ip_local_port_range.
EPHEMERAL_PORTS = (32768, 60999)


def hostless(address: Address) -> str:
    """Return what the address is when no host can be called by it, and nothing for any other address."""
    return next((what for network, what in HOSTLESS.items() if network.holds(address)), "")
