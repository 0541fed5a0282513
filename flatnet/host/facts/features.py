"""What the kernel of a host has, by its own word or by using it in a network namespace of its own."""

from __future__ import annotations

import os
import re
import sys

from .local import read, run

# A feature is there when one of its modules is loaded, built in or can be loaded, or its trace is found, or
# the attempt to use it succeeds, which is made in a network namespace of its own that ends with it.
MODULES = {
    "conntrack": ["nf_conntrack"],
    "geneve": ["geneve"],
    "gre": ["ip_gre"],
    "ipset": ["ip_set"],
    "iptables": ["ip_tables"],
    "nftables": ["nf_tables"],
    "openvswitch": ["openvswitch"],
    "vlan": ["8021q"],
}
TRACES = {
    "bpf": "/sys/fs/bpf",
    "br_netfilter": "/proc/sys/net/bridge",
    "btf": "/sys/kernel/btf/vmlinux",
    "conntrack": "/proc/sys/net/netfilter/nf_conntrack_max",
    "ip_vs": "/proc/net/ip_vs",
    "iptables": "/proc/net/ip_tables_names",
    "ipv6": "/proc/sys/net/ipv6",
    "tun": "/sys/class/misc/tun",
}
ATTEMPTS = {
    "bridge": "ip link add flatnet0 type bridge",
    "conntrack": "conntrack -L",
    "dummy": "ip link add flatnet0 type dummy",
    "geneve": "ip link add flatnet0 type geneve id 1 remote 127.0.0.1",
    "gre": "ip link add flatnet0 type gre local 127.0.0.1 remote 127.0.0.2",
    "ipip": "ip link add flatnet0 type ipip local 127.0.0.1 remote 127.0.0.2",
    "ifb": "ip link add flatnet0 type ifb",
    "ip_set_hash_net": "ipset create flatnet1 hash:net",
    "ipset": "ipset create flatnet0 hash:ip",
    "iptables": "iptables -t nat -N FLATNET",
    "nftables": "nft add table ip flatnet0",
    "sch_ingress": "tc qdisc add dev lo ingress",
    "sch_tbf": "tc qdisc add dev lo root tbf rate 1mbit burst 32kbit latency 400ms",
    "sit": "ip link add flatnet0 type sit local 127.0.0.1 remote 127.0.0.2",
    "veth": "ip link add flatnet0 type veth peer name flatnet1",
    "vrf": "ip link add flatnet0 type vrf table 10",
    "vxlan": "ip link add flatnet0 type vxlan id 1 dstport 4789",
    "wireguard": "ip link add flatnet0 type wireguard",
}

# Of these a module tells nothing: iptables works with those of nftables as well, or is too old for them.
# Each is used as kube-proxy (pkg/proxy there), the CNI plugin portmap and kube-router
# (pkg/controllers/netpol there) use it.
XTABLES = {
    "xt_addrtype": "-m addrtype --dst-type LOCAL -j RETURN",
    "xt_comment": "-m comment --comment flatnet -j RETURN",
    "xt_conntrack": "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
    "xt_limit": "-m limit --limit 10/minute --limit-burst 10 -j RETURN",
    "xt_mark": "-m mark --mark 0x4000/0x4000 -j MARK --set-xmark 0x4000/0x0",
    "xt_masquerade": "-j MASQUERADE",
    "xt_multiport": "-p tcp -m multiport --dports 80,443 -j RETURN",
    "xt_nflog": "-j NFLOG --nflog-group 100",
    "xt_physdev": "-m physdev --physdev-is-bridged -j RETURN",
    "xt_recent": "-m recent --name flatnet --set -j RETURN",
    "xt_set": "-m set --match-set flatnet0 src -j RETURN",
    "xt_statistic": "-m statistic --mode random --probability 0.5 -j RETURN",
}
SET = "ipset create flatnet0 hash:ip"
# A table as kube-proxy in mode nftables makes one (pkg/proxy/nftables there), by what it uses of the kernel.
SERVICES = """
table ip flatnet0 {
  comment "flatnet"
  map services { type ipv4_addr . inet_proto . inet_service : verdict; }
  set affinity { type ipv4_addr; flags dynamic,timeout; timeout 3h; }
  chain endpoint { update @affinity { ip saddr }; meta l4proto tcp dnat to 192.0.2.1:80; }
  chain service { numgen random mod 1 vmap { 0 : goto endpoint }; }
  chain nat-prerouting {
    type nat hook prerouting priority -100;
    ip daddr . meta l4proto . th dport vmap @services
    fib daddr type local counter
  }
  chain nat-postrouting {
    type nat hook postrouting priority 100;
    meta mark & 0x4000 != 0 meta mark set meta mark ^ 0x4000 masquerade fully-random
  }
  chain filter-forward {
    type filter hook forward priority -110;
    ct state new reject
  }
}
"""
# kube-proxy refuses older ones (pkg/proxy/nftables/proxier.go; sigs.k8s.io/knftables, exec.go).
SERVICES_KERNEL, SERVICES_NFT = (5, 13), (1, 0, 1)
# A pod that reaches itself through a Service on a promiscuous bridge: a bridge sends no frame back to a port
# that it came from, the host has to, and does where connection tracking still knows the packet then. Kernels
# since 6.9, and others by their fixes, forget it (net/bridge/br_netfilter_hooks.c, br_nf_local_in), so only
# trying tells. flatnet1 stands for the pod.
HAIRPIN_FRAME = """
import socket, struct, sys, time
def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 65535)
    return ~(total + (total >> 16)) & 65535
pod, service, gateway = (socket.inet_aton(one) for one in ("192.0.2.3", "198.51.100.5", "192.0.2.1"))
head = lambda sum: struct.pack("!BBHHHBBH4s4s", 69, 0, 32, 1, 0, 64, 17, sum, pod, service)
frame = bytes.fromhex("020000000001" "020000000003" "0800") + head(checksum(head(0)))
frame += struct.pack("!HHHH", 4000, 53, 12, 0) + b"flat"
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
link.bind(("flatnet1", 0x0800))
end = time.time() + 2
while time.time() < end:
    link.send(frame)
    link.settimeout(0.2)
    try:
        while True:
            got, place = link.recvfrom(2048)
            if place[2] != socket.PACKET_OUTGOING and got[26:30] == gateway and got[30:34] == pod:
                sys.exit(0)
    except OSError:
        pass
sys.exit(1)
"""
HAIRPIN = """
set -e
ip link add flatnet2 address 02:00:00:00:00:01 type bridge
ip link set flatnet2 up promisc on
ip address add 192.0.2.1/24 dev flatnet2
ip link add flatnet0 type veth peer name flatnet1 address 02:00:00:00:00:03
ip link set flatnet0 master flatnet2 up
ip link set flatnet1 up
ip neighbour add 192.0.2.3 lladdr 02:00:00:00:00:03 dev flatnet2 nud permanent
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
nft -f - <<'end'
table ip flatnet0 {
  chain prerouting { type nat hook prerouting priority -100; ip daddr 198.51.100.5 dnat to 192.0.2.3; }
  chain postrouting { type nat hook postrouting priority 100; ip daddr 192.0.2.3 masquerade; }
}
table bridge flatnet0 {
  chain output {
    type filter hook output priority -200
    ip saddr != 192.0.2.1 ip saddr 192.0.2.0/24 ip daddr 192.0.2.0/24 drop
  }
}
end
"""
USED = frozenset({*XTABLES, "nftables_services", "promiscuous_hairpin"})


