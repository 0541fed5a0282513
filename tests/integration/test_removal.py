"""Routes, rules, addresses and interfaces of a real kernel, in a network namespace of the test's own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINKS = [
    "link set lo up",
    "link add cali1 type veth peer name pod",
    "link set cali1 up",
    "link add cal1 type bridge",
    "link set cal1 up",
    "link add ex0 type bridge",
    "link set ex0 up",
    "address add 192.0.2.1/24 dev cal1",
    "-6 address add 2001:db8::1/64 dev cal1 nodad",
]
OURS = [
    "address add 169.254.1.1/32 dev cal1",
    "route add 10.200.1.0/24 via 192.0.2.2 proto 80",
    "route add default via 192.0.2.3 proto 80",
    "route add 10.5.0.0/16 proto 80 nexthop via 192.0.2.2 nexthop via 192.0.2.3",
    "route add blackhole 10.200.0.0/26 proto bird",
    "route add 10.9.0.0/16 dev cal1 table 77 metric 5",
    "route add throw 10.3.0.0/16 table 77",
    "route add 10.250.0.6 dev ex0 proto static",
    "-6 route add 2001:db8:1::/64 via 2001:db8::2 proto 80",
    "-6 route add blackhole 2001:db8:9::/64 proto 80",
    "rule add priority 100 from 10.200.0.0/16 lookup 77",
    "rule add not fwmark 0x1/0xff priority 101 lookup 77",
    "rule add iif cal1 priority 102 to 10.1.2.3 lookup 77",
    "rule add priority 103 unreachable from 10.77.0.0/16",
    "-6 rule add priority 100 from 2001:db8:5::/64 lookup 77",
]
OTHERS = [
    "address add 169.254.1.2/32 dev cal1",
    "route add unreachable 198.51.100.0/24 proto static",
    "route add blackhole 10.66.0.0/16 proto 158",
    "route add 10.9.0.0/16 dev cal1 table 78",
    "-6 route add blackhole 2001:db8:66::/64",
    "rule add priority 100 from 10.9.0.0/16 lookup 78",
    "-6 rule add priority 100 from 2001:db8:5::/64 lookup 78",
]
MAKES = {
    "routes": [{"protocol": 80}, {"protocol": "bird"}, {"table": 77}, {"device": "ex*"}],
    "rules": [{"table": 77}, {"priority": 103}],
    "addresses": ["169.254.1.1/32"],
    "interfaces": {"pods": {"name": "cali*", "carries": "own_pods"}},
}
# Runs inside: sets up, looks, removes, looks; prints both looks, what was told, and what a second time tells.
INSIDE = """
import json, subprocess, sys
from flatnet.host.reset.claims import Claims
from flatnet.host.reset.links import going_interfaces, remove_interfaces
from flatnet.host.reset.request import Outcome, Owner
from flatnet.host.reset.routing import remove_addresses, remove_routes, remove_rules
from flatnet.host.state.host import Host

given = json.loads(sys.stdin.read())
def ip(words):
    return subprocess.run(["ip", *words.split()], check=True, capture_output=True, text=True).stdout
def look():
    shown = ("route show table all", "-6 route show table all", "rule", "-6 rule", "-o address")
    # What an address' or an interface's life has to do with time is left out.
    return [line.split("valid_lft")[0] for words in shown for line in ip(words).splitlines()]
def remove(check):
    host, outcome = Host(), Outcome()
    names = going_interfaces(host, claims) if given["interfaces"] else []
    remove_interfaces(host, names, outcome, check)
    remove_addresses(host, claims, set(names), outcome, check)
    remove_rules(host, claims, outcome, check)
    remove_routes(host, claims, set(), set(names), outcome, check)
    return [*map(str, outcome.changes), *outcome.problems]
claims = Claims([Owner("example", "middle", given["makes"])], [])
for words in (*given["links"], *given["others"]):
    ip(words)
before = look()
for words in given["ours"]:
    ip(words)
print(json.dumps([before, remove(True), remove(False), look(), remove(False)]))
"""


@pytest.fixture(name="looks")
def make_looks(request: pytest.FixtureRequest) -> list[list[str]]:
    """Return what is there before ours, what a check and a removal tell, what is left, what is told then."""
    given = {"links": LINKS, "ours": OURS, "others": OTHERS, "makes": MAKES, "interfaces": request.param}
    # The names of interfaces in /sys are those of the namespace that mounted it.
    script = 'mount -t sysfs sysfs /sys && exec "$0" -c "$1"'
    ran = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", script, sys.executable, INSIDE],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert ran.returncode == 0, ran.stderr
    looks: list[list[str]] = json.loads(ran.stdout)
    return looks


@pytest.mark.parametrize("looks", [False], indirect=True)
def test_all_of_an_owner_goes_and_all_of_others_stays(looks: list[list[str]]) -> None:
    before, predicted, told, after, again = looks
    assert after == before
    assert told == predicted
    assert len(told) == len(OURS)
    assert again == []


@pytest.mark.parametrize("looks", [True], indirect=True)
def test_interfaces_go_by_their_pattern(looks: list[list[str]]) -> None:
    _, predicted, told, after, again = looks
    assert told == predicted
    assert told[0] == "interface cali1: remove"
    assert not any("cali1" in line for line in after)
    assert len(told) == len(OURS) + 1
    assert any(" ex0 " in line for line in after)
    assert again == []
