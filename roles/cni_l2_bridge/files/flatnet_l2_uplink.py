#!/usr/bin/env python3
"""Makes the node's own interface a port of the pods' bridge, which has the node's addresses from then on.

    flatnet-l2-uplink keep FILE           once agreed to: move, and again whatever comes back to the interface
    flatnet-l2-uplink try FILE TOKEN      move, and back when nobody confirms in time
    flatnet-l2-uplink confirm FILE TOKEN  agree to what was tried under that token
    flatnet-l2-uplink rollback FILE       give everything back to the interface, unless agreed to meanwhile
    flatnet-l2-uplink down FILE           give everything back to the interface
    flatnet-l2-uplink look FILE           tell how far it is

FILE describes the bridge. Each command may be repeated, and goes on where another one was killed: what the
interface had is on record before anything is changed. The record goes with the boot, as all it tells of does.

Needs Python 3.9, ip and systemd-run.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

Json = dict[str, Any]

INTERFACES = Path("/sys/class/net")
SETTINGS = {family: Path("/proc/sys/net") / family / "conf" for family in ("ipv4", "ipv6")}
NETWORKD_LINKS = Path("/run/systemd/netif/links")
# Of networkd, while it sets up a link: to take an address from it then makes it fail (networkctl(1)).
UNDER_WAY = ("pending", "initialized", "configuring")
FOREVER = 4294967295
# rtnetlink(7): links, and addresses of both families.
LINKS_AND_ADDRESSES = 0x1 | 0x10 | 0x100

COMMAND_SECONDS = 20
RESOLVED_SECONDS = 3
LOCK_SECONDS = 15
PATIENCE_SECONDS = 30
SETTLE_SECONDS = 60
STEP_SECONDS = 0.5
LOOK_SECONDS = 30
# Phases of a record in which the timer runs.
ON_TRIAL = ("trial-moving", "trial", "restoring")
BRIDGE_MARK = "flatnet: on trial"
ROLLBACK_UNIT = "flatnet-l2-bridge-rollback"

# Kept by the interface, or of no use to a bridge: its own address, what it learns from routers, what cannot
# be read or written.
UNMOVED = frozenset({"accept_dad", "accept_ra", "addr_gen_mode", "mc_forwarding", "mtu", "stable_secret"})
# Routes of these types come with addresses.
OF_ADDRESSES = frozenset({"local", "broadcast", "anycast", "multicast"})
# What ip tells of a route and what a command for it can say; the rest only describes.
ROUTE_WORDS = {"gateway": "via", "prefsrc": "src", "metric": "metric", "table": "table", "protocol": "proto"}
ROUTE_KNOWN = frozenset(
    {*ROUTE_WORDS, "dst", "dev", "flags", "metrics", "pref", "scope", "tos", "type", "via"}
)
NOT_CARRIED = {"nexthops": "several next hops", "nhid": "a next hop object", "encap": "an encapsulation"}
RESOLVED = ("dns", "domain", "default-route", "llmnr", "mdns", "dnsovertls", "dnssec")


class StepError(Exception):
    """A step failed; the message says which and how."""


# Commands


def run(*words: str, given: str | None = None, seconds: float = COMMAND_SECONDS) -> str:
    """Run a command and return what it prints; StepError when it fails."""
    try:
        ran = subprocess.run(words, input=given, capture_output=True, text=True, check=False, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StepError(f"{' '.join(words)}: {error}") from None
    if ran.returncode:
        raise StepError(f"{' '.join(words)}: {' '.join(ran.stderr.split()) or ran.returncode}")
    return ran.stdout


def ip(*words: str) -> list[Json]:
    """Return what ip lists."""
    # After a removal an entry can be empty.
    return [entry for entry in json.loads(run("ip", "-json", *words) or "[]") if entry]


def batch(lines: list[str], force: bool = False) -> str:
    """Run lines of ip in one process; return what it complains of with `force`, StepError without."""
    if not lines:
        return ""
    words = ["ip", *(["-force"] if force else []), "-batch", "-"]
    try:
        run(*words, given="".join(f"{line}\n" for line in lines))
    except StepError as error:
        if not force:
            raise
        return str(error)
    return ""


def exists(name: str) -> bool:
    """Tell whether the host has the interface."""
    return (INTERFACES / name).exists()


def master_of(name: str) -> str:
    """Return the bridge or bond that the interface is a port of, "" for none."""
    try:
        return (INTERFACES / name / "master").readlink().name
    except OSError:
        return ""


# What an interface has


def snapshot(name: str) -> Json:
    """Return what of an interface moves: addresses, routes, neighbours set by hand, settings, DNS servers."""
    return {
        "addresses": addresses_of(name),
        "routes": routes_of(name),
        "neighbours": [
            one for one in ip("neighbour", "show", "dev", name, "nud", "permanent") if "lladdr" in one
        ],
        "proxies": [one["dst"] for one in ip("neighbour", "show", "proxy", "dev", name)],
        "settings": settings_of(name),
        "resolved": resolved_of(name),
    }


def shown(name: str, what: str) -> str:
    """Return what the kernel shows of an interface, such as its `address`, the hardware's, or its `mtu`."""
    return (INTERFACES / name / what).read_text(encoding="ascii").strip()


