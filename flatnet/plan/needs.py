"""What the contracts in use need of hosts, merged, with who needs it."""

from collections.abc import Iterable
from typing import Any

from flatnet.contract import Resolved
from flatnet.contract.schema import GROUPS


def needs_part(used: Iterable[Resolved]) -> dict[str, Any]:
    """Return the plan's `needs`.

    {commands: {name: {debian, redhat, needed_by}}, kernel_features and optional_kernel_features: {name:
    [who]}, identities: [{name, common_name, organizations}], and programs, images and files: {group:
    [names]}}, everything by its name.
    """
    commands: dict[str, dict[str, Any]] = {}
    features: dict[str, list[str]] = {}
    optional: dict[str, list[str]] = {}
    identities: list[dict[str, Any]] = []
    brought: dict[str, dict[str, set[str]]] = {
        kind: {group: set() for group in GROUPS} for kind in ("programs", "images", "files")
    }
    for one in used:
        for name, packages in one.needs.commands.items():
            # The first to name a package is believed: that is one of ours, or all say the same.
            entry = {"debian": packages.debian, "redhat": packages.redhat, "needed_by": []}
            commands.setdefault(name, entry)["needed_by"].append(one.title)
        for name in one.needs.kernel_features:
            features.setdefault(name, []).append(one.title)
        for name in one.needs.optional_kernel_features:
            optional.setdefault(name, []).append(one.title)
        identities += one.data["identities"]
        for kind, by_group in brought.items():
            for group, names in getattr(one.needs, kind).items():
                by_group[group].update(names)
    return {
        "commands": dict(sorted(commands.items())),
        "kernel_features": dict(sorted(features.items())),
        "optional_kernel_features": dict(sorted(optional.items())),
        "identities": [dict(identity) for identity in sorted(identities, key=lambda one: str(one["name"]))],
        **{kind: {group: sorted(names) for group, names in by.items()} for kind, by in brought.items()},
    }
