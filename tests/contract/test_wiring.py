import re
from pathlib import Path

import yaml

from flatnet.programs.catalog import load_catalog
from flatnet.programs.images import ImageSpec
from flatnet.settings import SETTINGS, Settings
from tests.docs import settings as settings_docs

ROOT = Path(__file__).resolve().parents[2]
WIRING = (ROOT / "playbooks/vars/wiring.yml").read_text()


# An input that is a setting as it stands.
AS_IT_STANDS = re.compile(r"\{\{ __cluster_settings\.(cluster_\w+) \}\}")


def test_the_probe_image_is_the_one_that_every_node_is_given() -> None:
    pin = load_catalog().image("agnhost")
    reference = ImageSpec(pin.name, "any version", pin.program, tag=pin.tag).reference
    assert Settings().probe_image == reference


def test_what_is_told_of_settings_is_written_from_their_definition() -> None:
    assert settings_docs.main(["--check"]) == 0


def test_every_setting_of_the_wiring_is_one_and_has_no_other_default_there() -> None:
    mentioned = set(re.findall(r"__cluster_settings\.(\w+)", WIRING))
    assert mentioned - {one.variable for one in SETTINGS} == set()
    assert re.findall(r"(?<![\w.])cluster_\w+ \| default\(", WIRING) == []


def _handed_on() -> dict[str, str]:
    """Return input of a role -> the setting that it is, by the wiring, an internal name, or its name."""
    texts = {name: value for name, value in yaml.safe_load(WIRING).items() if isinstance(value, str)}
    direct = {name: match[1] for name, text in texts.items() if (match := AS_IT_STANDS.fullmatch(text))}
    by_way = {name: direct[text[3:-3]] for name, text in texts.items() if text[3:-3] in direct}
    return direct | by_way | {one.variable: one.variable for one in SETTINGS}


def test_a_role_that_is_handed_a_setting_has_its_type_choices_and_default() -> None:
    settings = {one.variable: one for one in SETTINGS}
    compared = set()
    # A role is handed the path that the setting stands for.
    handed_on = {name: to for name, to in _handed_on().items() if to != "cluster_reports_directory"}
    for role in sorted((ROOT / "roles").iterdir()):
        entries = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]
        defaults = yaml.safe_load((role / "defaults/main.yml").read_text()) or {}
        for name, variable in handed_on.items():
            option, setting = entries["main"].get("options", {}).get(name), settings[variable]
            if option is None:
                continue
            compared.add(name)
            assert option["type"] == setting.kind.ansible, name
            if setting.choices and setting.kind.ansible != "dict" and "choices" in option:
                assert set(option["choices"]) == set(setting.choices), name
            if name in defaults and not option.get("required"):
                assert defaults[name] == setting.plain_default, name
                assert option.get("default", setting.plain_default) == setting.plain_default, name
    assert {"cluster_dns_upstreams", "kube_control_plane_api_port", "node_programs_source"} <= compared


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
            if not name.startswith(("__cluster_", "cni_backend", "policy_engine", "flatnet_facts"))
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
        and not re.match(r"cni_|policy_|cluster_objects_", name)
    ]
    assert missing == []
