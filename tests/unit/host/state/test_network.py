from pathlib import Path
from typing import Any

import pytest
from node_state_host import FakeHost, StateError, apply, tree

from flatnet.host.state.digests import digest_of

ROUTES = [
    {"destination": "198.51.100.0/24", "gateway": "192.0.2.12"},
    {"destination": "2001:db8:2::/64", "gateway": "2001:db8::12", "device": "eth0", "metric": 50},
]
TABLE = {"family": "inet", "table": "flatnet", "content": "chain c {\n}"}


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path / "host")


def changes(outcome: dict[str, Any], kind: str) -> list[str]:
    return [
        f"{change['item']} {change['action']}: {change['reason']}"
        for change in outcome["changes"]
        if change["kind"] == kind
    ]


# Routes


def test_routes_are_set_in_one_batch_and_come_back_after_a_boot(host: FakeHost) -> None:
    outcome = apply(host, routes=ROUTES)
    assert changes(outcome, "route") == ["198.51.100.0/24 add: missing", "2001:db8:2::/64 add: missing"]
    lines = (
        "route replace 198.51.100.0/24 via 192.0.2.12 proto 157\n"
        "route replace 2001:db8:2::/64 via 2001:db8::12 dev eth0 metric 50 proto 157\n"
    )
    assert (host.root / "etc/flatnet/routes/example.batch").read_text() == lines
    unit = (host.root / "etc/systemd/system/flatnet-routes-example.service").read_text()
    assert "After=network-online.target systemd-networkd.service\n" in unit
    # A restart of systemd-networkd, which removes routes of others, is one of an active unit of ours too.
    assert "PartOf=systemd-networkd.service\n" in unit
    assert "WantedBy=multi-user.target systemd-networkd.service\n" in unit
    assert "\nExecStart=/usr/sbin/ip -force -batch /etc/flatnet/routes/example.batch\n" in unit
    assert host.systemd.enabled == {"flatnet-routes-example.service"}
    assert set(host.systemd.running) == {"flatnet-routes-example.service"}
    assert [command for command in host.commands if "-batch" in command] == [["ip", "-batch", "-"]]
    assert apply(host, routes=ROUTES)["changes"] == []


def test_only_the_families_concerned_are_read(host: FakeHost) -> None:
    apply(host, routes=ROUTES[:1])
    assert [command[1] for command in host.commands if command[0] == "ip" and "show" in command] == ["-4"]


def test_a_route_that_was_altered_or_removed_is_repaired(host: FakeHost) -> None:
    apply(host, routes=ROUTES)
    host.kernel.ip(["-batch", "-"], "route replace 198.51.100.0/24 via 192.0.2.99 proto 157\n")
    del host.kernel.routes["2001:db8:2::/64", 50]
    outcome = apply(host, routes=ROUTES)
    assert changes(outcome, "route") == [
        "198.51.100.0/24 replace: is `198.51.100.0/24 via 192.0.2.99 dev eth0 proto 157`",
        "2001:db8:2::/64 add: missing",
    ]
    assert host.kernel.routes["198.51.100.0/24", 0]["gateway"] == "192.0.2.12"


def test_a_route_that_refuses_packets_is_set_recognised_and_put_back(host: FakeHost) -> None:
    refusal = {"destination": "198.51.100.0/24", "type": "unreachable"}
    six = {"destination": "2001:db8:2::/64", "type": "unreachable"}
    outcome = apply(host, routes=[refusal])
    assert changes(outcome, "route") == ["198.51.100.0/24 add: missing"]
    lines = (host.root / "etc/flatnet/routes/example.batch").read_text()
    assert lines == "route replace unreachable 198.51.100.0/24 proto 157\n"
    assert apply(host, routes=[refusal])["changes"] == []
    outcome = apply(host, routes=ROUTES[:1])
    assert changes(outcome, "route") == [
        "198.51.100.0/24 replace: is `unreachable 198.51.100.0/24 proto 157`"
    ]
    assert changes(apply(host, routes=[refusal, six]), "route") == [
        "198.51.100.0/24 replace: is `198.51.100.0/24 via 192.0.2.12 dev eth0 proto 157`",
        "2001:db8:2::/64 add: missing",
    ]
    assert apply(host, routes=[refusal, six])["changes"] == []


def test_routes_no_longer_wanted_go_and_those_of_others_stay(host: FakeHost) -> None:
    host.kernel.ip(["-batch", "-"], "route replace 203.0.113.0/24 via 192.0.2.1 proto 157\n")
    host.kernel.ip(["-batch", "-"], "route replace 203.0.113.128/25 via 192.0.2.1 proto bird\n")
    apply(host, routes=ROUTES)
    before = dict(host.kernel.routes)
    outcome = apply(host, routes=ROUTES[1:])
    assert changes(outcome, "route") == ["198.51.100.0/24 remove: no longer wanted"]
    assert host.kernel.routes.keys() == before.keys() - {("198.51.100.0/24", 0)}
    apply(host, state="absent")
    assert host.kernel.routes.keys() == {("203.0.113.0/24", 0), ("203.0.113.128/25", 0)}
    assert not (host.root / "etc/flatnet").exists()


