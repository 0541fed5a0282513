"""A reset that was cut short is completed by the next, whatever had gone by then."""

from pathlib import Path

import pytest
from node_reset_host import (
    KUBENET,
    NAMESPACE,
    RECORD,
    REQUEST,
    ClusterHost,
    note_pod,
    request,
    reset_with_a_kill,
)
from node_state_host import Ran, StateError, apply, unit_text

from flatnet.host.reset.run import reset


class PluginHost(ClusterHost):
    """A host on which a CNI plugin that is gone cannot be called."""

    def run(self, arguments: list[str], text: str | None = None, changes: bool = True) -> Ran:
        program = arguments[-1]
        if arguments[0] == "env" and not (self.root / program.lstrip("/")).exists():
            self.step(" ".join(arguments))
            return Ran(127, "", f"env: '{program}': No such file or directory")
        return super().run(arguments, text, changes)


@pytest.fixture(name="host")
def make_host(tmp_path: Path) -> PluginHost:
    """Return a node with one pod, whose plugins are programs of flatnet's."""
    host = PluginHost(tmp_path / "host")
    plugins = [
        {"path": f"/opt/cni/bin/{name}", "content": name, "mode": "0755"} for name in ("bridge", "portmap")
    ]
    apply(host, name="node_programs", files=plugins)
    apply(host, name="kube_node", units=[{"name": "kubelet.service", "content": unit_text()}])
    note_pod(host, result={})
    host.steps.clear()
    return host


@pytest.mark.parametrize("moment", range(1, 40))
def test_a_reset_that_is_killed_does_not_call_plugins_that_are_gone(moment: int, host: PluginHost) -> None:
    reset_with_a_kill(host, REQUEST, moment)
    left = [path for path in (RECORD, NAMESPACE, "opt/cni", "var/lib/flatnet") if (host.root / path).exists()]
    assert left == []


def test_a_pod_whose_plugin_fails_is_detached_again_by_the_next_reset(host: PluginHost) -> None:
    # The plugins stay: what is asked here is who calls them.
    asked = request(others={"cni_kubenet": KUBENET}, kube_node={"container_namespaces": ["k8s.io"]})
    host.refused.add("/bridge")
    with pytest.raises(StateError, match=r"the pod network of container c1 \(bridge\): env: refused"):
        reset(host, asked)
    assert (host.root / RECORD).exists()
    host.refused.clear()
    outcome = reset(host, asked)
    assert {"kind": "pod network", "item": "c1 eth0", "action": "remove"} in outcome["changes"]
    assert not (host.root / RECORD).exists()
