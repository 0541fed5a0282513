"""Rules of policy routing on a host, held against the networks of pods and services."""

from collections.abc import Iterator, Mapping
from typing import Any

from flatnet.plan.addresses import Network, parse_address, parse_interface, parse_network
from flatnet.state.place import Place

Facts = Mapping[str, Any]

# Those of the kernel itself.
_KERNELS_TABLES = frozenset({"local", "main", "default"})
_MAIN = "main"


def policy_routing(facts: Facts, place: Place) -> Iterator[str]:
    """Yield a sentence for each rule that takes packets to pods or services past the main table's routes.

    They are judged in the order in which the kernel looks at them (ip-rule(8)): destinations that one of them
    leads to the main table are out of reach of the next.
    """
    wanted = [parse_network(cidr) for cidr in (*place.pod_cidrs, *place.service_cidrs)]
    senders = [_host_network(address) for address in place.addresses]
    senders += [parse_network(cidr) for cidr in place.pod_cidrs]
    open_ones = list(wanted)
    for rule in sorted(facts["rules"], key=lambda rule: int(rule["priority"])):
        # One that asks for a mark is made for packets that somebody picks out, which ours are not; a VPN has
        # the others, by a rule that is inverted. One for a user or a port is for few packets, too.
        unmarked = bool(rule["mark"]) == rule["inverted"]
        if not unmarked or rule["picky"] or rule["input"] or rule["output"]:
            continue
        source, destination = _network(rule["source"]), _network(rule["destination"])
        same = [one for one in open_ones if one.family == rule["family"]]
        if rule["table"] == _MAIN and source is None:
            open_ones = [
                one for one in open_ones if one not in same or (destination and not destination.contains(one))
            ]
        if rule["table"] in _KERNELS_TABLES or rule["table"] in place.own_tables:
            continue
        if source and not any(source.overlaps(sender) for sender in senders):
            continue
        taken = [
            one
            for one in same
            if (destination is None or destination.overlaps(one)) and _is_taken(facts, rule, one)
        ]
        if taken:
            listed = ", ".join(map(str, taken))
            yield (
                f"has a rule {_words(rule)} of priority {rule['priority']}, which takes packets to {listed} "
                "past the routes of the main table; where it is configured, put rules before it, such as "
                f"`ip rule add to {taken[0]} lookup main priority {max(int(rule['priority']) - 1, 1)}`"
            )


def _is_taken(facts: Facts, rule: Mapping[str, Any], wanted: Network) -> bool:
    """Tell whether the rule ends the way of packets there: its action does, or a route of its table."""
    if rule["action"]:
        return str(rule["action"]) != "nop"
    return any(
        route["table"] == rule["table"]
        and route["type"] != "throw"
        and (destination := parse_interface(route["destination"])[1]).overlaps(wanted)
        and destination.prefix > rule["suppressed"]
        for route in facts["other_routes"]
    )


def _words(rule: Mapping[str, Any]) -> str:
    parts = [
        f"{word} {rule[name]}" for word, name in (("from", "source"), ("to", "destination")) if rule[name]
    ]
    end = rule["action"] or f"lookup {rule['table']}"
    return f"`{' '.join([*(parts or ['from all']), end])}`"


def _network(text: str) -> Network | None:
    return parse_interface(text)[1] if text else None


def _host_network(text: str) -> Network:
    address = parse_address(text)
    return Network(address.family, address.value, 128 if address.family == "ipv6" else 32)
