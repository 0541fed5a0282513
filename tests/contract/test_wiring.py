import re
from pathlib import Path

import yaml

from flatnet.programs.catalog import load_catalog
from flatnet.programs.images import ImageSpec
from flatnet.settings import settings_of

ROOT = Path(__file__).resolve().parents[2]
WIRING = (ROOT / "playbooks/vars/wiring.yml").read_text()


def test_the_probe_image_is_the_one_that_every_node_is_given() -> None:
    pin = load_catalog().image("agnhost")
    reference = ImageSpec(pin.name, "any version", pin.program, tag=pin.tag).reference
    assert f"default('{reference}')" in yaml.safe_load(WIRING)["network_check_image"]


def test_the_example_inventory_shows_every_setting() -> None:
    text = (ROOT / "inventories/example/group_vars/k8s_cluster/network.yml").read_text()
    assert set(re.findall(r"^(?:# )?(cluster_\w+):", text, re.MULTILINE)) == settings_of(
        yaml.safe_load(WIRING)
    )


def test_what_the_example_shows_in_a_comment_is_the_default() -> None:
    text = (ROOT / "inventories/example/group_vars/k8s_cluster/network.yml").read_text()
    comments = "\n".join(re.findall(r"^# (cluster_\w+:.*)$", text, re.MULTILINE))
    defaults = {
        name: yaml.safe_load(value)
        for name, value in re.findall(r"\b(cluster_\w+) \| default\(('[^']*'|\[.*?\]|\w+|\{\})\)", WIRING)
    }
    # One is an expression of Ansible, and the other has no default but what the hosts have.
    shown = {
        name: value
        for name, value in yaml.safe_load(comments).items()
        if name not in ("cluster_state_directory", "cluster_underlay_mtu")
    }
    assert shown == {name: defaults.get(name) for name in shown}


def test_only_inputs_that_a_role_specifies_are_wired() -> None:
    specified = {
        name
        for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")
        for name in yaml.safe_load(path.read_text())["argument_specs"]["main"].get("options", {})
    }
    # The plan is what nearly every input is taken from, and has a name of its own.
    wired = set(yaml.safe_load(WIRING)) - {"network_plan"}
    assert (
        sorted(
            name
            for name in wired - specified
            if not name.startswith(("__cluster_", "cni_backend", "flatnet_facts"))
        )
        == []
    )


def test_every_required_input_is_wired() -> None:
    missing = [
        name
        for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")
        for name, option in yaml.safe_load(path.read_text())["argument_specs"]["main"]
        .get("options", {})
        .items()
        if option.get("required")
        and name not in yaml.safe_load(WIRING)
        and not re.match(r"cni_|cluster_objects_", name)
    ]
    assert missing == []