def test_a_route_of_somebody_else_is_not_taken_over(host: FakeHost) -> None:
    host.kernel.ip(["-batch", "-"], "route replace 198.51.100.0/24 via 192.0.2.1 proto static\n")
    with pytest.raises(StateError) as caught:
        apply(host, routes=ROUTES[:1])
    assert str(caught.value) == (
        "route 198.51.100.0/24: this host has one already, "
        "`198.51.100.0/24 via 192.0.2.1 dev eth0 proto static`, which is not flatnet's; "
        "remove it, or plan another network"
    )


def test_a_route_made_by_hand_whose_protocol_ip_does_not_tell_is_somebody_elses(host: FakeHost) -> None:
    host.kernel.routes["198.51.100.0/24", 0] = {"dst": "198.51.100.0/24", "gateway": "192.0.2.1", "flags": []}
    with pytest.raises(
        StateError, match=r"`198.51.100.0/24 via 192.0.2.1 proto boot`, which is not flatnet's"
    ):
        apply(host, routes=ROUTES[:1])


def test_a_route_that_the_kernel_refuses_is_named_and_the_others_taken_back(host: FakeHost) -> None:
    host.kernel.fail = lambda line: "Nexthop has invalid gateway" if "2001:db8:2::" in line else ""
    before = tree(host.root)
    with pytest.raises(StateError) as caught:
        apply(host, routes=ROUTES)
    assert str(caught.value) == (
        "`ip route replace 2001:db8:2::/64 via 2001:db8::12 dev eth0 metric 50 proto 157` failed: "
        "RTNETLINK answers: Nexthop has invalid gateway; a gateway has to be an address on a network to "
        "which this host is attached\nThe files and units of this host are as they were before."
    )
    assert host.kernel.routes == {}
    assert tree(host.root) == before


def test_a_host_route_and_the_default_route_are_recognised(host: FakeHost) -> None:
    routes = [
        {"destination": "198.51.100.7/32", "gateway": "192.0.2.12"},
        {"destination": "default", "gateway": "192.0.2.1", "metric": 9},
    ]
    apply(host, routes=routes)
    route = host.kernel.routes.pop(("0.0.0.0/0", 9))
    host.kernel.routes["0.0.0.0/0", 9] = {**route, "dst": "default"}
    assert apply(host, routes=routes)["changes"] == []


def test_two_owners_of_one_route_are_both_named(host: FakeHost) -> None:
    apply(host, name="first", routes=ROUTES[:1])
    with pytest.raises(
        StateError, match=r"^route 198\.51\.100\.0/24 is wanted by second and belongs to first"
    ):
        apply(host, name="second", routes=ROUTES[:1])


# Tables


def test_a_table_is_replaced_in_one_transaction_and_loaded_at_boot(host: FakeHost) -> None:
    outcome = apply(host, nftables=[TABLE])
    assert changes(outcome, "table") == ["inet flatnet load: missing"]
    assert (host.root / "etc/flatnet/nftables.d/inet-flatnet.nft").read_text() == (
        "add table inet flatnet\ndelete table inet flatnet\ntable inet flatnet {\nchain c {\n}\n}\n"
    )
    unit = (host.root / "etc/systemd/system/flatnet-nftables-example.service").read_text()
    assert "\nExecStart=/usr/sbin/nft -f /etc/flatnet/nftables.d/inet-flatnet.nft\n" in unit
    assert "\nAfter=local-fs.target nftables.service\n" in unit
    assert host.systemd.enabled == {"flatnet-nftables-example.service"}
    assert apply(host, nftables=[TABLE])["changes"] == []


@pytest.mark.parametrize("altered", ["flushed", "edited"])
def test_a_table_that_was_altered_is_loaded_again(host: FakeHost, altered: str) -> None:
    apply(host, nftables=[TABLE])
    good = dict(host.kernel.tables)
    if altered == "flushed":
        host.kernel.tables.clear()
    else:
        host.kernel.tables["inet flatnet"] += "# more"
    outcome = apply(host, nftables=[TABLE])
    reason = "missing" if altered == "flushed" else "differs from what was loaded"
    assert changes(outcome, "table") == [f"inet flatnet load: {reason}"]
    assert host.kernel.tables == good


