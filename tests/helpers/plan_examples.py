"""What the examples of the planning rules are made of."""

from dataclasses import replace
from typing import Any, NamedTuple, cast

from plan_cases import ALL_GROUPS, HOSTS, KUBENET, host, prepare, with_facts

from flatnet.plan import Settings

SEVERAL = KUBENET | {"several_pod_cidrs": True}
POLICY = KUBENET | {"policy": "backend"}
ENGINE = {"kind": "policy_engine", "name": "example", "description": "Policies", "families": ["ipv4"]}
MODES = KUBENET | {"modes": {"direct": {}, "tunnel": {"overhead": {"ipv4": 50}}}}
FOUR = Settings()
SIX = Settings(pod_cidrs=("2001:db8:200::/48",), service_cidrs=("2001:db8:32::/112",))
DUAL = Settings(
    pod_cidrs=("10.200.0.0/16", "2001:db8:200::/48"), service_cidrs=("10.32.0.0/24", "2001:db8:32::/112")
)
SIX_HOSTS = [
    host(f"node-{letter}", f"2001:db8::{i}", groups=ALL_GROUPS if i == 1 else {"kube_node"})
    for i, letter in enumerate("abc", 1)
]
DUAL_HOSTS = [
    replace(four, addresses=(*four.addresses, *six.addresses))
    for four, six in zip(HOSTS, SIX_HOSTS, strict=True)
]
DEPLOYED = prepare().plan
INTERFACE = {"name": "eth0", "mtu": 1500, "addresses": ["192.0.2.11/24"]}
SANS = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
SANS += ["localhost", "node-a", "10.32.0.1", "127.0.0.1", "192.0.2.11"]


class Case(NamedTuple):
    """One rule, with arguments of prepare that break it, and with some that just keep it."""

    rule: str
    broken: dict[str, Any]
    kept: dict[str, Any]


def settings(base: Settings = FOUR, **changed: object) -> dict[str, Any]:
    """Return arguments in which settings are changed, with hosts of the families of the base."""
    some = {SIX: SIX_HOSTS, DUAL: DUAL_HOSTS}.get(base, HOSTS)
    return {"settings": replace(base, **cast(dict[str, Any], changed)), "some": some}


def node_b(base: Settings = FOUR, **changed: object) -> dict[str, Any]:
    """Return arguments in which the second host is changed."""
    some = {SIX: SIX_HOSTS, DUAL: DUAL_HOSTS}.get(base, HOSTS)
    second = replace(some[1], **cast(dict[str, Any], changed))
    return {"settings": base, "some": [some[0], second, some[2]]}


def facts(**seen: object) -> dict[str, Any]:
    """Return arguments in which preflight saw that on the first host."""
    return {"some": [with_facts(HOSTS[0], **seen), *HOSTS[1:]]}


def ledger(**sections: object) -> dict[str, Any]:
    """Return arguments with these sections in the allocations."""
    return {"allocations": sections}


def running(name: str, *cidrs: str) -> list[dict[str, Any]]:
    """Return one Node object in a list."""
    return [{"metadata": {"name": name}, "spec": {"podCIDRs": list(cidrs)}}]
