"""A walk from network to network that meets every pair of backends, both ways."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from flatnet.contract import Contracts
from tests.tour.stops import Stop

_Place = TypeVar("_Place")


def walk_of_pairs(places: Sequence[_Place]) -> list[_Place]:
    """Return a walk that begins and ends with the first place and goes from each to each other one once.

    Every place has as many ways in as out, so there is one (Hierholzer).
    """
    ways = {index: [other for other in range(len(places)) if other != index] for index in range(len(places))}
    walk, path = [], [0]
    while path:
        if ways[path[-1]]:
            path.append(ways[path[-1]].pop())
        else:
            walk.append(path.pop())
    return [places[index] for index in reversed(walk)]


def walk_of_networks(stops: Sequence[Stop], contracts: Contracts) -> list[Stop]:
    """Return a walk over all pairs of backends, and around the modes of each and of kube-proxy.

    stops: those of a tour. Backends are met in their first mode and with the first mode of kube-proxy, where
    it works with that one, and without policy engines.
    """
    plain = [stop for stop in stops if stop.policy_engine in ("none", "backend")]
    proxy = plain[0].kube_proxy_mode
    networks: dict[str, list[Stop]] = {}
    for stop in plain:
        contract = contracts.backend(stop.backend).in_mode(stop.mode)
        usual = replace(stop, kube_proxy_mode=proxy) if proxy in contract.kube_proxy_modes else stop
        networks.setdefault(stop.backend, []).append(usual)
    networks[plain[0].backend] += [stop for stop in plain if stop.backend == plain[0].backend]
    rounds = {backend: list(dict.fromkeys(found)) for backend, found in networks.items()}
    walk = []
    for backend in walk_of_pairs(list(rounds)):
        around = rounds[backend]
        walk += [*around, around[0]] if len(around) > 1 else around
        # Once is enough.
        rounds[backend] = around[:1]
    return walk
