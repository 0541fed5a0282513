"""A node and a neighbour in network namespaces of a real kernel, a cable between them; for l2_bridge's tests.

systemd is played by programs of a few lines: its timer ends in a file that a test runs when it wants the time
to be over, or that runs by itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parents[2] / "roles/cni_l2_bridge/files/flatnet_l2_uplink.py"
NODE, PEER = "l2u-node", "l2u-peer"
# Its own path: what is started by a name may be the program below.
REAL_IP = shutil.which("ip") or ""
# Stands before ip: ends whoever called it at the step that the file names, lines of a batch being steps.
IP = """\
#!/bin/sh
count() {
  at=$(($(cat {folder}/steps) + 1))
  echo "$at" >{folder}/steps
  if [ "$at" = "$(cat {folder}/kill_at 2>/dev/null)" ]; then
    kill -9 "$PPID"
    exit 1
  fi
}
if [ "$2" = - ] || [ "$3" = - ]; then
  status=0
  while read -r line; do
    count
    # shellcheck disable=SC2086
    {ip} $line || { status=1; [ "$1" = -force ] || exit 1; }
  done
  exit $status
fi
[ "$1" = -json ] || count
exec {ip} "$@"
"""
SYSTEMD_RUN = """\
#!/bin/sh
unit=none
while [ "${1#--}" != "$1" ]; do
  case $1 in
    --on-active=*) seconds=${1#*=} ;;
    --unit=*) unit=${1#*=} ;;
  esac
  shift
done
if [ -e {folder}/clock_runs ]; then
  setsid sh -c 'echo $$ >"$0"; sleep "$1"; rm "$0"; shift; exec "$@"' {folder}/$unit.timer "$seconds" "$@" \
    </dev/null >/dev/null 2>>{folder}/journal &
else
  printf '%s\\n' "$@" >{folder}/timer
fi
"""
SYSTEMCTL = """\
#!/bin/sh
case "$*" in
  *stop*)
    rm -f {folder}/timer
    for unit in "$@"; do
      [ -e "{folder}/$unit" ] && kill "-$(cat "{folder}/$unit")" && rm -f "{folder}/$unit"
    done
    ;;
esac
cat {folder}/system 2>/dev/null || echo running
"""


def run(*command: str, check: bool = True) -> str:
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout


def at(name: str, *words: str) -> str:
    return run("ip", "-n", name, *words)


class Node:
    """A host in a namespace, with its configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.json"
        self.config.write_text(
            json.dumps(
                {
                    "uplink": "eth0",
                    "bridge": "br-pods",
                    "node_addresses": ["192.0.2.11", "2001:db8::11"],
                    "gateways": ["10.200.1.1/16", "fd00:200:0:1::1/48"],
                    "rollback_seconds": 30,
                    "run_directory": str(folder / "run"),
                    "data_directory": str(folder / "data"),
                    "dedicated_record": str(folder / "dedicated"),
                }
            )
        )
        programs = folder / "bin"
        programs.mkdir()
        texts = {"ip": IP, "systemd-run": SYSTEMD_RUN, "systemctl": SYSTEMCTL}
        for name, text in texts.items():
            (programs / name).write_text(text.replace("{folder}", str(folder)).replace("{ip}", REAL_IP))
            (programs / name).chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        self.count_from_zero()

    def count_from_zero(self, kill_at: int | None = None) -> None:
        (self.folder / "steps").write_text("0\n")
        (self.folder / "kill_at").write_text("" if kill_at is None else f"{kill_at}\n")

    @property
    def steps(self) -> int:
        return int((self.folder / "steps").read_text())

    def command(self, action: str) -> list[str]:
        token = ["one"] if action in ("try", "confirm") else []
        words = [sys.executable, "-I", str(PROGRAM), action, str(self.config), *token]
        return [REAL_IP, "netns", "exec", NODE, *words]

    def call(self, action: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(action), check=False, capture_output=True, text=True, env=self.environment
        )

    def time_is_over(self) -> None:
        """Do what systemd does when the timer ends."""
        timer = self.folder / "timer"
        command = timer.read_text().splitlines()
        timer.unlink()
        subprocess.run([REAL_IP, "netns", "exec", NODE, *command], check=True, env=self.environment)

    @property
    def has_timer(self) -> bool:
        return (self.folder / "timer").exists()

    def phase(self) -> str:
        return str(json.loads(self.call("look").stdout)["phase"])

    def state(self) -> dict[str, Any]:
        """Return all that ip tells of the node, but clocks and what the neighbours have been asked."""
        asked = {
            "links": ["-details", "link", "show"],
            "addresses": ["address", "show"],
            "routes": ["-4", "route", "show", "table", "all"],
            "routes6": ["-6", "route", "show", "table", "all"],
            "neighbours": ["neighbour", "show", "nud", "permanent"],
            "proxies": ["neighbour", "show", "proxy"],
            "rules": ["rule", "show"],
        }
        shown = {what: at(NODE, "-json", *words) for what, words in asked.items()}
        settings = run(
            "ip", "netns", "exec", NODE, "sh", "-c", "grep -H . /proc/sys/net/ipv?/conf/eth0/* || true"
        )
        state = {what: json.loads(text or "[]") for what, text in shown.items()}
        for link in state["links"]:
            data = link.get("linkinfo", {}).get("info_data", {})
            link.get("linkinfo", {})["info_data"] = {
                key: value for key, value in data.items() if not key.endswith("_timer")
            }
        return {**state, "settings": settings}


