"""What kube-proxy and the kubelet set in the kernel goes, and what others set there stays."""

from pathlib import Path

import pytest
from node_reset_host import ClusterHost
from node_state_host import Ran, StateError, apply, unit_text

from flatnet.contract import find_contracts
from flatnet.host.reset.request import Request
from flatnet.host.reset.run import reset
from flatnet.removal import removal

CONTRACTS = find_contracts([Path(__file__).parents[4] / "roles"])
PROXY_REQUEST = Request.from_wire(
    {
        **removal(CONTRACTS, ["kube_node", "kube_proxy", "node_programs"]),
        "programs_directory": "/usr/local/bin",
        "cni_programs_directory": "/opt/cni/bin",
    }
)
OTHERS = """\
*mangle
:PREROUTING ACCEPT [0:0]
:OTHERS - [0:0]
-A PREROUTING -j OTHERS
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -m comment --comment "to KUBE-SERVICES of others" -j MASQUERADE
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OTHERS - [0:0]
-A INPUT -j OTHERS
-A OTHERS -j RETURN
COMMIT
"""
# Chains as kube-proxy 1.36 (pkg/proxy/iptables and pkg/proxy/ipvs) and its kubelet name them, by table.
CHAINS = {
    "mangle": ["KUBE-PROXY-CANARY", "KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT"],
    "nat": [
        *("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ", "KUBE-PROXY-CANARY"),
        *("KUBE-SVC-NPX46M4PTMTKRN6Y", "KUBE-SVL-NPX46M4PTMTKRN6Y", "KUBE-FW-NPX46M4PTMTKRN6Y"),
        *("KUBE-EXT-NPX46M4PTMTKRN6Y", "KUBE-SEP-V2LQAEDHNTVGPHZF", "KUBE-NODE-PORT", "KUBE-LOAD-BALANCER"),
    ],
    "filter": [
        *("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-FORWARD", "KUBE-NODEPORTS", "KUBE-PROXY-FIREWALL"),
        *("KUBE-PROXY-CANARY", "KUBE-FIREWALL", "KUBE-NODE-PORT", "KUBE-SOURCE-RANGES-FIREWALL"),
        *("KUBE-IPVS-FILTER", "KUBE-IPVS-OUT-FILTER"),
    ],
}
RULES = {
    "mangle": [],
    "nat": [
        '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING',
        "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS",
        "-A KUBE-SVC-NPX46M4PTMTKRN6Y -j KUBE-SEP-V2LQAEDHNTVGPHZF",
    ],
    "filter": [
        '-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS',
        '-A FORWARD -m conntrack --ctstate NEW -m comment --comment "service portals" -j KUBE-SERVICES',
        "-A INPUT -j KUBE-FIREWALL",
        "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP",
    ],
}


def with_kubernetes(saved: str) -> str:
    """Add the chains and rules of Kubernetes to what iptables-save prints."""
    lines = []
    for line in saved.splitlines():
        lines.append(line)
        if line.startswith("*"):
            table = line[1:]
            lines += [f":{chain} - [0:0]" for chain in CHAINS[table]] + RULES[table]
    return "\n".join([*lines, ""])


