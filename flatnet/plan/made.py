"""What programs of any known contract make on hosts, recognised by the names and patterns that they declare.

Whoever is deployed now, a host may still have what another backend made, and nobody else's is taken for it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from flatnet.contract import Contracts
from flatnet.contract.schema import Interface, Makes
from flatnet.contract.schema import Route as RoutePattern
from flatnet.plan.live import Route

# Route protocols by name (iproute2, etc/iproute2/rt_protos): `ip` prints the name where it knows one.
_PROTOCOLS = {
    "redirect": "1",
    "kernel": "2",
    "boot": "3",
    "static": "4",
    "gated": "8",
    "ra": "9",
    "mrt": "10",
    "zebra": "11",
    "bird": "12",
    "dnrouted": "13",
    "xorp": "14",
    "ntk": "15",
    "dhcp": "16",
    "keepalived": "18",
    "babel": "42",
    "openr": "99",
    "bgp": "186",
    "isis": "187",
    "ospf": "188",
    "rip": "189",
    "eigrp": "192",
}
_TABLES = {"default": "253", "main": "254", "local": "255"}


@dataclass(frozen=True)
class Made:
    """Everything that the known contracts declare to be made on hosts, in any of their modes."""

    interfaces: Sequence[Interface]
    routes: Sequence[RoutePattern]

    def carried_by(self, name: str) -> str | None:
        """Return what an interface of that name carries, None where nobody declares it.

        A name counts before a pattern, the longer pattern before the shorter.
        """
        found = [one for one in self.interfaces if fnmatchcase(name, one.name)]
        return max(found, key=lambda one: (one.name == name, len(one.name))).carries if found else None

    def is_route(self, route: Route, nodes: Collection[str] = ()) -> bool:
        """Tell whether somebody declares such a route.

        nodes: the addresses through which one may lead to pods.
        """
        return any(
            _matches(one, route) and (one.leads_to is None or route.gateway in nodes) for one in self.routes
        )


def what_is_made(contracts: Contracts) -> Made:
    """Return what the contracts declare together."""
    return made_of([contract.all_makes() for contract in contracts.values()])


def made_of(every: Sequence[Makes]) -> Made:
    """Return what these declarations say together."""
    return Made(
        tuple(
            {one for makes in every for one in makes.interfaces.values()}
            | {Interface(name=name, carries="own_pods") for makes in every for name in makes.pod_interfaces}
        ),
        tuple({one for makes in every for one in makes.routes}),
    )


def _matches(pattern: RoutePattern, route: Route) -> bool:
    return (
        (
            pattern.protocol is None
            or _number(pattern.protocol, _PROTOCOLS) == _number(route.protocol, _PROTOCOLS)
        )
        and (pattern.device is None or fnmatchcase(route.device, pattern.device))
        and (pattern.type is None or pattern.type == route.type)
        and (pattern.table is None or _number(pattern.table, _TABLES) == _number(route.table, _TABLES))
    )


def _number(value: int | str, names: dict[str, str]) -> str:
    return names.get(str(value), str(value))
