"""Tells what a host is like.

Nothing is changed there, but that the kernel may load a module to answer whether it has one. Needs `ip`.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import socket
import struct
import sys
import time
from typing import Any

from . import features, filters, network, networkd, systemd
from .local import PATH, read, run

# Where containerd keeps what images and containers are made of.
CONTAINERD = "/var/lib/containerd"
IPV4 = "/proc/sys/net/ipv4"


def operating_system(text: str) -> dict[str, str]:
    """Return {id, version} out of os-release(5)."""
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {
        "id": fields.get("ID", "").strip("\"'"),
        "version": fields.get("VERSION_ID", "").strip("\"'"),
    }


def listening(table: str, version: int, protocol: str = "tcp") -> list[dict[str, Any]]:
    """Return {address, port, protocol, inode} of each socket that waits for others.

    The table is the text of /proc/net/tcp, tcp6, udp or udp6 (proc(5)).
    """
    waiting = {"tcp": "0A", "udp": "07"}[protocol]
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or fields[3] != waiting:
            continue
        address, port = fields[1].split(":")
        numbers = [int(address[at : at + 8], 16) for at in range(0, len(address), 8)]
        words = struct.pack(f"={len(numbers)}I", *numbers)
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        found.append(
            {
                "address": socket.inet_ntop(family, words),
                "port": int(port, 16),
                "protocol": protocol,
                "inode": fields[9],
            }
        )
    return sorted(found, key=lambda entry: (entry["port"], entry["address"]))


def with_processes(sockets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the sockets with process and unit in place of the inode: whose each is, "" for the kernel's."""
    wanted = {f"socket:[{entry['inode']}]" for entry in sockets}
    owners: dict[str, tuple[str, str]] = {}
    for process in filter(str.isdecimal, os.listdir("/proc")):
        if len(owners) == len(wanted):
            break
        for link in _open_files(f"/proc/{process}/fd"):
            if link in wanted and link not in owners:
                owners[link] = (
                    read(f"/proc/{process}/comm").strip(),
                    unit_of(read(f"/proc/{process}/cgroup")),
                )
    for entry in sockets:
        entry["process"], entry["unit"] = owners.get(f"socket:[{entry.pop('inode')}]", ("", ""))
    return sockets


def unit_of(cgroups: str) -> str:
    """Return the service that a process belongs to, kubepods for one of a pod, "" for neither.

    cgroups: the text of /proc/PID/cgroup (cgroups(7)); of version 1, the hierarchy of systemd tells.
    """
    lines = [line.split(":", 2) for line in cgroups.splitlines()]
    paths = [line[2] for line in lines if len(line) == 3 and line[1] in ("", "name=systemd")]
    # The innermost: the host itself may be in a pod or a service of another machine's.
    for part in reversed([part for path in paths for part in path.split("/")]):
        if part.startswith("kubepods"):
            return "kubepods"
        if part.endswith(".service"):
            return part
    return ""


