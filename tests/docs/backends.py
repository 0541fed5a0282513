"""Write the tables of docs/backends.md from the backends' contracts and the scenarios that prove them.

Run `python -m tests.docs.backends`; with `--check` it says whether the page is up to date.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from flatnet.contract import Resolved, find_contracts
from flatnet.contract.schema import DEVICE, SOURCES, titled
from flatnet.errors import FlatnetError
from flatnet.plan import pod_mtu
from flatnet.plan.addresses import parse_network
from flatnet.settings import Settings
from tests.docs.backend_choice import choice_table
from tests.docs.generated_page import ROOT, run
from tests.docs.measured import FILE, machine_tour, measured_section

TARGET = Path("docs/backends.md")
BEGIN = "<!-- Written by `python -m tests.docs.backends` from the roles' contracts and the scenarios: -->\n"
END = "<!-- Until here. -->\n"

_HEADING = "## What each one is"
_FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6"}
_UNDERLAY_MTU = 1500
_ENGINES_HEADING = "## Policy engines"
_ENGINES_WORDS = (
    "An engine enforces NetworkPolicy beside a backend that does not: `cluster_network_policy_engine`."
)
_CONNECTIONS = {
    "node_to_local_pod": "node to its own pod",
    "node_to_remote_pod": "node to a pod of another node",
    "hairpin": "pod to itself through a Service",
}


class Scenario(NamedTuple):
    """What a Molecule scenario provisions and checks."""

    name: str
    backend: str
    mode: str
    """Empty for the first."""
    families: tuple[str, ...]
    kube_proxy_mode: str
    policy_engine: str


def scenarios(root: Path = ROOT) -> list[Scenario]:
    """Return the scenarios below molecule/, by name. Raises FlatnetError for an unusable inventory.

    The tour is one for each of its stops, as far as the test machine can run them.
    """
    found = []
    for path in sorted(root.glob("molecule/*/molecule.yml")):
        scenario = _scenario(path.parent)
        found += _stops(scenario, root) if scenario.name == "tour" else [scenario]
    return found


def _stops(scenario: Scenario, root: Path) -> list[Scenario]:
    stops = machine_tour(find_contracts([root / "roles"]), scenario.backend).stops
    return [
        scenario._replace(backend=stop.backend, mode=stop.mode, kube_proxy_mode=stop.kube_proxy_mode)
        for stop in stops
        if stop.policy_engine in ("none", "backend")
    ]


def _scenario(directory: Path) -> Scenario:
    values: dict[str, Any] = Settings().data
    try:
        for path in sorted(directory.glob("inventory/*.yml")):
            values |= yaml.safe_load(path.read_text(encoding="utf-8"))["k8s_cluster"].get("vars", {})
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise FlatnetError(
            f"the inventory of scenario {directory.name} cannot be read: {error!r}; "
            "give it the group k8s_cluster, as molecule/default has it"
        ) from None
    families = dict.fromkeys(parse_network(text).family for text in values["cluster_pod_cidrs"])
    return Scenario(
        directory.name,
        str(values["cluster_network_backend"]),
        str(values["cluster_network_backend_mode"]),
        tuple(families),
        str(values["cluster_kube_proxy_mode"]),
        str(values["cluster_network_policy_engine"]),
    )


def _every(root: Path) -> list[Resolved]:
    found = find_contracts([root / "roles"]).backends.values()
    return [contract.in_mode(mode) for contract in found for mode in contract.modes]


def tables(root: Path = ROOT) -> str:
    """Return the tables as Markdown. Raises FlatnetError for an unusable contract or scenario."""
    found = find_contracts([root / "roles"]).backends.values()
    every = _every(root)
    firsts = {(contract.name, contract.modes[0]) for contract in found}
    proofs = [(proof, one) for proof in scenarios(root) for one in every if _is_of(proof, one, firsts)]
    lines = [
        "| backend | how pods reach each other | pod MTU on a 1500-byte link | families | kube-proxy "
        "| policy | verified where |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(_row(one, [proof for proof, proven in proofs if proven is one]) for one in every),
        "",
        "Everybody sees a pod with the pod's own address, on every node. These connections arrive from:",
        "",
        f"| from, to | {' | '.join(titled(one.data) for one in every)} |",
        f"| --- |{' --- |' * len(every)}",
        *(
            f"| {words} | {' | '.join(_sources(getattr(one.check, key)) for one in every)} |"
            for key, words in _CONNECTIONS.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _is_of(proof: Scenario, one: Resolved, firsts: set[tuple[str, str]]) -> bool:
    is_mode = proof.mode == one.mode if proof.mode else (one.name, one.mode) in firsts
    return proof.backend == one.name and is_mode


def _sources(names: Sequence[str]) -> str:
    return " or ".join(
        f"the address of {name.removeprefix(DEVICE)}" if name.startswith(DEVICE) else SOURCES[name].words
        for name in names
    )


def _row(one: Resolved, proofs: Sequence[Scenario]) -> str:
    overhead = one.data["overhead"]
    mtus = {family: pod_mtu(_UNDERLAY_MTU, overhead, [family]) for family in one.families}
    same = len(set(mtus.values())) == 1
    mtu = str(next(iter(mtus.values()))) if same else ", ".join(f"{mtus[f]} ({_FAMILIES[f]})" for f in mtus)
    cells = [
        f"[{titled(one.data)}](../roles/{one.role}/README.md)",
        one.description,
        mtu,
        _families(one.families) + (", both" if len(one.families) > 1 else ""),
        ", ".join(one.kube_proxy_modes),
        one.policy,
        _verified(proofs),
    ]
    return f"| {' | '.join(cells)} |"


def _verified(proofs: Sequence[Scenario], backends: bool = False) -> str:
    """Return where something was verified. backends: whether to tell with which backend."""
    words = [
        f"container hosts, scenario `{proof.name}`: {proof.backend + ', ' if backends else ''}"
        f"{_families(proof.families)}, kube-proxy {proof.kube_proxy_mode}"
        for proof in proofs
    ]
    return "; ".join(words) or "nowhere yet"


def engines(root: Path = ROOT) -> str:
    """Return the table of policy engines as Markdown. Raises FlatnetError as tables does."""
    found = find_contracts([root / "roles"]).policy_engines.values()
    rows = []
    for contract in found:
        one = contract.in_mode()
        proofs = [proof for proof in scenarios(root) if proof.policy_engine == contract.name]
        cells = [
            f"[{contract.name}](../roles/{contract.role}/README.md)",
            one.description,
            _families(one.families) + (", both" if len(one.families) > 1 else ""),
            ", ".join(one.kube_proxy_modes),
            _verified(proofs, backends=True),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    if not rows:
        return "There is none yet.\n"
    lines = [
        "| engine | how policies are enforced | families | kube-proxy | verified where |",
        "| --- | --- | --- | --- | --- |",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def _families(families: Sequence[str]) -> str:
    return ", ".join(_FAMILIES[family] for family in families)


def page(before: str, root: Path = ROOT) -> str:
    """Return the page with the tables in their place. Raises FlatnetError when it has no place for them."""
    head, begin, rest = before.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise FlatnetError(f"{TARGET} has no lines {BEGIN.strip()} and {END.strip()}; put them back")
    choice = choice_table(_every(root))
    measured = measured_section(find_contracts([root / "roles"]), root / FILE.relative_to(ROOT))
    parts = [choice, _HEADING, tables(root).rstrip(), *([measured] if measured else [])]
    parts += [_ENGINES_HEADING, _ENGINES_WORDS, engines(root).rstrip()]
    written = "\n\n".join(parts)
    return f"{head}{BEGIN}\n{written}\n\n{END}{tail}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with --check say whether it is up to date. Returns the exit status."""
    return run("tests.docs.backends", __doc__, TARGET, page, arguments)


if __name__ == "__main__":
    sys.exit(main())
