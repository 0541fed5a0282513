"""What Kubernetes really accepts, found by asking the daemons of v1.36.3 and not by memory.

Each limit was found by starting the real kube-apiserver and kube-controller-manager with sizes on both sides
of it, creating a Service or a Node, and reading the answer. docs/plan_rules.md has the tables.
"""

from collections.abc import Mapping

from flatnet.plan.addresses import Family, parse_network

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
        ("::/127", "unspecified and loopback (RFC 4291)"),
        ("fe80::/10", "link-local (RFC 4291)"),
        ("ff00::/8", "multicast (RFC 4291)"),
    )
}

# What Linux uses for its own connections unless told otherwise: net.ipv4.ip_local_port_range.
EPHEMERAL_PORTS = (32768, 60999)
