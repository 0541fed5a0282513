"""Each kind of thing that a role makes goes by its name or pattern; one of others that looks alike stays."""

import json
from pathlib import Path

import pytest
from node_reset_host import CONTAINERD, NETWORK, TASKS, ClusterHost, note_pod, request, reset_with_a_kill
from node_state_host import Json, Ran, apply, unit_text

from flatnet.host.reset.request import Request
from flatnet.host.reset.run import reset

OWNER, STAYING = "cni_example", "cni_staying"
ROUTES: dict[str, list[Json]] = {
    "4": [
        {"dst": "10.200.1.0/24", "gateway": "192.0.2.12", "dev": "eth0", "protocol": "80"},
        {"dst": "10.200.2.5", "dev": "cali1234", "protocol": "3"},
        {"type": "6", "dst": "10.200.0.0/26", "dev": "lo", "protocol": "80"},
        {"dst": "10.9.0.0/16", "dev": "eth0", "table": "77", "protocol": "4", "metric": 5},
        # Of others.
        {"type": "6", "dst": "198.51.100.0/24", "protocol": "4"},
        {"dst": "203.0.113.0/24", "dev": "eth0"},
        {"dst": "192.0.2.0/24", "dev": "eth0", "protocol": "2"},
        {"dst": "10.9.0.0/16", "dev": "eth0", "table": "78", "protocol": "4"},
    ],
    "6": [
        {"dst": "2001:db8:1::/64", "gateway": "2001:db8::12", "dev": "eth0", "protocol": "80"},
        {"dst": "2001:db8:9::/64", "dev": "eth0", "protocol": "9"},
    ],
}
RULES: list[Json] = [
    {"priority": 0, "src": "all", "table": "255"},
    {"priority": 100, "src": "10.200.0.0", "srclen": 16, "table": "77"},
    {"priority": 100, "src": "10.9.0.0", "srclen": 16, "table": "78"},
    {"priority": 101, "not": None, "src": "all", "fwmark": "0x1", "fwmask": "0xff", "table": "77"},
    {"priority": 32766, "src": "all", "table": "254"},
]
ADDRESSES: list[Json] = [
    {
        "ifname": "eth0",
        "addr_info": [{"local": "169.254.1.1", "prefixlen": 32}, {"local": "192.0.2.11", "prefixlen": 24}],
    }
]
LEGACY = """\
*filter
:FORWARD ACCEPT [0:0]
:cali-FORWARD - [0:0]
:cal-of-others - [0:0]
-A FORWARD -m comment --comment "to cali-FORWARD" -j cal-of-others
-A FORWARD -j cali-FORWARD
COMMIT
"""
NFT = LEGACY.replace("*filter", "*nat")


