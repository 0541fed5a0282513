"""A host that runs a cluster, as a reset finds it; for the tests."""

import base64
import json
from pathlib import Path

from node_state_host import FakeHost, Json, Killed, Ran, apply, unit_text

from flatnet.host.reset.request import Owner, Request
from flatnet.host.reset.run import reset

UNIT = "containerd.service"
THEIRS, OURS = unit_text("/usr/bin/containerd"), unit_text("/usr/local/bin/containerd")
NO_MOUNTS = "/dev/vda / ext4 rw 0 0\n"
RECORD, NAMESPACE = "var/lib/cni/results/flatnet-c1-eth0", "run/netns/cni-1"
CONFLIST = {
    "cniVersion": "1.0.0",
    "name": "flatnet",
    "plugins": [
        {"type": "bridge", "bridge": "cbr0"},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}
PORTS = [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]
SAVED = """\
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:OTHERS - [0:0]
:FLANNEL-OF-OTHERS - [0:0]
:KUBE-SERVICES - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A POSTROUTING -m comment --comment "of others" -j OTHERS
-A OTHERS -j RETURN
-A KUBE-SERVICES -d 10.32.0.1/32 -j RETURN
COMMIT
*filter
:INPUT ACCEPT [0:0]
-A INPUT -s 192.0.2.0/24 -j ACCEPT
COMMIT
"""
REMOVED = """\
*nat
:KUBE-SERVICES - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-D PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-X KUBE-SERVICES
-X CNI-HOSTPORT-DNAT
COMMIT
"""


class ClusterHost(FakeHost):
    """A host that runs a cluster, with models of the programs that a reset calls besides."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.saved = SAVED
        self.refused: set[str] = set()
        self.inputs: dict[str, str] = {}
        self.put("proc/self/mounts", NO_MOUNTS)
        for directory in ("opt", "run/netns", "sys/class/net"):
            (self.root / directory).mkdir(parents=True)

    def run(self, arguments: list[str], text: str | None = None, changes: bool = True) -> Ran:
        """Answer for the programs of a cluster."""
        line, name = " ".join(arguments), arguments[0].rsplit("/", 1)[-1]
        answer = {
            "env": lambda _: "",
            "ctr": self._ctr,
            "kube-proxy": self._clean_up,
            "iptables-save": lambda _: self.saved,
            "iptables-restore": self._forget_chains,
            "ip netns": self._leave_namespace,
            "ip link": self._lose_interface,
            "umount": self._unmount,
        }.get(" ".join([name, *arguments[1:2]]) if name == "ip" else name)
        if answer is None:
            return super().run(arguments, text, changes)
        if changes:
            self.step(line)
        self.commands.append(arguments)
        self.inputs[line] = text or ""
        if any(word in line for word in self.refused):
            return Ran(1, "", f"{name}: refused")
        return Ran(0, answer(arguments), "")

    def end_process(self, process: str) -> None:
        """Lose a process of the model."""
        self.step(f"end process {process}")
        (self.root / "proc" / process / "cmdline").unlink()

    def _ctr(self, arguments: list[str]) -> str:
        if arguments[2:4] == ["tasks", "delete"]:
            # One at a time: those of one pod get in each other's way.
            (self.root / TASKS / arguments[5]).rmdir()
        return "c1\n" if "list" in arguments else ""

    def _clean_up(self, _: list[str]) -> str:
        device = self.root / "sys/class/net/kube-ipvs0"
        if device.exists():
            device.rmdir()
        return ""

    def _forget_chains(self, _: list[str]) -> str:
        self.saved = "*filter\nCOMMIT\n"
        return ""

    def _leave_namespace(self, arguments: list[str]) -> str:
        (self.root / "run/netns" / arguments[-1]).unlink()
        return ""

    def _lose_interface(self, arguments: list[str]) -> str:
        (self.root / "sys/class/net" / arguments[-1]).rmdir()
        return ""

    def _unmount(self, arguments: list[str]) -> str:
        mounts = (self.root / "proc/self/mounts").read_text().splitlines()
        self.put("proc/self/mounts", "\n".join(m for m in mounts if m.split()[1] != arguments[1]))
        return ""


TASKS = "run/containerd/io.containerd.runtime.v2.task/k8s.io"
NETWORK = {"name": "flatnet", "attachments": "/var/lib/cni/results", "configurations": "/etc/cni/net.d"}
CONTAINERD = {"state": "/run/containerd", "root": "/var/lib/containerd", "namespaces": ["k8s.io"]}
STAGES = {"kube_node": "first", "container_runtime": "last", "node_programs": "last"}


def request(others: dict[str, Json] | None = None, **owners: Json) -> Request:
    """Return a request to remove the owners, each with what it makes; the others stay."""
    going, staying = (
        [Owner(name, STAGES.get(name, "middle"), makes) for name, makes in given.items()]
        for given in (owners, others or {})
    )
    return Request(going, staying, "/usr/local/bin", "/opt/cni/bin")


def interface(name: str, carries: str = "own_pods") -> Json:
    """Return what declares one interface."""
    return {"interfaces": {"one": {"name": name, "carries": carries}}}


KUBENET = {
    **interface("cbr0"),
    "pod_networks": [NETWORK],
    "shared_chains": [{"name": "CNI-HOSTPORT-*", "kept_while": "CNI-DN-*"}],
    "directories": ["/var/lib/cni/results/flatnet-*", "/var/lib/cni/"],
}
REQUEST = request(
    kube_node={
        "container_namespaces": ["k8s.io"],
        "chains": ["KUBE-*"],
        "directories": ["/var/lib/kubelet", "/opt/cni/"],
    },
    kube_proxy={
        **interface("kube-ipvs0", "services"),
        "virtual_servers": True,
        "cleanup": "kube-proxy --cleanup",
    },
    cni_flannel={**interface("flannel.1"), "chains": ["FLANNEL-*"]},
    cni_kubenet=KUBENET,
    container_runtime={"containerd": CONTAINERD},
    node_programs={},
)
# What two runtimes share: a reset has to keep both places for others.
RUNTIME_REQUEST = request(
    kube_node={"container_namespaces": ["k8s.io"], "directories": ["/var/lib/kubelet"]},
    container_runtime={"containerd": CONTAINERD, "directories": ["/run/containerd", "/var/lib/containerd"]},
    node_programs={},
)


def note_pod(host: ClusterHost, **noted: object) -> None:
    """Leave what libcni and a container runtime keep of a pod: its record and its network namespace."""
    record = {
        "networkName": "flatnet",
        "containerId": "c1",
        "ifName": "eth0",
        "netns": "/var/run/netns/cni-1",
        "config": base64.b64encode(json.dumps(CONFLIST).encode()).decode(),
    }
    host.put(RECORD, json.dumps({**record, **noted}))
    host.put(NAMESPACE, "")


def provision_runtime(host: ClusterHost) -> None:
    """Let flatnet's containerd and kubelet come."""
    apply(host, name="node_programs", files=[{"path": "/usr/local/bin/ctr", "content": "", "mode": "0755"}])
    apply(host, name="container_runtime", units=[{"name": UNIT, "content": OURS}])
    apply(host, name="kube_node", units=[{"name": "kubelet.service", "content": unit_text()}])
    host.put("var/lib/kubelet/pods/p1/volumes/token", "secret")


def reset_with_a_kill(host: ClusterHost, request: Request, moment: int) -> None:
    """Reset, be killed at that step, and reset again; once, where there are fewer steps."""
    host.kill_at = moment
    try:
        reset(host, request)
    except Killed:
        host.kill_at = None
        reset(host, request)
