"""What the host knows: its addresses, its pods' own view, and the evidence of a failure."""

from __future__ import annotations

import json
import pathlib
import subprocess

from .answers import Json, NoAnswerError


def run_program(*command: str) -> str:
    """Return what the program prints, "" when it is missing or fails: evidence is what can be had."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=3, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def links(*prefix: str) -> list[Json]:
    """Return the host's interfaces with their addresses, seen through a command that `prefix` begins."""
    return [
        link for link in json.loads(run_program(*prefix, "ip", "-json", "address", "show") or "[]") if link
    ]


def global_addresses(link: Json, family: str) -> list[str]:
    """Return the addresses of the interface that others can use."""
    inet = {"ipv4": "inet", "ipv6": "inet6"}[family]
    entries = link.get("addr_info", [])
    return [entry["local"] for entry in entries if entry["family"] == inet and entry["scope"] == "global"]


def pod_processes(uids: set[str], proc: str = "/proc") -> dict[str, int]:
    """Return a process of each pod by pod UID, found by the name of its control group.

    The cgroupfs driver of the kubelet writes the UID as it is, the systemd driver with underscores.
    """
    found: dict[str, int] = {}
    names = {uid: uid for uid in uids} | {uid.replace("-", "_"): uid for uid in uids}
    for entry in pathlib.Path(proc).iterdir() if uids else ():
        if not entry.name.isdigit():
            continue
        try:
            group = (entry / "cgroup").read_text()
        except OSError:  # it ended meanwhile
            continue
        found.update({uid: int(entry.name) for name, uid in names.items() if "pod" + name in group})
    return found


def ask_interface(how: Json, seconds: float) -> str:
    """Return what the pod of how.process sees of itself, inside its network namespace."""
    del seconds
    process = how.get("process")
    if not process:
        raise NoAnswerError("interface", f"no process of pod {how['pod_uid']} runs here")
    seen = links("nsenter", "--target", str(process), "--net")
    own = [link for link in seen if "LOOPBACK" not in link.get("flags", [])]
    addressed = [link for link in own if global_addresses(link, how["family"])]
    if not addressed:
        raise NoAnswerError("interface", f"no interface of the pod has an {how['family']} address")
    if how["read"] == "mtu":
        return str(addressed[0]["mtu"])
    return ",".join(address for link in addressed for address in global_addresses(link, how["family"]))


def evidence_of(checks: list[Json]) -> Json:
    """Return what this host knows about the way of the failing checks besides its state, kept short."""
    rules = run_program("nft", "list", "ruleset") or run_program("iptables-save", "-t", "nat")
    masquerade = [
        line.strip() for line in rules.splitlines() if "masquerade" in line.lower() or "snat" in line.lower()
    ]
    targets = [check["target"]["address"] for check in checks if check.get("target", {}).get("address")]
    entries = json.loads(run_program("bridge", "-json", "fdb", "show") or "[]")
    return {
        "masquerade": masquerade[:40],
        "fdb": [entry for entry in entries if "dst" in entry][:40],
        "route_get": {
            target: " ".join(run_program("ip", "route", "get", target).split()) or "no route"
            for target in sorted(set(targets))[:16]
        },
    }
