"""What the settings choose among the contracts, and what that needs of hosts."""

from typing import Any

import pytest
from plan_cases import FLANNEL, HOSTS, KUBENET, contracts_of, findings, prepare

from flatnet.errors import FlatnetError
from flatnet.plan import Settings, plan_network

ENGINE: dict[str, Any] = {
    "kind": "policy_engine",
    "name": "guard",
    "description": "Policies by iptables",
    "families": ["ipv4"],
    "kube_proxy_modes": ["iptables", "none"],
    "ports": [{"protocol": "tcp", "port": 30100, "purpose": "metrics"}],
    "needs": {
        "commands": {"ipset": {"debian": "ipset", "redhat": "ipset"}},
        "programs": {"kube_node": ["guardd"], "kube_control_plane": ["guardctl"]},
        "files": {"kube_node": ["guard-crds"]},
    },
}
MODES = FLANNEL | {
    "kube_proxy_modes": ["iptables", "nftables", "none"],
    "modes": {
        "vxlan": {},
        "direct": {
            "overhead": {"ipv4": 0, "ipv6": 0},
            "routes": "plan",
            "ports": [{"protocol": "udp", "port": 29200, "purpose": "hellos"}],
            "kube_proxy_modes": ["nftables"],
            "families": ["ipv4", "ipv6"],
        },
    },
}


def needs(settings: Settings | None = None, contract: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = prepare(settings, contract=contract).plan["needs"]
    return found


def test_a_backend_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(FlatnetError, match=r"there is no backend 'flanel': .* do you mean flannel\?"):
        plan_network(Settings(network_backend="flanel"), HOSTS, contracts_of(KUBENET, FLANNEL))


@pytest.mark.parametrize(
    ("mode", "expected"), [("", ("vxlan", 1450, "backend")), ("direct", ("direct", 1500, "plan"))]
)
def test_the_plan_is_made_for_the_mode(mode: str, expected: tuple[str, int, str]) -> None:
    settings = Settings(network_backend_mode=mode, kube_proxy_mode="nftables", underlay_mtu=1500)
    plan = prepare(settings, contract=MODES).plan
    assert (plan["backend"]["mode"], plan["mtu"], plan["backend"]["routes"]) == expected


def test_a_mode_has_its_own_modes_of_kube_proxy_and_ports() -> None:
    settings = Settings(network_backend_mode="direct", node_port_range="29000-32767")
    assert [line.partition(". Fix")[0] for line in findings(settings, contract=MODES)] == [
        "[kube-proxy-mode] cluster_kube_proxy_mode 'iptables': backend flannel in mode direct does not work "
        "with it",
        "[node-port-range] cluster_node_port_range '29000-32767': it "
        "holds port 29200 of backend flannel in mode direct",
    ]


def test_without_kube_proxy_nothing_of_it_is_needed() -> None:
    found = needs(Settings(kube_proxy_mode="none"), contract=MODES)
    assert "kube-proxy" not in found["programs"]["kube_node"]
    assert "conntrack" not in found["commands"]
    assert [one["name"] for one in found["identities"]] == ["flannel"]
    assert "kube-proxy" in needs(contract=MODES)["programs"]["kube_node"]


def test_a_backend_that_masquerades_itself_needs_nothing_of_ours_for_it() -> None:
    assert "nft" in needs()["commands"]
    assert "nft" not in needs(contract=KUBENET | {"masquerade": "backend"})["commands"]


def test_an_engine_joins_the_needs_and_the_plan() -> None:
    settings = Settings(network_policy_engine="guard", node_port_range="31000-32767")
    plan = prepare(settings, others=[ENGINE]).plan
    assert plan["policy_engine"]["role"] == "policy_guard"
    assert plan["needs"]["commands"]["ipset"] == {
        "debian": "ipset",
        "redhat": "ipset",
        "needed_by": ["policy engine guard"],
    }
    assert "guardd" in plan["needs"]["programs"]["kube_node"]
    assert "guardctl" in plan["needs"]["programs"]["kube_control_plane"]
    assert plan["needs"]["files"] == {"etcd": [], "kube_control_plane": [], "kube_node": ["guard-crds"]}


def test_an_engine_that_is_not_chosen_is_not_there() -> None:
    plan = prepare(others=[ENGINE]).plan
    assert plan["policy_engine"] == {"name": "none"}
    assert "guardd" not in plan["needs"]["programs"]["kube_node"]


def test_an_engines_ports_are_no_node_ports() -> None:
    assert findings(Settings(network_policy_engine="guard"), others=[ENGINE])[0].startswith(
        "[node-port-range] cluster_node_port_range '30000-32767': it holds port 30100 of policy engine guard"
    )


def test_without_kube_proxy_an_engine_does_not_carry_services() -> None:
    settings = Settings(kube_proxy_mode="none", network_policy_engine="guard", node_port_range="31000-32767")
    assert findings(settings, others=[ENGINE]) == [
        "[kube-proxy-mode] cluster_kube_proxy_mode 'none': backend kubenet does not carry services in place "
        "of kube-proxy. Fix: use iptables."
    ]


def test_everybody_who_needs_something_is_named_and_everything_is_there_once() -> None:
    found = needs(contract=FLANNEL)
    assert found["commands"]["iptables"] == {
        "debian": "iptables",
        "redhat": "iptables-nft",
        "needed_by": ["kube_node", "kube_proxy in mode iptables"],
    }
    assert found["kernel_features"]["vxlan"] == ["backend flannel"]
    assert found["programs"] == {
        "etcd": ["etcd"],
        "kube_control_plane": ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"],
        "kube_node": ["bridge", "containerd", "containerd-shim-runc-v2", "ctr", "kube-proxy", "kubelet"],
    }
    assert found["images"] == {
        "etcd": [],
        "kube_control_plane": [],
        "kube_node": ["agnhost", "coredns", "pause"],
    }
    assert list(found["commands"]) == sorted(found["commands"])
    assert found["identities"] == [
        {"name": "flannel", "common_name": "flannel", "organizations": []},
        {"name": "proxy", "common_name": "system:kube-proxy", "organizations": []},
    ]