def test_a_changed_table_is_loaded_and_one_no_longer_wanted_deleted(host: FakeHost) -> None:
    host.kernel.tables["ip nat"] = "somebody's"
    second = {"family": "ip", "table": "extra", "content": "table ip extra {\nchain d {\n}\n}"}
    apply(host, nftables=[TABLE, second])
    outcome = apply(host, nftables=[{**TABLE, "content": "chain new {\n}"}])
    assert changes(outcome, "table") == [
        "inet flatnet load: its definition changed",
        "ip extra remove: no longer wanted",
    ]
    assert host.kernel.tables == {
        "ip nat": "somebody's",
        "inet flatnet": "table inet flatnet {\nchain new {\n}\n}\n",
    }


def test_a_table_of_somebody_else_is_not_taken_over(host: FakeHost) -> None:
    host.kernel.tables["inet flatnet"] = "somebody's"
    with pytest.raises(StateError, match="table inet flatnet: this host has one already, which is not"):
        apply(host, nftables=[TABLE])
    assert host.kernel.tables == {"inet flatnet": "somebody's"}


def test_a_table_with_a_mistake_changes_nothing(host: FakeHost) -> None:
    apply(host, nftables=[TABLE])
    before = (tree(host.root), dict(host.kernel.tables))
    with pytest.raises(StateError, match=r"its new content is refused by `nft -c -f {path}`: Error: syntax"):
        apply(host, nftables=[{**TABLE, "content": "broken"}])
    assert (tree(host.root), host.kernel.tables) == before


def test_a_table_is_put_back_when_a_later_step_fails(host: FakeHost) -> None:
    apply(host, nftables=[TABLE])
    before = dict(host.kernel.tables)
    host.kernel.fail = lambda _line: "Network is unreachable"
    with pytest.raises(StateError, match="Network is unreachable"):
        apply(host, nftables=[{**TABLE, "content": "chain new {\n}"}], routes=ROUTES[:1])
    assert host.kernel.tables == before


# Sysctls


def live(host: FakeHost, key: str) -> str:
    return (host.root / "proc/sys" / key.replace(".", "/")).read_text().strip()


def test_a_sysctl_is_set_now_and_for_the_next_boot_and_put_back_at_the_end(host: FakeHost) -> None:
    outcome = apply(host, sysctls={"net.ipv4.ip_forward": 1})
    assert changes(outcome, "sysctl") == ["net.ipv4.ip_forward set: is 0, wanted 1"]
    assert live(host, "net.ipv4.ip_forward") == "1"
    path = host.root / "etc/sysctl.d/99-zz-flatnet-example.conf"
    assert path.read_text() == "net.ipv4.ip_forward = 1\n"
    assert apply(host, sysctls={"net.ipv4.ip_forward": 1})["changes"] == []
    outcome = apply(host, state="absent")
    assert changes(outcome, "sysctl") == ["net.ipv4.ip_forward restore: is 1, was 0 before"]
    assert (live(host, "net.ipv4.ip_forward"), path.exists()) == ("0", False)


def test_a_check_foresees_the_files_that_follow_from_the_state_as_well(host: FakeHost) -> None:
    state: dict[str, Any] = {"sysctls": {"net.ipv4.ip_forward": 1}, "routes": ROUTES}
    foreseen = apply(host, **state, check=True)["foreseen"]
    apply(host, **state)
    files = {path: digest for path, digest in foreseen.items() if digest != "absent"}
    assert files == {path: digest_of(host, path) for path in files}
    assert "/etc/sysctl.d/99-zz-flatnet-example.conf" in files
    assert "/etc/systemd/system/flatnet-routes-example.service" in files
    # Directories, which no unit can watch.
    assert all((host.root / path.lstrip("/")).is_dir() for path in foreseen.keys() - files.keys())


def test_a_sysctl_that_somebody_set_since_is_left_as_it_is(host: FakeHost) -> None:
    host.put("proc/sys/net/ipv4/tcp_rmem", "1\t2\t3")
    apply(host, sysctls={"net.ipv4.tcp_rmem": "4 5  6"})
    host.put("proc/sys/net/ipv4/tcp_rmem", "7\t8\t9")
    assert changes(apply(host, state="absent"), "sysctl") == []
    assert live(host, "net.ipv4.tcp_rmem") == "7\t8\t9"


def test_a_sysctl_shared_by_two_owners_outlives_the_first(host: FakeHost) -> None:
    for name in ("first", "second"):
        apply(host, name=name, sysctls={"net.ipv4.ip_forward": "1"})
    apply(host, name="first", state="absent")
    assert live(host, "net.ipv4.ip_forward") == "1"
    apply(host, name="second", state="absent")
    assert live(host, "net.ipv4.ip_forward") == "0"