@contextmanager
def cabled(folder: Path) -> Iterator[Node]:
    """Give a node that has all its addresses, and take both hosts away again."""
    cut()
    try:
        for name in (NODE, PEER):
            run("ip", "netns", "add", name)
            at(name, "link", "set", "lo", "up")
        plug()
        yield Node(folder)
    finally:
        cut()


def plug() -> None:
    """Connect the node with its neighbour, and set both up."""
    at(NODE, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", PEER)
    at(PEER, "address", "add", "192.0.2.1/24", "dev", "eth0")
    at(PEER, "address", "add", "2001:db8::1/64", "dev", "eth0", "nodad")
    at(PEER, "link", "set", "eth0", "up")
    configure()


def configure() -> None:
    """Give the node's interface what a host's network configuration gives it, and some rare things."""
    run("ip", "netns", "exec", NODE, "sh", "-c", "echo 2 >/proc/sys/net/ipv4/conf/eth0/rp_filter")
    at(NODE, "link", "set", "eth0", "up")
    for words in (
        "address add 192.0.2.11/24 broadcast + dev eth0",
        "address add 192.0.2.12/24 dev eth0 label eth0:1",
        "address add 198.51.100.1 peer 198.51.100.2/32 dev eth0 metric 77",
        "address add 2001:db8::12/64 dev eth0 nodad",
        "address add 2001:db8::11/64 dev eth0",
    ):
        at(NODE, *words.split())
    wait_for_addresses()
    for words in (
        "route add 0.0.0.0/0 via 192.0.2.1 proto static metric 100 mtu 1400 src 192.0.2.12",
        "route add 203.0.113.0/25 dev eth0 scope link proto 77",
        "route add 203.0.113.128/25 via 203.0.113.9 dev eth0 table 77 onlink",
        "route add ::/0 via 2001:db8::1 dev eth0 proto static metric 512",
        "route add 2001:db8:7::/64 via fe80::1 dev eth0 src 2001:db8::12",
        "neighbour add 192.0.2.77 lladdr 02:00:00:00:00:77 nud permanent dev eth0",
        "neighbour add proxy 192.0.2.44 dev eth0",
        "rule add from 203.0.113.0/24 table 77 priority 500",
    ):
        at(NODE, *words.split())


def wait_for_addresses() -> None:
    for _ in range(50):
        if "tentative" not in at(NODE, "address", "show", "dev", "eth0"):
            return
        time.sleep(0.1)
    raise AssertionError("addresses stay tentative")


def cut() -> None:
    for name in (NODE, PEER):
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def answers(address: str) -> bool:
    """Tell whether the neighbour reaches the node."""
    command = ["ip", "netns", "exec", PEER, "ping", "-c1", "-W1", address]
    return any(subprocess.run(command, check=False, capture_output=True).returncode == 0 for _ in range(3))


def names_with(address: str) -> list[str]:
    shown = json.loads(at(NODE, "-json", "address", "show"))
    return [
        link["ifname"]
        for link in shown
        if link and any(one.get("local") == address for one in link["addr_info"])
    ]
