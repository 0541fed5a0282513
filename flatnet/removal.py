"""What a host is told to remove: owners by their contracts, in an order in which each can go."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from flatnet.contract import Contract
from flatnet.contract.faults import nearest
from flatnet.errors import FlatnetError

# As contracts name the times.
STAGES = ("first", "middle", "last")


def removal(contracts: Mapping[str, Contract], names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return `owners`, those to remove in this order, and `others`, all that stay, each with what it makes.

    contracts: by role, which is the owner's name. names: of owners, or patterns (fnmatch). Raises
    FlatnetError for one that means no owner.
    """
    unknown = [name for name in names if not any(fnmatchcase(role, name) for role in contracts)]
    if unknown:
        raise FlatnetError(
            f"there is no owner {unknown[0]!r}: no role of this name has meta/contract.yml; "
            f"{nearest(unknown[0], contracts)}"
        )
    going = [role for role in contracts if any(fnmatchcase(role, name) for name in names)]
    ordered = sorted(going, key=lambda role: (STAGES.index(contracts[role].removed), role))
    staying = sorted(contracts.keys() - set(going))
    return {
        "owners": [_described(contracts[role]) for role in ordered],
        "others": [_described(contracts[role]) for role in staying],
    }


def _described(contract: Contract) -> dict[str, Any]:
    return {"name": contract.role, "stage": contract.removed, "makes": contract.all_makes_data()}
