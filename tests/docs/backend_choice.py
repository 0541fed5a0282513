"""The table that answers which backend to take: what somebody has or wants, and what backends say of it."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from flatnet.contract import Resolved
from flatnet.contract.schema import titled


class _Wish(NamedTuple):
    """Something that a backend either does or not, by its contract."""

    words: str
    is_met: Callable[[Resolved], bool]
    otherwise: str = "none of these"


_WISHES = (
    _Wish(
        "Nodes in one or several subnets, whose routers or whose cloud hold the routes to pods",
        lambda one: one.routes == "network",
    ),
    _Wish(
        "Nodes on one link, or on links whose routers can be told routes to pods; nothing special wanted",
        lambda one: (
            (one.routes == "plan" and one.allocation == "flat")
            or (one.routes == "backend" and not one.overhead.ipv4)
        ),
    ),
    _Wish(
        "So many nodes in racks and zones that no host and no router should have a route to each",
        lambda one: one.allocation == "grouped",
    ),
    _Wish(
        "Nodes in several subnets, whose routers are not yours",
        lambda one: bool(one.overhead.ipv4),
    ),
    _Wish("No overlay: packets as they are, with the full MTU", lambda one: not one.overhead.ipv4),
    _Wish(
        "Pods as neighbours on a network card or a VLAN of their own, apart from the nodes' traffic",
        lambda one: one.routes == "none",
    ),
    _Wish("IPv6, alone or beside IPv4", lambda one: "ipv6" in one.families),
    _Wish(
        "A pod network that grows by further ranges, without a new cluster", lambda one: one.several_pod_cidrs
    ),
    _Wish(
        "Webhooks or aggregated APIs in pods, and a control plane on hosts that are not nodes",
        lambda one: one.control_plane_routes,
    ),
    _Wish(
        "NetworkPolicy, enforced by the backend itself",
        lambda one: one.policy == "backend",
        "none of these; take a [policy engine](#policy-engines) beside it",
    ),
    _Wish("kube-proxy in mode `ipvs`", lambda one: "ipvs" in one.kube_proxy_modes),
    _Wish("Services without kube-proxy", lambda one: "none" in one.kube_proxy_modes),
)


def choice_table(every: Iterable[Resolved]) -> str:
    """Return the table as Markdown: a wish in each row, and who meets it."""
    candidates = list(every)
    rows = [
        (wish.words, ", ".join(titled(one.data) for one in candidates if wish.is_met(one)) or wish.otherwise)
        for wish in _WISHES
    ]
    return "\n".join(
        ["| you have or want | take |", "| --- | --- |", *(f"| {wish} | {who} |" for wish, who in rows)]
    )
