from dataclasses import replace
from typing import Any

import pytest
from plan_cases import FLANNEL, HOSTS, KUBENET, findings, prepare, with_facts

from flatnet.plan import Settings

BY_PODS = FLANNEL | {"units": [], "ports": [{"protocol": "tcp", "port": 4240, "purpose": "health"}]}


def listening(port: int, process: str = "nginx", unit: str = "", protocol: str = "tcp") -> dict[str, Any]:
    return {"address": "192.0.2.11", "port": port, "protocol": protocol, "process": process, "unit": unit}


def link(name: str, kind: str, **details: object) -> dict[str, Any]:
    return {"name": name, "mtu": 1450, "addresses": [], "kind": kind, "details": details}


VXLAN = listening(8472, "", protocol="udp")


def host_with(sockets: list[dict[str, Any]], links: list[dict[str, Any]] | None = None) -> list[Any]:
    return [with_facts(HOSTS[0], listening=sockets, interfaces=links or []), *HOSTS[1:]]


@pytest.mark.parametrize(
    ("taken", "who", "purpose"),
    [
        (listening(6443, "haproxy", "haproxy.service"), "haproxy (haproxy.service)", "kube-apiserver"),
        (
            listening(10250, "kubelite", "snap.microk8s.service"),
            "kubelite (snap.microk8s.service)",
            "kubelet",
        ),
        (listening(2379, "etcd", "kubepods"), "etcd (a pod)", "etcd"),
        (listening(10256, "python3"), "python3", "kube-proxy"),
    ],
)
def test_a_port_of_a_daemon_that_somebody_else_has_is_refused(
    taken: dict[str, Any], who: str, purpose: str
) -> None:
    assert findings(some=host_with([taken])) == [
        f"[port-in-use] node-a: tcp port {taken['port']}: {who} has it, and {purpose} needs it. "
        "Fix: stop it there, or give it another port."
    ]


@pytest.mark.parametrize(
    "taken",
    [
        listening(6443, "kube-apiserver", "kube-apiserver.service"),
        # Without a cgroup to tell the unit; the kernel cuts the name.
        listening(10257, "kube-controller"),
        # Another protocol, and a port that is nobody's.
        listening(6443, "nginx", "nginx.service", "udp"),
        listening(8443),
    ],
)
def test_a_daemon_of_ours_and_what_others_have_beside_it_is_not(taken: dict[str, Any]) -> None:
    assert prepare(some=host_with([taken])).warnings == []


def test_the_port_of_the_api_server_is_the_one_that_is_set() -> None:
    settings = Settings(api_port=8443)
    assert prepare(settings=settings, some=host_with([listening(6443)])).plan
    [line] = findings(settings=settings, some=host_with([listening(8443)]))
    assert line.startswith("[port-in-use] node-a: tcp port 8443: nginx has it, and kube-apiserver needs it")


def test_a_port_counts_where_its_daemon_is_to_run() -> None:
    etcd = listening(2379, "etcd", "patroni.service")
    assert prepare(some=[HOSTS[0], with_facts(HOSTS[1], listening=[etcd]), HOSTS[2]]).plan
    apart = replace(HOSTS[0], groups=HOSTS[0].groups - {"kube_node"})
    kubelet = listening(10250)
    assert prepare(some=[with_facts(apart, listening=[kubelet]), *HOSTS[1:]]).plan


def test_a_tunnel_of_somebody_else_on_the_backends_port_is_refused_by_its_name() -> None:
    calico = link("vxlan.calico", "vxlan", port=8472)
    assert findings(some=host_with([VXLAN], [calico]), contract=FLANNEL) == [
        "[port-in-use] node-a: udp port 8472: the vxlan interface vxlan.calico has it, and backend flannel "
        "needs it. Fix: remove it with `ip link delete vxlan.calico` or move it."
    ]
    assert prepare(some=host_with([VXLAN], [calico]), contract=KUBENET).plan


@pytest.mark.parametrize(
    "links",
    [
        [link("flannel.1", "vxlan", port=8472)],
        [link("flannel.1", "vxlan", port=8472), link("vxlan7", "vxlan", port=4789)],
        # Whose socket it is, nobody can tell.
        [],
    ],
)
def test_the_backends_own_tunnel_and_those_on_other_ports_are_not(links: list[dict[str, Any]]) -> None:
    assert prepare(some=host_with([VXLAN], links), contract=FLANNEL).plan


def test_a_backend_that_runs_in_pods_has_its_port_there() -> None:
    agent = listening(4240, "cilium-agent", "kubepods")
    assert prepare(some=host_with([agent]), contract=BY_PODS).plan
    [line] = findings(some=host_with([agent | {"unit": "cilium.service"}]), contract=BY_PODS)
    assert "cilium-agent (cilium.service) has it, and backend flannel needs it" in line


def test_a_port_that_our_own_tunnel_has_is_not_taken_by_one_whose_port_is_hidden() -> None:
    links = [link("flannel.1", "vxlan", port=8472), link("wg0", "wireguard")]
    assert prepare(some=host_with([VXLAN], links), contract=FLANNEL).plan
    [line] = findings(some=host_with([VXLAN], links[1:]), contract=FLANNEL)
    assert "the wireguard interface wg0 has it" in line