def kernel_features(names: list[str]) -> dict[str, bool]:
    """Return whether the kernel has each feature."""
    release = os.uname().release
    loaded = {line.split(" ", 1)[0] for line in read("/proc/modules").splitlines()}
    builtin = read(f"/lib/modules/{release}/modules.builtin").replace("-", "_") if names else ""
    filesystems = set(read("/proc/filesystems").split())

    def is_there(name: str) -> bool:
        modules = [module.replace("-", "_") for module in MODULES.get(name, [name])]
        return (
            any(
                module in loaded or os.path.exists(f"/sys/module/{module}") or f"/{module}.ko\n" in builtin
                for module in modules
            )
            or os.path.exists(TRACES.get(name, ""))
            or name in filesystems
        )

    found = {name: name not in USED and is_there(name) for name in names}
    for name in used_features([name for name in names if name in USED]):
        found[name] = True
    missing = [name for name in names if name not in USED and not found[name]]
    for name in _loadable(missing) + _usable(missing):
        found[name] = True
    return found


def _loadable(names: list[str]) -> list[str]:
    lines = [
        f"modprobe -n -q {module} && echo {name}" for name in names for module in MODULES.get(name, [name])
    ]
    return run(["sh", "-c", "\n".join([*lines, "true"])]).split() if lines else []


def _usable(names: list[str]) -> list[str]:
    lines = []
    for name in names:
        if name in ATTEMPTS:
            lines.append(f"{ATTEMPTS[name]} >/dev/null 2>&1 && echo {name}")
            lines.append("ip link delete flatnet0 >/dev/null 2>&1")
    return run(["unshare", "--net", "sh", "-c", "\n".join([*lines, "true"])]).split() if lines else []


def used_features(names: list[str]) -> list[str]:
    """Return those of USED that the host can use."""
    found = []
    rules = {name: f"-A POSTROUTING {XTABLES[name]}" for name in names if name in XTABLES}
    if rules:
        found += run(["unshare", "--net", "sh", "-c", _xtables_script(rules)]).split()
    if "nftables_services" in names and _is_new_enough():
        script = f"nft -f - <<'end' && echo nftables_services\n{SERVICES}end\n"
        found += run(["unshare", "--net", "sh", "-c", script]).split()
    if "promiscuous_hairpin" in names:
        script = f"{HAIRPIN}{sys.executable} -c '{HAIRPIN_FRAME}'\necho promiscuous_hairpin\n"
        found += run(["unshare", "--net", "sh", "-c", script]).split()
    return found


def _xtables_script(rules: dict[str, str]) -> str:
    """Return a script that prints the names of the rules that can be made: all at once, else one by one.

    They wait for the lock of iptables-legacy, which all network namespaces share and kube-proxy often has.
    """
    batch = "\n".join(["*nat", ":POSTROUTING ACCEPT [0:0]", *rules.values(), "COMMIT"])
    single = [f"iptables -w 5 -t nat {rule} 2>/dev/null && echo {name}" for name, rule in rules.items()]
    lines = [f"{SET} 2>/dev/null"] if "xt_set" in rules else []
    lines += ["if iptables-restore -w 5 2>/dev/null <<'end'", batch, "end"]
    lines += [f"then echo {' '.join(rules)}", "else", *single, "true", "fi"]
    return "\n".join(lines)


def _is_new_enough() -> bool:
    return (
        numbers(os.uname().release)[:2] >= SERVICES_KERNEL
        and numbers(run(["nft", "--version"])) >= SERVICES_NFT
    )


def numbers(text: str) -> tuple[int, ...]:
    """Return the first version in a text as numbers, such as (6, 1, 0) of `6.1.0-18-amd64`."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