def _open_files(folder: str) -> list[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        # The process ended, or is another user's.
        return []
    return [_link(f"{folder}/{name}") for name in names]


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        # Closed since the folder was listed.
        return ""


def nameservers(*texts: str) -> list[str]:
    """Return the DNS servers in the texts of resolv.conf(5), each once; what is no address is left out."""
    found: list[str] = []
    for line in "\n".join(texts).splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver" and words[1] not in found:
            try:
                ipaddress.ip_address(words[1].partition("%")[0])
            except ValueError:
                continue
            found.append(words[1])
    return found


def resolv_conf(texts: dict[str, str]) -> str:
    """Return the first of the files (path -> text) whose DNS servers a pod can ask too, "" where none is.

    A loopback address, as of systemd-resolved's stub, is the pod's own inside a pod.
    """
    for path, text in texts.items():
        addresses = [ipaddress.ip_address(server.partition("%")[0]) for server in nameservers(text)]
        if addresses and not any(address.is_loopback for address in addresses):
            return path
    return ""


def port_ranges(text: str) -> list[list[int]]:
    """Return [[first, last], ...] of net.ipv4.ip_local_reserved_ports, such as `8080,30000-32767`."""
    ends = [part.split("-") for part in text.strip().split(",") if part]
    return [[int(end[0]), int(end[-1])] for end in ends]


def memory_bytes(text: str) -> int:
    """Return the whole memory out of /proc/meminfo (proc(5): kB there are units of 1024 bytes)."""
    for line in text.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def room(path: str) -> dict[str, int | None]:
    """Return free_bytes, what an unprivileged process may still write below path, and free_inodes, as files.

    The second is None where the file system makes them as it needs them, as btrfs does (statfs(2)).
    """
    try:
        found = os.statvfs(path)
    except OSError:
        return {"free_bytes": 0, "free_inodes": None}
    return {
        "free_bytes": found.f_bavail * found.f_frsize,
        "free_inodes": found.f_favail if found.f_files else None,
    }


def file_system_of(path: str, mounts: str) -> str:
    """Return the kind of the file system that a path is on, "" where nothing tells.

    mounts: the text of /proc/self/mountinfo (proc_pid_mountinfo(5)); of two at one place the last counts.
    """
    longest, kind = "", ""
    for line in mounts.splitlines():
        mount, _, source = line.partition(" - ")
        place = mount.split()[4].replace("\\040", " ").rstrip("/") + "/" if source else ""
        if place and f"{path}/".startswith(place) and len(place) >= len(longest):
            longest, kind = place, source.split()[0]
    return kind


def _ip(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(["ip", "-json", *arguments]) or "[]")
    return found


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return the facts.

    request: kernel_features, commands (names), files (paths of which the text is wanted), directories (those
    of data that flatnet is to make).
    """
    names = request["kernel_features"]
    version = run(["runc", "--version"]).split("\n", 1)[0].split()
    # Where systemd-resolved runs, the first names only it and the second the servers that it asks.
    resolvers = {path: read(path) for path in ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")}
    pods_resolver = resolv_conf(resolvers)
    interfaces = network.interfaces(_ip("-details", "address"))
    routes = [
        route
        for version in (4, 6)
        for route in network.routes(_ip(f"-{version}", "route", "show", "table", "all"), version)
    ]
    main_routes = [route for route in routes if route["table"] == "main"]
    settings = network.settings(interfaces)
    paths = {command: shutil.which(command, path=PATH) for command in request["commands"]}
    return {
        "hostname": os.uname().nodename,
        "operating_system": operating_system(read("/etc/os-release") or read("/usr/lib/os-release")),
        "python": ".".join(map(str, sys.version_info[:3])),
        "machine_id": read("/etc/machine-id").strip(),
        "init": read("/proc/1/comm").strip(),
        "systemd": os.path.isdir("/run/systemd/system"),
        "uid": os.geteuid(),
        "kernel": os.uname().release,
        "architecture": os.uname().machine,
        "cpus": len(os.sched_getaffinity(0)),
        "memory_bytes": memory_bytes(read("/proc/meminfo")),
        "swap": len(read("/proc/swaps").splitlines()) > 1,
        **room("/var/lib"),
        "container_file_system": file_system_of(CONTAINERD, read("/proc/self/mountinfo")),
        "cgroup_version": 2 if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else 1,
        "selinux": read("/sys/fs/selinux/enforce").strip() == "1",
        "time": time.time(),
        "interfaces": interfaces,
        "interface_settings": settings,
        # Those of the main table, which packets are looked up in where no rule says otherwise.
        "routes": main_routes,
        "other_routes": [route for route in routes if route["table"] != "main"],
        "rules": [rule for version in (4, 6) for rule in network.rules(_ip(f"-{version}", "rule"), version)],
        "advertised_default_routes": network.advertised(main_routes, settings),
        "listening": with_processes(
            [
                entry
                for protocol in ("tcp", "udp")
                for version, suffix in ((4, ""), (6, "6"))
                for entry in listening(read(f"/proc/net/{protocol}{suffix}"), version, protocol)
            ]
        ),
        "drop_ins": systemd.drop_ins(),
        "default_environment": systemd.default_environment(),
        "networkd": networkd.has_networkd(),
        "network_files": networkd.network_files(),
        "cni_files": systemd.cni_files(),
        "unrecorded_data": systemd.unrecorded_data(request["directories"]),
        **filters.answer(),
        "nameservers": nameservers(*resolvers.values()),
        "resolv_conf": pods_resolver,
        "pod_nameservers": nameservers(resolvers.get(pods_resolver, "")),
        "ip_local_port_range": [int(port) for port in read(f"{IPV4}/ip_local_port_range").split()] or None,
        "ip_local_reserved_ports": port_ranges(read(f"{IPV4}/ip_local_reserved_ports")),
        "kernel_features": features.kernel_features(names),
        "nft": ".".join(map(str, features.numbers(run(["nft", "--version"])))),
        "runc": version[-1] if version else "",
        "commands": paths,
        "files": {path: text for path in request["files"] if (text := read(path))},
    }
