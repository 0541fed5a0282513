"""What a switch left on a host, by comparison with the same network on the same host when it was bare."""

import re
from collections.abc import Iterable, Sequence

# What differs from pod to pod and from start to start, and whose names are drawn by lot.
_RANDOM = (
    (re.compile(r"\bveth[0-9a-f]+\b"), "veth*"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"\b[0-9a-f]{32,64}\b"), "HASH"),
    (re.compile(r"\bKUBE-(SVC|SEP|EXT|FW|SVL|XLB)-[A-Z0-9]{16}\b"), r"KUBE-\1-*"),
    (re.compile(r"\bKUBE-(POD-FW|NWPLCY)-[A-Z2-7]{16}\b"), r"KUBE-\1-*"),
    (re.compile(r"\bCNI-(DN|SN)-[0-9a-f]+\b"), r"CNI-\1-*"),
    (re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b"), "MAC"),
    (re.compile(r"\bfe80:[0-9a-f:]+"), "fe80::*"),
)
# Of what a pod, and not its network, has on a host: which pods are where differs between two looks.
EXCEPTIONS: Sequence[tuple[str, str]] = (
    (r"^path /var/lib/kubelet/pods/", "volumes of the pods that happen to be there"),
    (
        r"^path /var/lib/kubelet/(device-plugins|plugins|checkpoints|memory_manager|cpu_manager)",
        "kubelet's own",
    ),
    (r"^path /var/log/(pods|containers)/", "logs of the pods that happen to be there"),
    (r"^path /var/lib/cni/(results|networks/[^/]+)/[^/]", "addresses of the pods that happen to be there"),
    (r"^path /run/netns/", "network namespaces of the pods that happen to be there"),
    (r"^interface veth\*", "ends of the pods that happen to be there"),
    (r"^(route|neighbour|fdb) .*veth\*", "ends of the pods that happen to be there"),
    (r"^mount .*(/pods/|/shm$|rootfs$|/run/netns/)", "mounts of the pods that happen to be there"),
    (r"^process (pause|coredns|agnhost|containerd-shim)", "processes of the pods that happen to be there"),
    (
        r"^packet filter \S+ \S+ (:|-A )KUBE-(SVC|SEP|EXT|FW|SVL|XLB)-\*",
        "as many as services have endpoints at the moment",
    ),
    (
        r'^packet filter .*--comment "?flatnet-(switch|check)',
        "services of the measurement and the check, which kube-proxy takes out when it comes to it",
    ),
    (r"^packet filter .*KUBE-POD-FW-\*", "one for each pod, by kube-router, with the rules that lead there"),
    (r"^packet filter \S+ \S+ (:|-A )CNI-(DN|SN)-\*", "one for each pod with a host port"),
    (
        r"^table ip6? (kube-proxy|cni_hostport) (?!table )",
        "rules of services and pods, which come and go; the table is compared by its name",
    ),
    (
        r"^packet filter \S+ \S+ (:|-A |-A \S+ -j )KUBE-(FIREWALL|KUBELET-CANARY|IPTABLES-HINT)\b",
        "kubelet's, made when it likes, and not of the network",
    ),
    (r"^path /var/lib/flatnet/staging ", "where flatnet's own transfers lie for a moment"),
    (r"^setting net\..*\.(veth\*|neigh\.veth\*)", "settings of the ends of pods"),
    (r"^content .* /etc/kubernetes/", "what flatnet's own roles keep, which a second run compares"),
)
_EXCEPTIONS = [re.compile(pattern) for pattern, _ in EXCEPTIONS]


def compared(lines: Iterable[str]) -> set[str]:
    """Return the lines of a snapshot that two looks at one host have to have in common."""
    found = set()
    for line in lines:
        for pattern, words in _RANDOM:
            line = pattern.sub(words, line)
        if not any(pattern.search(line) for pattern in _EXCEPTIONS):
            found.add(line)
    return found


def residue(switched: Iterable[str], fresh: Iterable[str]) -> list[str]:
    """Return what only one of the two has: `left behind` by the switch, or `not there` after it."""
    one, other = compared(switched), compared(fresh)
    return [f"left behind: {line}" for line in sorted(one - other)] + [
        f"not there: {line}" for line in sorted(other - one)
    ]


def lost(
    before: Iterable[str], now: Iterable[str], words: str = r"others|OTHERS|198\.51\.100\.|2001:db8:f:"
) -> list[str]:
    """Return what was put there by others, before all, and is not there now as it was."""
    there = set(now)
    return sorted(line for line in before if re.search(words, line) and line not in there)
