"""The published schema of plan.json describes what is written, all of it, and refuses what is malformed."""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from plan_cases import KUBENET, OWN_IPAM, host, prepare
from plan_examples import ENGINE, SEVERAL, node_b, settings
from plan_examples_hosts import REFUSED_HOSTS, WARNED
from plan_examples_settings import REFUSED, TWO
from plan_report_cases import PLANS

from flatnet.contract import find_contracts
from flatnet.errors import FlatnetError
from flatnet.plan import Host, Settings, plan_network
from flatnet.plan_report import SCHEMA_PATH, SCHEMA_VERSION, document_text, parse_document, plan_document
from flatnet.settings import SETTINGS
from flatnet.settings.cluster import CHECK, SWITCH
from tests.docs import plan_schema

ROOT = Path(__file__).resolve().parents[2]
SCHEMA: dict[str, Any] = json.loads(SCHEMA_PATH.read_text())
VALIDATOR = Draft202012Validator(SCHEMA)


def document(backend: str, *families: str) -> dict[str, Any]:
    """Return the document of three nodes with the backend's real contract."""
    networks = {"ipv4": ("10.200.0.0/16", "10.32.0.0/24"), "ipv6": ("2001:db8:200::/56", "2001:db8:32::/112")}
    addresses = {"ipv4": "192.0.2.1{}", "ipv6": "2001:db8::1{}"}
    hosts = [
        Host(
            name,
            name,
            tuple(addresses[family].format(index) for family in families),
            frozenset({"etcd", "kube_control_plane"} if index == 0 else {"kube_node"}),
        )
        for index, name in enumerate(("control-plane-1", "node-1", "node-2"))
    ]
    settings = Settings(
        network_backend=backend,
        pod_cidrs=tuple(networks[family][0] for family in families),
        service_cidrs=tuple(networks[family][1] for family in families),
        extra_apiserver_sans=("api.example.com", "*.example.com", "192.0.2.5"),
    )
    contracts = find_contracts([ROOT / "roles"])
    written = document_text(plan_document(plan_network(settings, hosts, contracts)))
    read: dict[str, Any] = json.loads(written)
    return read


DOCUMENTS = {
    "kubenet": document("kubenet", "ipv4"),
    "flannel": document("flannel", "ipv4"),
    "ipv6": document("kubenet", "ipv6"),
    "dual-stack": document("kubenet", "ipv4", "ipv6"),
    "dual-stack-ipv6-first": document("kubenet", "ipv6", "ipv4"),
}
by_name = pytest.mark.parametrize("name", list(DOCUMENTS))


def faults(found: object) -> list[str]:
    return sorted(f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(found))


def close(schema: object) -> None:
    """Leave nothing in the schema open: an object has no key that is not described."""
    if isinstance(schema, dict) and schema.get("type") == "object":
        schema.setdefault("additionalProperties", False)
    for item in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        close(item)


CLOSED_SCHEMA = copy.deepcopy(SCHEMA)
close(CLOSED_SCHEMA)
CLOSED = Draft202012Validator(CLOSED_SCHEMA)


def example_inputs() -> Iterator[dict[str, Any]]:
    """Yield the arguments of every example of the planner that is planned, and of what no example has."""
    yield from (case.kept for case in (*REFUSED, *REFUSED_HOSTS, *WARNED))
    yield from (case.broken for case in WARNED)
    yield {"contract": KUBENET | EVERYTHING | OPTIONS | {"modes": {"direct": {}}}}
    yield {"contract": OWN_IPAM}
    yield settings(network_policy_engine="example") | {"others": [ENGINE | EVERYTHING]}
    yield settings(kube_proxy_mode="none") | {"contract": KUBENET | {"kube_proxy_modes": ["none"]}}
    yield settings(replace(Settings(), pod_cidrs=TWO)) | {"contract": SEVERAL}
    yield settings(allowed_changes=("dns-domain",), dns_domain="k8s.example.com")
    yield node_b(max_pods=60)
    yield settings(
        programs_source="directory",
        programs_directory="/srv/programs",
        programs_releases="releases.yml",
        programs_exceptions={"coredns": "gomod"},
    )


