"""The filter of the role cni_claims."""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

_KINDS = ("veth", "vxlan")


def claims_refusals(facts: Mapping[str, Any], made: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each interface that has a name of ours and is of a kind that is not.

    facts: of the host, of which `interfaces` are read. made: the interfaces of the contract, by label.
    """
    patterns = [interface["name"] for interface in made.values()]
    return [
        f"the host's {found['name']} is of the kind {found['kind']}, and interfaces of pods have such names. "
        f"Fix: rename it, or remove it with `ip link delete {found['name']}`."
        for found in facts["interfaces"]
        if found["kind"] not in _KINDS and any(fnmatchcase(found["name"], pattern) for pattern in patterns)
    ]


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"claims_refusals": claims_refusals}
