"""Write the tables of docs/backends.md from the backends' contracts and the scenarios that prove them.

Run `python -m tests.docs.backends`; with `--check` it says whether the page is up to date.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from flatnet.errors import FlatnetError
from flatnet.plan import Contract, find_contracts, load_contract, pod_mtu
from flatnet.plan.addresses import parse_network
from flatnet.settings import Settings
from tests.docs.generated_page import ROOT, run

TARGET = Path("docs/backends.md")
BEGIN = "<!-- Written by `python -m tests.docs.backends` from the roles' contracts and the scenarios: -->\n"
END = "<!-- Until here. -->\n"

_FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6"}
_UNDERLAY_MTU = 1500
_SOURCES = {
    "pod_gateway": "the gateway of its pods, first address of the node's pod network",
    "node_address": "the node's address",
    "tunnel_address": "the tunnel's address, network address of the node's pod network",
}
_CONNECTIONS = {
    "node_to_local_pod": "node to its own pod",
    "node_to_remote_pod": "node to a pod of another node",
    "hairpin": "pod to itself through a Service",
}


class Scenario(NamedTuple):
    """What a Molecule scenario provisions and checks."""

    name: str
    backend: str
    families: tuple[str, ...]
    kube_proxy_mode: str


def scenarios(root: Path = ROOT) -> list[Scenario]:
    """Return the scenarios below molecule/, by name. Raises FlatnetError for an unusable inventory."""
    return [_scenario(path.parent) for path in sorted(root.glob("molecule/*/molecule.yml"))]


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
        tuple(families),
        str(values["cluster_kube_proxy_mode"]),
    )


def tables(root: Path = ROOT) -> str:
    """Return the tables as Markdown. Raises FlatnetError for an unusable contract or scenario."""
    roles = root / "roles"
    contracts = [load_contract(name, [roles]) for name in find_contracts([roles])]
    proofs = scenarios(root)
    lines = [
        "| backend | how pods reach each other | pod MTU on a 1500-byte link | families | policy "
        "| verified where |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_row(contract, proofs) for contract in contracts),
        "",
        "Everybody sees a pod with the pod's own address, on every node. These connections arrive from:",
        "",
        f"| from, to | {' | '.join(contract.name for contract in contracts)} |",
        f"| --- |{' --- |' * len(contracts)}",
        *(
            f"| {words} | {' | '.join(_SOURCES[contract.data['check'][key]] for contract in contracts)} |"
            for key, words in _CONNECTIONS.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _row(contract: Contract, proofs: Sequence[Scenario]) -> str:
    mtus = {family: pod_mtu(_UNDERLAY_MTU, contract.overhead, [family]) for family in contract.families}
    same = len(set(mtus.values())) == 1
    mtu = str(next(iter(mtus.values()))) if same else ", ".join(f"{mtus[f]} ({_FAMILIES[f]})" for f in mtus)
    verified = [
        f"container hosts, scenario `{proof.name}`: {_families(proof.families)}, "
        f"kube-proxy {proof.kube_proxy_mode}"
        for proof in proofs
        if proof.backend == contract.name
    ]
    cells = [
        f"[{contract.name}](../roles/cni_{contract.name}/README.md)",
        contract.data["description"],
        mtu,
        _families(contract.families) + (", both" if len(contract.families) > 1 else ""),
        contract.policy_engine,
        "; ".join(verified) or "nowhere yet",
    ]
    return f"| {' | '.join(cells)} |"


def _families(families: Sequence[str]) -> str:
    return ", ".join(_FAMILIES[family] for family in families)


def page(before: str, root: Path = ROOT) -> str:
    """Return the page with the tables in their place. Raises FlatnetError when it has no place for them."""
    head, begin, rest = before.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise FlatnetError(f"{TARGET} has no lines {BEGIN.strip()} and {END.strip()}; put them back")
    return f"{head}{BEGIN}\n{tables(root)}\n{END}{tail}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with --check say whether it is up to date. Returns the exit status."""
    return run("tests.docs.backends", __doc__, TARGET, page, arguments)


if __name__ == "__main__":
    sys.exit(main())
