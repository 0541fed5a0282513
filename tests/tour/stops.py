"""Where the tour stops, out of the contracts and of what the hosts have: a new backend joins by existing."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flatnet.contract import Contracts, Resolved
from flatnet.contract.schema import DEFAULT_MODE

FAMILY = "ipv4"
_KUBE_PROXY = "kube_proxy"


@dataclass(frozen=True)
class Machine:
    """What there is to run a backend with. programs: names of those on this machine, and of sets of files."""

    kernel_features: Collection[str]
    commands: Collection[str]
    programs: Collection[str]


@dataclass(frozen=True)
class Stop:
    """A network of the tour: backend, mode (empty without modes), kube-proxy's mode, policy engine."""

    backend: str
    mode: str
    kube_proxy_mode: str
    policy_engine: str = "none"

    @property
    def name(self) -> str:
        """Its name, for people and files."""
        parts = [self.backend, self.mode, self.kube_proxy_mode]
        parts += [] if self.policy_engine == "none" else [self.policy_engine]
        return "-".join(part for part in parts if part)

    @property
    def settings(self) -> dict[str, str]:
        """What the inventory says of it."""
        return {
            "cluster_network_backend": self.backend,
            "cluster_network_backend_mode": self.mode,
            "cluster_kube_proxy_mode": self.kube_proxy_mode,
            "cluster_network_policy_engine": self.policy_engine,
        }


@dataclass
class Tour:
    """The stops in their order, and what this machine cannot run: name -> why."""

    stops: list[Stop] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def legs(self) -> list[tuple[Stop, Stop]]:
        """Every switch of the tour, which ends where it began: each stop is once the old and once the new."""
        return list(zip(self.stops, [*self.stops[1:], *self.stops[:1]], strict=True))


def plan_tour(contracts: Contracts, machine: Machine, first: str) -> Tour:
    """Return the tour: every backend in every mode, every mode of kube-proxy, every policy engine.

    first: the backend that it begins with, in its first mode and the first of kube-proxy. Engines, and the
    modes of kube-proxy, come and go with nothing else: so those stops follow it at once.
    """
    tour, met = Tour(), Counter[str]()
    proxies = contracts[_KUBE_PROXY]
    runnable = {"none": ""} | {mode: _lacking(proxies.in_mode(mode), machine) for mode in proxies.modes}
    tour.left_out |= {f"kube-proxy {mode}": reason for mode, reason in runnable.items() if reason}
    for contract in sorted(contracts.values(), key=lambda one: (one.name != first, one.role)):
        for mode in contract.modes if contract.kind == "backend" else ():
            _add_backend(tour, contract.in_mode(mode), machine, runnable, met)
    _add_proxies(tour, contracts, runnable)
    for name in reversed(contracts.policy_engines):
        _add_engine(tour, contracts, name, machine)
    return tour


def machine_without(contracts: Contracts, features: Collection[str]) -> Machine:
    """Return one that has all that the contracts need, but for kernel features."""
    every = [
        contract.in_mode(mode).data["needs"] for contract in contracts.values() for mode in contract.modes
    ]
    return Machine(
        kernel_features={name for needs in every for name in needs["kernel_features"]} - set(features),
        commands={name for needs in every for name in needs["commands"]},
        programs={name for needs in every for name in _programs(needs)},
    )


def _add_backend(
    tour: Tour, backend: Resolved, machine: Machine, runnable: Mapping[str, str], met: Counter[str]
) -> None:
    reason = _lacking(backend, machine)
    if FAMILY not in backend.families:
        reason = f"it carries {', '.join(backend.families)}, the tour {FAMILY}"
    modes = [mode for mode in backend.kube_proxy_modes if not runnable[mode]]
    if backend.routes == "network":
        reason = "its routes are on routers, which these hosts do not have"
    if not reason and not modes:
        reason = f"it works with kube-proxy in mode {', '.join(backend.kube_proxy_modes)} only"
    if reason:
        tour.left_out[backend.title] = reason
        return
    # In turns, so that each mode is met on several.
    proxy = min(modes, key=lambda mode: (met[mode], modes.index(mode)))
    met[proxy] += 1
    policy = "backend" if backend.policy == "backend" else "none"
    tour.stops.append(Stop(backend.name, _mode(backend), proxy, policy))


def _add_proxies(tour: Tour, contracts: Contracts, runnable: Mapping[str, str]) -> None:
    """Add a stop for each mode of kube-proxy, where the first stop that it works with has another one."""
    for mode in reversed([mode for mode, reason in runnable.items() if not reason and mode != "none"]):
        places = (
            (index, stop)
            for index, stop in enumerate(tour.stops)
            if mode in contracts.backend(stop.backend).in_mode(stop.mode).kube_proxy_modes
        )
        index, stop = next(places, (0, None))
        if stop and stop.kube_proxy_mode != mode:
            tour.stops.insert(index + 1, replace(stop, kube_proxy_mode=mode))


def _add_engine(tour: Tour, contracts: Contracts, name: str, machine: Machine) -> None:
    engine = contracts.policy_engines[name].in_mode()
    reason = _lacking(engine, machine)
    if reason:
        tour.left_out[engine.title] = reason
        return
    for index, stop in enumerate(tour.stops):
        if stop.policy_engine == "none" and stop.kube_proxy_mode in engine.kube_proxy_modes:
            tour.stops.insert(index + 1, replace(stop, policy_engine=name))
            return
    tour.left_out[engine.title] = "no stop has what it works with"


def _mode(backend: Resolved) -> str:
    return "" if backend.mode == DEFAULT_MODE else backend.mode


def _lacking(one: Resolved, machine: Machine) -> str:
    """Return what is missing for it, all of it; empty where it can run."""
    needs = one.data["needs"]
    return "; ".join(
        f"lacks {words} {', '.join(missing)}"
        for words, missing in (
            ("the kernel feature", _missing(needs["kernel_features"], machine.kernel_features)),
            ("the command", _missing(needs["commands"], machine.commands)),
            ("the program", _missing(_programs(needs), machine.programs)),
        )
        if missing
    )


def _missing(needed: Collection[str], there: Collection[str]) -> list[str]:
    return [name for name in needed if name not in there]


def _programs(needs: Mapping[str, Any]) -> list[str]:
    return sorted(set(_flat(needs["programs"])) | set(_flat(needs["files"])))


def _flat(groups: Mapping[str, list[str]]) -> Iterator[str]:
    for names in groups.values():
        yield from names
