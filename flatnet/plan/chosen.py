"""What the settings choose among the contracts: backend, mode, kube-proxy's mode, policy engine."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flatnet.contract import Contracts, Resolved
from flatnet.contract.schema import DEFAULT_MODE, KUBE_PROXY_MODES
from flatnet.plan.findings import Findings
from flatnet.plan.options import check_option_ports, with_options
from flatnet.settings import Settings

KUBE_PROXY, MASQUERADE = "kube_proxy", "pod_masquerade"
# Its hosts are routers, which are no hosts of the plan.
NETWORK_ROUTES = "network_routes"
# Who enforces network policies, where it is no engine of its own.
NOBODY, BACKEND = "none", "backend"


@dataclass(frozen=True)
class Chosen:
    """The contracts that a plan is made with, each in its mode."""

    backend: Resolved
    engine: Resolved | None
    """The policy engine that is one of its own."""
    policy: str
    """Who enforces network policies: none, backend, or the name of an engine."""
    kube_proxy_mode: str
    contracts: Contracts
    """All that are known, for what an earlier choice has left on hosts."""

    @cached_property
    def used(self) -> tuple[Resolved, ...]:
        """Everything that is put on hosts, by role."""
        components = [
            one.in_mode(self.kube_proxy_mode if one.name == KUBE_PROXY else "")
            for one in self.contracts.components.values()
            if self._is_used(one.name)
        ]
        engines = [self.engine] if self.engine else []
        return tuple(sorted([self.backend, *engines, *components], key=lambda one: one.role))

    def _is_used(self, component: str) -> bool:
        if component == NETWORK_ROUTES:
            return False
        if component == KUBE_PROXY:
            return self.kube_proxy_mode in KUBE_PROXY_MODES
        return component != MASQUERADE or self.backend.masquerade == "flatnet"

    def policy_part(self) -> dict[str, Any]:
        """Return the plan's `policy_engine`: the engine's contract, or the name alone."""
        return dict(self.engine.data) if self.engine else {"name": self.policy}


def choose(settings: Settings, contracts: Contracts, findings: Findings) -> Chosen:
    """Return what is chosen; a choice that is not possible becomes a finding, and the default stands for it.

    Raises FlatnetError for a backend that does not exist, as nothing else can be said then.
    """
    contract = contracts.backend(settings.network_backend)
    mode = settings.network_backend_mode
    if mode and (mode not in contract.modes or mode == DEFAULT_MODE):
        reason, fix = f"backend {contract.name} has no modes to choose from", "leave it out"
        if contract.has_modes:
            reason = f"backend {contract.name} has no such mode"
            fix = f"use one of {', '.join(contract.modes)}"
        findings.add("backend-mode", f"cluster_network_backend_mode {mode!r}", reason, fix)
        mode = ""
    backend = with_options(contract.in_mode(mode), settings.network_backend_options, findings)
    engine = _engine(settings, contracts, backend, findings)
    _check_kube_proxy(settings, [backend, *([engine] if engine else [])], findings)
    chosen = Chosen(backend, engine, settings.network_policy_engine, settings.kube_proxy_mode, contracts)
    check_option_ports(backend, chosen.used, findings)
    return chosen


def _engine(
    settings: Settings, contracts: Contracts, backend: Resolved, findings: Findings
) -> Resolved | None:
    name = settings.network_policy_engine
    value = f"cluster_network_policy_engine {name!r}"
    if name == NOBODY:
        return None
    if name == BACKEND:
        if backend.policy != BACKEND:
            findings.add(
                "policy-unsupported",
                value,
                f"{backend.title} enforces no network policy, and nothing would say so later",
                "use a backend that does, name a policy engine, or do without policies",
            )
        return None
    known = contracts.policy_engines
    if name not in known:
        findings.add(
            "policy-unsupported",
            value,
            "there is no such engine, and nothing would say so later",
            f"use one of {', '.join([NOBODY, BACKEND, *known])}",
        )
        return None
    return known[name].in_mode()


def _check_kube_proxy(settings: Settings, users: list[Resolved], findings: Findings) -> None:
    mode = settings.kube_proxy_mode
    value = f"cluster_kube_proxy_mode {mode!r}"
    common = [one for one in users[0].kube_proxy_modes if all(one in user.kube_proxy_modes for user in users)]
    fix = f"use {'one of ' if len(common) > 1 else ''}{', '.join(common)}"
    if not common:
        fix = f"{' and '.join(user.title for user in users)} share no mode; use another policy engine"
    for user in users:
        if mode in user.kube_proxy_modes:
            continue
        reason = f"{user.title} does not work with it"
        if mode == "none":
            reason = f"{user.title} does not carry services in place of kube-proxy"
        findings.add("kube-proxy-mode", value, reason, fix)


def check_engine_families(chosen: Chosen, families: Iterable[str], findings: Findings) -> None:
    """Refuse an engine that enforces nothing in a family of the pods."""
    engine = chosen.engine
    missing = [family for family in families if engine and family not in engine.families]
    if engine and missing:
        findings.add(
            "policy-unsupported",
            f"cluster_network_policy_engine {engine.name!r}",
            f"{engine.title} enforces nothing for {' and '.join(missing)}",
            "use another engine, or pods of the families that it knows",
        )