class RulesHost(ClusterHost):
    """A host with iptables of both families, which does what it is told line by line."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.rules = {"iptables": with_kubernetes(OTHERS), "ip6tables": with_kubernetes(OTHERS)}

    def run(self, arguments: list[str], text: str | None = None, changes: bool = True) -> Ran:
        program, _, verb = arguments[0].partition("-")
        if program not in self.rules:
            return super().run(arguments, text, changes)
        if verb not in ("save", "restore"):
            return Ran(127, "", f"{arguments[0]} is not installed on this host")
        self.commands.append(arguments)
        if verb == "save":
            return Ran(0, self.rules[program], "")
        assert "--noflush" in arguments
        self.step(" ".join(arguments))
        self.rules[program] = restored(self.rules[program], text or "")
        return Ran(0, "", "")


def restored(saved: str, script: str) -> str:
    """Return what is saved after iptables-restore --noflush has read a script."""
    lines, table = [line for line in saved.splitlines() if line], ""
    where: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("*"):
            table = line
        where.setdefault(table, []).append(line)
    for line in script.splitlines():
        if line.startswith("*"):
            table = line
        elif line.startswith(":"):
            where[table] = [
                rule for rule in where[table] if not rule.startswith(f"-A {line[1:].split()[0]} ")
            ]
        elif line.startswith("-D"):
            where[table].remove(f"-A{line[2:]}")
        elif line.startswith("-X"):
            chain = line.split()[1]
            assert not [rule for rule in where[table] if rule.endswith(f"-j {chain}")], f"{chain} is in use"
            where[table] = [rule for rule in where[table] if not rule.startswith(f":{chain} ")]
    return "\n".join([*(line for table in where for line in where[table]), ""])


@pytest.fixture(name="host")
def make_host(tmp_path: Path) -> RulesHost:
    """Return a node whose kube-proxy has left chains in all tables of both families."""
    host = RulesHost(tmp_path / "host")
    program = {"path": "/usr/local/bin/kube-proxy", "content": "program", "mode": "0755"}
    apply(host, name="node_programs", files=[program])
    apply(host, name="kube_proxy", units=[{"name": "kube-proxy.service", "content": unit_text()}])
    host.steps.clear()
    return host


@pytest.fixture(name="device")
def make_device(host: RulesHost) -> Path:
    """Return the interface that kube-proxy makes in ipvs mode."""
    device = host.root / "sys/class/net/kube-ipvs0"
    device.mkdir()
    return device


def cleanups(host: RulesHost) -> list[list[str]]:
    """Return the calls of kube-proxy."""
    return [command for command in host.commands if command[0].endswith("/kube-proxy")]


def test_without_kube_proxys_cleanup_no_chain_or_table_of_kubernetes_is_left(host: RulesHost) -> None:
    tables = {"ip kube-proxy": "table", "ip6 kube-proxy": "table"}
    host.kernel.tables = {**tables, "inet others": "table"}
    reset(host, PROXY_REQUEST)
    assert host.rules == {"iptables": OTHERS, "ip6tables": OTHERS}
    assert host.kernel.tables == {"inet others": "table"}


def test_virtual_servers_of_others_stay_where_kube_proxy_had_none(host: RulesHost) -> None:
    reset(host, PROXY_REQUEST)
    assert cleanups(host) == []


def test_in_ipvs_mode_kube_proxy_cleans_up_after_it_has_stopped(host: RulesHost, device: Path) -> None:
    outcome = reset(host, PROXY_REQUEST)
    assert cleanups(host) == [["/usr/local/bin/kube-proxy", "--cleanup"]]
    assert host.steps.index("systemctl stop kube-proxy.service") < host.steps.index(
        "/usr/local/bin/kube-proxy --cleanup"
    )
    assert not device.exists()
    assert host.rules == {"iptables": OTHERS, "ip6tables": OTHERS}
    assert {"kind": "virtual servers", "item": "all of IPVS", "action": "remove"} in outcome["changes"]


@pytest.mark.usefixtures("device")
def test_check_mode_tells_that_ipvs_is_flushed(host: RulesHost) -> None:
    predicted = reset(host, PROXY_REQUEST, check=True)
    assert (cleanups(host), host.steps) == ([], [])
    told = [(change["kind"], change["item"]) for change in predicted["changes"]]
    assert ("virtual servers", "all of IPVS") in told
    assert told == [(change["kind"], change["item"]) for change in reset(host, PROXY_REQUEST)["changes"]]


def test_what_kube_proxys_cleanup_leaves_is_named(host: RulesHost, device: Path) -> None:
    host.refused.add("--cleanup")
    with pytest.raises(StateError, match=r"interface kube-ipvs0 and the virtual servers .*: refused; take"):
        reset(host, PROXY_REQUEST)
    device.rmdir()
    reset(host, PROXY_REQUEST)
    assert not (host.root / "var/lib/flatnet").exists()
