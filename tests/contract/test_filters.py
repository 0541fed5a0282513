"""Every filter has its documentation beside it, and the documentation is true."""

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.template import Templar, trust_as_template
from plugin_loader import load_plugin
from template_loader import loader

from flatnet.contract import find_contracts

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = ROOT / "filter_plugins"

# What examples of the whole plan are about.
VARIABLES: dict[str, Any] = {
    "example_hosts": [
        {
            "inventory_name": "node-a",
            "addresses": ["192.0.2.11"],
            "groups": ["etcd", "kube_control_plane", "kube_node"],
        },
        {"inventory_name": "node-b", "addresses": ["192.0.2.12"], "groups": ["kube_node"]},
    ],
    "example_speaker": {
        "host": "node-a",
        "mode": "routers",
        "nodes": {"node-a": {"addresses": ["192.0.2.1"], "groups": ["kube_node"]}},
        "as_numbers": {"node-a": 64512},
        "route_reflectors": [],
        "peers": [],
        "pod_cidrs": ["10.200.1.0/24"],
        "cluster_pod_cidrs": ["10.200.0.0/16"],
        "bfd": False,
        "hold_seconds": 30,
        "restart_seconds": 10,
    },
    "example_router": {
        "interfaces": [{"name": "eth0", "up": True, "addresses": ["192.0.2.9/24"]}],
        "routes": [],
    },
    "example_place": {
        "host": "node-a",
        "contract": find_contracts([ROOT / "roles"])["cni_openvswitch"].in_mode("gre").data,
        "nodes": {
            name: {"addresses": [address], "groups": ["kube_node"], "pod_cidrs": [pods]}
            for name, address, pods in (
                ("node-a", "192.0.2.11", "10.200.0.0/24"),
                ("node-b", "192.0.2.12", "10.200.1.0/24"),
            )
        },
        "topology": "mesh",
        "degree": 4,
        "datapath": "auto",
        "pod_cidrs": ["10.200.0.0/24"],
        "cluster_pod_cidrs": ["10.200.0.0/16"],
        "mtu": 1450,
    },
    "example_contracts": [
        yaml.safe_load((ROOT / f"roles/{role}/meta/contract.yml").read_text())
        for role in ("cni_kubenet", "kube_proxy")
    ],
}


def discover() -> dict[str, Callable[..., Any]]:
    """Return filter name -> function, for every filter of the project."""
    found: dict[str, Callable[..., Any]] = {}
    for path in sorted(DIRECTORY.glob("*.py")):
        module = load_plugin(path)
        found.update(module.FilterModule().filters())
    return found


FILTERS = discover()
by_name = pytest.mark.parametrize("name", sorted(FILTERS))


@cache
def sidecar(name: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((DIRECTORY / f"{name}.yml").read_text())
    return data


def examples(name: str) -> list[dict[str, Any]]:
    """Return the examples as [{expression, result | error | nothing}].

    They are a table with these keys, or comments `# expression` and `# => result as JSON`, or tasks.
    """
    text: str = sidecar(name)["EXAMPLES"]
    lines = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")]
    if any(line.startswith("=> ") for line in lines):
        pairs = zip(lines[::2], lines[1::2], strict=True)
        return [{"expression": one, "result": json.loads(two.removeprefix("=> "))} for one, two in pairs]
    return [item if "expression" in item else {"task": item} for item in yaml.safe_load(text)]


def rendered(template: object) -> object:
    templar = Templar(loader(), variables=VARIABLES)
    return templar.template(trusted(template))


def trusted(value: object) -> object:
    """Return the value with its texts marked as templates of ours, as those in a playbook are."""
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


CASES = [
    (name, example)
    for name in sorted(FILTERS)
    if (DIRECTORY / f"{name}.yml").is_file()
    for example in examples(name)
]


def test_filters_are_found() -> None:
    assert {"network_plan", "node_pod_cidr", "is_overlapping", "pod_mtu", "daemon_flags"} <= FILTERS.keys()


def test_every_filter_has_documentation_beside_it_and_nothing_else_has() -> None:
    assert sorted(path.stem for path in DIRECTORY.glob("*.yml")) == sorted(FILTERS)


@by_name
def test_documentation_names_its_filter_and_says_what_it_returns(name: str) -> None:
    documentation = sidecar(name)["DOCUMENTATION"]
    assert documentation["name"] == name
    assert documentation["short_description"]
    assert documentation["description"]
    assert sidecar(name)["RETURN"]["_value"]["description"]
    assert sidecar(name)["RETURN"]["_value"]["type"]


@by_name
def test_documented_options_are_the_parameters_of_the_filter(name: str) -> None:
    documentation = sidecar(name)["DOCUMENTATION"]
    parameters = list(inspect.signature(FILTERS[name]).parameters.values())
    names = ["_input", *(parameter.name for parameter in parameters[1:])]
    options = documentation["options"]
    assert list(options) == names
    positional = [word.strip() for word in documentation["positional"].split(",")]
    assert positional == names[: len(positional)]
    for option, parameter in zip(options.values(), parameters, strict=True):
        assert option["description"]
        assert option["type"]
        assert bool(option.get("required")) == (parameter.default is inspect.Parameter.empty)
        if parameter.default not in (inspect.Parameter.empty, None):
            default = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
            assert option.get("default") == default


@by_name
def test_every_filter_has_an_example(name: str) -> None:
    assert examples(name)


@pytest.mark.parametrize(("name", "example"), CASES, ids=[f"{name}-{i}" for i, (name, _) in enumerate(CASES)])
def test_an_example_gives_what_it_says(name: str, example: dict[str, Any]) -> None:
    if "task" in example:
        assert name in str(example["task"])
        assert rendered(example["task"]) != example["task"]
        return
    assert name in example["expression"]
    template = "{{ " + example["expression"] + " }}"
    if "error" in example:
        with pytest.raises(AnsibleError) as caught:
            rendered(template)
        assert example["error"] in str(caught.value)
    else:
        assert rendered(template) == example["result"]


@pytest.mark.parametrize(
    "name", ["network_plan", "node_pod_cidr", "first_service_address", "dns_address", "pod_mtu"]
)
@pytest.mark.parametrize("value", [None, [], {}, 5.5], ids=str)
def test_an_argument_of_the_wrong_type_is_told_and_not_traced(name: str, value: object) -> None:
    arguments = [value] * len(
        [
            p
            for p in inspect.signature(FILTERS[name]).parameters.values()
            if p.default is inspect.Parameter.empty
        ]
    )
    with pytest.raises(AnsibleError):
        FILTERS[name](*arguments)


def test_ansible_doc_shows_every_filter() -> None:
    command = [str(Path(sys.executable).with_name("ansible-doc")), "-t", "filter", "--json", *sorted(FILTERS)]
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    shown = json.loads(done.stdout)
    assert {name: entry["doc"]["short_description"] for name, entry in shown.items()} == {
        name: sidecar(name)["DOCUMENTATION"]["short_description"] for name in FILTERS
    }
