"""What `ip` prints becomes facts about the network."""

from pathlib import Path
from typing import Any

import pytest

from flatnet.host.facts import network

ADDRESSES: list[dict[str, Any]] = [
    {"local": "192.0.2.11", "prefixlen": 24, "scope": "global"},
    {"local": "192.0.2.12", "prefixlen": 24, "scope": "global", "secondary": True},
    {"local": "169.254.7.7", "prefixlen": 16, "scope": "link"},
    {"local": "fe80::1", "prefixlen": 64, "scope": "link"},
    {"local": "2001:db8::11", "prefixlen": 64, "scope": "global"},
    # What a removed address can leave.
    {},
]


def link(name: str, **values: object) -> dict[str, Any]:
    return {"ifname": name, "mtu": 1500, "flags": ["UP"], "link_type": "ether"} | values


def test_addresses_are_in_the_kernels_order_with_those_that_depend_on_another() -> None:
    [found] = network.interfaces([link("eth0", addr_info=ADDRESSES, address="02:00:00:00:00:11"), {}])
    assert found["addresses"] == ["192.0.2.11/24", "192.0.2.12/24", "2001:db8::11/64"]
    assert found["secondary_addresses"] == ["192.0.2.12/24"]
    assert found["link_scope_addresses"] == ["169.254.7.7/16", "fe80::1/64"]
    assert (found["kind"], found["mac"], found["up"]) == ("ether", "02:00:00:00:00:11", True)


def test_a_bridge_knows_its_ports_and_a_port_its_bridge() -> None:
    data = {"stp_state": 0, "mcast_snooping": 1, "gc_timer": 0.01}
    slave = {"info_slave_kind": "bridge", "info_slave_data": {"hairpin": True, "hold_timer": 0.3}}
    bridge, pod, other = network.interfaces(
        [
            link("cbr0", linkinfo={"info_kind": "bridge", "info_data": data}),
            link("veth1", master="cbr0", linkinfo={"info_kind": "veth", **slave}),
            link("eth0"),
        ]
    )
    assert (bridge["ports"], bridge["master"], bridge["kind"]) == (["veth1"], "", "bridge")
    assert bridge["details"] == {"stp_state": 0, "mcast_snooping": 1}
    assert (pod["master"], pod["port"], pod["ports"]) == ("cbr0", {"kind": "bridge", "hairpin": True}, [])
    assert (other["master"], other["port"], other["details"]) == ("", {}, {})


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"dst": "default", "gateway": "192.0.2.1", "dev": "eth0"}, {"destination": "0.0.0.0/0"}),
        ({"dst": "10.9.0.10", "dev": "tun0"}, {"destination": "10.9.0.10/32", "protocol": "boot"}),
        ({"dst": "10.2.0.0/16", "type": "blackhole"}, {"type": "blackhole", "device": ""}),
        ({"dst": "10.2.0.0/16", "dev": "eth0"}, {"type": "unicast", "table": "main", "scope": "global"}),
        (
            {"dst": "10.3.0.0/16", "dev": "br0", "table": "101", "protocol": 157, "prefsrc": "192.0.2.12"},
            {"table": "101", "protocol": "157", "source": "192.0.2.12"},
        ),
        ({"dst": "10.3.0.0/16", "gateway": "192.0.2.1", "flags": ["onlink"]}, {"onlink": True}),
        (
            {"dst": "10.4.0.0/16", "via": {"family": "inet6", "host": "fe80::5"}, "dev": "eth0"},
            {"gateway": "fe80::5", "onlink": False},
        ),
        (
            {
                "dst": "10.4.0.0/16",
                "nexthops": [{"gateway": "192.0.2.1", "dev": "eth0", "flags": ["onlink"]}],
            },
            {"gateway": "192.0.2.1", "device": "eth0", "onlink": True},
        ),
        (
            {"dst": "10.7.0.0/24", "type": "local", "dev": "lo", "table": "local", "scope": "host"},
            {"table": "local", "type": "local", "scope": "host"},
        ),
    ],
)
def test_a_route_says_what_ip_leaves_out_as_well(entry: dict[str, Any], expected: dict[str, Any]) -> None:
    [found] = network.routes([entry], 4)
    assert expected.items() <= found.items()