def addresses_of(name: str) -> list[Json]:
    """Return the addresses in the order in which they have to be set to be listed as they are.

    The kernel puts a new one of IPv6 before the others of its scope, and one of IPv4 behind them.
    """
    links = ip("address", "show", "dev", name)
    entries = [entry for link in links for entry in link.get("addr_info", []) if "local" in entry]
    return [one for one in entries if one["family"] == "inet"] + [
        one for one in reversed(entries) if one["family"] == "inet6"
    ]


def moving(addresses: list[Json]) -> list[Json]:
    """Return the addresses that move: each link keeps that of its own, and a lease is nobody's to move."""
    return [one for one in addresses if not is_own(one) and not is_leased(one)]


def is_own(entry: Json) -> bool:
    """Tell whether IPv6 gives it to every link."""
    return bool(entry["family"] == "inet6" and entry["scope"] == "link")


def is_leased(entry: Json) -> bool:
    """Tell whether somebody has to renew the address where it is."""
    return bool(entry.get("valid_life_time", FOREVER) != FOREVER)


def cidr_of(entry: Json) -> str:
    """Return an address with its prefix length."""
    return f"{entry['local']}/{entry['prefixlen']}"


def routes_of(name: str) -> list[Json]:
    """Return the routes through an interface that do not come with its addresses, in an order to set them."""
    found = []
    networks = {network_of(one) for one in addresses_of(name) if not one.get("noprefixroute")}
    for family in ("-4", "-6"):
        if family == "-6" and not SETTINGS["ipv6"].exists():
            continue
        for entry in ip(family, "route", "show", "table", "all"):
            hops = [hop.get("dev") for hop in entry.get("nexthops", [])]
            if entry.get("dev") != name and name not in hops:
                continue
            entry["dst"] = whole(entry["dst"], family)
            if entry.get("type", "unicast") not in OF_ADDRESSES and not _comes_by_itself(entry, networks):
                found.append(entry)
    # A gateway has to be on the link already.
    return sorted(found, key=lambda one: bool(one.get("gateway") or one.get("via")))


def _comes_by_itself(route: Json, networks: set[str]) -> bool:
    # NetworkManager has the kernel make none, and sets one that says it is the kernel's.
    return route.get("protocol") == "kernel" and route["dst"] in {*networks, "fe80::/64"}


def network_of(entry: Json) -> str:
    """Return the network that an address puts on the link."""
    return str(ip_interface(f"{entry.get('address', entry['local'])}/{entry['prefixlen']}").network)


def whole(destination: str, family: str) -> str:
    """Return a destination with its length: which family `default` is of nothing else in a line tells."""
    zero, width = ("0.0.0.0/0", 32) if family == "-4" else ("::/0", 128)
    if destination == "default":
        return zero
    return destination if "/" in destination else f"{destination}/{width}"


def settings_of(name: str) -> dict[str, str]:
    """Return the kernel's settings of an interface, by their files."""
    found = {}
    for family, folder in SETTINGS.items():
        place = folder / name
        for file in sorted(place.iterdir()) if place.is_dir() else []:
            try:
                found[f"{family}/{file.name}"] = file.read_text(encoding="ascii").strip()
            except OSError:
                # It is a secret that has not been given.
                continue
    return found


def resolved_of(name: str) -> dict[str, list[str]]:
    """Return what systemd-resolved asks whom by this link, as words of resolvectl(1); nothing without it."""
    if not shutil.which("resolvectl"):
        return {}
    found = {}
    for what in RESOLVED:
        try:
            said = run("resolvectl", what, name, seconds=RESOLVED_SECONDS)
        except StepError:
            # It does not run, or knows no such thing.
            continue
        words = said.partition("):")[2].split()
        if words:
            found[what] = words
    return found if "dns" in found else {}


