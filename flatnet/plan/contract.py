"""The backend contract: what a backend's role declares about itself, in vars/contract.yml."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import WIDTH

_REQUIRED: dict[str, type] = {
    "name": str,
    "description": str,
    "ipam": str,
    "families": list,
    "overhead": dict,
    "ports": list,
    "kernel_features": list,
    "policy_engine": str,
    "masquerade": str,
    "routes": str,
    "programs": list,
    "units": list,
    "identities": list,
    "check": dict,
}
# Keys that a contract may leave out, with what that means.
_OPTIONAL: dict[str, tuple[type, Any]] = {
    "several_pod_cidrs": (bool, False),
    "kube_proxy_modes": (list, ["iptables", "ipvs", "nftables"]),
    "interfaces": (list, []),
    "data_paths": (list, []),
    "chain_prefixes": (list, []),
}
# Keys that the planner and the reset read from the contract itself; the plan does not repeat them.
UNREPEATED_KEYS = frozenset({"several_pod_cidrs", "kube_proxy_modes", "data_paths", "chain_prefixes"})
_CHOICES = {
    "ipam": ("plan", "backend"),
    "masquerade": ("flatnet", "backend"),
    "routes": ("plan", "backend", "none"),
}


def _is_byte_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


@dataclass(frozen=True)
class Contract:
    """The part of the contract that the planner reads; `data` is the whole, as declared."""

    name: str
    ipam: str
    routes: str
    families: tuple[str, ...]
    overhead: Mapping[str, int]
    kernel_features: tuple[str, ...]
    ports: tuple[Mapping[str, Any], ...]
    policy_engine: str = "none"
    several_pod_cidrs: bool = False
    """Whether a family may have several pod networks."""
    kube_proxy_modes: tuple[str, ...] = ("iptables", "ipvs", "nftables")
    """The modes of kube-proxy that work with the backend."""
    interfaces: tuple[str, ...] = ()
    """Names of further interfaces that the backend makes, recognised as ours on live hosts."""
    data: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, data: object) -> "Contract":
        """Read a contract. Raises FlatnetError that lists everything missing or wrong in it."""
        if not isinstance(data, Mapping):
            raise FlatnetError(
                f"a backend contract is a mapping, not {data!r}; see roles/cni_kubenet/vars/contract.yml"
            )
        wrong = [
            f"{key} must be a {kind.__name__}"
            for key, kind in _REQUIRED.items()
            if not isinstance(data.get(key), kind)
        ]
        wrong += [
            f"{key} must be a {kind.__name__}"
            for key, (kind, default) in _OPTIONAL.items()
            if not isinstance(data.get(key, default), kind)
        ]
        wrong += [
            f"{key} must be one of {', '.join(choices)}"
            for key, choices in _CHOICES.items()
            if isinstance(data.get(key), str) and data[key] not in choices
        ]
        if not wrong:
            wrong += [f"families holds {x!r}, not ipv4 or ipv6" for x in data["families"] if x not in WIDTH]
            wrong += [
                f"overhead.{family} must be a number of bytes"
                for family in WIDTH
                if not _is_byte_count(data["overhead"].get(family))
            ]
            wrong += [
                "every port must be a mapping" for port in data["ports"] if not isinstance(port, Mapping)
            ]
        if wrong:
            raise FlatnetError(f"the contract of backend {data.get('name')!r} is wrong: {'; '.join(wrong)}")
        read = {key: data.get(key, default) for key, (_, default) in _OPTIONAL.items()}
        return cls(
            name=str(data["name"]),
            ipam=str(data["ipam"]),
            routes=str(data["routes"]),
            families=tuple(map(str, data["families"])),
            overhead={family: int(data["overhead"][family]) for family in WIDTH},
            kernel_features=tuple(map(str, data["kernel_features"])),
            ports=tuple(data["ports"]),
            policy_engine=str(data["policy_engine"]),
            several_pod_cidrs=bool(read["several_pod_cidrs"]),
            kube_proxy_modes=tuple(map(str, read["kube_proxy_modes"])),
            interfaces=tuple(map(str, read["interfaces"])),
            data=data,
        )


def find_contracts(roles_paths: Iterable[Path]) -> dict[str, Path]:
    """Return backend name -> contract file for every role `cni_<backend>`; earlier directories win."""
    found: dict[str, Path] = {}
    for directory in roles_paths:
        for path in sorted(directory.glob("cni_*/vars/contract.yml")):
            found.setdefault(path.parent.parent.name.removeprefix("cni_"), path)
    return dict(sorted(found.items()))


def load_contract(backend: str, roles_paths: Iterable[Path]) -> Contract:
    """Return the contract of the backend. Raises FlatnetError for an unknown one, listing the known."""
    found = find_contracts(roles_paths)
    if backend not in found:
        known = ", ".join(found) or "none found"
        raise FlatnetError(
            f"there is no backend {backend!r}: no role cni_{backend} declares vars/contract.yml; "
            f"known backends: {known}"
        )
    path = found[backend]
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise FlatnetError(f"the contract {path} cannot be read: {error}; correct the file") from error
    key = f"cni_{backend}_contract"
    if not isinstance(document, Mapping) or set(document) != {key}:
        raise FlatnetError(f"the contract {path} must have the one top-level key {key}")
    contract = Contract.from_mapping(document[key])
    if contract.name != backend:
        raise FlatnetError(f"the contract {path} calls itself {contract.name!r}; its role says {backend!r}")
    return contract
