from typing import Any

import pytest
from node_state_host import unit_text

from flatnet.errors import FlatnetError
from flatnet.state.desired import Desired, parse

ONESHOT = "[Service]\nType=oneshot\nExecStart=/bin/true\n"


def parsed(**state: object) -> Desired:
    return parse({"name": "example", **state})


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"name": "Bad Name"},
        "node_state: name 'Bad Name' is not a valid name; an example of one is kube_node",
    ),
    ({"name": None}, "node_state: name is missing"),
    (
        {"file": []},
        "node_state: unknown key file; known are absent, directories, files, kernel_modules, links, name, "
        "nftables, programs, routes, state, sysctls, units",
    ),
    ({"state": "gone"}, "node_state example: state is gone, but has to be one of present, absent"),
    ({"files": {"path": "/etc/f"}}, "node_state example: files is a mapping, but has to be a list"),
    ({"files": ["/etc/f"]}, "node_state example: files[0] is a text, but has to be a mapping"),
    (
        {"files": [{"path": "/etc/f", "content": "", "modus": "0644"}]},
        "node_state example: files[0] /etc/f: unknown key modus; known are content, group, mode, owner, "
        "path, sensitive, source, validate",
    ),
    (
        {"files": [{"path": "/etc/f"}]},
        "node_state example: files[0] /etc/f: give either content or source",
    ),
    (
        {"files": [{"path": "/etc/f", "content": "", "source": "/f"}]},
        "node_state example: files[0] /etc/f: give either content or source",
    ),
    (
        {"files": [{"path": "etc/f", "content": ""}]},
        "node_state example: files[0] etc/f: path 'etc/f' is relative, but has to begin with /",
    ),
    (
        {"files": [{"path": "/etc/../f", "content": ""}]},
        "node_state example: files[0] /etc/../f: path '/etc/../f' has to be a plain path: no `..`, no `//`, "
        "no / at its end, no control characters, and not / itself",
    ),
    (
        {"files": [{"path": "/etc/f", "content": "", "mode": 420}]},
        "node_state example: files[0] /etc/f: mode is 420, but has to be octal digits in quotes, "
        'such as "0644"',
    ),
    (
        {"files": [{"path": "/etc/f", "content": "", "mode": "u=rw"}]},
        "node_state example: files[0] /etc/f: mode is 'u=rw', but has to be octal digits in quotes, "
        'such as "0644"',
    ),
    (
        {"files": [{"path": "/etc/f", "content": {"a": 1}}]},
        "node_state example: files[0] /etc/f: content is a mapping, but has to be a string; "
        "write it with to_nice_json or to_nice_yaml",
    ),
    (
        {"files": [{"path": "/etc/f", "content": "", "sensitive": "no"}]},
        "node_state example: files[0] /etc/f: sensitive is a text, but has to be true or false",
    ),
    (
        {"files": [{"path": "/etc/f", "content": "", "validate": "nft -c -f"}]},
        "node_state example: files[0] /etc/f: validate 'nft -c -f' has to contain {path}, "
        "where the new file's path goes",
    ),
    (
        {"files": [{"path": "/etc/f", "content": "", "validate": "nft '{path}"}]},
        'node_state example: files[0] /etc/f: validate "nft \'{path}" is not a command line: '
        "No closing quotation",
    ),
    (
        {"programs": [{"path": "/bin/x", "source": "/x", "sha256": "abc"}]},
        "node_state example: programs[0] /bin/x: sha256 'abc' has to be 64 hexadecimal digits",
    ),
    ({"programs": [{"path": "/bin/x"}]}, "node_state example: programs[0] /bin/x: source is missing"),
    ({"links": [{"path": "/l", "target": ""}]}, "node_state example: links[0] /l: target is empty"),
    (
        {"kernel_modules": ["a b"]},
        "node_state example: kernel_modules: 'a b' is not the name of a kernel module",
    ),
    (
        {"sysctls": {"ip_forward": 1}},
        "node_state example: sysctls: 'ip_forward' is not a sysctl key; "
        "an example of one is net.ipv4.ip_forward",
    ),
    (
        {"sysctls": {"net.ipv4.ip_forward": True}},
        "node_state example: sysctls: net.ipv4.ip_forward is True, but has to be a number or a string",
    ),
    (
        {"routes": [{"destination": "198.51.100.7/24", "gateway": "192.0.2.1"}]},
        "node_state example: routes[0] 198.51.100.7/24: destination 198.51.100.7/24 has host bits; "
        "the network is 198.51.100.0/24",
    ),
    (
        {"routes": [{"destination": "nowhere", "gateway": "192.0.2.1"}]},
        "node_state example: routes[0] nowhere: destination 'nowhere' is not a network "
        "such as 198.51.100.0/24",
    ),
    (
        {"routes": [{"destination": "198.51.100.0/24", "gateway": "2001:db8::1"}]},
        "node_state example: routes[0] 198.51.100.0/24: gateway 2001:db8::1 is IPv6, "
        "but the destination is IPv4",
    ),
    (
        {"routes": [{"destination": "198.51.100.0/24"}]},
        "node_state example: routes[0] 198.51.100.0/24: give a gateway, a device, or both",
    ),
    (
        {"routes": [{"destination": "198.51.100.0/24", "device": "eth0", "type": "unreachable"}]},
        "node_state example: routes[0] 198.51.100.0/24: it is unreachable, and leads through nobody; leave "
        "out gateway and device",
    ),
    (
        {"routes": [{"destination": "198.51.100.0/24", "type": "blackhole"}]},
        "node_state example: routes[0] 198.51.100.0/24: type is blackhole, but has to be one of unicast, "
        "unreachable",
    ),
    (
        {"routes": [{"destination": "198.51.100.0/24", "device": "eth0", "metric": -1}]},
        "node_state example: routes[0] 198.51.100.0/24: metric is -1, but has to be a whole number from 0 on",
    ),
    (
        {"routes": [{"destination": "198.51.100.0/24", "device": "eth0"}] * 2},
        "node_state example: route 198.51.100.0/24 metric 0 is given twice; keep one of the two entries",
    ),
    (
        {"nftables": [{"family": "ipv4", "table": "t", "content": "x"}]},
        "node_state example: nftables[0] t: family is ipv4, but has to be one of ip, ip6, inet, arp, "
        "bridge, netdev",
    ),
    (
        {"nftables": [{"family": "ip", "table": "t", "content": "table ip nat {\n}"}]},
        "node_state example: nftables[0] t: its content defines table ip nat, not ip t",
    ),
    (
        {"units": [{"name": "kubelet"}]},
        "node_state example: units[0] kubelet: name 'kubelet' is not a valid name; "
        "an example of one is kubelet.service",
    ),
    (
        {"units": [{"name": "a.service", "content": "[Service]\n"}]},
        "node_state example: units[0] a.service: it cannot be enabled without an [Install] section; "
        "add one, or set enabled: false",
    ),
    (
        {"units": [{"name": "a.service", "content": ONESHOT, "enabled": False}]},
        "node_state example: units[0] a.service: a Type=oneshot unit is over when its program ends; "
        "add RemainAfterExit=yes to have it started",
    ),
    (
        {"units": [{"name": "a.service", "restart_on": ["etc/f"]}]},
        "node_state example: units[0] a.service: restart_on 'etc/f' is relative, but has to begin with /",
    ),
    (
        {"absent": ["/etc"]},
        "node_state example: absent: /etc is a directory of the system itself; name what is to go inside it",
    ),
    (
        {"absent": ["/var/lib"]},
        "node_state example: absent: /var/lib is a directory of the system itself; "
        "name what is to go inside it",
    ),
    (
        {"files": [{"path": "/etc/f", "content": ""}], "links": [{"path": "/etc/f", "target": "x"}]},
        "node_state example: path /etc/f is given twice; keep one of the two entries",
    ),
    (
        {
            "files": [{"path": "/etc/systemd/system/a.service", "content": ""}],
            "units": [{"name": "a.service", "content": unit_text()}],
        },
        "node_state example: path /etc/systemd/system/a.service is given twice; keep one of the two entries",
    ),
    (
        {"files": [{"path": "/etc/f/g", "content": ""}], "links": [{"path": "/etc/f", "target": "x"}]},
        "node_state example: path /etc/f/g lies below /etc/f, which is a file or link; drop one of them",
    ),
    (
        {"files": [{"path": "/etc/f/g", "content": ""}], "absent": ["/etc/f"]},
        "node_state example: path /etc/f/g lies below /etc/f, which is wanted absent; drop one of them",
    ),
]


