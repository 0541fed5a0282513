"""Network interfaces that programs made, and what they attached to interfaces: XDP, tc, virtual servers."""

from __future__ import annotations

import json
from typing import Any

from ..state.host import Host
from .claims import Claims, entries, matches
from .request import Change, Outcome, Owner, Request

_INTERFACES = "/sys/class/net"
_SERVICES = "services"
# Those of tunnels' modules are there as long as the module is (ip-tunnel(8)).
_FIXED, _REFUSED = frozenset({"gre0", "gretap0", "ip6gre0", "ip6tnl0", "sit0", "tunl0"}), "not supported"
# To what the kernel's datapath of Open vSwitch makes a port of; that goes by Open vSwitch's own hand.
_DATAPATH = "ovs-system"


def going_interfaces(host: Host, claims: Claims) -> list[str]:
    """Return the interfaces that go, in the order in which their owners declare them; never a device."""
    names = host.names_in(_INTERFACES)
    ordered = [
        name
        for declared in claims.listed("interfaces")
        for name in names
        if matches(declared["name"], name) and claims.takes("interfaces", name)
    ]
    return [name for name in dict.fromkeys(ordered) if host.lstat(f"{_INTERFACES}/{name}/device") is None]


def remove_interfaces(host: Host, names: list[str], outcome: Outcome, check: bool) -> None:
    """Remove interfaces; a bridge with a port of others stays, and is a problem."""
    for name in names:
        if host.lstat(f"{_INTERFACES}/{name}") is None:
            continue
        if _has_tunnels_of_others(host, name):
            continue
        outcome.changes.append(Change("interface", name))
        if check:
            continue
        ports = host.names_in(f"{_INTERFACES}/{name}/brif")
        if ports:
            outcome.problems.append(
                f"interface {name} has ports of others, {', '.join(ports)}: take them out of it"
            )
            continue
        ran = host.run(["ip", "link", "delete", "dev", name])
        if ran.status != 0 and name in _FIXED and _REFUSED in ran.complaint:
            host.run(["ip", "address", "flush", "dev", name])
            ran = host.run(["ip", "link", "set", "dev", name, "down"])
        if ran.status != 0:
            outcome.problems.append(f"interface {name}: {ran.complaint}")


def _has_tunnels_of_others(host: Host, name: str) -> bool:
    """Return whether Open vSwitch has all its tunnels of a port in an interface, and some are left.

    It takes the interface away with the last of them; ours have gone by then.
    """
    master = f"{_INTERFACES}/{name}/master"
    if not name.startswith("vxlan_sys_") or host.lstat(master) is None:
        return False
    return host.target(master).rpartition("/")[2] == _DATAPATH


def remove_virtual_servers(
    host: Host, request: Request, claims: Claims, outcome: Outcome, check: bool
) -> list[str]:
    """Let programs, which have stopped, remove their virtual servers of IPVS; return interfaces left to go.

    One does so only where its interface with the services' addresses is: kube-proxy's cleanup does not know
    its own virtual servers from those of others and flushes IPVS in any mode (pkg/proxy/ipvs/cleanup.go).
    Chains and tables, which it removes besides, have gone by their names.
    """
    names = going_interfaces(host, claims)
    for owner in claims.going:
        devices = [name for name in names if _carries_services(owner, name)]
        if owner.makes.get("virtual_servers") and devices:
            outcome.changes.append(Change("virtual servers", "all of IPVS"))
            outcome.changes += [Change("interface", name) for name in devices]
            names = [name for name in names if name not in devices]
            if not check:
                _clean_up(host, request, owner, devices, outcome)
    return names


def detach_programs(host: Host, claims: Claims, leaving: set[str], outcome: Outcome, check: bool) -> None:
    """Take programs of XDP and tc off interfaces that stay, and remove pinned objects."""
    for name in host.names_in(_INTERFACES) if claims.listed("bpf.interfaces") else ():
        if name not in leaving and claims.takes("bpf.interfaces", name):
            _detach_xdp(host, name, outcome, check)
            _detach_filters(host, name, outcome, check)
    for pattern in claims.listed("bpf.pins"):
        folder = pattern.rpartition("/")[0]
        for path in [f"{folder}/{name}" for name in host.names_in(folder)]:
            if matches(pattern, path) and claims.takes("bpf.pins", path):
                outcome.changes.append(Change("pinned object", path))
                if not check:
                    host.discard(path)


def _carries_services(owner: Owner, name: str) -> bool:
    return any(
        interface["carries"] == _SERVICES and matches(interface["name"], name)
        for interface in entries(owner, "interfaces")
    )


def _clean_up(host: Host, request: Request, owner: Owner, devices: list[str], outcome: Outcome) -> None:
    program, *arguments = owner.makes["cleanup"].split(" ")
    # Its exit status is that of all the removals that it attempts; the interface goes after the servers.
    ran = host.run([f"{request.programs_directory}/{program}", *arguments])
    for name in devices:
        if host.lstat(f"{_INTERFACES}/{name}") is not None:
            outcome.problems.append(
                f"interface {name} and the virtual servers of IPVS: {ran.complaint}; "
                f"take out those of Kubernetes with ipvsadm, and run `ip link delete dev {name}`"
            )


def _detach_xdp(host: Host, name: str, outcome: Outcome, check: bool) -> None:
    shown = _json(host, ["ip", "-json", "link", "show", "dev", name])
    if not any("xdp" in link for link in shown):
        return
    outcome.changes.append(Change("XDP program", name))
    if not check:
        _report(host, ["ip", "link", "set", "dev", name, "xdp", "off"], f"XDP program of {name}", outcome)


def _detach_filters(host: Host, name: str, outcome: Outcome, check: bool) -> None:
    """Remove filters of the kind bpf, and with the last the queueing discipline that is there for them."""
    if not any(
        discipline.get("kind") == "clsact"
        for discipline in _json(host, ["tc", "-json", "qdisc", "show", "dev", name])
    ):
        return
    left = False
    for direction in ("ingress", "egress"):
        filters = _json(host, ["tc", "-json", "filter", "show", "dev", name, direction])
        left = left or any(one.get("kind") != "bpf" for one in filters)
        preferences = {one["pref"] for one in filters if one.get("kind") == "bpf"}
        for preference in sorted(preferences):
            what = f"{name} {direction} {preference}"
            outcome.changes.append(Change("tc program", what))
            if not check:
                words = ["tc", "filter", "delete", "dev", name, direction, "pref", str(preference)]
                _report(host, words, f"tc program of {what}", outcome)
    if not left:
        outcome.changes.append(Change("queueing discipline", f"{name} clsact"))
        if not check:
            _report(host, ["tc", "qdisc", "delete", "dev", name, "clsact"], f"clsact of {name}", outcome)


def _json(host: Host, words: list[str]) -> list[dict[str, Any]]:
    ran = host.run(words, changes=False)
    listed: list[dict[str, Any]] = json.loads(ran.output or "[]") if ran.status == 0 else []
    return listed


def _report(host: Host, words: list[str], what: str, outcome: Outcome) -> None:
    ran = host.run(words)
    if ran.status != 0:
        outcome.problems.append(f"{what}: {ran.complaint}")
