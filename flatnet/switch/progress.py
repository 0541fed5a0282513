"""How far a switch has come on each host: it may be killed at any moment, and the next run goes on.

The note lies beside the record of what is deployed, which names the old network until the switch has ended.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flatnet.errors import FlatnetError
from flatnet.plan.names import listed_names
from flatnet.plan_report.document import write_text
from flatnet.switch.ends import End, leaving

FILE = "network_switch.json"
SCHEMA_VERSION = 1
PLAYBOOK = "playbooks/switch_network.yml"

WAITING, REMOVING, INSTALLING, DONE = "waiting", "removing", "installing", "done"
STEPS: Mapping[str, str] = {
    WAITING: "still has {before}",
    REMOVING: "is losing {before}, and its pods may have no network",
    INSTALLING: "has lost {before}, and gets {after}",
    DONE: "has {after}",
}
"""Step of a host -> what that means, in the order in which hosts take them."""


@dataclass(frozen=True)
class Progress:
    """A switch that is under way."""

    cluster: str
    before: End
    after: End
    owners: tuple[str, ...]
    """The roles that are removed from hosts."""
    hosts: Mapping[str, str]
    """Inventory name -> step."""
    unready: tuple[str, ...] = ()
    """The pods, as namespace/name, that were not ready when it began: all others are waited for."""

    def at(self, *steps: str) -> list[str]:
        """Return the hosts that are at one of the steps, sorted."""
        return sorted(host for host, step in self.hosts.items() if step in steps)

    def moved(self, hosts: Iterable[str], step: str) -> "Progress":
        """Return it with hosts at a step. Raises FlatnetError for an unknown host, or one further on."""
        order = list(STEPS)
        for host in hosts:
            now = self.hosts.get(host)
            if now is None:
                raise FlatnetError(f"{host} is no host of the switch; those are {listed_names(self.hosts)}")
            if order.index(step) < order.index(now):
                raise FlatnetError(f"{host} {self.words(now)}: it cannot go back to {step}")
        return replace(self, hosts={**self.hosts, **dict.fromkeys(hosts, step)})

    def words(self, step: str) -> str:
        """Return what a step means here."""
        return STEPS[step].format(before=self.before, after=self.after)

    @property
    def is_whole(self) -> bool:
        """Whether every host has the new network."""
        return not self.at(WAITING, REMOVING, INSTALLING)

    def explained(self) -> str:
        """Return where the switch stands, host by host, and how to get to either end."""
        lines = [
            f"the network of cluster {self.cluster} is being switched from {self.before} to {self.after}:"
        ]
        lines += [f"- {listed_names(self.at(step))} {self.words(step)}" for step in STEPS if self.at(step)]
        lines.append(
            f"To finish it, run {PLAYBOOK} for {self.after}; to go back, write {self.before} into the "
            "inventory and run the same"
        )
        return "\n".join(lines)

    @property
    def text(self) -> str:
        """The note as JSON text."""
        content = {
            "schema_version": SCHEMA_VERSION,
            "cluster": self.cluster,
            "before": self.before.data,
            "after": self.after.data,
            "owners": list(self.owners),
            "hosts": dict(self.hosts),
            "unready": list(self.unready),
        }
        return json.dumps(content, indent=1, sort_keys=True) + "\n"


def progress_towards(
    found: Progress | None, cluster: str, deployed: End, wanted: End, hosts: Sequence[str]
) -> Progress | None:
    """Return the switch that leads to what is wanted, None where there is nothing to switch.

    found: the note of a switch that has not ended. hosts: the inventory names of all hosts of the cluster.
    Going back is a switch of its own: what has begun to come is removed like what was to go. Raises
    FlatnetError where the note leads elsewhere: a host cannot be between three networks.
    """
    if found is None:
        if deployed == wanted:
            return None
        return Progress(
            cluster, deployed, wanted, leaving(deployed, wanted), dict.fromkeys(sorted(hosts), WAITING)
        )
    if found.cluster != cluster:
        raise FlatnetError(
            f"the note of a switch is about cluster {found.cluster}, not {cluster}; "
            "see that cluster_state_directory is that of this cluster"
        )
    if wanted == found.after:
        switch = found
    elif wanted == found.before:
        switch = _turned(found)
    else:
        raise FlatnetError(
            f"the inventory wants {wanted}, but {found.explained()}; switch to {wanted} after that"
        )
    # A host that has come since has nothing that could go, one that has left is no part of the cluster.
    return replace(switch, hosts={host: switch.hosts.get(host, WAITING) for host in sorted(hosts)})


def _turned(found: Progress) -> Progress:
    owners = dict.fromkeys([*found.owners, *leaving(found.after, found.before)])
    hosts = {host: DONE if step == WAITING else REMOVING for host, step in found.hosts.items()}
    return Progress(found.cluster, found.after, found.before, tuple(owners), hosts, found.unready)


def read_progress(path: Path) -> Progress | None:
    """Return the note of a switch that has not ended, None without one.

    Raises FlatnetError where it cannot be read: what it would say is nowhere else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise FlatnetError(
            f"the note of a switch in {path} cannot be read: {error}; make it readable"
        ) from error
    try:
        return parse_progress(json.loads(text))
    except (ValueError, RecursionError, FlatnetError, KeyError, TypeError) as error:
        raise FlatnetError(
            f"the note of a switch in {path} is damaged ({error}); restore it, or delete it and run "
            f"{PLAYBOOK}, which then takes every host to have what network_deployed.json says"
        ) from None


def parse_progress(data: dict[str, Any]) -> Progress:
    """Return a note from plain data. Raises ValueError, KeyError, TypeError or FlatnetError for others."""
    if data["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"schema_version {data['schema_version']!r}, this is made for {SCHEMA_VERSION}")
    hosts = {str(host): str(step) for host, step in {**data["hosts"]}.items()}
    unknown = sorted(set(hosts.values()) - set(STEPS))
    if unknown:
        raise ValueError(f"there is no step {unknown[0]!r}")
    ends = End.from_data(data["before"]), End.from_data(data["after"])
    owners, unready = (tuple(map(str, data[name])) for name in ("owners", "unready"))
    return Progress(str(data["cluster"]), *ends, owners, hosts, unready)


def save_progress(path: Path, progress: Progress) -> bool:
    """Write the note in one step; return whether it changed. Raises FlatnetError where it cannot."""
    return write_text(path, progress.text)


def forget_progress(path: Path) -> bool:
    """Remove the note, as the switch has ended; return whether there was one."""
    if not path.exists():
        return False
    path.unlink(missing_ok=True)
    return True