def faults(config: Json, found: Json) -> list[str]:
    """Return what of an interface cannot be moved, as sentences with a fix."""
    uplink = config["uplink"]
    told = [
        f"{uplink} has {cidr_of(one)} on lease, and nobody could renew it on the bridge: give the host this "
        "address for good, in the file of its network configuration"
        for one in found["addresses"]
        if is_leased(one)
    ]
    for route in found["routes"]:
        odd = [words for key, words in NOT_CARRIED.items() if key in route]
        odd += [key for key in route if key not in ROUTE_KNOWN and key not in NOT_CARRIED]
        if odd:
            told.append(
                f"the route to {route['dst']} through {uplink} has {', '.join(odd)}, which is not carried "
                "over: set it another way, or give the pods an interface of their own"
            )
    return told


# Lines of ip


def address_words(entry: Json, device: str, label: str = "") -> str:
    """Return an address as `ip address add` takes it."""
    if "address" in entry:
        words = [entry["local"], "peer", f"{entry['address']}/{entry['prefixlen']}"]
    else:
        words = [cidr_of(entry)]
    for key, word in (("broadcast", "broadcast"), ("scope", "scope"), ("metric", "metric")):
        words += [word, str(entry[key])] if key in entry else []
    words += ["dev", device]
    words += ["label", label] if label and label != device else []
    if entry.get("preferred_life_time", FOREVER) != FOREVER:
        words += ["valid_lft", "forever", "preferred_lft", str(entry["preferred_life_time"])]
    words += [
        flag for flag in ("home", "mngtmpaddr", "nodad", "noprefixroute", "autojoin") if entry.get(flag)
    ]
    return " ".join(map(str, words))


def moved_label(label: str, uplink: str, bridge: str) -> str:
    """Return the label on the bridge: it begins with the interface's name there, and is as short."""
    moved = bridge + label[len(uplink) :]
    return moved if label.startswith(uplink) and len(moved) < 16 else bridge


def route_words(route: Json, device: str) -> str:
    """Return a route as `ip route add` takes it."""
    words = [route["dst"]] if route.get("type", "unicast") == "unicast" else [route["type"], route["dst"]]
    if "via" in route:
        words += ["via", route["via"]["family"], route["via"]["host"]]
    for key, word in ROUTE_WORDS.items():
        words += [word, str(route[key])] if key in route else []
    words += ["tos", str(route["tos"])] if "tos" in route else []
    words += ["scope", str(route["scope"])] if "scope" in route and ":" not in route["dst"] else []
    words += ["dev", device]
    words += ["onlink"] if "onlink" in route.get("flags", []) else []
    if route.get("pref", "medium") != "medium":
        words += ["pref", route["pref"]]
    for metrics in route.get("metrics", []):
        for key, value in metrics.items():
            words += [str(key), str(value)]
    return " ".join(words)


def route_key(route: Json) -> tuple[str, ...]:
    """Return what tells a route from others, whichever interface it leads through."""
    return tuple(str(route.get(key, "")) for key in ("dst", "table", "metric", "tos", "gateway", "type"))


def deletion(route: Json, device: str) -> str:
    """Return the line that takes a route away."""
    plain = {key: value for key, value in route.items() if key not in ("metrics", "pref", "prefsrc", "flags")}
    return f"route delete {route_words(plain, device)}"


def neighbour_lines(found: Json, device: str) -> list[str]:
    """Return the lines that set neighbours."""
    lines = [
        f"neighbour replace {one['dst']} lladdr {one['lladdr']} nud permanent dev {device}"
        for one in found["neighbours"]
    ]
    return lines + [f"neighbour replace proxy {address} dev {device}" for address in found["proxies"]]


def move_lines(config: Json, found: Json, wanted: Json) -> list[str]:
    """Return the lines that move everything to the bridge, which is there.

    found: what the interface has; wanted: what the bridge is to have, which is more where a move was cut
    short. Addresses come before they go: at no moment is the host without one, and no connection ends of it.
    """
    uplink, bridge = config["uplink"], config["bridge"]
    addresses = moving(found["addresses"])
    lines = []
    for one in moving(wanted["addresses"]):
        label = moved_label(str(one.get("label", uplink)), uplink, bridge)
        # Known to be the host's own: nobody has to be asked for two seconds whether it is theirs.
        entry = {**one, "nodad": True} if one["family"] == "inet6" else one
        lines.append(f"address replace {address_words(entry, bridge, label)}")
    # With its address a link can be spoken to as before, whichever way the interface made it.
    own = [one for one in wanted["addresses"] if is_own(one)]
    lines += [f"address replace {cidr_of(one)} dev {bridge} nodad" for one in own]
    lines.append(f"link set dev {uplink} master {bridge} up")
    # Pods may meet themselves, the segment may not: what came in by the uplink must not leave by it.
    lines.append(f"link set dev {uplink} type bridge_slave hairpin off")
    # Those of IPv4 go with the last address; of IPv6 each has to be taken.
    lines += [deletion(one, uplink) for one in reversed(found["routes"]) if ":" in one["dst"]]
    # The last first: the first takes others of its network along.
    lines += [f"address delete {address_words(_bare(one), uplink)}" for one in reversed(addresses)]
    lines += [f"route replace {route_words(one, bridge)}" for one in wanted["routes"]]
    return lines + neighbour_lines(wanted, bridge)