@pytest.mark.parametrize(("state", "message"), REFUSED, ids=[message[12:70] for _, message in REFUSED])
def test_a_state_that_cannot_be_meant_is_refused_by_its_entry(state: dict[str, Any], message: str) -> None:
    with pytest.raises(FlatnetError) as caught:
        parsed(**state)
    assert str(caught.value) == message


def test_defaults_are_roots_and_the_usual_modes() -> None:
    state = parsed(
        directories=[{"path": "/opt/d"}],
        files=[{"path": "/opt/f", "content": ""}],
        programs=[{"path": "/opt/p", "source": "/src/p"}],
        units=[{"name": "a.service"}],
    )
    assert state.directories == [{"path": "/opt/d", "mode": 0o755, "owner": "root", "group": "root"}]
    assert [(file.path, file.mode, file.owner, file.group) for file in state.files] == [
        ("/opt/f", 0o644, "root", "root"),
        ("/opt/p", 0o755, "root", "root"),
    ]
    assert state.units == [
        {
            "name": "a.service",
            "own": False,
            "enabled": True,
            "started": True,
            "restart_on": [],
            "restart_reasons": [],
        }
    ]
    assert state.present is True


@pytest.mark.parametrize(
    ("entry", "sensitive"),
    [
        ({}, False),
        ({"mode": "0600"}, True),
        ({"mode": "0640"}, True),
        ({"mode": "0600", "sensitive": False}, False),
        ({"sensitive": True}, True),
    ],
)
def test_what_not_everybody_may_read_is_sensitive_unless_said_otherwise(
    entry: dict[str, Any], sensitive: bool
) -> None:
    state = parsed(files=[{"path": "/etc/f", "content": "", **entry}])
    assert state.files[0].sensitive is sensitive


def test_a_table_may_be_given_whole_or_by_its_body() -> None:
    body = {"family": "inet", "table": "t", "content": "  chain c { }\n"}
    whole = {**body, "content": "table inet t {\n  chain c { }\n}\n"}
    expected = [{"family": "inet", "table": "t", "content": "table inet t {\nchain c { }\n}\n"}]
    assert parsed(nftables=[body]).nftables == expected
    assert parsed(nftables=[whole]).nftables == [{**expected[0], "content": whole["content"]}]


def test_default_follows_the_family_of_its_gateway() -> None:
    routes = parsed(
        routes=[
            {"destination": "default", "gateway": "192.0.2.1"},
            {"destination": "default", "gateway": "2001:db8::1"},
        ]
    ).routes
    assert [route["destination"] for route in routes] == ["0.0.0.0/0", "::/0"]


def test_values_of_sysctls_are_compared_by_their_words() -> None:
    assert parsed(sysctls={"net.ipv4.tcp_rmem": " 1\t2  3", "net.ipv4.ip_forward": 1}).sysctls == {
        "net.ipv4.tcp_rmem": "1 2 3",
        "net.ipv4.ip_forward": "1",
    }
