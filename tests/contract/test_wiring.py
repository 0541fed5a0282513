import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
WIRING = (ROOT / "playbooks/vars/wiring.yml").read_text()


def test_the_probe_image_is_the_one_made_from_the_pinned_agnhost() -> None:
    version = yaml.safe_load((ROOT / "build/programs.yml").read_text())["upstreams"]["agnhost"]["version"]
    assert f"flatnet.local/agnhost:{version}" in WIRING


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