def _bare(entry: Json) -> Json:
    return {key: entry[key] for key in ("local", "prefixlen", "address") if key in entry}


def restore_lines(config: Json, record: Json, uplink: Json, bridge: Json) -> list[str]:
    """Return the lines that give the interface back what is on record.

    uplink, bridge: snapshots of what they have now, which an interrupted move left anywhere in between.
    """
    name, other = config["uplink"], config["bridge"]
    addresses = moving(record["addresses"])
    there = {cidr_of(one) for one in uplink["addresses"]}
    lines = [f"link set dev {name} nomaster"] if master_of(name) == other else []
    missing = [one for one in addresses if cidr_of(one) not in there]
    lines += [f"address add {address_words(one, name, one.get('label', ''))}" for one in missing]
    routes = {route_key(one) for one in record["routes"]}
    lines += [
        deletion(one, other)
        for one in reversed(bridge["routes"])
        if route_key(one) in routes and ":" in one["dst"]
    ]
    known = {cidr_of(one) for one in record["addresses"]}
    lines += [
        f"address delete {address_words(_bare(one), other)}"
        for one in reversed(bridge["addresses"])
        if cidr_of(one) in known
    ]
    # Routes of the bridge that did not go with its addresses, which pods' gateways keep there.
    lines += [
        f"route delete {route_words(one, other)}"
        for one in reversed(bridge["routes"])
        if route_key(one) in routes and ":" not in one["dst"]
    ]
    present = {route_key(one) for one in uplink["routes"]}
    for one in record["routes"]:
        if route_key(one) not in present:
            # Of IPv4, one of the same kind may be there through another interface.
            verb = "add" if ":" in one["dst"] else "append"
            lines.append(f"route {verb} {route_words(one, name)}")
    return lines + neighbour_lines(record, name)


# The record


def record_file(config: Json) -> Path:
    """Return where what the interface had is kept, for this boot."""
    return Path(config["run_directory"]) / "record.json"


def consent_file(config: Json) -> Path:
    """Return the file that says that a move was confirmed, which later boots need not ask for again."""
    return Path(config["data_directory"]) / "confirmed.json"


def load(path: Path) -> Json:
    """Return what a file of ours says, nothing where there is none."""
    try:
        content: Json = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return content


