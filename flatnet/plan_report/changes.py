"""What a difference is made of: two documents side by side, changes, and the restarts that they cause."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from flatnet.plan.immutable import exchanged_names, matched_hosts
from flatnet.plan_report.document import Document

# The units that run on the hosts of a group, as the roles etcd, kube_control_plane, container_runtime,
# kube_node and kube_proxy declare them. A backend's own are in its contract.
UNITS: Mapping[str, tuple[str, ...]] = {
    "etcd": ("etcd",),
    "kube_control_plane": ("kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    "kube_node": ("containerd", "kubelet", "kube-proxy"),
}


class Restart(NamedTuple):
    """A unit that restarts, without `.service`, and the hosts where it does: inventory names, sorted."""

    unit: str
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One change between what is deployed and what is wanted.

    `subject` is a key of the plan or the kind of change, `words` a sentence, `effects` what else happens, as
    sentences. A change with a reason in `refused` is one that no running cluster follows by itself and that
    nobody allowed; `remedy` says what would have to happen. Both come from flatnet.plan.immutable.
    """

    subject: str
    words: str
    effects: tuple[str, ...] = ()
    restarts: tuple[Restart, ...] = ()
    refused: str = ""
    remedy: str = ""


class Host(NamedTuple):
    """One host in both documents; the side where it is not has no name and no content."""

    before_name: str
    after_name: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


@dataclass(frozen=True)
class Pair:
    """The deployed and the wanted document, their hosts matched."""

    before: Document
    after: Document

    @cached_property
    def hosts(self) -> list[Host]:
        """Every host once, by inventory name."""
        old: dict[str, Any] = self.before["nodes"]
        new: dict[str, Any] = self.after["nodes"]
        partner = matched_hosts(old, new)
        taken = set(partner.values())
        found = [
            Host(partner.get(name, ""), name, old.get(partner.get(name, "")), node)
            for name, node in new.items()
        ]
        found += [Host(name, "", node, None) for name, node in old.items() if name not in taken]
        return sorted(found, key=lambda host: host.after_name or host.before_name)

    @cached_property
    def exchanged(self) -> dict[str, tuple[str, str]]:
        """Inventory name -> (address, node name there) of nodes that stand where another one is deployed."""
        return exchanged_names(self.before["nodes"], self.after["nodes"])

    @cached_property
    def stayed(self) -> list[Host]:
        """The hosts that are in both."""
        return [host for host in self.hosts if host.before is not None and host.after is not None]

    def running(self, group: str) -> tuple[str, ...]:
        """Return the hosts that are in the group before and after: those where its units can restart."""
        return tuple(
            host.after_name
            for host in self.hosts
            if host.before is not None
            and host.after is not None
            and group in host.before["groups"]
            and group in host.after["groups"]
        )

    def restarts(self, *units: str) -> tuple[Restart, ...]:
        """Return the restart of each unit on every host that runs it before and after."""
        found = []
        for group, names in UNITS.items():
            hosts = self.running(group)
            found += [Restart(unit, hosts) for unit in units if unit in names and hosts]
        return tuple(one for one in found if one.unit != "kube-proxy" or self.has_kube_proxy)

    @property
    def every_unit(self) -> tuple[Restart, ...]:
        """The restart of every unit on every host that runs it before and after."""
        units = [unit for names in UNITS.values() for unit in names]
        return (*self.restarts(*units), *self.backend_restarts())

    @property
    def has_kube_proxy(self) -> bool:
        """Whether kube-proxy runs before and after."""
        return "none" not in (self.before["kube_proxy_mode"], self.after["kube_proxy_mode"])

    def backend_restarts(self) -> tuple[Restart, ...]:
        """Return the restart of the backend's daemons on every node."""
        hosts = self.running("kube_node")
        return tuple(Restart(unit, hosts) for unit in self.backend_units if hosts)

    @property
    def backend(self) -> str:
        """The name of the wanted backend."""
        return str(self.after["backend"]["name"])

    @property
    def backend_units(self) -> tuple[str, ...]:
        """The units of the wanted backend."""
        return tuple(self.after["backend"]["units"])

    @property
    def masquerade_effects(self) -> tuple[str, ...]:
        """What a change of addresses means for the translation of what leaves the cluster."""
        if self.after["backend"]["masquerade"] != "flatnet" or not self.running("kube_node"):
            return ()
        return ("The nftables table flatnet_masquerade is replaced on every node, in one step.",)


def combined(restarts: Iterable[Restart]) -> tuple[Restart, ...]:
    """Return each unit once with all of its hosts: however many changes ask, a unit restarts once."""
    hosts: dict[str, set[str]] = {}
    for restart in restarts:
        hosts.setdefault(restart.unit, set()).update(restart.hosts)
    order = [unit for units in UNITS.values() for unit in units]
    position = {unit: index for index, unit in enumerate(order)}
    return tuple(
        Restart(unit, tuple(sorted(names)))
        for unit, names in sorted(
            hosts.items(), key=lambda item: (position.get(item[0], len(order)), item[0])
        )
        if names
    )
