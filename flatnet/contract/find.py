"""Finding contracts: in every role of every directory where a play finds roles."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flatnet.contract.contract import Contract, read_contract, told
from flatnet.contract.faults import Faults, nearest
from flatnet.contract.schema import BACKEND, COMPONENT, POLICY_ENGINE, ROLE_PREFIXES
from flatnet.errors import FlatnetError

FILE = "meta/contract.yml"


# libyaml is several times quicker. Whether it is there shows at run time, so the base has no type.
class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads YAML; a key that is there twice is refused, where YAML's own reader takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name} is there twice", node.start_mark
                )
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping


@dataclass(frozen=True)
class Contracts(Mapping[str, Contract]):
    """Contracts by role, in the order of the roles' names."""

    by_role: Mapping[str, Contract]

    @classmethod
    def of(cls, contracts: Iterable[Contract]) -> "Contracts":
        """Return contracts that were read elsewhere."""
        return cls({one.role: one for one in sorted(contracts, key=lambda one: one.role)})

    def __getitem__(self, role: str) -> Contract:
        """Return the contract of a role."""
        return self.by_role[role]

    def __iter__(self) -> Iterator[str]:
        """Yield the roles."""
        return iter(self.by_role)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.by_role)

    @property
    def backends(self) -> dict[str, Contract]:
        """Backends by name."""
        return self._of(BACKEND)

    @property
    def policy_engines(self) -> dict[str, Contract]:
        """Policy engines by name."""
        return self._of(POLICY_ENGINE)

    @property
    def components(self) -> dict[str, Contract]:
        """The contracts of roles that are neither, by name."""
        return self._of(COMPONENT)

    def backend(self, name: str) -> Contract:
        """Return a backend's contract. Raises FlatnetError for an unknown one, listing the known."""
        return self._named(BACKEND, "backend", name)

    def policy_engine(self, name: str) -> Contract:
        """Return a policy engine's contract. Raises FlatnetError for an unknown one, listing the known."""
        return self._named(POLICY_ENGINE, "policy engine", name)

    def with_known_mode(self, document: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Return a recorded plan with the mode of its backend under the name that it has now.

        A record may be older than the modes of its backend, and nothing changes for whoever has the first.
        """
        backend = document.get("backend") if document else None
        found = self.backends.get(str(backend.get("name"))) if isinstance(backend, Mapping) else None
        if document is None or found is None or not isinstance(backend, Mapping):
            return document
        return {**document, "backend": {**backend, "mode": found.known_mode(str(backend.get("mode")))}}

    def _of(self, kind: str) -> dict[str, Contract]:
        return {one.name: one for one in self.by_role.values() if one.kind == kind}

    def _named(self, kind: str, words: str, name: str) -> Contract:
        known = self._of(kind)
        if name in known:
            return known[name]
        near = nearest(name, known)
        listed = (
            f"{near} known: {', '.join(known)}" if near.endswith("?") else near if known else "none is known"
        )
        raise FlatnetError(
            f"there is no {words} {name!r}: no role {ROLE_PREFIXES[kind]}{name} has {FILE}; {listed}"
        )


def find_contracts(roles_paths: Iterable[Path]) -> Contracts:
    """Return the contract of every role that has one; of roles of one name the first directory's.

    Raises FlatnetError that lists every fault of every contract.
    """
    files: dict[str, Path] = {}
    for directory in roles_paths:
        for path in directory.glob(f"*/{FILE}"):
            files.setdefault(path.parents[1].name, path)
    found, problems = {}, []
    for role, path in sorted(files.items()):
        faults = Faults()
        contract = _read(path, role, faults)
        if faults.found or contract is None:
            problems.append(told(str(path), faults))
        else:
            found[role] = contract
    if problems:
        raise FlatnetError("\n".join(problems))
    return Contracts(found)


def _read(path: Path, role: str, faults: Faults) -> Contract | None:
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 (it is a safe loader)
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        faults.add("", f"it cannot be read: {' '.join(str(error).split())}; correct the file")
        return None
    contract = read_contract(data, str(path), faults)
    if contract and contract.role != role:
        faults.add(
            "name",
            f"{contract.kind} {contract.name} is what the role {contract.role} would be; this is {role}",
        )
    prefixed = [prefix for prefix in ROLE_PREFIXES.values() if prefix and role.startswith(prefix)]
    if contract and contract.kind == COMPONENT and prefixed:
        faults.add("kind", f"a role whose name begins with {prefixed[0]} is not a component")
    return contract