def save(path: Path, content: Json) -> None:
    """Write a file in one step, down to the disk."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def agreement(config: Json) -> Json:
    """Return what the confirmation is for."""
    return {"uplink": config["uplink"], "bridge": config["bridge"]}


def is_agreed(config: Json) -> bool:
    """Tell whether the controller has come back after such a move."""
    return load(consent_file(config)) == agreement(config)


@contextmanager
def alone(config: Json, first: bool = False) -> Iterator[None]:
    """Let one process at a time have the interface; the kernel forgets the lock of one that was killed.

    first: whether one that does not end is ended: who brings everything back waits for nobody for long.
    """
    folder = Path(config["run_directory"])
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (folder / "lock").open("a+", encoding="ascii") as file:
        deadline = time.monotonic() + LOCK_SECONDS
        while first and not _locked(file.fileno()) and time.monotonic() < deadline:
            time.sleep(STEP_SECONDS)
        if first and not _locked(file.fileno()):
            _end_holder(folder / "lock")
        fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end_holder(file: Path) -> None:
    holder = file.read_text(encoding="ascii").strip()
    if holder.isdigit():
        say(f"process {holder} does not end, and is ended")
        try:
            os.kill(int(holder), signal.SIGKILL)
        except ProcessLookupError:
            return


def united(old: Json, new: Json) -> Json:
    """Return a record of what the interface had before and has again: what came again counts as it is now."""
    if not old:
        return new
    merged = {**old}
    for what, key in (("addresses", cidr_of), ("routes", route_key), ("neighbours", _destination)):
        again = {key(one) for one in new[what]}
        merged[what] = [one for one in old[what] if key(one) not in again] + new[what]
    merged["proxies"] = sorted({*old["proxies"], *new["proxies"]})
    return merged


def _destination(entry: Json) -> str:
    return str(entry["dst"])


# Moving


def is_due(config: Json) -> bool:
    """Tell whether anything of the interface is still, or again, where the bridge should have it."""
    if not exists(config["uplink"]):
        return False
    return master_of(config["uplink"]) != config["bridge"] or bool(moving(addresses_of(config["uplink"])))


def is_cut_short(record: Json) -> bool:
    """Tell whether a move ended in the middle: what the interface lost the bridge may not have yet."""
    return str(record.get("phase", "")).endswith("-moving")


def move(config: Json, phase: str, token: str = "") -> None:
    """Make the bridge and move everything to it. StepError when a step fails; the record says what was."""
    uplink, bridge = config["uplink"], config["bridge"]
    found = snapshot(uplink)
    former = load(record_file(config))
    record = united(former, found)
    record.setdefault("uplink", uplink)
    record.setdefault("made_bridge", not exists(bridge))
    record["phase"], record["token"] = f"{phase}-moving", token
    # Before anything is changed, the record itself included, the timer is to know where things belong.
    save(record_file(config), record)
    if phase == "trial":
        arm(config)
    make_bridge(config, record)
    if phase == "trial":
        run("ip", "link", "set", "dev", bridge, "alias", BRIDGE_MARK)
    batch(move_lines(config, found, record if is_cut_short(former) else found))
    carry_resolved(config, record)
    save(record_file(config), {**record, "phase": phase})


def make_bridge(config: Json, record: Json) -> None:
    """Make the bridge with the interface's own MAC address and MTU, and with the gateways of the pods."""
    bridge, mac = config["bridge"], shown(config["uplink"], "address")
    release_former(config)
    is_new = not exists(bridge)
    if is_new:
        run("ip", "link", "add", "dev", bridge, "address", mac, "type", "bridge")
    # Without a waiting time a new port forwards at once. Nobody has to be asked who listens to which group:
    # it is the groups that IPv6 finds its neighbours with that would suffer.
    quiet = ["stp_state", "0", "forward_delay", "0", "mcast_snooping", "0"]
    run("ip", "link", "set", "dev", bridge, "type", "bridge", *quiet)
    # The same as before, which neighbours have noted, and networks of virtual machines let pass alone.
    # With a new address, the same one included, the kernel forgets all neighbours.
    if shown(bridge, "address") != mac:
        with announcing(bridge):
            run("ip", "link", "set", "dev", bridge, "address", mac)
    run("ip", "link", "set", "dev", bridge, "mtu", shown(config["uplink"], "mtu"))
    if is_new or not record.get("settled"):
        carry_settings(bridge, record["settings"])
        record["settled"] = True
    if (SETTINGS["ipv6"] / bridge).is_dir():
        # The node is the router of its pods and takes no other's word.
        write(SETTINGS["ipv6"] / bridge / "accept_ra", "0")
        run("ip", "link", "set", "dev", bridge, "addrgenmode", "none")
    set_gateways(config, record)
    run("ip", "link", "set", "dev", bridge, "up")
    for gateway in config["gateways"]:
        network = ip_interface(gateway).network
        if network.version == 6:
            # Not chosen for what goes elsewhere: that is to have the node's own address, and those of one
            # interface are told apart by this alone (RFC 6724, section 5, rule 3).
            words = ["dev", bridge, "proto", "static", "metric", "256", "src", gateway.partition("/")[0]]
            run("ip", "-6", "route", "replace", str(network), *words)


def set_gateways(config: Json, record: Json) -> None:
    """Give the bridge the pods' gateways, and take those of an earlier plan."""
    bridge = config["bridge"]
    former = set(record.get("gateways", [])) - set(config["gateways"])
    there = {cidr_of(one) for one in addresses_of(bridge)}
    for gateway in sorted(former & there):
        run("ip", "address", "delete", gateway, "dev", bridge)
    for gateway in config["gateways"]:
        more = ["nodad", "noprefixroute", "preferred_lft", "0"] if ":" in gateway else []
        run("ip", "address", "replace", gateway, "dev", bridge, *more)
    record["gateways"] = config["gateways"]


def release_former(config: Json) -> None:
    """Let go of an interface that served the pods alone before this one."""
    file = Path(config["dedicated_record"])
    if not file.exists():
        return
    former = file.read_text(encoding="ascii").strip()
    if former and former != config["uplink"] and master_of(former) == config["bridge"]:
        run("ip", "link", "set", "dev", former, "nomaster")
    file.unlink()


