"""What others have set up on a host and a node of flatnet's does not work beside."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from flatnet.plan.addresses import parse_interface
from flatnet.state.leftovers import leftovers
from flatnet.state.place import Place
from flatnet.state.policy_routing import policy_routing

Facts = Mapping[str, Any]

# What makes a unit another one. A drop-in may well set limits, a slice, or a proxy for the pulling of images.
_DECISIVE = frozenset({"ExecStart", "ExecStop", "Group", "RootDirectory", "RootImage", "Type", "User"})
_PROXY = re.compile(r"\b(?:https?|all)_proxy=", re.IGNORECASE)


def surroundings_problems(host: str, facts: Facts, place: Place) -> list[str]:
    """Return one sentence for each thing that a node would not work beside, with its fix."""
    judges = [_drop_ins, _proxies, _addresses, policy_routing, leftovers]
    if place.is_node:
        judges += [_cni_files, _forwarding, _no_ipv6]
    return [f"{host} {problem}" for judge in judges for problem in judge(facts, place)]


def _drop_ins(facts: Facts, place: Place) -> Iterator[str]:
    for unit in place.units:
        for file in facts["drop_ins"].get(f"{unit}.service", ()):
            settings = sorted(_DECISIVE.intersection(file["settings"]))
            if settings:
                yield (
                    f"has {file['path']}, which gives {unit}.service another {', '.join(settings)} than "
                    "flatnet does; remove that file, or the package that brought it"
                )


def _proxies(facts: Facts, place: Place) -> Iterator[str]:
    """Yield a sentence for a proxy that Kubernetes would go by (Go, net/http, ProxyFromEnvironment)."""
    del place
    lines = [line for line in facts["default_environment"] if _PROXY.search(line)]
    if lines and not any("no_proxy=" in line.lower() for line in lines):
        yield (
            "has systemd give every unit a proxy (DefaultEnvironment in /etc/systemd/system.conf or a file "
            "beside it), and Kubernetes would ask it for its API server; give it to the units that need it "
            "instead, such as containerd.service"
        )


def _cni_files(facts: Facts, place: Place) -> Iterator[str]:
    for path in facts["cni_files"]:
        is_own = any(fnmatchcase(path, own.rstrip("/")) for own in place.own_paths)
        if posixpath.basename(path) < place.cni_name and not is_own:
            yield (
                f"has the CNI configuration {path} of somebody else, and containerd takes the first by name; "
                "remove it"
            )


def _addresses(facts: Facts, place: Place) -> Iterator[str]:
    """Yield a sentence for an address that the kernel does not send from.

    It sends from the first of a network (Linux, net/ipv4/devinet.c, inet_select_addr).
    """
    for found in facts["interfaces"]:
        for text in found["secondary_addresses"]:
            address, network = parse_interface(text)
            if str(address) in place.addresses:
                first = next(
                    one
                    for one in [*found["addresses"], *found["link_scope_addresses"]]
                    if parse_interface(one)[1] == network and one != text
                )
                yield (
                    f"has the node's address {address} as the second of {found['name']}, and sends from the "
                    f"first, {first.partition('/')[0]}; plan the node with that one, or swap the two there"
                )


def _forwarding(facts: Facts, place: Place) -> Iterator[str]:
    """Yield a sentence for the node's interface where it forwards nothing, though the host does.

    Turning all on that are on already changes no single one (Linux, net/ipv4/devinet.c, inet_forward_change).
    In IPv6 all alone counts, and an interface's own says whether it heeds router advertisements (Linux,
    Documentation/networking/ip-sysctl.rst).
    """
    settings = facts["interface_settings"]
    if settings["all"]["ipv4"].get("forwarding") != 1:
        return
    for found in facts["interfaces"]:
        own = settings.get(found["name"], {}).get("ipv4", {})
        if own.get("forwarding") == 0 and _has_any(found, "ipv4", place.addresses):
            key = f"net.ipv4.conf.{found['name']}.forwarding"
            yield (
                f"has {key} = 0: no packet of a pod would come in by {found['name']}; set it to 1, and "
                "take out what sets it to 0 (/etc/sysctl.d, systemd-networkd's IPForward=)"
            )


def _no_ipv6(facts: Facts, place: Place) -> Iterator[str]:
    if not any(":" in cidr for cidr in place.pod_cidrs):
        return
    for name in ("all", "default"):
        if facts["interface_settings"][name]["ipv6"].get("disable_ipv6") == 1:
            key = f"net.ipv6.conf.{name}.disable_ipv6"
            yield f"has {key} = 1: the interfaces of pods would have no IPv6; set it to 0"
    for found in facts["interfaces"]:
        own = facts["interface_settings"].get(found["name"], {}).get("ipv6", {})
        if own.get("disable_ipv6") == 1 and _has_any(found, "ipv4", place.addresses):
            key = f"net.ipv6.conf.{found['name']}.disable_ipv6"
            yield f"has {key} = 1: {found['name']} carries the node's packets, and none of IPv6; set it to 0"


def _has_any(found: Mapping[str, Any], family: str, addresses: Sequence[str]) -> bool:
    own = {str(address) for address in (parse_interface(text)[0] for text in found["addresses"])}
    return any(address in own for address in addresses if (":" in address) == (family == "ipv6"))