def test_two_values_for_one_sysctl_name_both_owners(host: FakeHost) -> None:
    apply(host, name="first", sysctls={"net.ipv4.ip_forward": "1"})
    with pytest.raises(StateError) as caught:
        apply(host, name="second", sysctls={"net.ipv4.ip_forward": "0"})
    assert str(caught.value) == "sysctl net.ipv4.ip_forward: second wants 0, first wants 1; let them agree"


def test_a_read_only_sysctl_is_fine_when_it_has_its_value_and_named_when_not(host: FakeHost) -> None:
    path = host.put("proc/sys/net/nf_conntrack_max", "1000")
    host.read_only = {"/proc/sys/net/nf_conntrack_max"}
    apply(host, sysctls={"net.nf_conntrack_max": "1000"})
    with pytest.raises(StateError) as caught:
        apply(host, sysctls={"net.nf_conntrack_max": "2000"})
    assert str(caught.value) == (
        "sysctl net.nf_conntrack_max is 1000 and cannot be set to 2000 here (Permission denied); "
        "in a container, set it on the machine below\n"
        "The files and units of this host are as they were before."
    )
    assert path.read_text() == "1000\n"


def test_an_unknown_sysctl_is_refused_before_anything_changes(host: FakeHost) -> None:
    with pytest.raises(
        StateError, match=r"^sysctl net\.ipv4\.ip_forwad: this kernel has no such key; check its"
    ):
        apply(host, files=[{"path": "/etc/f", "content": "x"}], sysctls={"net.ipv4.ip_forwad": 1})
    assert not (host.root / "etc/f").exists()


def test_a_key_with_slashes_may_have_dots_in_its_words(host: FakeHost) -> None:
    host.put("proc/sys/net/ipv4/conf/eth0.100/rp_filter", "0")
    apply(host, sysctls={"net/ipv4/conf/eth0.100/rp_filter": 2})
    assert (host.root / "proc/sys/net/ipv4/conf/eth0.100/rp_filter").read_text() == "2\n"


# Kernel modules


def test_a_module_is_loaded_now_and_at_boot_and_brings_its_sysctls(host: FakeHost) -> None:
    host.kernel.loadable = {"br_netfilter"}
    host.kernel.brings = {"br_netfilter": {"net.bridge.bridge-nf-call-iptables": "0"}}
    state: dict[str, Any] = {
        "kernel_modules": ["br_netfilter"],
        "sysctls": {"net.bridge.bridge-nf-call-iptables": 1},
    }
    outcome = apply(host, **state)
    assert changes(outcome, "kernel module") == ["br_netfilter load: not loaded"]
    assert changes(outcome, "sysctl") == [
        "net.bridge.bridge-nf-call-iptables set: is not there yet, wanted 1"
    ]
    assert live(host, "net.bridge.bridge-nf-call-iptables") == "1"
    assert (host.root / "etc/modules-load.d/flatnet-example.conf").read_text() == "br_netfilter\n"
    assert apply(host, **state)["changes"] == []


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("sys/module/br_netfilter/version", "1"),
        ("lib/modules/6.1.0/modules.builtin", "kernel/net/bridge/br_netfilter.ko\n"),
        ("lib/modules/6.1.0/modules.builtin", "kernel/a/b.ko\nkernel/net/bridge/br-netfilter.ko\n"),
        ("proc/sys/net/bridge/x", "1"),
    ],
)
def test_a_module_built_into_the_kernel_needs_nothing(host: FakeHost, place: str, text: str) -> None:
    host.put("proc/sys/kernel/osrelease", "6.1.0")
    host.put(place, text)
    assert apply(host, kernel_modules=["br_netfilter"])["changes"] == []
    assert not (host.root / "etc/modules-load.d").exists()


def test_a_kind_of_link_that_can_be_made_shows_a_module_that_is_not_listed(host: FakeHost) -> None:
    host.kernel.link_kinds = {"veth", "vxlan"}
    assert apply(host, kernel_modules=["veth", "vxlan"])["changes"] == []
    host.commands.clear()
    apply(host, kernel_modules=["veth", "vxlan"])
    assert host.commands == []
    host.put("proc/sys/kernel/random/boot_id", "boot-2")
    host.kernel.link_kinds = {"veth"}
    with pytest.raises(
        StateError, match=r"^kernel module vxlan is neither loaded nor built in, and modprobe"
    ):
        apply(host, kernel_modules=["veth", "vxlan"])


def test_a_module_that_exists_nowhere_is_refused_before_anything_changes(host: FakeHost) -> None:
    with pytest.raises(StateError) as caught:
        apply(host, files=[{"path": "/etc/f", "content": "x"}], kernel_modules=["ip_vs"])
    assert str(caught.value) == (
        "kernel module ip_vs is neither loaded nor built in, and modprobe does not find it; "
        "install the kernel's full set of modules, or boot a kernel that has it"
    )
    assert not (host.root / "etc/f").exists()