def carry_settings(bridge: str, settings: dict[str, str]) -> None:
    """Give the bridge the kernel's settings of the interface, where they differ."""
    present = settings_of(bridge)
    for name, value in settings.items():
        family, _, setting = name.partition("/")
        if setting not in UNMOVED and present.get(name) not in (None, value):
            write(SETTINGS[family] / bridge / setting, value)


@contextmanager
def announcing(bridge: str) -> Iterator[None]:
    """Have pods told of a change of the hardware's address, which they know their gateway by."""
    files = (SETTINGS["ipv4"] / bridge / "arp_notify", SETTINGS["ipv6"] / bridge / "ndisc_notify")
    before = {file: file.read_text(encoding="ascii").strip() for file in files if file.exists()}
    for file in before:
        write(file, "1")
    try:
        yield
    finally:
        for file, value in before.items():
            write(file, value)


def write(path: Path, value: str) -> None:
    """Set a value of the kernel's. It is no reason to leave a host halfway that it does not take one."""
    try:
        path.write_text(f"{value}\n", encoding="ascii")
    except OSError as error:
        say(f"{path} cannot be set to {value}: {error.strerror}")


def carry_resolved(config: Json, record: Json) -> None:
    """Tell systemd-resolved whom to ask by the bridge. It forgets that with the link."""
    for what, words in record["resolved"].items():
        try:
            run("resolvectl", what, config["bridge"], *words, seconds=RESOLVED_SECONDS)
        except StepError as error:
            # The servers may be known otherwise; the move itself is done.
            say(str(error))


def restore(config: Json) -> list[str]:
    """Give the interface back what is on record, and return in what way it differs from that afterwards."""
    uplink, bridge = config["uplink"], config["bridge"]
    record = load(record_file(config))
    if not record:
        return []
    if not exists(uplink):
        return [f"there is no {uplink}"]
    # Of each family all addresses are there at once, and nobody has to be asked whether they are free.
    patience = SETTINGS["ipv6"] / uplink / "accept_dad"
    if patience.exists():
        write(patience, "0")
    nothing: Json = {"addresses": [], "routes": []}
    lines = restore_lines(config, record, snapshot(uplink), snapshot(bridge) if exists(bridge) else nothing)
    complaint = batch(lines, force=True)
    if patience.exists():
        write(patience, record["settings"].get("ipv6/accept_dad", "1"))
    drop_bridge(config, record)
    left = differences(record, snapshot(uplink))
    if left and complaint:
        left.append(complaint)
    if not left:
        record_file(config).unlink()
    return left


def drop_bridge(config: Json, record: Json) -> None:
    """Remove the bridge, unless pods hold it, or it was there before: then it loses what was given to it."""
    bridge = config["bridge"]
    if not exists(bridge):
        return
    ports = INTERFACES / bridge / "brif"
    if not any(ports.iterdir()):
        run("ip", "link", "delete", "dev", bridge)
        return
    run("ip", "link", "set", "dev", bridge, "alias", "")
    if record.get("resolved"):
        batch_resolved(bridge)


def batch_resolved(bridge: str) -> None:
    """Have systemd-resolved ask nobody by the bridge any more."""
    try:
        run("resolvectl", "revert", bridge, seconds=RESOLVED_SECONDS)
    except StepError as error:
        say(str(error))


def differences(record: Json, found: Json) -> list[str]:
    """Return in what way an interface is not as it is on record, a few words each."""
    told = []
    for what, key in (("addresses", cidr_of), ("routes", route_key), ("neighbours", _destination)):
        wanted = moving(record[what]) if what == "addresses" else record[what]
        there = {key(one) for one in found[what]}
        told += [f"it lacks {key(one)} of its {what}" for one in wanted if key(one) not in there]
    return told


# The timer


def arm(config: Json) -> None:
    """Have systemd give everything back in time, whatever becomes of this process, of others and of files."""
    folder = Path(config["run_directory"])
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    program, file = folder / "program.py", folder / "config.json"
    # A removal takes the installed ones away.
    shutil.copyfile(Path(__file__).resolve(), program)
    save(file, config)
    disarm()
    words = [f"--on-active={config['rollback_seconds']}", "--timer-property=AccuracySec=500ms"]
    words += [f"--unit={ROLLBACK_UNIT}", "--collect", "--quiet"]
    # It is the last resort: whoever ends it only delays it.
    words += ["--property=Restart=on-failure", "--property=RestartSec=2"]
    run("systemd-run", *words, sys.executable, "-I", str(program), "rollback", str(file))


