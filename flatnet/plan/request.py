"""What to allocate: the pools of a cluster, its nodes, and what single nodes want."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flatnet.plan.addresses import Family, Network
from flatnet.plan.allocations import Entry
from flatnet.plan.pool import Range
from flatnet.plan.rules import Owned


@dataclass(frozen=True)
class Pool:
    """The pod networks of one family, and the prefix length of a node's network unless it has its own."""

    networks: tuple[Network, ...]
    prefix: int


@dataclass(frozen=True)
class Request:
    """What to allocate: pools by family in their order, the nodes with their pins and own sizes."""

    pools: Mapping[Family, Pool]
    nodes: Sequence[str]
    pins: Mapping[str, Entry] = field(default_factory=dict)
    max_pods: int = 110
    own_prefixes: Mapping[str, Mapping[Family, int]] = field(default_factory=dict)
    own_max_pods: Mapping[str, int] = field(default_factory=dict)
    avoid: Sequence[Network] = ()
    """Networks that a wider pod network must not cover, when one is proposed."""
    hosts: Mapping[Family, Sequence[Owned]] = field(default_factory=dict)
    """The hosts' addresses, sorted, which it must not cover either."""
    occupied: Mapping[Family, Sequence[Range]] = field(default_factory=dict)
    """What nodes hold that are not asked for."""
    deployed: Mapping[str, Entry] = field(default_factory=dict)
    """Node name -> the networks that it has in what is deployed, which are nobody else's."""
    groups: Mapping[str, Entry] = field(default_factory=dict)
    """Node name -> the part of each pod network that the node's group has; empty: no node is in one."""
    several: bool = False
    """Whether a further pod network may be proposed."""

    @property
    def own_most_pods(self) -> int:
        """The most pods of a host that has its own number of them, and no prefix length of its own."""
        own = (most for name, most in self.own_max_pods.items() if name not in self.own_prefixes)
        return max(own, default=0)

    def pools_of(self, name: str, family: Family) -> tuple[Network, ...]:
        """Return the networks that the node's own is to be taken from."""
        own = self.groups.get(name)
        return self.pools[family].networks if own is None else (own[family],)

    def prefix_of(self, name: str, family: Family) -> int:
        """Return the prefix length that the node wants."""
        own = self.own_prefixes.get(name)
        return self.pools[family].prefix if own is None else own.get(family, self.pools[family].prefix)