# What no contract of an example has.
EVERYTHING: dict[str, Any] = {
    "ports": [
        {"protocol": "tcp", "port": 179, "purpose": "BGP"},
        {"protocol": "ipip", "purpose": "tunnel between the nodes"},
    ],
    "identities": [{"name": "daemon", "common_name": "system:daemon", "organizations": ["daemons"]}],
    "needs": {"commands": {"ipset": {"debian": "ipset", "redhat": "ipset"}}},
    "makes": {
        "interfaces": {"pods": {"name": "pods*", "carries": "own_pods"}},
        "addresses": ["169.254.1.1/32"],
        "routes": [
            {"protocol": "bird", "device": "pods*", "type": "unicast", "table": 100, "leads_to": "pods"}
        ],
        "rules": [{"priority": 100, "table": 100}],
        "chains": ["EXAMPLE-*"],
        "shared_chains": [{"name": "SHARED-*", "kept_while": "SHARED-POD-*"}],
        "tables": [{"family": "ip", "name": "example", "kept_while": "dnat"}],
        "ipsets": ["example*"],
        "bpf": {"interfaces": ["pods*"], "pins": ["/sys/fs/bpf/example"]},
        "mounts": ["/run/example/mount"],
        "directories": ["/run/example"],
        "virtual_servers": True,
        "cleanup": "example --cleanup",
        "pod_networks": [
            {"name": "example", "attachments": "/var/lib/cni/results", "configurations": "/etc/cni/net.d"}
        ],
        "container_namespaces": ["example"],
        "containerd": {"state": "/run/example", "root": "/var/lib/example"},
        "api_objects": [{"api_version": "example.com/v1", "kind": "Example"}],
        "node_annotations": ["example.com/*"],
        "node_labels": ["example.com/label"],
    },
}
# Of a backend alone.
OPTIONS: dict[str, Any] = {
    "options": {"port": {"about": "The port", "default": 180, "least": 1, "most": 65535}},
    "ports": [
        *EVERYTHING["ports"],
        {"protocol": "udp", "port": 180, "option": "port", "purpose": "a tunnel"},
    ],
}
INPUTS = list(example_inputs())


@cache
def examples() -> list[dict[str, Any]]:
    """Return the documents of all examples, as they are read from their text."""
    plans = [*PLANS.values(), *(prepare(**arguments).plan for arguments in INPUTS)]
    return [*DOCUMENTS.values(), *(json.loads(document_text(plan_document(plan))) for plan in plans)]


