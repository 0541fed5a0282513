"""What the hosts of the tour have, and what is built on this machine."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flatnet.contract import Contracts
from flatnet.host.facts.features import ATTEMPTS, MODULES, TRACES, USED
from flatnet.programs.catalog import load_catalog
from flatnet.programs.missing import MissingProgramError
from flatnet.programs.sources import Choice, Finder
from flatnet.programs.store import program_store
from flatnet.programs.toolchain import machine_architecture
from flatnet.remote.program import answer_in, command, program
from tests.tour.stops import Machine

_FACTS = "flatnet.host.facts.serve"


def read_machine(contracts: Contracts, call: Callable[[str, bytes], str], *, with_slow: bool) -> Machine:
    """Return what there is.

    call: runs a command on a host, with an input, and returns its output. with_slow: whether programs count
    that take many minutes to build, where they are built.
    """
    every = [contract.in_mode(mode) for contract in contracts.values() for mode in contract.modes]
    features = sorted({name for one in every for name in one.needs.kernel_features})
    commands = sorted({name for one in every for name in one.needs.commands})
    facts = _facts(call, features, commands)
    catalog = load_catalog()
    upstreams = [one for one in catalog.upstreams if with_slow or not one.is_slow]
    return Machine(
        kernel_features=[name for name, there in facts["kernel_features"].items() if there],
        commands=[name for name, path in facts["commands"].items() if path],
        programs=built([name for one in upstreams for name in one.names]),
    )


def missing_features(contracts: Contracts, call: Callable[[str, bytes], str]) -> list[str]:
    """Return the kernel features that a host lacks, of all that the facts can tell and the contracts name."""
    every = {*MODULES, *TRACES, *ATTEMPTS, *USED}
    for contract in contracts.values():
        for mode in contract.modes:
            every |= {*contract.in_mode(mode).needs.kernel_features}
    found = _facts(call, sorted(every), [])["kernel_features"]
    return sorted(name for name, there in found.items() if not there)


def _facts(
    call: Callable[[str, bytes], str], features: Sequence[str], commands: Sequence[str]
) -> dict[str, Any]:
    request = {"kernel_features": features, "commands": commands, "files": [], "directories": []}
    return answer_in(call(command(None), program(_FACTS, request))) or {}


def built(names: Iterable[str]) -> list[str]:
    """Return those of the programs and sets of files that are built."""
    catalog = load_catalog()
    finder = Finder(catalog, Choice("gomod", architecture=machine_architecture()), program_store())
    found = []
    for name in names:
        try:
            _ = finder.program(name) if name in catalog.programs else finder.files(name)
        except MissingProgramError:
            continue
        found.append(name)
    return found