def test_routes_that_the_kernel_makes_of_addresses_are_left_out() -> None:
    own = {"dst": "192.0.2.11", "type": "local", "table": "local", "protocol": "kernel", "dev": "eth0"}
    link_route = {"dst": "192.0.2.0/24", "protocol": "kernel", "scope": "link", "dev": "eth0"}
    assert [route["destination"] for route in network.routes([own, link_route], 4)] == ["192.0.2.0/24"]
    assert network.routes([{"dst": "default", "dev": "eth0"}], 6)[0]["destination"] == "::/0"


def test_a_default_route_that_forwarding_ends_is_one_that_the_kernel_was_advertised() -> None:
    def route(device: str, destination: str = "::/0", protocol: str = "ra") -> dict[str, str]:
        return {"destination": destination, "gateway": "fe80::1", "device": device, "protocol": protocol}

    found = [route("eth3"), route("eth0"), route("eth1", protocol="static"), route("eth2", "2001:db8::/64")]
    accepting = {"eth0": 1, "eth1": 1, "eth2": 1, "eth4": 0, "eth5": 2}
    # Of another program (0), or kept by the kernel (2).
    assert network.advertised(
        [*found, route("eth4"), route("eth5")],
        {device: {"ipv6": {"accept_ra": value}} for device, value in accepting.items()},
    ) == ["eth0"]


def test_rules_tell_which_packets_look_into_which_table() -> None:
    found = network.rules(
        [
            {"priority": 0, "src": "all", "table": "local"},
            {"priority": 99, "src": "all", "fwmark": "0x4000", "fwmask": "0x4000", "action": "blackhole"},
            {"priority": 100, "src": "192.0.2.12", "table": "101"},
            {"priority": 101, "not": None, "src": "10.1.0.0", "srclen": 24, "iif": "lo", "table": "7"},
            {"priority": 102, "src": "all", "dst": "10.9.0.0", "dstlen": 16, "table": "7", "protocol": "80"},
            {"priority": 103, "src": "all", "uid_start": 1000, "uid_end": 1000, "table": "7"},
            {"priority": 104, "src": "all", "ipproto": "tcp", "dport": 25, "table": "7"},
            {"priority": 105, "src": "all", "table": "7", "suppress_prefixlen": 0},
        ],
        4,
    )
    assert [rule["source"] for rule in found] == ["", "", "192.0.2.12/32", "10.1.0.0/24", *[""] * 4]
    assert [rule["table"] for rule in found] == ["local", "", "101", *["7"] * 5]
    assert [rule["picky"] for rule in found] == [False] * 5 + [True, True, False]
    assert [rule["suppressed"] for rule in found] == [-1] * 7 + [0]
    assert (found[1]["mark"], found[1]["action"]) == ("0x4000/0x4000", "blackhole")
    assert (found[3]["inverted"], found[3]["input"], found[2]["inverted"]) == (True, "lo", False)
    assert (found[4]["destination"], found[4]["protocol"], found[4]["family"]) == (
        "10.9.0.0/16",
        "80",
        "ipv4",
    )


def test_settings_are_of_every_interface_that_packets_come_in_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "CONF", str(tmp_path))
    for name, value in (("all", 1), ("default", 0), ("eth0", 0), ("veth1", 1)):
        folder = tmp_path / "ipv4/conf" / name
        folder.mkdir(parents=True)
        (folder / "forwarding").write_text(f"{value}\n")
        (folder / "rp_filter").write_text("2\n")
    found = network.settings([{"name": "eth0", "port": {}}, {"name": "veth1", "port": {"kind": "bridge"}}])
    assert found["eth0"] == {"ipv4": {"forwarding": 0, "rp_filter": 2}, "ipv6": {}}
    assert sorted(found) == ["all", "default", "eth0"]


def test_the_kernel_of_this_machine_is_read() -> None:
    found = network.settings([{"name": "lo", "port": {"kind": "vrf"}}])
    assert found["lo"]["ipv4"].keys() == {"forwarding", "rp_filter"}
