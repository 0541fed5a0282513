#!/usr/bin/env python3
"""Makes the pods' network of a node out of Open vSwitch and a Linux bridge, and keeps it.

    flatnet-openvswitch run FILE     make what FILE describes, and again whenever Open vSwitch was restarted
    flatnet-openvswitch down FILE    take all of it away

Every step may be repeated.

Needs Python 3.9, ip, ovs-vsctl, ovs-ofctl and ovs-appctl.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

# A mark of ours on a bridge of Open vSwitch; others have theirs, or none.
MARK = ("flatnet", "cni_openvswitch")
INTERFACES = Path("/sys/class/net")
IPV4, IPV6 = Path("/proc/sys/net/ipv4/conf"), Path("/proc/sys/net/ipv6/conf")
PATIENCE_SECONDS = 30
LOOK_SECONDS = 1
USER_ROUTE = re.compile(r"^User: (\S+) dev (\S+)", re.MULTILINE)


class StepError(Exception):
    """A command failed; the message says which and how."""


def run(*words: str, given: str | None = None) -> str:
    """Run a command and return what it prints; StepError when it fails."""
    ran = subprocess.run(words, input=given, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise StepError(f"{' '.join(words)}: {ran.stderr.strip() or ran.returncode}")
    return ran.stdout


def vsctl(*words: str) -> str:
    """Run one transaction on the database; it ends when the daemon has carried it out."""
    return run("ovs-vsctl", f"--timeout={PATIENCE_SECONDS}", *words)


def exists(name: str) -> bool:
    """Tell whether the host has the interface."""
    return (INTERFACES / name).exists()


def text(value: object) -> str:
    """Return a value as the database reads it (ovs-vsctl(8), Database Values)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}={json.dumps(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(json.dumps(one) for one in value) + "]"
    return str(value)


def columns(values: dict[str, Any]) -> list[str]:
    """Return arguments of `set` that give columns whole values."""
    return [f"{name}={text(value)}" for name, value in values.items()]


def is_ours(switch: str) -> bool:
    """Tell whether the database has the bridge and it is ours; StepError where it is somebody else's."""
    if switch not in vsctl("list-br").split():
        return False
    key, owner = MARK
    if vsctl("br-get-external-id", switch, key).strip() != owner:
        raise StepError(
            f"the bridge {switch} of Open vSwitch is somebody else's: rename it, or remove it with ovs-vsctl"
        )
    return True


def transaction(network: dict[str, Any], present: list[str]) -> list[str]:
    """Return the arguments of ovs-vsctl that make switch, tunnels and passage; present: its ports."""
    switch = network["switch"]["name"]
    words = _add_switch(switch, network["switch"]["columns"])
    words += ["--", "set", "interface", switch, f"mtu_request={network['bridge']['mtu']}"]
    wanted = [tunnel["name"] for tunnel in network["tunnels"]]
    for name in sorted(set(present) - set(wanted)):
        words += ["--", "--if-exists", "del-port", switch, name]
    for tunnel in network["tunnels"]:
        words += ["--", "--may-exist", "add-port", switch, tunnel["name"]]
        options = {
            "type": tunnel["type"],
            "options": tunnel["options"],
            "external_ids": {"node": tunnel["node"]},
        }
        words += ["--", "set", "interface", tunnel["name"], *columns(options)]
        words += ["--", "set", "port", tunnel["name"], *columns({"other_config": tunnel["port_config"]})]
    passage = network["passage"]
    if passage:
        settings = {"datapath_type": "netdev", "fail_mode": "standalone", "stp_enable": False}
        settings["other_config"] = {"hwaddr": passage["switch_mac"]}
        words += ["--", *_add_switch(passage["switch"], settings)]
        # Its queue is that of an interface of programs. The other way to the kernel, a socket of packets on
        # one end of a pair of interfaces, has room for a fifth of that.
        end = {"type": "internal", "mac": json.dumps(passage["kernel_mac"])}
        words += ["--", "--may-exist", "add-port", passage["switch"], passage["kernel_end"]]
        words += ["--", "set", "interface", passage["kernel_end"], *columns(end)]
    return words


def _add_switch(name: str, values: dict[str, Any]) -> list[str]:
    key, owner = MARK
    added = ["--may-exist", "add-br", name, "--", "br-set-external-id", name, key, owner]
    return [*added, "--", "set", "bridge", name, *columns(values)]


def up(network: dict[str, Any]) -> None:
    """Make the network, whatever is there of it."""
    switch, passage = network["switch"]["name"], network["passage"]
    present = vsctl("list-ports", switch).split() if is_ours(switch) else []
    if passage:
        is_ours(passage["switch"])
    else:
        unplug_passage(network)
    vsctl(*transaction(network, present))
    refuse_errors(network)
    flows = "\n".join(network["flows"]) + "\n"
    run("ovs-ofctl", "--protocols=OpenFlow13", "replace-flows", switch, "-", given=flows)
    if passage:
        lead_passage(passage)
    join_pods(network["bridge"], switch)


def refuse_errors(network: dict[str, Any]) -> None:
    """Raise StepError where the daemon could not make a tunnel; ovs-vsctl ends well all the same."""
    ours = {tunnel["name"]: tunnel["node"] for tunnel in network["tunnels"]}
    shown = json.loads(vsctl("--format=json", "--columns=name,error", "list", "interface"))
    for name, error in shown["data"]:
        # An empty set is no error.
        if name in ours and isinstance(error, str) and error:
            raise StepError(f"the tunnel {name} to {ours[name]} cannot be made: {error}")


def lead_passage(passage: dict[str, Any]) -> None:
    """Lead what is encapsulated through the passage: out by Open vSwitch's own routes, in by the kernel's."""
    switch, kernel_end = passage["switch"], passage["kernel_end"]
    inner, outer = passage["switch_address"], passage["kernel_address"]
    for name in (switch, kernel_end):
        no_own_addresses(name)
    # Packets come in with an address that is, by the letter, the host's own.
    (IPV4 / kernel_end / "accept_local").write_text("1")
    (IPV4 / kernel_end / "forwarding").write_text("1")
    run("ip", "link", "set", "dev", switch, "up")
    run("ip", "link", "set", "dev", kernel_end, "up")
    run(
        "ip",
        "address",
        "replace",
        f"{inner}/{passage['prefix']}",
        "dev",
        switch,
        "scope",
        "link",
        "noprefixroute",
    )
    run("ip", "address", "replace", f"{outer}/32", "dev", kernel_end, "scope", "link")
    # Open vSwitch looks for the address at its own bridge, and the kernel must not deliver to it there.
    if run("ip", "route", "show", "table", "local", "type", "local", "exact", inner).strip():
        run("ip", "route", "delete", "local", inner, "dev", switch, "table", "local")
    run("ip", "route", "replace", inner, "dev", kernel_end, "scope", "link", "src", outer)
    neighbour = ["lladdr", passage["switch_mac"], "nud", "permanent", "dev", kernel_end]
    run("ip", "neighbour", "replace", inner, *neighbour)
    known = [
        found[0] for found in USER_ROUTE.findall(run("ovs-appctl", "ovs/route/show")) if found[1] == switch
    ]
    wanted = [f"{peer}/32" for peer in passage["peers"]]
    stale = sorted(set(known) - set(wanted))
    # With any route of a bridge Open vSwitch forgets to look for tunnels at that bridge's address, until the
    # next is added: so one that is wanted goes too, and comes again.
    for destination in [*stale, *([one for one in wanted if one in known][:1] if stale else [])]:
        run("ovs-appctl", "ovs/route/del", destination)
        known.remove(destination)
    for destination in wanted:
        if destination not in known:
            run("ovs-appctl", "ovs/route/add", destination, switch, outer)


def unplug_passage(network: dict[str, Any]) -> None:
    """Take a passage away, of which names alone are needed; there may be none."""
    names = network["passage_names"]
    if is_ours(names["switch"]):
        for destination, device in USER_ROUTE.findall(run("ovs-appctl", "ovs/route/show")):
            if device == names["switch"]:
                run("ovs-appctl", "ovs/route/del", destination)
        vsctl("del-br", names["switch"])


def join_pods(bridge: dict[str, Any], switch: str) -> None:
    """Make the pods' bridge with its addresses and routes, and the switch a port of it."""
    name, mtu = bridge["name"], str(bridge["mtu"])
    if not exists(name):
        # With the address at once: udev gives a link without one an address of its own (systemd.link(5)).
        run("ip", "link", "add", "dev", name, "address", bridge["mac"], "type", "bridge")
    # Without a waiting time a new pod's port forwards at once. Nobody has to be asked who listens to which
    # group: it is the groups that IPv6 finds its neighbours with that would suffer.
    run(
        "ip",
        "link",
        "set",
        "dev",
        name,
        "type",
        "bridge",
        "stp_state",
        "0",
        "forward_delay",
        "0",
        "mcast_snooping",
        "0",
    )
    # An address of its own: else it takes that of a port, and changes with the pods.
    run("ip", "link", "set", "dev", name, "address", bridge["mac"], "mtu", mtu)
    if (IPV6 / name).exists():
        # The node is the router here and takes no other's word.
        (IPV6 / name / "accept_ra").write_text("0")
        has_ipv6 = any(":" in address for address in bridge["addresses"])
        run("ip", "link", "set", "dev", name, "addrgenmode", "eui64" if has_ipv6 else "none")
    shown = run("ip", "-oneline", "address", "show", "dev", name, "scope", "global").splitlines()
    for present in [line.split()[3] for line in shown]:
        if present not in bridge["addresses"]:
            run("ip", "address", "delete", present, "dev", name)
    for address in bridge["addresses"]:
        run("ip", "address", "replace", address, "dev", name, *(["nodad"] if ":" in address else []))
    run("ip", "link", "set", "dev", name, "up")
    for route in bridge["routes"]:
        family = "-6" if ":" in route["destination"] else "-4"
        scope = [] if family == "-6" else ["scope", "link"]
        words = ["dev", name, "proto", "static", *scope, "src", route["source"]]
        run("ip", family, "route", "replace", route["destination"], *words)
    no_own_addresses(switch)
    run("ip", "link", "set", "dev", switch, "mtu", mtu, "master", name, "up")
    # Pods may meet themselves, the network may not: what came in by the switch must not leave by it.
    run("ip", "link", "set", "dev", switch, "type", "bridge_slave", "hairpin", "off")


def no_own_addresses(name: str) -> None:
    """Keep IPv6 from giving an interface an address and from speaking there."""
    if (IPV6 / name).exists():
        run("ip", "link", "set", "dev", name, "addrgenmode", "none")


def down(network: dict[str, Any]) -> None:
    """Take all away. Pods keep the bridge; it goes with the last of them gone."""
    unplug_passage(network)
    switch, bridge = network["switch"]["name"], network["bridge"]
    if is_ours(switch):
        vsctl("del-br", switch)
    name = bridge["name"]
    if exists(name):
        ports = INTERFACES / name / "brif"
        if ports.is_dir() and not any(ports.iterdir()):
            run("ip", "link", "delete", "dev", name)


def signature(network: dict[str, Any]) -> tuple[str, ...]:
    """Return what changes when Open vSwitch was restarted or somebody took the switch out of the bridge.

    The daemon's interfaces, flows and routes go with it; its database brings back the interfaces alone.
    """
    switch, bridge = network["switch"]["name"], network["bridge"]["name"]
    names = [switch, bridge, *([network["passage"]["switch"]] if network["passage"] else [])]
    pid = Path(os.environ.get("OVS_RUNDIR", "/var/run/openvswitch")) / "ovs-vswitchd.pid"
    files = [pid, INTERFACES / bridge / "address", *(INTERFACES / name / "ifindex" for name in names)]
    master = INTERFACES / switch / "master"
    return (*(_read(file) for file in files), _link(master))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        # It is not there just now.
        return ""


def keep(network: dict[str, Any]) -> None:
    """Make the network, tell systemd, and make it again as often as it is lost."""
    up(network)
    made = signature(network)
    tell("READY=1")
    while True:
        time.sleep(LOOK_SECONDS)
        if signature(network) == made:
            continue
        try:
            up(network)
        except StepError as error:
            # Mostly Open vSwitch is just starting; the next look finds the same and tries again.
            say(f"{error}; trying again")
            continue
        made = signature(network)
        say("the network was made again")


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        # The same, or it has no master.
        return ""


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


def main(arguments: list[str]) -> int:
    """Do what the first argument names; return the exit status."""
    action, path = arguments
    network = json.loads(Path(path).read_text(encoding="utf-8"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        {"run": keep, "down": down}[action](network)
    except StepError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
