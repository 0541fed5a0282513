"""Taking flatnet off a host that has things of others on it."""

import json
from pathlib import Path
from typing import Any

import pytest
from node_reset_host import PORTS, REMOVED, REQUEST, SAVED, TASKS, ClusterHost, note_pod, reset_with_a_kill
from node_state_host import Ran, StateError, apply, tree, unit_text

from flatnet.host.reset.run import reset


@pytest.fixture(name="host")
def make_host(tmp_path: Path) -> ClusterHost:
    """Return a host on which others had things before flatnet came."""
    host = ClusterHost(tmp_path / "host")
    host.put("etc/cni/net.d/99-others.conf", "{}")
    host.put("var/lib/cni/results/others-c9-eth0", json.dumps({"networkName": "others"}))
    (host.root / "var/lib/cni/networks/others").mkdir(parents=True)
    return host


@pytest.fixture(name="before")
def join_cluster(host: ClusterHost) -> dict[str, bytes]:
    """Return what was on the host before it became a node with one pod."""
    before = tree(host.root)
    program = {"path": "/usr/local/bin/kube-proxy", "content": "program", "mode": "0755"}
    apply(host, name="node_programs", files=[program])
    apply(host, name="container_runtime", units=[{"name": "containerd.service", "content": unit_text()}])
    apply(host, name="kube_node", units=[{"name": "kubelet.service", "content": unit_text()}])
    apply(host, name="kube_proxy", files=[{"path": "/etc/kubernetes/kube-proxy.json", "content": "{}"}])
    apply(host, name="cni_kubenet", files=[{"path": "/etc/cni/net.d/10-flatnet.conflist", "content": "{}"}])
    note_pod(host, capabilityArgs={"portMappings": PORTS}, result={"ips": []})
    (host.root / "opt/cni").mkdir()
    host.put("var/lib/kubelet/pods/p1/volumes/token", "secret")
    for container in ("c1", "c2"):
        (host.root / TASKS / container).mkdir(parents=True)
    (host.root / "sys/class/net/cbr0").mkdir()
    host.put(
        "proc/self/mounts", "/dev/vda / ext4 rw 0 0\ntmpfs /var/lib/kubelet/pods/p1/volumes tmpfs rw 0 0"
    )
    host.commands.clear()
    return before


def without_containerd(found: dict[str, bytes]) -> dict[str, bytes]:
    """Leave out containerd's own directories, which the model of it does not remove."""
    return {path: content for path, content in found.items() if not path.startswith("/run/containerd")}


def test_what_came_goes_and_what_was_there_stays(host: ClusterHost, before: dict[str, bytes]) -> None:
    outcome = reset(host, REQUEST)
    after = without_containerd(tree(host.root))
    after.pop("/run")
    before.pop("/run")
    assert after == before
    assert not (host.root / "var/lib/flatnet").exists()
    kinds = [change["kind"] for change in outcome["changes"]]
    assert {"unit", "container", "pod network", "network namespace", "chain", "interface", "data"} <= set(
        kinds
    )
    assert reset(host, REQUEST)["changed"] is False


def test_pods_are_detached_by_their_plugins_before_their_containers_end(
    host: ClusterHost, before: dict[str, bytes]
) -> None:
    del before
    (host.root / "sys/class/net/kube-ipvs0").mkdir()
    reset(host, REQUEST)
    lines = [" ".join(command) for command in host.commands]
    calls = [line for line in lines if line.startswith("env ")]
    environment = "CNI_COMMAND=DEL CNI_CONTAINERID=c1 CNI_NETNS=/var/run/netns/cni-1 CNI_IFNAME=eth0"
    assert calls == [
        f"env {environment} CNI_PATH=/opt/cni/bin /opt/cni/bin/{plugin}" for plugin in ("portmap", "bridge")
    ]
    portmap: dict[str, Any] = json.loads(host.inputs[calls[0]])
    assert (portmap["name"], portmap["runtimeConfig"]) == ("flatnet", {"portMappings": PORTS})
    assert "runtimeConfig" not in json.loads(host.inputs[calls[1]])
    order = [
        "systemctl stop kubelet.service",
        calls[1],
        "/usr/local/bin/ctr --namespace=k8s.io tasks delete --force c1 c2",
        "/usr/local/bin/ctr --namespace=k8s.io tasks delete --force c2",
        "/usr/local/bin/kube-proxy --cleanup",
        "ip link delete dev cbr0",
        "umount /var/lib/kubelet/pods/p1/volumes",
    ]
    places = [next(at for at, line in enumerate(lines) if line.startswith(first)) for first in order]
    assert places == sorted(places)


