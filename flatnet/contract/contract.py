"""A contract: what a role declares about itself, read strictly and merged by mode."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flatnet.contract.faults import Faults, join, nearest, shown
from flatnet.contract.kinds import (
    INVALID,
    Choice,
    Json,
    Key,
    Record,
    build_keys,
    complete_keys,
    demand_keys,
    merge_keys,
    read_keys,
)
from flatnet.contract.rules import check_backend
from flatnet.contract.schema import BACKEND, DEFAULT_MODE, KINDS, ROLE_PREFIXES, Makes, Resolved, terms_of
from flatnet.contract.words import CONTRACT_NAME, MODE_NAME
from flatnet.errors import FlatnetError

_HEAD = ("kind", "name", "modes")


@dataclass(frozen=True)
class Contract:
    """What a role needs of a host and makes there, in each of its modes."""

    kind: str
    name: str
    description: str
    """The one for all modes."""
    where: str
    """The file, for messages."""
    resolved: Mapping[str, Resolved] = field(repr=False)
    """By mode, in the order of the file."""

    @classmethod
    def from_mapping(cls, data: object, where: str) -> "Contract":
        """Read a contract. Raises FlatnetError that lists every fault, each with its place in `where`."""
        faults = Faults()
        contract = read_contract(data, where, faults)
        if contract is None or faults.found:
            raise FlatnetError(told(where, faults))
        return contract

    @property
    def role(self) -> str:
        """The role that has this contract."""
        return f"{ROLE_PREFIXES[self.kind]}{self.name}"

    @property
    def modes(self) -> tuple[str, ...]:
        """The names of its modes; the first is the default."""
        return tuple(self.resolved)

    @property
    def has_modes(self) -> bool:
        """Whether there is a mode to choose."""
        return self.modes != (DEFAULT_MODE,)

    def known_mode(self, mode: str) -> str:
        """Return a mode as the contract calls it now.

        Records of a contract that had no modes say `default`; what it was is the first of those that it has.
        """
        return self.modes[0] if self.has_modes and mode == DEFAULT_MODE else mode

    def in_mode(self, mode: str = "") -> Resolved:
        """Return the contract in a mode, "" for the first. Raises FlatnetError that names the known modes."""
        found = self.resolved.get(mode or self.modes[0])
        if found is None:
            who = next(iter(self.resolved.values())).title.partition(" in mode ")[0]
            known = nearest(mode, self.modes) if self.has_modes else "it has none; leave the mode out"
            listed = f" ({', '.join(self.modes)})" if self.has_modes else ""
            raise FlatnetError(f"{who} has no mode {mode!r}; {known}{listed}")
        return found

    @property
    def removed(self) -> str:
        """When it is removed among others, the same in every mode."""
        return next(iter(self.resolved.values())).removed

    def all_makes(self) -> Makes:
        """Return what it makes in any of its modes."""
        every: Makes = Record(Makes).build(self.all_makes_data())
        return every

    def all_makes_data(self) -> Json:
        """Return what it makes in any of its modes, as plain data."""
        kind = Record(Makes)
        made = [one.data["makes"] for one in self.resolved.values()]
        merged: Json = {}
        for one, mode in zip(made, self.modes, strict=True):
            merged = kind.merge(merged, _relabelled(one, merged, mode))
        return merged


def _relabelled(made: Json, merged: Json, mode: str) -> Json:
    """Return what a mode makes, to be added to that of others: nothing of theirs gets lost."""
    others = merged.get("interfaces", {})
    interfaces = {
        f"{label}_{mode}" if others.get(label, one) != one else label: one
        for label, one in made["interfaces"].items()
    }
    servers = made["virtual_servers"] or merged.get("virtual_servers", False)
    return {**made, "interfaces": interfaces, "virtual_servers": servers}


def told(where: str, faults: Faults) -> str:
    """Return the message about a contract with faults."""
    return "\n".join([f"the contract {where} is wrong:", *(f"- {sentence}" for sentence in faults.found)])


def read_contract(data: object, where: str, faults: Faults) -> Contract | None:
    """Return the contract; None when it is too broken, which the faults then say."""
    if not isinstance(data, Mapping):
        faults.add("", f"it is {shown(data)}, not a mapping; see docs/backends.md")
        return None
    for name in ("name", "description"):
        if name not in data:
            faults.add(name, "it is missing")
    if "name" in data:
        CONTRACT_NAME.read(data["name"], "name", faults)
    if "kind" not in data:
        faults.add("kind", f"it is missing; {nearest('', KINDS)}")
        return None
    kind = Choice(KINDS).read(data["kind"], "kind", faults)
    if kind is INVALID:
        return None
    keys = terms_of(kind)
    above = _read_terms(data, keys, "", kind, faults)
    modes = _read_modes(data, keys, kind, faults)
    merged = {mode: merge_keys(keys, above, own) for mode, own in modes.items()}
    _in_modes(merged, lambda terms, found: demand_keys(keys, terms, "", found), faults)
    if faults.found:
        return None
    name = data["name"]
    resolved = {mode: _resolved(kind, name, mode, terms, keys) for mode, terms in merged.items()}
    if kind == BACKEND:
        complete = {mode: dict(one.data) for mode, one in resolved.items()}
        _in_modes(complete, check_backend, faults)
    return Contract(kind, name, above["description"], where, resolved)


def _in_modes(terms: Mapping[str, Json], judge: Callable[[Json, Faults], None], faults: Faults) -> None:
    """Note what is wrong in each mode, with the mode's name where it is not wrong in all."""
    found = {mode: Faults() for mode in terms}
    for mode, one in terms.items():
        judge(one, found[mode])
    for mode, own in found.items():
        for sentence in own.found:
            everywhere = all(sentence in other.found for other in found.values())
            faults.add("", sentence if everywhere else f"{sentence} (mode {mode})")