def described(schema: dict[str, Any], path: str = "$") -> Iterator[str]:
    """Yield the path of every key that the schema describes."""
    while "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    for key, value in schema.get("properties", {}).items():
        yield f"{path}.{key}"
        yield from described(value, f"{path}.{key}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from described(schema[key], f"{path}.*")


def written(value: object, path: str = "$") -> Iterator[str]:
    """Yield the path of every key that is there, with each key that is a name as it is."""
    if isinstance(value, list):
        for item in value:
            yield from written(item, f"{path}.*")
    if isinstance(value, dict):
        for key, item in value.items():
            name = "*" if path in NAMED else key
            yield f"{path}.{name}"
            yield from written(item, f"{path}.{name}")


# Objects whose keys are names.
NAMED = {
    "$.nodes",
    "$.flags",
    "$.flags.*",
    "$.needs.commands",
    "$.needs.kernel_features",
    "$.backend.needs.commands",
    "$.backend.makes.interfaces",
    "$.backend.options",
    "$.backend.option_values",
    "$.programs.exceptions",
}


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema_version"]["const"] == SCHEMA_VERSION
    assert SCHEMA["$id"] == f"urn:flatnet:plan:{SCHEMA_VERSION}"


@by_name
def test_what_is_written_is_valid(name: str) -> None:
    assert faults(DOCUMENTS[name]) == []


def test_everything_that_any_example_writes_is_described() -> None:
    found = {f"{error.json_path}: {error.message}" for one in examples() for error in CLOSED.iter_errors(one)}
    assert sorted(found) == []


def test_the_closed_schema_refuses_a_key_that_is_not_described_wherever_it_is() -> None:
    found = copy.deepcopy(DOCUMENTS["flannel"])
    places = [found, *(found[key] for key in ("backend", "masquerade", "kubelet_configuration"))]
    places += [found["nodes"]["node-1"], found["backend"]["ports"][0], found["backend"]["identities"][0]]
    for place in places:
        place["colour"] = "blue"
    refused = [error.json_path for error in CLOSED.iter_errors(found)]
    assert len(refused) == len(places)
    assert "$.backend.identities[0]" in refused


def test_everything_that_is_described_is_written_by_some_example() -> None:
    everywhere = {path for one in examples() for path in written(one)}
    assert sorted(set(described(SCHEMA)) - everywhere) == []


# Settings that the roles of their own names use, or the adapter that calls the planner.
NOT_PLANNED = {one.name for one in SETTINGS if one.section in (SWITCH, CHECK)}
NOT_PLANNED |= {"state_directory", "reports_directory", "network_backend", "existing_nodes"}


@pytest.mark.parametrize("kind", [Settings, Host])
def test_every_input_of_the_planner_is_set_in_some_example(kind: type) -> None:
    """What an input adds to the plan is seen by the other tests only if an example sets it."""
    plain = kind() if kind is Settings else host("node-a", "192.0.2.11")
    given = [arguments.get("settings") or Settings() for arguments in INPUTS]
    some: list[Any] = given if kind is Settings else [one for a in INPUTS for one in a.get("some") or ()]
    names = {field.name for field in fields(plain)} - NOT_PLANNED
    assert {
        name for name in names if any(getattr(one, name) != getattr(plain, name) for one in some)
    } == names - {"network_backend"}  # The examples choose by their contract.


def test_contracts_are_described_as_they_are_defined() -> None:
    text = SCHEMA_PATH.read_text()
    assert text == plan_schema.schema(text, ROOT), "run: make docs"


@by_name
def test_every_required_key_is_required(name: str) -> None:
    # Where there is a kube-proxy, which is nearly everywhere.
    assert sorted([*SCHEMA["required"], "kube_proxy_configuration"]) == sorted(DOCUMENTS[name])
    assert all(set(SCHEMA["required"]) <= set(one) for one in examples())
    for key in SCHEMA["required"]:
        without = {k: v for k, v in DOCUMENTS[name].items() if k != key}
        assert faults(without) == [f"$: {key!r} is a required property"]


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    found = copy.deepcopy(DOCUMENTS["kubenet"])
    change(found)
    return found


MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "another version": (changed(lambda d: d.update(schema_version=2)), "$.schema_version"),
    "no network": (changed(lambda d: d.update(pod_cidrs=[])), "$.pod_cidrs"),
    "an address for a network": (changed(lambda d: d.update(pod_cidrs=["10.200.0.0"])), "$.pod_cidrs[0]"),
    "an octet too large": (changed(lambda d: d.update(dns_addresses=["10.32.0.256"])), "$.dns_addresses[0]"),
    "an octet with a zero before": (
        changed(lambda d: d.update(dns_addresses=["10.32.0.010"])),
        "$.dns_addresses[0]",
    ),
    "a prefix too long": (changed(lambda d: d.update(service_cidrs=["10.32.0.0/33"])), "$.service_cidrs[0]"),
    "an IPv6 prefix too long": (
        changed(lambda d: d.update(service_cidrs=["2001:db8::/129"])),
        "$.service_cidrs[0]",
    ),
    "an unknown family": (changed(lambda d: d.update(families=["ipv5"])), "$.families[0]"),
    "a family twice": (changed(lambda d: d.update(families=["ipv4", "ipv4"])), "$.families"),
    "an MTU as text": (changed(lambda d: d.update(mtu="1500")), "$.mtu"),
    "an MTU too small": (changed(lambda d: d.update(mtu=67)), "$.mtu"),
    "an unknown mode": (changed(lambda d: d.update(kube_proxy_mode="userspace")), "$.kube_proxy_mode"),
    "ports as a number": (changed(lambda d: d.update(node_port_range=30000)), "$.node_port_range"),
    "a domain in capitals": (changed(lambda d: d.update(dns_domain="Cluster.Local")), "$.dns_domain"),
    "a node without a name": (changed(lambda d: d["nodes"]["node-1"].pop("name")), "$.nodes['node-1']"),
    "a node in an unknown group": (
        changed(lambda d: d["nodes"]["node-1"].update(groups=["masters"])),
        "$.nodes['node-1'].groups[0]",
    ),
    "a node without an address": (
        changed(lambda d: d["nodes"]["node-1"].update(addresses=[])),
        "$.nodes['node-1'].addresses",
    ),
    "a route without a gateway": (changed(lambda d: d["routes"][0].pop("gateway")), "$.routes[0]"),
    "a route with more": (changed(lambda d: d["routes"][0].update(metric=1)), "$.routes[0]"),
    "a flag that is a number": (
        changed(lambda d: d["flags"]["kubelet"].update({"max-pods": 110})),
        "$.flags.kubelet['max-pods']",
    ),
    "a flag with its dashes": (
        changed(lambda d: d["flags"]["kubelet"].update({"--v": "1"})),
        "$.flags.kubelet",
    ),
    "no way to know the own pods": (
        changed(lambda d: d["kube_proxy_configuration"].pop("clusterCIDR")),
        "$.kube_proxy_configuration",
    ),
    "two ways to know the own pods": (
        changed(lambda d: d["kube_proxy_configuration"].update(detectLocalMode="NodeCIDR")),
        "$.kube_proxy_configuration",
    ),
    "a host with no pods at most": (
        changed(lambda d: d["nodes"]["node-1"].update(max_pods=0)),
        "$.nodes['node-1'].max_pods",
    ),
    "further service networks but none": (
        changed(lambda d: d.update(extra_service_cidrs=[])),
        "$.extra_service_cidrs",
    ),
    "no daemon": (changed(lambda d: d["flags"].pop("kubelet")), "$.flags"),
    "no pods": (
        changed(lambda d: d["kubelet_configuration"].update(maxPods=0)),
        "$.kubelet_configuration.maxPods",
    ),
    "an unknown owner of routes": (
        changed(lambda d: d["backend"].update(routes="nobody")),
        "$.backend.routes",
    ),
    "SANs as a list": (changed(lambda d: d.update(apiserver_sans=["api"])), "$.apiserver_sans"),
}


@pytest.mark.parametrize("name", list(MALFORMED))
def test_what_is_malformed_is_refused_at_its_place(name: str) -> None:
    found, place = MALFORMED[name]
    assert {fault.partition(": ")[0] for fault in faults(found)} == {place}


def test_a_key_of_a_later_version_is_no_fault() -> None:
    assert faults(DOCUMENTS["kubenet"] | {"colour": "blue"}) == []


@pytest.mark.parametrize("key", sorted(set(SCHEMA["required"]) - {"schema_version"}))
def test_what_the_schema_requires_reading_requires_too(key: str) -> None:
    text = json.dumps({k: v for k, v in DOCUMENTS["kubenet"].items() if k != key})
    with pytest.raises(FlatnetError, match=f"{key} is missing"):
        parse_document(text, "plan.json")
