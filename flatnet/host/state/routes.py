"""Routes of the main table, marked `proto 157` so that they can be told from everybody else's."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

from .host import Host, StateError
from .plan import Change, Phase, Plan, Undo
from .record import Record
from .wanted import UNICAST, Wanted, WantedFile, WantedRoute, WantedUnit, generated_file

PROTOCOL = "157"
# The metric that a route has when none is given (iproute2, the kernel's IP6_RT_PRIO_USER).
DEFAULT_METRIC = {"4": 0, "6": 1024}

# A systemd-networkd that starts removes the routes of others from the interfaces that it configures, a moment
# after it has said that it is there. So its start, which any update brings, sets ours anew until it is done.
_LINKS = "/run/systemd/netif/links"
_UNDER_WAY = " ".join(f"-e ^ADMIN_STATE={state}" for state in ("pending", "initialized", "configuring"))
_MEANWHILE = f"while sleep 1; grep -qs {_UNDER_WAY} {_LINKS}/*; do {{set}}; done"
UNIT = """\
[Unit]
Description=Routes of flatnet's {name}
After=network-online.target systemd-networkd.service
Wants=network-online.target
PartOf=systemd-networkd.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStartPre=-/bin/sh -c 'test ! -d {links} || timeout 60 sh -c "{meanwhile}"'
ExecStart={set}
Restart=on-failure
RestartSec=5

[Install]
WantedBy=multi-user.target systemd-networkd.service
"""

Live = dict[str, Any]


def generated(host: Host, name: str, routes: list[WantedRoute]) -> tuple[list[WantedFile], list[WantedUnit]]:
    """Return the file and the unit that set the routes after a boot."""
    if not routes:
        return [], []
    path = f"/etc/flatnet/routes/{name}.batch"
    batch = "".join(f"route replace {route.arguments()}\n" for route in routes)
    unit = WantedUnit(
        f"flatnet-routes-{name}.service",
        own=True,
        enabled=True,
        started=True,
        restart_on=[],
        restart_reasons=[],
    )
    command = f"{host.program('ip') or '/usr/sbin/ip'} -force -batch {path}"
    text = UNIT.format(name=name, links=_LINKS, meanwhile=_MEANWHILE.format(set=command), set=command)
    return [generated_file(path, batch), generated_file(unit.path, text, "unit file")], [unit]


def family(destination: str) -> str:
    """Return 4 or 6."""
    return "6" if ":" in destination else "4"


def key(route: WantedRoute | dict[str, Any]) -> tuple[str, int]:
    """Return what the kernel tells routes apart by: destination and metric."""
    destination, metric = (
        (route.destination, route.metric)
        if isinstance(route, WantedRoute)
        else (route["destination"], route["metric"])
    )
    return destination, DEFAULT_METRIC[family(destination)] if metric is None else metric


class Routes:
    """Compares routes with the kernel's and plans to change ours."""

    def __init__(self, host: Host, wanted: Wanted, old: Record, others: list[Record]) -> None:
        """Ask the kernel, for the families concerned only."""
        self._host = host
        self._wanted = wanted.routes
        wanted_keys = {key(route) for route in wanted.routes}
        self._stale = sorted({key(route) for route in old.routes} - wanted_keys)
        self._foreign = {key(route) for other in others for route in other.routes}
        versions = {family(route.destination) for route in wanted.routes}
        versions |= {family(route["destination"]) for route in old.routes}
        self._live: dict[tuple[str, int], Live] = {}
        for version in sorted(versions):
            self._live.update(self._ask(version))

    def plan(self, plan: Plan) -> list[dict[str, Any]]:
        """Add the one step, and return what the record is to say of the routes."""
        changes: list[Change] = []
        forward: list[str] = []
        back: list[str] = []
        for route in self._stale:
            live = self._live.get(route)
            if live is not None and live["protocol"] == PROTOCOL and route not in self._foreign:
                changes.append(Change("route", route[0], "remove", "no longer wanted"))
                forward.append(_deletion(route))
                back.append(f"route replace {_describe(live, route)}")
        for wanted in self._wanted:
            live = self._live.get(key(wanted))
            reason = self._reason(wanted, live)
            if reason:
                action = "add" if live is None else "replace"
                changes.append(Change("route", wanted.destination, action, reason))
                forward.append(f"route replace {wanted.arguments()}")
                was = "" if live is None else f"route replace {_describe(live, key(wanted))}"
                back.append(was or _deletion(key(wanted)))
        if changes:
            plan.add(Phase.ROUTES, changes, partial(self._apply, forward, back))
        return [route.recorded() for route in self._wanted]

    def _ask(self, version: str) -> dict[tuple[str, int], Live]:
        ran = self._host.run(["ip", f"-{version}", "-json", "route", "show", "table", "main"], changes=False)
        if ran.status != 0:
            raise StateError(f"the routes of this host cannot be read: {ran.complaint}")
        live = {}
        for route in json.loads(ran.output or "[]"):
            destination = full(route["dst"], version)
            # ip is silent about the protocol of routes made by hand.
            live[destination, route.get("metric", 0)] = {"protocol": "boot", **route}
        return live

    def _reason(self, wanted: WantedRoute, live: Live | None) -> str:
        if live is None:
            return "missing"
        if live["protocol"] != PROTOCOL:
            raise StateError(
                f"route {wanted.destination}: this host has one already, `{_describe(live, key(wanted))}`, "
                "which is not flatnet's; remove it, or plan another network"
            )
        same = (
            live.get("gateway", "") == wanted.gateway
            and wanted.device in ("", live.get("dev"))
            and wanted.source in ("", live.get("prefsrc"))
            and live.get("type", UNICAST) == wanted.type
        )
        return "" if same else f"is `{_describe(live, key(wanted))}`"

    def _apply(self, forward: list[str], back: list[str], undo: Undo) -> None:
        undo.back("routes", lambda: self._batch(back, force=True))
        ran = self._batch(forward, force=False)
        if ran is not None:
            raise StateError(ran)

    def _batch(self, lines: list[str], force: bool) -> str | None:
        command = ["ip", *(["-force"] if force else []), "-batch", "-"]
        ran = self._host.run(command, text="".join(f"{line}\n" for line in lines))
        if ran.status == 0 or force:
            return None
        place = re.search(r"Command failed -:(\d+)", ran.errors)
        line = lines[int(place.group(1)) - 1] if place else "; ".join(lines)
        reason = " ".join(ran.errors.split("Command failed")[0].split()) or ran.complaint
        return (
            f"`ip {line}` failed: {reason}; "
            "a gateway has to be an address on a network to which this host is attached"
        )


def full(destination: str, version: str) -> str:
    """Return a destination with its length, as records have it."""
    if destination == "default":
        return "0.0.0.0/0" if version == "4" else "::/0"
    if "/" in destination:
        return destination
    return f"{destination}/{'32' if version == '4' else '128'}"


def _deletion(route: tuple[str, int]) -> str:
    destination, metric = route
    return f"route delete {destination}{f' metric {metric}' if metric else ''} proto {PROTOCOL}"


def _describe(live: Live, route: tuple[str, int]) -> str:
    destination, metric = route
    kind = live.get("type", UNICAST)
    words = [*([kind] if kind != UNICAST else []), destination]
    for name, value in (("via", "gateway"), ("dev", "dev"), ("src", "prefsrc")):
        words += [name, str(live[value])] if value in live else []
    return " ".join([*words, *(["metric", str(metric)] if metric else []), "proto", live["protocol"]])