def disarm() -> None:
    """Cancel the timer, if there is one; the service may be running, and is left to its end."""
    for words in (["stop", f"{ROLLBACK_UNIT}.timer"], ["reset-failed", f"{ROLLBACK_UNIT}.service"]):
        try:
            run("systemctl", "--quiet", *words)
        except StepError:
            # There is none.
            continue


# Commands of the command line


def attempt(config: Json, token: str) -> None:
    """Move on trial. A step that fails brings everything back at once, and one that never ends in time."""
    with alone(config):
        found = snapshot(config["uplink"])
        told = faults(config, found)
        outcome = Path(config["run_directory"]) / "outcome.json"
        if told:
            save(outcome, {"phase": "refused", "reason": "; ".join(told), "token": token})
            raise StepError("; ".join(told))
        outcome.unlink(missing_ok=True)
        # What was agreed to was another move: until this one is, nobody repeats it.
        consent_file(config).unlink(missing_ok=True)
        try:
            move(config, "trial", token)
        except (StepError, OSError) as error:
            give_back(config, f"{error}")
            raise StepError(str(error)) from None


def give_back(config: Json, reason: str) -> list[str]:
    """Restore, leave word of it for the controller, and return what is not as it was."""
    outcome = Path(config["run_directory"]) / "outcome.json"
    token = load(record_file(config)).get("token", "")
    left = restore(config)
    for words in left:
        say(f"{config['uplink']} is not as it was: {words}")
    if not left:
        disarm()
    save(
        outcome,
        {"phase": "failed" if left else "rolled back", "reason": reason, "left": left, "token": token},
    )
    return left


def confirm(config: Json, token: str) -> None:
    """Agree to the move that is on trial; one that was not done, or was taken back, is none."""
    with alone(config):
        record = load(record_file(config))
        if record.get("phase") != "trial" or record["token"] != token:
            return
        save(consent_file(config), agreement(config))
        save(record_file(config), {**record, "phase": "moved"})
        disarm()
        run("ip", "link", "set", "dev", config["bridge"], "alias", "")


def rollback(config: Json) -> None:
    """Give everything back, unless the move was agreed to meanwhile. A removal that was killed is ended."""
    with alone(config, first=True):
        record = load(record_file(config))
        if record.get("phase") not in ON_TRIAL:
            return
        reason = f"nobody connected anew within {config['rollback_seconds']} seconds"
        if left := give_back(config, reason):
            raise StepError("; ".join(left))


def down(config: Json) -> None:
    """Give everything back as the bridge has it now, at the end of the role and not of the system."""
    if is_stopping():
        return
    with alone(config):
        uplink, bridge = config["uplink"], config["bridge"]
        record = load(record_file(config))
        if exists(bridge) and exists(uplink) and record.get("phase") != "restoring":
            base = record or {**snapshot(uplink), "uplink": uplink, "made_bridge": False}
            record = {**as_now(config, base), "phase": "restoring"}
            save(record_file(config), record)
            arm(config)
        left = restore(config)
        if left:
            raise StepError(f"{uplink} is not as it was: {'; '.join(left)}")
        disarm()
        shutil.rmtree(config["run_directory"], ignore_errors=True)


def as_now(config: Json, record: Json) -> Json:
    """Return the record of what the bridge has by now and the interface is to have, gateways left out.

    What was moved keeps what it had on the interface; what is gone from both stays gone.
    """
    uplink, found = snapshot(config["uplink"]), snapshot(config["bridge"])
    merged = {**record}
    for what, key in (("addresses", cidr_of), ("routes", route_key), ("neighbours", _destination)):
        live = [one for one in found[what] if not _is_of_pods(config, one)] + uplink[what]
        there, known = {key(one) for one in live}, {key(one) for one in record[what]}
        kept = [one for one in record[what] if is_cut_short(record) or key(one) in there]
        merged[what] = kept + [_unlabelled(one) for one in live if key(one) not in known]
    return merged


def _is_of_pods(config: Json, entry: Json) -> bool:
    if "local" in entry:
        return cidr_of(entry) in config["gateways"] or is_own(entry)
    return entry["dst"] in {str(ip_interface(gateway).network) for gateway in config["gateways"]}


def _unlabelled(entry: Json) -> Json:
    return {key: value for key, value in entry.items() if key not in ("label", "nodad")}


