"""What carries the network at either end of a switch, and which roles have to go for it to change."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from flatnet.contract.schema import DEFAULT_MODE
from flatnet.errors import FlatnetError
from flatnet.plan.options import options_words

KUBE_PROXY = "kube_proxy"
# Kinds of change to what is deployed (flatnet.plan.immutable) that a switch carries out.
SWITCHED = frozenset({"backend", "backend_mode", "policy_engine"})


@dataclass(frozen=True)
class End:
    """What carries pods and services, and who enforces policies. Each role is empty where there is none."""

    backend: str
    mode: str
    backend_role: str
    kube_proxy_mode: str
    policy_engine: str
    policy_role: str
    options: str = ""
    """The numbers of the backend that are not its defaults, in words."""

    @classmethod
    def of_plan(cls, plan: Mapping[str, Any]) -> "End":
        """Return that of a plan or of the document of one."""
        backend, engine = plan["backend"], plan["policy_engine"]
        return cls(
            backend=str(backend["name"]),
            mode=str(backend["mode"]),
            backend_role=str(backend["role"]),
            kube_proxy_mode=str(plan["kube_proxy_mode"]),
            policy_engine=str(engine["name"]),
            policy_role=str(engine.get("role", "")),
            options=options_words(backend),
        )

    @classmethod
    def from_data(cls, data: object) -> "End":
        """Return it from plain data. Raises FlatnetError for anything else."""
        names = {one.name for one in fields(cls)}
        if not isinstance(data, Mapping) or data.keys() != names:
            raise FlatnetError(f"an end of a switch has {', '.join(sorted(names))}")
        return cls(**{name: str(value) for name, value in data.items()})

    @property
    def data(self) -> dict[str, str]:
        """Plain data."""
        return asdict(self)

    @property
    def network(self) -> str:
        """The backend in words, with its mode where it has several."""
        words = self.backend if self.mode == DEFAULT_MODE else f"{self.backend} in mode {self.mode}"
        return f"{words} ({self.options})" if self.options else words

    @property
    def services(self) -> str:
        """Who carries services, in words."""
        if self.kube_proxy_mode == "none":
            return f"{self.backend} in place of kube-proxy"
        return f"kube-proxy in mode {self.kube_proxy_mode}"

    @property
    def policies(self) -> str:
        """Who enforces policies, in words."""
        return {"none": "nobody", "backend": self.backend}.get(self.policy_engine, self.policy_engine)

    def __str__(self) -> str:
        """Return all of it in words."""
        words = f"{self.network} with {self.services}"
        return words if self.policy_engine == "none" else f"{words}, policies by {self.policies}"


def moves_pods(before: End, after: End) -> bool:
    """Tell whether pods hang on the old network and have to be connected anew."""
    return (before.backend_role, before.mode, before.options) != (
        after.backend_role,
        after.mode,
        after.options,
    )


def leaving(before: End, after: End) -> tuple[str, ...]:
    """Return the roles of `before` that have to be removed from hosts, those of another mode as well."""
    roles = []
    if moves_pods(before, after):
        roles.append(before.backend_role)
    # One that carries services does so with what kube-proxy left, and the other way round.
    if before.kube_proxy_mode not in (after.kube_proxy_mode, "none"):
        roles.append(KUBE_PROXY)
    if before.policy_role not in (after.policy_role, ""):
        roles.append(before.policy_role)
    return tuple(roles)


def staying(end: End) -> frozenset[str]:
    """Return the roles that an end has."""
    return frozenset(
        {end.backend_role, end.policy_role, KUBE_PROXY if end.kube_proxy_mode != "none" else ""} - {""}
    )