def test_a_network_namespace_that_the_kubelet_removes_meanwhile_is_gone_as_well(
    host: ClusterHost, before: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    del before
    run = host.run

    def meanwhile(arguments: list[str], text: str | None = None, changes: bool = True) -> Ran:
        ran = run(arguments, text, changes)
        return Ran(1, "", "No such file or directory") if arguments[:2] == ["ip", "netns"] else ran

    monkeypatch.setattr(host, "run", meanwhile)
    assert not reset(host, REQUEST).get("failed")
    assert not (host.root / "run/netns/cni-1").exists()


def test_chains_go_with_the_rules_that_lead_into_them_and_no_others(
    host: ClusterHost, before: dict[str, bytes]
) -> None:
    del before
    reset(host, REQUEST)
    assert host.inputs["iptables-restore --noflush --wait"] == REMOVED


def test_the_chains_of_portmap_stay_while_a_pod_of_others_has_a_port(
    host: ClusterHost, before: dict[str, bytes]
) -> None:
    del before
    host.saved = SAVED.replace(":KUBE-SERVICES", ":CNI-DN-0123456789 - [0:0]\n:KUBE-SERVICES")
    reset(host, REQUEST)
    assert "CNI-" not in host.inputs["iptables-restore --noflush --wait"]


def test_check_mode_tells_and_touches_nothing(host: ClusterHost, before: dict[str, bytes]) -> None:
    del before
    found = tree(host.root)
    host.steps.clear()
    predicted = reset(host, REQUEST, check=True)
    assert (tree(host.root), host.steps) == (found, [])
    told = [(change["kind"], change["item"]) for change in predicted["changes"]]
    assert told == [(change["kind"], change["item"]) for change in reset(host, REQUEST)["changes"]]


def test_a_bridge_with_a_port_of_others_stays_and_is_named(
    host: ClusterHost, before: dict[str, bytes]
) -> None:
    del before
    (host.root / "sys/class/net/cbr0/brif/tap0").mkdir(parents=True)
    with pytest.raises(StateError, match=r"interface cbr0 has ports of others, tap0: take them out of it"):
        reset(host, REQUEST)
    (host.root / "sys/class/net/cbr0/brif/tap0").rmdir()
    (host.root / "sys/class/net/cbr0/brif").rmdir()
    again = reset(host, REQUEST)
    assert [(change["kind"], change["item"]) for change in again["changes"]] == [("interface", "cbr0")]


def test_containers_that_do_not_end_are_named(host: ClusterHost, before: dict[str, bytes]) -> None:
    del before
    host.refused.add("tasks delete")
    with pytest.raises(StateError, match=r"running containers c1, c2: ctr: refused"):
        reset(host, REQUEST)


def test_nothing_below_a_mount_that_is_in_use_is_removed(host: ClusterHost, before: dict[str, bytes]) -> None:
    del before
    host.refused.add("umount")
    with pytest.raises(StateError, match=r"/var/lib/kubelet/pods/p1/volumes cannot be unmounted"):
        reset(host, REQUEST)
    assert (host.root / "var/lib/kubelet/pods/p1/volumes/token").read_text() == "secret"
    host.refused.clear()
    reset(host, REQUEST)
    assert not (host.root / "var/lib/kubelet").exists()


def test_a_place_that_is_a_mount_itself_is_emptied(host: ClusterHost, before: dict[str, bytes]) -> None:
    del before
    host.put("proc/self/mounts", "/dev/vda / ext4 rw 0 0\n/dev/vdb /var/lib/kubelet ext4 rw 0 0")
    reset(host, REQUEST)
    assert list((host.root / "var/lib/kubelet").iterdir()) == []


def test_what_was_applied_under_another_name_stays(host: ClusterHost, before: dict[str, bytes]) -> None:
    del before
    apply(host, name="time", files=[{"path": "/etc/chrony.conf", "content": "server 192.0.2.1\n"}])
    reset(host, REQUEST)
    assert (host.root / "etc/chrony.conf").read_text() == "server 192.0.2.1\n"
    assert (host.root / "var/lib/flatnet/state/time.json").exists()


SHIM = "/usr/local/bin/containerd-shim-runc-v2"


def put_process(host: ClusterHost, process: int, *arguments: str) -> Path:
    """Let a process run on the host."""
    return host.put(f"proc/{process}/cmdline", "\0".join([*arguments, ""]))


def test_shims_that_outlive_their_containers_are_ended_and_others_are_not(
    host: ClusterHost, before: dict[str, bytes]
) -> None:
    del before
    ours = put_process(host, 3132, SHIM, "-namespace", "k8s.io", "-id", "c1")
    others = [
        put_process(host, 3133, SHIM, "-namespace", "moby", "-id", "c1"),
        put_process(host, 3134, "/opt/others/containerd-shim-runc-v2", "-namespace", "k8s.io", "-id", "c1"),
        put_process(host, 3135, "tail", "-f", SHIM),
    ]
    host.put("proc/3136/cmdline", "")
    outcome = reset(host, REQUEST)
    assert not ours.exists()
    assert all(process.exists() for process in others)
    assert {"kind": "process", "item": "3132 containerd-shim-runc-v2", "action": "remove"} in outcome[
        "changes"
    ]


def test_a_shim_whose_container_still_runs_stays(host: ClusterHost, before: dict[str, bytes]) -> None:
    del before
    ours = put_process(host, 3132, SHIM, "-namespace", "k8s.io", "-id", "c1")
    host.refused.add("tasks delete")
    with pytest.raises(StateError):
        reset(host, REQUEST)
    assert ours.exists()


@pytest.mark.parametrize("moment", range(1, 60))
def test_after_a_kill_at_any_moment_the_next_reset_arrives(
    moment: int, host: ClusterHost, before: dict[str, bytes]
) -> None:
    host.steps.clear()
    reset_with_a_kill(host, REQUEST, moment)
    after = without_containerd(tree(host.root))
    after.pop("/run")
    before.pop("/run")
    assert after == before
    assert not (host.root / "var/lib/flatnet").exists()
