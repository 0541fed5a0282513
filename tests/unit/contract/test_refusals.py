"""Broken contracts, each with everything that is said of it."""

from copy import deepcopy
from typing import Any

import pytest
from contract_cases import BACKEND, COMPONENT, TWO_MODES

from flatnet.contract import Contract
from flatnet.errors import FlatnetError

ABSENT = object()


def changed(contract: dict[str, Any], **values: object) -> dict[str, Any]:
    """Return the contract with values at dotted places, `__` for the dot; ABSENT takes a key out."""
    result = deepcopy(contract)
    for place, value in values.items():
        *path, last = place.split("__")
        inner = result
        for key in path:
            inner = inner.setdefault(key, {})
        inner[last] = value
        if value is ABSENT:
            del inner[last]
    return result


def makes(**values: object) -> dict[str, Any]:
    return changed(BACKEND, **{f"makes__{key}": value for key, value in values.items()})


CASES: dict[str, tuple[Any, list[str]]] = {
    "no mapping": (["kind"], ["it is ['kind'], not a mapping; see docs/backends.md"]),
    "an unknown kind": (
        BACKEND | {"kind": "backnd"},
        ["kind: 'backnd' is not possible; do you mean backend?"],
    ),
    "no kind": (
        changed(BACKEND, kind=ABSENT),
        ["kind: it is missing; use one of backend, policy_engine, component"],
    ),
    "a name with capitals": (
        BACKEND | {"name": "My-Net"},
        ["name: 'My-Net' is not a name of small letters, digits and _"],
    ),
    "no description": (changed(BACKEND, description=ABSENT), ["description: it is missing"]),
    "a description with a full stop": (
        BACKEND | {"description": "A bridge."},
        ["description: 'A bridge.' ends in a full stop; leave it out"],
    ),
    "a misspelt key at the top": (
        BACKEND | {"familes": ["ipv4"]},
        ["familes: there is no such key; do you mean families?"],
    ),
    "a misspelt key in what it makes": (
        makes(iterfaces={}),
        ["makes.iterfaces: there is no such key; do you mean interfaces?"],
    ),
    "a key that is near none": (
        makes(zzz=1),
        [
            "makes.zzz: there is no such key; use one of interfaces, pod_interfaces, addresses, routes, "
            "rules, chains, shared_chains, tables, ipsets, bpf, mounts, directories, virtual_servers, "
            "cleanup, pod_networks, container_namespaces, containerd, api_objects, node_annotations, "
            "node_labels"
        ],
    ),
    "a misspelt key in a mode": (
        changed(TWO_MODES, modes__vxlan__overhed={"ipv4": 50}),
        ["modes.vxlan.overhed: there is no such key; do you mean overhead?"],
    ),
    "modes misspelt": (BACKEND | {"mods": {}}, ["mods: there is no such key; do you mean modes?"]),
    "a missing key": (changed(BACKEND, ipam=ABSENT), ["ipam: it is missing"]),
    "a key that only some modes have": (
        changed(TWO_MODES, overhead=ABSENT, modes__direct__overhead={"ipv4": 0, "ipv6": 0}),
        ["overhead.ipv6: it is missing (mode vxlan)"],
    ),
    "nobody who owns addresses": (
        BACKEND | {"ipam": "plans"},
        ["ipam: 'plans' is not possible; do you mean plan?"],
    ),
    "an empty check": (
        BACKEND | {"check": {}},
        [
            "check.node_to_local_pod: it is missing",
            "check.node_to_remote_pod: it is missing",
            "check.hairpin: it is missing",
        ],
    ),
    "a check that nobody makes": (
        changed(BACKEND, check__node_to_pod="pod_gateway"),
        ["check.node_to_pod: there is no such key; do you mean node_to_local_pod?"],
    ),
    "an expected source that is none": (
        changed(BACKEND, check__hairpin="sky_address"),
        ["check.hairpin: 'sky_address' is not pod_gateway, node_address, tunnel_address or device:NAME"],
    ),
    "no expected source": (changed(BACKEND, check__hairpin=[]), ["check.hairpin: the list is empty"]),
    "an unknown family": (
        BACKEND | {"families": ["ipv4", "ipx"]},
        ["families[1]: 'ipx' is not possible; use one of ipv4, ipv6"],
    ),
    "no family": (BACKEND | {"families": []}, ["families: the list is empty"]),
    "families in an order of their own": (
        BACKEND | {"families": ["ipv6", "ipv4"]},
        ["families: write them as ipv4, ipv6"],
    ),
    "a negative overhead": (
        changed(BACKEND, overhead__ipv4=-1),
        ["overhead.ipv4: -1 is not a number of bytes from 0 to 1500"],
    ),
    "an overhead that is true": (
        changed(BACKEND, overhead__ipv4=True),
        ["overhead.ipv4: True is not a number of bytes from 0 to 1500"],
    ),
    "an overhead for one family": (BACKEND | {"overhead": {"ipv4": 50}}, ["overhead.ipv6: it is missing"]),
    "a flag that is a text": (
        BACKEND | {"several_pod_cidrs": "yes"},
        ["several_pod_cidrs: 'yes' is not true or false"],
    ),
    "a mode of kube-proxy that does not exist": (
        BACKEND | {"kube_proxy_modes": ["ip_tables"]},
        ["kube_proxy_modes[0]: 'ip_tables' is not possible; do you mean iptables?"],
    ),
    "an empty identity": (
        BACKEND | {"identities": [{}]},
        ["identities[0].name: it is missing", "identities[0].common_name: it is missing"],
    ),
    "two identities of one name": (
        BACKEND | {"identities": [{"name": "a", "common_name": "b"}, {"name": "a", "common_name": "c"}]},
        ["identities: two have the name a"],
    ),
    "an option whose default is out of its range": (
        BACKEND | {"options": {"vni": {"about": "A number", "default": 0, "least": 1, "most": 9}}},
        ["options.vni: its default 0 is not from 1 to 9"],
    ),
    "a port of an option that there is not": (
        BACKEND | {"ports": [{"protocol": "udp", "port": 4789, "option": "port", "purpose": "VXLAN"}]},
        ["ports[0].option: port is no option whose default is 4789; declare it under options"],
    ),
    "a meaning of links that there is not": (
        BACKEND | {"node_links": "need"},
        ["node_links: 'need' is not possible; do you mean needed?"],
    ),
    "a port without a number": (
        BACKEND | {"ports": [{"protocol": "udp", "purpose": "VXLAN"}]},
        ["ports[0]: udp has ports; name the port"],
    ),
    "a port of a protocol without ports": (
        BACKEND | {"ports": [{"protocol": "ipip", "port": 4, "purpose": "Tunnel"}]},
        ["ports[0]: ipip has no ports; leave out port"],
    ),
    "a port beyond the last": (
        BACKEND | {"ports": [{"protocol": "udp", "port": 65536, "purpose": "VXLAN"}]},
        ["ports[0].port: 65536 is not a port from 1 to 65535"],
    ),
    "a unit with its ending": (
        BACKEND | {"units": ["exampled.service"]},
        ["units[0]: 'exampled.service' ends in .service; leave that out"],
    ),
    "a unit twice": (BACKEND | {"units": ["exampled", "exampled"]}, ["units[1]: 'exampled' is there twice"]),
    "a command without its packages": (
        changed(BACKEND, needs__commands={"ip": {"debian": "iproute2"}}),
        ["needs.commands.ip.redhat: it is missing"],
    ),
    "commands as a list": (
        changed(BACKEND, needs__commands=["ip"]),
        ["needs.commands: ['ip'] is not a mapping"],
    ),
    "programs for no group": (
        changed(BACKEND, needs__programs={"kube_nodes": ["bridge"]}),
        ["needs.programs.kube_nodes: there is no such key; do you mean kube_node?"],
    ),
    "programs as a list": (
        changed(BACKEND, needs__programs=["bridge"]),
        ["needs.programs: ['bridge'] is not a mapping"],
    ),
    "an interface as a name": (
        makes(interfaces={"bridge": "cni0"}),
        ["makes.interfaces.bridge: 'cni0' is not a mapping"],
    ),
    "an interface that carries nobody knows what": (
        makes(interfaces={"bridge": {"name": "cni0"}}),
        ["makes.interfaces.bridge.carries: it is missing"],
    ),
    "an interface's name that Linux refuses": (
        makes(interfaces={"bridge": {"name": "a-name-of-sixteen", "carries": "nothing"}}),
        [
            "makes.interfaces.bridge.name: 'a-name-of-sixteen' is not an interface's name of up to "
            "15 characters, or a pattern"
        ],
    ),
    "interfaces of everybody": (
        makes(interfaces={"all": {"name": "e*", "carries": "nothing"}}),
        [
            "makes.interfaces.all.name: 'e*' could match what is somebody else's; begin it with at "
            "least 3 letters"
        ],
    ),
    "routes of everybody": (
        makes(routes=[{"protocol": "static"}, {"type": "blackhole"}, {"table": "main"}, {}]),
        [
            "makes.routes[0]: it would match routes of others; give a protocol or a table of its "
            "own, or a device",
            "makes.routes[1]: it would match routes of others; give a protocol or a table of its "
            "own, or a device",
            "makes.routes[2]: it would match routes of others; give a protocol or a table of its "
            "own, or a device",
            "makes.routes[3]: it says nothing; give protocol, device, type or table",
        ],
    ),
    "a route protocol beyond the last": (
        makes(routes=[{"protocol": 256}]),
        ["makes.routes[0].protocol: 256 is not a route protocol from 0 to 255"],
    ),
    "rules of everybody": (
        makes(rules=[{}, {"priority": 32766}, {"table": "main"}]),
        [
            "makes.rules[0]: it says nothing; give priority or table",
            "makes.rules[1].priority: 32766 is not a priority from 1 to 32765",
            "makes.rules[2]: it would match the rules of others; give a priority or a table of its own",
        ],
    ),
    "a built-in chain": (
        makes(chains=["FORW*"]),
        ["makes.chains[0]: 'FORW*' matches the built-in chain FORWARD; name chains of its own"],
    ),
    "the tables of iptables": (
        makes(tables=[{"family": "ip", "name": "filter"}]),
        ["makes.tables[0]: the table filter is what iptables has for everybody; name a table of its own"],
    ),
    "an ipset of everybody": (
        makes(ipsets=["*"]),
        ["makes.ipsets[0]: '*' could match what is somebody else's; begin it with at least 3 letters"],
    ),
    "directories of everybody": (
        makes(directories=["/run", "/var/lib", "/var/lib/*/x", "/var/lib/*", "/sys/fs/x", "/opt//x", "opt"]),
        [
            "makes.directories[0]: '/run' is everybody's; name a directory of its own below it",
            "makes.directories[1]: '/var/lib' is everybody's; name a directory of its own below it, "
            "or write a slash at its end",
            "makes.directories[2]: '/var/lib/*/x' has a pattern before its last part; only the last "
            "part may be one",
            "makes.directories[3]: '/var/lib/*' has a pattern with no beginning; begin it with letters",
            "makes.directories[4]: '/sys/fs/x' is a place of the kernel's; name a directory of its own",
            "makes.directories[5]: '/opt//x' is not written plainly; leave out //, . and ..",
            "makes.directories[6]: 'opt' is not an absolute path",
        ],
    ),
    "a pin in no file system of pins": (
        makes(bpf={"pins": ["/run/pins/x"]}),
        ["makes.bpf.pins[0]: '/run/pins/x' is not a place of pinned objects; it begins with /sys/fs/bpf/"],
    ),
    "an address without a length": (
        makes(addresses=["169.254.1.1/33"]),
        ["makes.addresses[0]: '169.254.1.1/33' is not an address with a prefix length"],
    ),
    "a kind of object that is none": (
        makes(api_objects=[{"api_version": "apps", "kind": "daemonset"}]),
        [
            "makes.api_objects[0].api_version: 'apps' is not an API version such as apps/v1",
            "makes.api_objects[0].kind: 'daemonset' is not a kind of object such as ClusterRole",
        ],
    ),
    "an annotation of everybody": (
        makes(node_annotations=["*"]),
        ["makes.node_annotations[0]: '*' is not a key with a domain such as example.com/name, or a pattern"],
    ),
    "routes of a plan that knows no networks": (
        BACKEND | {"ipam": "backend"},
        [
            "routes: the plan knows no pod network of a node with ipam: backend; use backend or none",
            "check.node_to_local_pod: the plan knows no pod_gateway with ipam: backend; use "
            "node_address or device:NAME",
            "check.hairpin: the plan knows no pod_gateway with ipam: backend; use node_address or "
            "device:NAME",
        ],
    ),
    "several networks that nobody plans": (
        BACKEND
        | {
            "ipam": "backend",
            "routes": "backend",
            "several_pod_cidrs": True,
            "check": dict.fromkeys(BACKEND["check"], "node_address"),
        },
        [
            "several_pod_cidrs: with ipam: backend kube-proxy would know a node's own pods by nothing; "
            "leave it out"
        ],
    ),
    "groups of nodes whose networks nobody plans": (
        BACKEND
        | {
            "ipam": "backend",
            "routes": "backend",
            "allocation": "grouped",
            "check": dict.fromkeys(BACKEND["check"], "node_address"),
        },
        ["allocation: the plan gives out no networks with ipam: backend; leave it out"],
    ),
    "groups with parts of several networks": (
        BACKEND | {"allocation": "grouped", "several_pod_cidrs": True},
        ["several_pod_cidrs: groups have parts of one pod network a family; leave it out"],
    ),
    "what only a backend has": (
        COMPONENT | {"ipam": "plan", "policy": "none"},
        [
            "ipam: a contract of kind component does not have it; leave it out",
            "policy: a contract of kind component does not have it; leave it out",
        ],
    ),
    "no modes": (
        BACKEND | {"modes": {}},
        ["modes: {} is not a mapping of modes; leave modes out where there is one"],
    ),
    "a mode with a bad name": (
        BACKEND | {"modes": {"VXLAN": {}}},
        ["modes.VXLAN: 'VXLAN' is not a name of small letters, digits and -"],
    ),
    "a mode with the name of none": (
        BACKEND | {"modes": {"default": {}}},
        ["modes.default: a mode has a name that says what it does; default is where there is none"],
    ),
    "a mode that is a list": (BACKEND | {"modes": {"vxlan": []}}, ["modes.vxlan: [] is not a mapping"]),
    "a kind inside of a mode": (
        BACKEND | {"modes": {"vxlan": {"kind": "backend"}}},
        ["modes.vxlan.kind: it stands at the top only; leave it out"],
    ),
}


@pytest.mark.parametrize(("contract", "faults"), CASES.values(), ids=CASES)
def test_a_broken_contract_is_refused_with_every_fault_and_its_place(
    contract: object, faults: list[str]
) -> None:
    with pytest.raises(FlatnetError) as caught:
        Contract.from_mapping(contract, "example.yml")
    first, *rest = str(caught.value).splitlines()
    assert first == "the contract example.yml is wrong:"
    assert rest == [f"- {fault}" for fault in faults]


@pytest.mark.parametrize(
    "contract", [BACKEND, TWO_MODES, COMPONENT], ids=["backend", "two modes", "component"]
)
def test_what_the_broken_ones_were_made_from_is_sound(contract: dict[str, Any]) -> None:
    assert Contract.from_mapping(contract, "example.yml").name == "example"
