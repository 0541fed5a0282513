"""That a comparison finds what a network leaves, and nothing that only pods leave."""

import pytest

from tests.tour.residue import EXCEPTIONS, compared, lost, residue

FRESH = [
    "interface cbr0",
    "interface veth1a2b3c4d",
    "packet filter iptables *nat :KUBE-SERVICES",
    "packet filter iptables *nat :KUBE-SEP-ABCDEFGHIJKLMNOP",
    "packet filter iptables *nat -A KUBE-SEP-ABCDEFGHIJKLMNOP -s 10.200.1.2/32 -j KUBE-MARK-MASQ",
    "packet filter iptables *nat -A KUBE-SERVICES -d 10.32.0.10/32 -j KUBE-SVC-ABCDEFGHIJKLMNOP",
    "packet filter iptables *filter -A OUTPUT -j KUBE-FIREWALL",
    "packet filter iptables *filter :KUBE-POD-FW-ABCDEFGHIJKLMNO2",
    "packet filter iptables *filter -A KUBE-ROUTER-OUTPUT -d 10.200.1.2/32 -j KUBE-POD-FW-ABCDEFGHIJKLMNO2",
    "packet filter iptables *filter -A KUBE-POD-FW-ABCDEFGHIJKLMNO2 -s 10.200.1.2/32 -j KUBE-NWPLCY-DEFAULT",
    "path /var/lib/kubelet/pods/6c1b2c3e-8a51-4c4f-9d0b-5d0c8b1f7a10 drwxr-x--- root",
    "route 10.200.1.0/24 dev cbr0 proto kernel scope link src 10.200.1.1",
    "process coredns",
    "content 1f /etc/cni/net.d/10-flatnet-kubenet.conflist",
]


def test_the_same_network_with_other_pods_has_no_residue() -> None:
    other = [line.replace("1a2b3c4d", "99999999").replace("6c1b2c3e", "00000000") for line in FRESH]
    of_pods = ("coredns", "KUBE-SEP", "POD-FW")
    assert residue([line for line in other if not any(word in line for word in of_pods)], FRESH) == []


@pytest.mark.parametrize(
    "line",
    [
        "interface flannel.1",
        "interface cni0",
        "packet filter iptables *filter :FLANNEL-FWD",
        'packet filter iptables *filter -A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD',
        "packet filter iptables *nat -A POSTROUTING -s 10.200.0.0/16 -j MASQUERADE",
        "packet filter iptables *nat -A KUBE-SERVICES -d 10.32.0.99/32 -j KUBE-SVC-ABCDEFGHIJKLMNOP",
        "packet filter ip6tables-legacy *nat :KUBE-SERVICES",
        "packet filter iptables *nat :CNI-HOSTPORT-DNAT",
        "packet filter iptables *filter :KUBE-ROUTER-FORWARD",
        "packet filter ip6tables *filter :KUBE-NWPLCY-ABCDEFGHIJKLMNO2",
        "set create KUBE-DST-ABCDEFGHIJKLMNO2 hash:ip",
        "route 10.200.2.0/24 via 10.200.2.0 dev flannel.1 onlink",
        "route blackhole 10.200.1.0/26 proto bird",
        "rule 100: from all lookup 77",
        "set create cali40all hash:net",
        "fdb 0a:1b:2c:3d:4e:5f dev flannel.1 dst 192.0.2.13 self permanent",
        "neighbour 10.200.2.0 dev flannel.1 lladdr 0a:1b:2c:3d:4e:5f PERMANENT",
        "address flannel.1 10.200.1.0 32",
        "table ip kube-proxy table ip kube-proxy {",
        "setting net.ipv4.conf.all.route_localnet = 1",
        "path /run/flannel drwxr-xr-x root",
        "path /var/lib/cni/flannel drwx------ root",
        "path /etc/cni/net.d/10-calico.conflist -rw------- root",
        "content 00 /etc/cni/net.d/10-flatnet-kubenet.conflist",
        "unit flanneld.service enabled",
        "process flanneld",
        "pinned /sys/fs/bpf/tc/globals/cilium_lxc",
        "XDP prog/xdp id 5 eth0",
        "mount /run/cilium/cgroupv2",
        "node annotations flannel.alpha.coreos.com/public-ip",
    ],
)
def test_what_a_network_leaves_is_found(line: str) -> None:
    assert residue([*FRESH, line], FRESH) != []
    assert residue(FRESH, [*FRESH, line]) != []


def test_what_is_found_is_told_by_its_side() -> None:
    assert residue(["interface cni0"], ["interface cbr0"]) == [
        "left behind: interface cni0",
        "not there: interface cbr0",
    ]


def test_every_exception_has_its_reason() -> None:
    assert [pattern for pattern, reason in EXCEPTIONS if not reason.strip()] == []
    assert compared(["interface veth1"]) == set()


def test_what_others_put_there_is_missed_byte_for_byte() -> None:
    before = [
        "packet filter iptables *nat :OTHERS",
        "route unreachable 198.51.100.0/24 proto static",
        "interface x",
    ]
    assert lost(before, before[:1]) == ["route unreachable 198.51.100.0/24 proto static"]
    assert lost(before, [before[0] + " ", before[1]]) == ["packet filter iptables *nat :OTHERS"]
