"""What another cluster or another manager of networks has left on a host, where flatnet's is to be."""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from flatnet.state.place import Place

Facts = Mapping[str, Any]

_MEMBERS_AUTHORITY = "/etc/etcd/pki/ca.crt"
# In a section Match these are about the host; every other key but Name, Kind and Type leaves links out.
_OF_HOST = frozenset({"Host", "KernelVersion", "Virtualization", "Architecture"})
# The end of each pod's link that is on the host, as the plugin bridge and most backends name it.
_POD, _POD_LINK = "veth01234567", {"Kind": "veth", "Type": "ether"}


def leftovers(facts: Facts, place: Place) -> Iterator[str]:
    """Yield a sentence for each thing that daemons or pods would not work beside."""
    # A member of etcd that has an authority already is judged by that.
    for path in () if _MEMBERS_AUTHORITY in facts.get("files", ()) else facts["unrecorded_data"]:
        yield (
            f"has data of another cluster in {path}, which none of flatnet's runs here has made; move it "
            "away, or if it was this cluster's, put its certificates beside it first (/etc/etcd/pki)"
        )
    if place.is_node:
        yield from _packet_filters(facts, place)
        yield from _networkd(facts, place)


def _packet_filters(facts: Facts, place: Place) -> Iterator[str]:
    """Yield a sentence for rules that iptables does not touch, and for those that nobody would take away."""
    for chain in facts["incompatible_chains"] if place.uses_iptables else ():
        yield (
            f"has rules of nftables in the chain {chain}, which is iptables' own, so that no program can "
            "make rules with iptables there; put them into a table of another name (such as in "
            "/etc/nftables.conf) and reload it"
        )
    if facts["other_chains"]:
        yield (
            f"has chains of another kube-proxy or kubelet ({', '.join(facts['other_chains'])}) in the "
            "backend of iptables that its command iptables does not use (legacy or nf_tables), where they go "
            "on taking packets to services; boot it, or remove them with iptables-legacy or iptables-nft"
        )


def _networkd(facts: Facts, place: Place) -> Iterator[str]:
    """Yield a sentence for each of our interfaces that systemd-networkd would configure.

    It takes addresses and routes away that its file for the link does not name, whenever it starts.
    """
    if not facts["networkd"]:
        return
    links: list[tuple[str, str, Mapping[str, str]]] = [
        (name, name.replace("*", "0"), {}) for name in place.own_interfaces
    ]
    for shown, name, more in [*links, ("veth*", _POD, _POD_LINK)]:
        # The first that fits is the one, whatever follows.
        file = next((one for one in facts["network_files"] if fits(one["match"], name, more)), None)
        if file and not file["unmanaged"]:
            words = " ".join(f"{key}={' '.join(value)}" for key, value in file["match"].items())
            yield (
                f"has systemd-networkd configure {shown} by {file['path']} ([Match] {words}), which takes "
                "away what flatnet sets there; narrow that file, or put one that sorts before "
                f"{posixpath.basename(file['path'])} into /etc/systemd/network, with [Match] Name={shown} "
                "and [Link] Unmanaged=yes"
            )


def fits(match: Mapping[str, Sequence[str]], name: str, more: Mapping[str, str]) -> bool:
    """Tell whether a section Match of systemd.network(5) fits a link of that name.

    more: other keys that are known of it. A key that is not, such as the hardware's address, is taken not
    to fit ours.
    """
    asked = {"Name": name, **more}
    return all(
        key in _OF_HOST or (key in asked and _is_listed(asked[key], words)) for key, words in match.items()
    )


def _is_listed(value: str, patterns: Sequence[str]) -> bool:
    """Tell whether a pattern fits; an exclamation mark before the first turns all of them round."""
    if patterns and patterns[0].startswith("!"):
        first = patterns[0].removeprefix("!")
        return not any(fnmatchcase(value, pattern) for pattern in [first, *patterns[1:]])
    return any(fnmatchcase(value, pattern) for pattern in patterns)