class KernelHost(ClusterHost):
    """A host with things of an owner and of others in every part of the kernel."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.saves = {"iptables-legacy-save": LEGACY, "iptables-nft-save": NFT, "ip6tables-nft-save": ""}
        self.sets = {"cali40all": ["cali40one"], "cali40one": [], "others": [], "cal": []}
        self.filters = [{"pref": 1, "kind": "bpf"}, {"pref": 2, "kind": "flower"}]
        self.batches: dict[str, list[str]] = {}

    def run(self, arguments: list[str], text: str | None = None, changes: bool = True) -> Ran:
        line = " ".join(arguments)
        if (changes and arguments[0] in ("ipset", "tc", "ip")) or "restore" in arguments[0]:
            self.step(line)
            self.inputs[line] = text or ""
        if arguments[0] in self.saves:
            return Ran(0, self.saves[arguments[0]], "")
        if arguments[0].endswith("-restore"):
            return Ran(0, "", "")
        if arguments[0] == "ipset":
            return self._ipset(arguments[1:])
        if arguments[0] == "tc":
            shown = (
                [{"kind": "clsact"}] if "qdisc" in arguments else self.filters if "ingress" in line else []
            )
            return Ran(0, json.dumps(shown if "show" in arguments else []), "")
        if arguments[0] == "ip" and "-Numeric" in arguments:
            listed = {"route": ROUTES[line[4]], "rule": RULES, "address": ADDRESSES}[arguments[4]]
            return Ran(0, json.dumps([] if line[4] == "6" and listed is not ROUTES["6"] else listed), "")
        if arguments[0] == "ip" and arguments[3:4] == ["-batch"]:
            self.batches.setdefault(line[4], []).extend((text or "").splitlines())
            return Ran(0, "", "")
        if line.startswith("ip -json link show"):
            return Ran(0, json.dumps([{"ifname": arguments[-1], "xdp": {"mode": 1}}]), "")
        if line.startswith("ip link set"):
            return Ran(0, "", "")
        return super().run(arguments, text, changes)

    def _ipset(self, arguments: list[str]) -> Ran:
        if arguments[0] == "list":
            return Ran(0, "\n".join(["cali40one", "others", "cali40all", "cal", ""]), "")
        if any(arguments[1] in members for members in self.sets.values()):
            return Ran(1, "", "Set cannot be destroyed: it is in use by a kernel component")
        del self.sets[arguments[1]]
        return Ran(0, "", "")

    def give_interface(self, name: str) -> Path:
        """Make an interface."""
        path = self.root / "sys/class/net" / name
        path.mkdir()
        return path


@pytest.fixture(name="host")
def make_host(tmp_path: Path) -> KernelHost:
    """Return a host on which the owner, and another one that stays, have applied something."""
    host = KernelHost(tmp_path / "host")
    for name in (OWNER, STAYING):
        apply(host, name=name, units=[{"name": f"{name.replace('_', '-')}.service", "content": unit_text()}])
    host.steps.clear()
    return host


def removed(host: KernelHost, kind: str, asked: Request) -> list[str]:
    """Return what a removal takes of a kind; a check before tells the same and changes nothing."""
    predicted = reset(host, asked, check=True)
    assert host.steps == []
    done = reset(host, asked)
    assert predicted["changes"] == done["changes"]
    return [change["item"] for change in done["changes"] if change["kind"] == kind]


def owner(**makes: object) -> Request:
    """Return a request to remove the owner that makes this, beside one that stays."""
    return request(others={STAYING: {}}, **{OWNER: dict(makes)})


def test_routes_go_by_protocol_device_type_and_table(host: KernelHost) -> None:
    declared = [
        {"protocol": 80},
        {"device": "cali*"},
        {"table": 77, "type": "unicast"},
        {"type": "blackhole", "protocol": "bird"},
    ]
    assert removed(host, "route", owner(routes=declared)) == [
        "10.200.1.0/24 of eth0",
        "10.200.2.5 of cali1234",
        "blackhole 10.200.0.0/26 of lo",
        "10.9.0.0/16 of eth0 in table 77",
        "2001:db8:1::/64 of eth0",
    ]
    assert host.batches["4"] == [
        "route delete 10.200.1.0/24 table 254 proto 80 dev eth0",
        "route delete 10.200.2.5 table 254 proto 3 dev cali1234",
        "route delete blackhole 10.200.0.0/26 table 254 proto 80 dev lo",
        "route delete 10.9.0.0/16 table 77 proto 4 dev eth0 metric 5",
    ]


def test_a_named_protocol_and_table_are_looked_up_as_ip_does(host: KernelHost) -> None:
    host.put("etc/iproute2/rt_protos.d/example.conf", "# example\n80\texample\n")
    host.put("usr/share/iproute2/rt_tables", "77 pods\n")
    declared = [{"protocol": "example", "type": "blackhole"}, {"table": "pods"}]
    expected = ["blackhole 10.200.0.0/26 of lo", "10.9.0.0/16 of eth0 in table 77"]
    assert removed(host, "route", owner(routes=declared)) == expected


def test_what_the_kernel_made_of_an_interface_is_not_removed_by_that_interface(host: KernelHost) -> None:
    assert "192.0.2.0/24 of eth0" not in removed(host, "route", owner(routes=[{"device": "eth0"}]))


def test_routes_of_an_interface_that_goes_go_with_it(host: KernelHost) -> None:
    host.give_interface("cali1234")
    asked = owner(routes=[{"device": "cali*"}], interfaces={"pods": {"name": "cali*", "carries": "own_pods"}})
    assert removed(host, "route", asked) == []
    assert host.batches == {}


def test_routes_on_record_are_told_of_once_and_those_of_an_owner_who_stays_stay(host: KernelHost) -> None:
    for name, number in ((OWNER, 1), (STAYING, 2)):
        apply(host, name=name, routes=[{"destination": f"10.200.{number}.0/24", "gateway": "192.0.2.12"}])
    host.steps.clear()
    ROUTES["4"].extend(
        {"dst": f"10.200.{number}.0/24", "dev": "eth0", "protocol": "157"} for number in (1, 2, 3)
    )
    try:
        told = removed(host, "route", owner(routes=[{"protocol": 157}]))
    finally:
        del ROUTES["4"][-3:]
    assert told == ["10.200.1.0/24", "10.200.3.0/24 of eth0"]


def test_rules_go_with_all_that_tells_them_from_others(host: KernelHost) -> None:
    expected = ["priority 100 from 10.200.0.0/16 table 77", "not priority 101 fwmark 0x1/0xff table 77"]
    assert removed(host, "rule", owner(rules=[{"table": 77}])) == expected
    assert host.batches["4"] == [f"rule delete {rule}" for rule in expected]


def test_a_rule_that_an_owner_who_stays_declares_as_well_stays(host: KernelHost) -> None:
    both = {"rules": [{"priority": 100, "table": 77}]}
    asked = request(others={STAYING: both}, **{OWNER: both})
    assert removed(host, "rule", asked) == []


def test_addresses_on_interfaces_of_others_go(host: KernelHost) -> None:
    asked = owner(addresses=["169.254.1.1/32"])
    assert removed(host, "address", asked) == ["169.254.1.1/32 of eth0"]
    assert host.batches == {"4": ["address delete 169.254.1.1/32 dev eth0"]}


def test_chains_of_both_variants_go_and_not_those_that_begin_alike(host: KernelHost) -> None:
    assert removed(host, "chain", owner(chains=["cali-*"])) == [
        "iptables-legacy filter cali-FORWARD",
        "iptables-nft nat cali-FORWARD",
    ]
    for variant, table in (("legacy", "filter"), ("nft", "nat")):
        script = host.inputs[f"iptables-{variant}-restore --noflush --wait"]
        assert script.splitlines()[0] == f"*{table}"
        assert "others" not in script


def test_tables_of_nftables_go_by_pattern_in_their_family(host: KernelHost) -> None:
    host.kernel.tables = dict.fromkeys(["ip weave-a", "ip6 weave-a", "ip weav", "inet weave-a"], "")
    asked = owner(tables=[{"family": "ip", "name": "weave-*"}, {"family": "ip6", "name": "weave-*"}])
    assert removed(host, "table", asked) == ["ip weave-a", "ip6 weave-a"]
    assert host.kernel.tables.keys() == {"ip weav", "inet weave-a"}


def test_a_table_that_pods_of_others_use_stays(host: KernelHost) -> None:
    host.kernel.tables = {"ip cni_hostport": "chain x { tcp dport 80 dnat to 10.9.0.1:80 }"}
    asked = owner(tables=[{"family": "ip", "name": "cni_hostport", "kept_while": "dnat"}])
    assert removed(host, "table", asked) == []
    host.kernel.tables = {"ip cni_hostport": "chain x { }"}
    apply(host, name=OWNER, directories=[{"path": "/etc/example"}])
    host.steps.clear()
    assert removed(host, "table", asked) == ["ip cni_hostport"]


def test_sets_go_and_a_set_of_sets_before_what_is_in_it(host: KernelHost) -> None:
    assert removed(host, "ipset", owner(ipsets=["cali40*"])) == ["cali40one", "cali40all"]
    assert host.sets.keys() == {"others", "cal"}


def test_interfaces_go_by_pattern_and_devices_never(host: KernelHost) -> None:
    ours, alike, device = (
        host.give_interface("cali1"),
        host.give_interface("cal1"),
        host.give_interface("cali2"),
    )
    (device / "device").mkdir()
    pattern = {"pods": {"name": "cali*", "carries": "own_pods"}}
    assert removed(host, "interface", owner(interfaces=pattern)) == ["cali1"]
    assert (ours.exists(), alike.exists(), device.exists()) == (False, True, True)


def test_an_interface_of_an_owner_who_stays_stays(host: KernelHost) -> None:
    shared, own = host.give_interface("ex0"), host.give_interface("ex1")
    bridge = {"bridge": {"name": "ex0", "carries": "own_pods"}}
    asked = request(
        others={STAYING: {"interfaces": bridge}},
        **{OWNER: {"interfaces": {"all": {"name": "ex*", "carries": "own_pods"}}}},
    )
    assert removed(host, "interface", asked) == ["ex1"]
    assert (shared.exists(), own.exists()) == (True, False)


def test_what_is_named_goes_from_under_a_pattern_of_one_who_stays(host: KernelHost) -> None:
    host.give_interface("ex0")
    asked = request(
        others={STAYING: {"interfaces": {"all": {"name": "ex*", "carries": "own_pods"}}}},
        **{OWNER: {"interfaces": {"one": {"name": "ex0", "carries": "own_pods"}}}},
    )
    assert removed(host, "interface", asked) == ["ex0"]


def test_a_claim_of_an_owner_without_a_record_here_counts_for_nothing(host: KernelHost) -> None:
    host.give_interface("ex0")
    bridge = {"bridge": {"name": "ex0", "carries": "own_pods"}}
    asked = request(others={"cni_elsewhere": {"interfaces": bridge}}, **{OWNER: {"interfaces": bridge}})
    assert removed(host, "interface", asked) == ["ex0"]


def test_programs_of_bpf_leave_interfaces_that_stay(host: KernelHost) -> None:
    host.give_interface("lxc1")
    host.give_interface("eth0")
    pin = host.put("sys/fs/bpf/tc/globals/cilium_calls", "")
    others = host.put("sys/fs/bpf/tc/globals/other_calls", "")
    asked = owner(bpf={"interfaces": ["lxc*"], "pins": ["/sys/fs/bpf/tc/globals/cilium_*"]})
    outcome = reset(host, asked)
    lost = [f"{change['kind']} {change['item']}" for change in outcome["changes"]]
    assert lost[-3:] == [
        "XDP program lxc1",
        "tc program lxc1 ingress 1",
        "pinned object /sys/fs/bpf/tc/globals/cilium_calls",
    ]
    assert "tc filter delete dev lxc1 ingress pref 1" in host.steps
    assert (pin.exists(), others.exists()) == (False, True)


def test_mounts_go_the_deepest_first(host: KernelHost) -> None:
    places = ("/run/example/ns", "/run/example/ns/1", "/run/example-2")
    host.put("proc/self/mounts", "\n".join(f"tmpfs {place} tmpfs rw 0 0" for place in places))
    assert removed(host, "mount", owner(mounts=["/run/example/ns"])) == [
        "/run/example/ns/1",
        "/run/example/ns",
    ]


def test_directories_of_an_owner_who_stays_stay(host: KernelHost) -> None:
    for path in ("var/lib/example/a", "var/lib/shared/a", "var/lib/staying-1/a"):
        host.put(path, "")
    asked = request(
        others={STAYING: {"directories": ["/var/lib/shared", "/var/lib/staying-*"]}},
        **{OWNER: {"directories": ["/var/lib/example", "/var/lib/shared"]}},
    )
    assert removed(host, "data", asked) == ["/var/lib/example"]


def test_a_directory_in_which_an_owner_who_stays_has_a_file_on_record_stays(host: KernelHost) -> None:
    apply(host, name=STAYING, files=[{"path": "/var/lib/example/file", "content": ""}])
    host.steps.clear()
    assert removed(host, "data", owner(directories=["/var/lib/example"])) == []


# The kubelet stays, and its pods with it.


def networked(others: Json | None = None) -> Request:
    """Return a request to remove a pod network alone."""
    staying: dict[str, Json] = {
        "kube_node": {"container_namespaces": ["k8s.io"]},
        "container_runtime": {"containerd": CONTAINERD},
        **({STAYING: others} if others else {}),
    }
    makes = {"pod_networks": [NETWORK], "directories": ["/var/lib/cni/results/flatnet-*"]}
    return request(others=staying, **{OWNER: makes})


@pytest.fixture(name="node")
def make_node(host: KernelHost) -> KernelHost:
    """Return a node with one pod of the network, whose container runs beside that of another pod."""
    for name in ("kube_node", "container_runtime"):
        apply(host, name=name, units=[{"name": f"{name.replace('_', '-')}.service", "content": unit_text()}])
    configuration = {"path": "/etc/cni/net.d/10-example.conflist", "content": "{}"}
    apply(host, name=OWNER, files=[configuration])
    note_pod(host)
    for container in ("c1", "host-network"):
        (host.root / TASKS / container).mkdir(parents=True)
    host.steps.clear()
    return host


def told(outcome: Json) -> set[str]:
    """Return the changes as lines."""
    return {f"{change['kind']} {change['item']} {change['action']}" for change in outcome["changes"]}


def test_pods_that_stay_are_detached_and_begin_anew(node: KernelHost) -> None:
    asked = networked()
    predicted = told(reset(node, asked, check=True))
    assert node.steps == []
    assert predicted == {
        "directory /etc/cni remove",
        "directory /etc/cni/net.d remove",
        "file /etc/cni/net.d/10-example.conflist remove",
        "pod network c1 eth0 remove",
        "pod c1 restart",
        "network namespace cni-1 remove",
    }
    assert told(reset(node, asked)) == predicted
    steps = [step.split()[0] for step in node.steps]
    # No new pod comes to the network while the old ones leave it.
    assert steps.index("discard") < steps.index("env") < steps.index("/usr/local/bin/ctr")
    assert "/usr/local/bin/ctr --namespace=k8s.io tasks kill --signal=SIGKILL c1" in node.steps
    assert "kube-node.service" in node.systemd.running
    assert (node.root / TASKS / "host-network").exists()


def test_a_configuration_that_programs_wrote_goes_before_pods_are_detached(node: KernelHost) -> None:
    written, others = (
        node.put(f"etc/cni/net.d/{name}.conflist", "{}") for name in ("05-example", "05-others")
    )
    asked = networked()
    asked.owners[0].makes["directories"] += ["/etc/cni/net.d/05-example*", "/etc/cni/net.d/"]
    predicted = told(reset(node, asked, check=True))
    assert told(reset(node, asked)) == predicted
    steps = [step.partition(" ") for step in node.steps]
    assert steps.index(("discard", " ", "/etc/cni/net.d/05-example.conflist")) < [
        first for first, *_ in steps
    ].index("env")
    assert (written.exists(), others.exists()) == (False, True)


def test_pods_of_a_network_that_another_backend_here_has_too_stay_attached(node: KernelHost) -> None:
    outcome = reset(node, networked({"pod_networks": [NETWORK]}))
    kinds = {change["kind"] for change in outcome["changes"]}
    assert not kinds & {"pod network", "network namespace", "pod"}


@pytest.mark.parametrize("moment", range(1, 20))
def test_after_a_kill_at_any_moment_the_next_removal_of_the_network_arrives(
    moment: int, node: KernelHost
) -> None:
    reset_with_a_kill(node, networked(), moment)
    assert not (node.root / "etc/cni").exists()
    assert not (node.root / "var/lib/cni/results/flatnet-c1-eth0").exists()
    assert not (node.root / f"var/lib/flatnet/state/{OWNER}.json").exists()
    assert (node.root / "var/lib/flatnet/state/kube_node.json").exists()
    assert not (node.root / "var/lib/flatnet/reset.json").exists()


def test_a_removal_that_was_cut_short_waits_while_another_owner_is_removed(host: KernelHost) -> None:
    host.put("var/lib/example/a", "")
    host.put("proc/self/mounts", "tmpfs /var/lib/example/a tmpfs rw 0 0")
    host.refused.add("umount")
    first = owner(directories=["/var/lib/example"])
    with pytest.raises(Exception, match="cannot be unmounted"):
        reset(host, first)
    host.refused.clear()
    reset(host, request(**{STAYING: {}}))
    assert (host.root / "var/lib/flatnet/reset.json").exists()
    assert removed_again(host, first) == ["/var/lib/example"]
    assert not (host.root / "var/lib/flatnet").exists()


def removed_again(host: KernelHost, asked: Request) -> list[str]:
    """Return the data that a second run takes."""
    return [change["item"] for change in reset(host, asked)["changes"] if change["kind"] == "data"]
