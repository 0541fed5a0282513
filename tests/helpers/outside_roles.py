"""The backend and the policy engine that lie outside of roles/, and the contract of one, broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

Json = dict[str, Any]
OUTSIDE = Path(__file__).parents[1] / "outside"
ROLES = OUTSIDE / "roles"


class Broken(NamedTuple):
    """A way to break the contract of `claims`: what is changed, and the one fault that is told."""

    change: Callable[[Json], object]
    fault: str


WAYS: dict[str, Broken] = {
    "a misspelt key": Broken(
        lambda it: it.update(kube_proxy_mode=it.pop("kube_proxy_modes")),
        "kube_proxy_mode: there is no such key; do you mean kube_proxy_modes?",
    ),
    "a misspelt key in a mode": Broken(
        lambda it: it["modes"]["vxlan"]["makes"].update(interface={}),
        "modes.vxlan.makes.interface: there is no such key; do you mean interfaces?",
    ),
    "somebody unknown who hands out addresses": Broken(
        lambda it: it.update(ipam="backends"), "ipam: 'backends' is not possible; do you mean backend?"
    ),
    "routes of a plan that knows no block": Broken(
        lambda it: it.update(routes="plan"),
        "routes: the plan knows no pod network of a node with ipam: backend; use backend or none",
    ),
    "a gateway that the plan does not know": Broken(
        lambda it: it["modes"]["vxlan"]["check"].update(node_to_remote_pod="tunnel_address"),
        "check.node_to_remote_pod: the plan knows no tunnel_address with ipam: backend; use node_address or "
        "device:NAME (mode vxlan)",
    ),
    "a command that no package brings": Broken(
        lambda it: it["needs"]["commands"]["ipset"].pop("redhat"),
        "needs.commands.ipset.redhat: it is missing",
    ),
    "routes of everybody": Broken(
        lambda it: it["makes"].update(routes=[{"protocol": "static"}]),
        "makes.routes[0]: it would match routes of others; give a protocol or a table of its own, or a "
        "device",
    ),
    "interfaces of everybody": Broken(
        lambda it: it["makes"]["interfaces"]["pods"].update(name="o*"),
        "makes.interfaces.pods.name: 'o*' could match what is somebody else's; begin it with at least 3 "
        "letters",
    ),
    "an overhead that one mode lacks": Broken(
        lambda it: it["modes"]["routed"].pop("overhead"), "overhead: it is missing (mode routed)"
    ),
    "the name of another role": Broken(
        lambda it: it.update(name="claim"),
        "name: backend claim is what the role cni_claim would be; this is cni_claims",
    ),
}


def broken_contract(way: Broken, folder: Path) -> Path:
    """Write the contract, broken, into a role below a folder of roles; return the file."""
    contract = yaml.safe_load((ROLES / "cni_claims/meta/contract.yml").read_text())
    way.change(contract)
    path = folder / "cni_claims/meta/contract.yml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(contract, sort_keys=False))
    return path