def _read_terms(
    given: Mapping[str, object], keys: Mapping[str, Key], place: str, kind: str, faults: Faults
) -> Json:
    """Return the keys of one level, the top or a mode. What only other kinds have is told as that."""
    foreign = [name for name in given if name in _ALL_TERMS and name not in keys]
    for name in foreign:
        faults.add(join(place, name), f"a contract of kind {kind} does not have it; leave it out")
    for name in (name for name in _HEAD if place and name in given):
        faults.add(join(place, name), "it stands at the top only; leave it out")
    return read_keys(given, keys, place, faults, [*foreign, *_HEAD])


def _read_modes(
    data: Mapping[str, object], keys: Mapping[str, Key], kind: str, faults: Faults
) -> dict[str, Json]:
    """Return what each mode declares itself; without modes the one that nobody is shown, with nothing."""
    given = data.get("modes")
    if "modes" not in data:
        return {DEFAULT_MODE: {}}
    if not isinstance(given, Mapping) or not given:
        faults.add("modes", f"{shown(given)} is not a mapping of modes; leave modes out where there is one")
        return {}
    modes: dict[str, Json] = {}
    for mode, terms in given.items():
        place = join("modes", str(mode))
        if MODE_NAME.read(mode, place, faults) is INVALID:
            continue
        if mode == DEFAULT_MODE:
            faults.add(place, "a mode has a name that says what it does; default is where there is none")
        if terms is None:
            terms = {}
        if not isinstance(terms, Mapping):
            faults.add(place, f"{shown(terms)} is not a mapping")
            continue
        modes[mode] = _read_terms(terms, keys, place, kind, faults)
    return modes


def _resolved(kind: str, name: str, mode: str, terms: Json, keys: Mapping[str, Key]) -> Resolved:
    complete = complete_keys(keys, terms)
    head: Json = {"kind": kind, "name": name, "role": f"{ROLE_PREFIXES[kind]}{name}", "mode": mode}
    typed: Json = {**dict.fromkeys(_ALL_TERMS), **build_keys(keys, complete)}
    values = {name: one["default"] for name, one in complete.get("options", {}).items()}
    data = {**head, **complete, **({"option_values": values} if kind == BACKEND else {})}
    return Resolved(**head, **typed, option_values=values, data=data)


_ALL_TERMS = frozenset(name for kind in KINDS for name in terms_of(kind))