def is_stopping() -> bool:
    """Tell whether the whole system goes down: whoever shuts down needs the network to the end."""
    try:
        ran = subprocess.run(
            ["systemctl", "is-system-running"],
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ran.stdout.strip() == "stopping"


def look(config: Json) -> None:
    """Print how far a move is, as one line of JSON."""
    record = load(record_file(config))
    outcome = load(Path(config["run_directory"]) / "outcome.json")
    if record.get("phase") and not outcome.get("left"):
        outcome = {"phase": record["phase"], "token": record.get("token", "")}
    sys.stdout.write(f"{json.dumps(outcome or {'phase': 'none'})}\n")


def keep(config: Json) -> None:
    """Move whatever the interface has, as soon as that was agreed to, and whenever it comes back.

    It does at boot, and when the host's network configuration is read anew: networkd, say, takes an interface
    out of a bridge that its files do not name and sets the address there.
    """
    with watching() as events:
        deadline = time.monotonic() + PATIENCE_SECONDS
        told, is_first = False, True
        while True:
            if is_agreed(config):
                catch_up(config, is_first)
                is_first = False
            ready = not is_agreed(config) or (exists(config["uplink"]) and not is_due(config))
            if not told and (ready or time.monotonic() > deadline):
                tell("READY=1")
                told = True
            await_change(events, LOOK_SECONDS if told and is_agreed(config) else 1)


def catch_up(config: Json, is_first: bool) -> None:
    """Move what is due, once nobody is at it any more.

    is_first: whether what is wanted of the bridge may be another since the last time.
    """
    try:
        with alone(config):
            record = load(record_file(config))
            if record.get("phase") in ON_TRIAL or not exists(config["uplink"]):
                return
            if record.get("uplink", config["uplink"]) != config["uplink"]:
                say(f"{record['uplink']} is the uplink still; reset the host to have another")
                return
            if is_due(config) or is_cut_short(record):
                if not is_settled(config):
                    return
                move(config, "moved")
                say(f"{config['uplink']} is a port of {config['bridge']}, which has its addresses")
            elif record and is_first:
                make_bridge(config, record)
                save(record_file(config), record)
    except (StepError, OSError) as error:
        # Mostly somebody else is at it too. The next look finds what is left and tries again.
        say(f"{error}; trying again")


def is_settled(config: Json) -> bool:
    """Wait until nobody sets the interface up any more, for a bounded time; tell whether it is there."""
    deadline = time.monotonic() + SETTLE_SECONDS
    before: Json = {}
    while time.monotonic() < deadline:
        if not exists(config["uplink"]):
            return False
        found = {"addresses": addresses_of(config["uplink"]), "routes": routes_of(config["uplink"])}
        here = [*found["addresses"], *(addresses_of(config["bridge"]) if exists(config["bridge"]) else [])]
        wanted = {str(ip_interface(address).ip) for address in config["node_addresses"]}
        all_there = wanted <= {one["local"] for one in here}
        if found == before and all_there and not is_under_way(config["uplink"]):
            return True
        before = found
        time.sleep(STEP_SECONDS)
    return bool(before)


def is_under_way(name: str) -> bool:
    """Tell whether systemd-networkd is setting up the link."""
    try:
        number = (INTERFACES / name / "ifindex").read_text(encoding="ascii").strip()
        state = (NETWORKD_LINKS / number).read_text(encoding="utf-8")
    except OSError:
        # It does not run.
        return False
    return any(line == f"ADMIN_STATE={word}" for line in state.splitlines() for word in UNDER_WAY)


@contextmanager
def watching() -> Iterator[socket.socket]:
    """Hear of every change of links and addresses (rtnetlink(7))."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as events:
        events.bind((0, LINKS_AND_ADDRESSES))
        events.setblocking(False)
        yield events


def await_change(events: socket.socket, seconds: float) -> None:
    """Return after a change, or when the time is over: somebody may have done what nobody tells of."""
    if not select.select([events], [], [], seconds)[0]:
        return
    # Pods come with many of them.
    time.sleep(0.2)
    while True:
        try:
            events.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            # There were more than it holds.
            continue


def say(message: str) -> None:
    """Write a line into the journal."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


def tell(message: str) -> None:
    """Tell systemd something (sd_notify(3)); nothing without it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(message.encode(), "\0" + address[1:] if address.startswith("@") else address)


COMMANDS: dict[str, Callable[..., None]] = {
    "keep": keep,
    "try": attempt,
    "confirm": confirm,
    "rollback": rollback,
    "down": down,
    "look": look,
}


def main(arguments: list[str]) -> int:
    """Do what the first argument names; return the exit status."""
    action, path, *more = arguments
    config = json.loads(Path(path).read_text(encoding="utf-8"))
    if action == "keep":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        COMMANDS[action](config, *more)
    except (StepError, OSError) as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
