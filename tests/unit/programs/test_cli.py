"""The command line and the action plugin of node_programs say what is there and provide what is not."""

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from plugin_loader import load_plugin

from flatnet.errors import FlatnetError
from flatnet.programs import catalog as catalog_module
from flatnet.programs.cli import main

PLUGIN = Path(__file__).parents[3] / "roles/node_programs/action_plugins/program_catalog.py"
FAKE_GO = """#!/bin/sh
if [ "$1" = env ]; then
  shift
  for name; do case $name in GOVERSION) echo go1.26.8;; *) echo "$FLATNET_CACHE/$name";; esac; done
  exit
fi
while [ "$1" != -o ]; do shift; done
echo program > "$2"
"""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a machine with a fake Go and pins of two upstreams, one of them published."""
    programs, build = tmp_path / "bin", tmp_path / "build"
    programs.mkdir()
    (programs / "go").write_text(FAKE_GO)
    (programs / "go").chmod(0o755)
    for name in ("agent", "probe"):
        (build / name).mkdir(parents=True)
        (build / name / "go.mod").write_text(f"module example.org/{name}\n\ngo 1.26.0\n")

    def entry(name: str) -> dict[str, Any]:
        return {"version": "1.0.0", "gomod": {"directory": name, "packages": {name: "."}, "disk_mib": 1}}

    file = {"url": "http://127.0.0.1:1/agent", "program": "agent", "digests": {"amd64": f"sha256:{'0' * 64}"}}
    data = {
        "upstreams": {"agent": {**entry("agent"), "release": [file]}, "probe": entry("probe")},
        "images": {"probe": {"program": "probe"}},
    }
    (build / "programs.yml").write_text(yaml.safe_dump(data))
    monkeypatch.setattr(catalog_module, "build_directory", lambda: build)
    monkeypatch.setattr("flatnet.programs.cli.machine_architecture", lambda: "amd64")
    monkeypatch.setattr("flatnet.programs.download.time.sleep", lambda _seconds: None)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


@pytest.fixture(scope="module")
def plugin() -> ModuleType:
    return load_plugin(PLUGIN)


def asked(**given: object) -> dict[str, Any]:
    defaults = {
        "names": [],
        "images": [],
        "files": [],
        "source": "gomod",
        "exceptions": {},
        "directory": "",
        "releases": "",
        "architecture": "amd64",
    }
    return {**defaults, **given}


def table(text: str) -> list[list[str]]:
    return [" ".join(line.split("  ")).split() for line in text.splitlines()]


def test_a_build_prints_the_folders_and_shows_its_steps_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "probe"]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("[1/1] build probe 1.0.0 (amd64) ...\n[1/1] build probe 1.0.0 (amd64): ")
    (line,) = printed.out.splitlines()
    name, _, folder = line.partition(": ")
    assert name == "probe"
    assert (Path(folder) / "probe").read_text() == "program\n"


def test_what_takes_long_to_build_is_left_out_where_that_is_asked_and_named(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pins = machine / "build/programs.yml"
    data = yaml.safe_load(pins.read_text())
    data["upstreams"]["agent"]["gomod"]["slow"] = True
    pins.write_text(yaml.safe_dump(data))
    assert main(["build", "--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "left out, as building them takes many minutes: agent"
    assert [line.partition(":")[0] for line in lines[1:]] == ["probe"]
    assert main(["build"]) == 0
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == ["agent", "probe"]


def test_the_path_of_a_program_is_printed_once_it_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["path", "probe"]) == 1
    assert capsys.readouterr().err == (
        "1 program is not available on this machine; no host was changed:\n"
        "  probe: probe 1.0.0 is not built yet for amd64 by Go 1.26.8\n"
        "Provide with: python -m flatnet.programs build --architecture amd64 probe\n"
    )
    main(["build", "probe"])
    capsys.readouterr()
    assert main(["path", "probe"]) == 0
    assert Path(capsys.readouterr().out.strip()).read_text() == "program\n"


def test_the_list_shows_each_program_and_what_each_source_has(capsys: pytest.CaptureFixture[str]) -> None:
    main(["build", "probe"])
    capsys.readouterr()
    assert main(["list"]) == 0
    assert table(capsys.readouterr().out) == [
        ["program", "upstream", "gomod", "release"],
        ["agent", "agent", "1.0.0,", "to", "build", "1.0.0,", "to", "download"],
        ["probe", "probe", "1.0.0", "ready", "(from", "gomod)"],
    ]


def test_an_unknown_name_is_a_message_and_not_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "prob"]) == 1
    assert capsys.readouterr().err == "no program is called 'prob'; known programs: agent, probe\n"


def test_a_download_of_something_unpublished_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "probe"]) == 1
    assert capsys.readouterr().err.startswith(
        "probe: no published file of it is pinned for amd64; take it from"
    )


def test_an_export_of_what_is_not_built_says_everything_missing(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(machine / "export")]) == 1
    assert (
        capsys.readouterr().err.splitlines()[0]
        == "2 programs are not available on this machine; no host was changed:"
    )
    assert not (machine / "export").exists()


def test_an_export_is_found_by_the_directory_source(
    machine: Path, plugin: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["build"])
    capsys.readouterr()
    assert main(["export", str(machine / "export"), "probe"]) == 0
    assert capsys.readouterr().out == f"{machine}/export: probe for amd64\n"
    wanted = asked(names=["probe"], source="directory", directory=str(machine / "export"))
    found = plugin.look_up({"a": wanted}, download=False)["a"]
    assert found["transfers"][0]["source"] == f"{machine}/export/probe"
    assert found["programs"]["probe"]["version"] == "1.0.0"


def test_an_export_of_everything_is_of_what_the_source_has(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pins = machine / "build/programs.yml"
    data = yaml.safe_load(pins.read_text())
    file = {"url": "http://127.0.0.1:1/lone", "program": "lone", "digests": {"amd64": f"sha256:{'0' * 64}"}}
    data["upstreams"]["lone"] = {"version": "1.0.0", "release": [file]}
    pins.write_text(yaml.safe_dump(data))
    main(["build"])
    capsys.readouterr()
    assert main(["export", str(machine / "export")]) == 0
    assert capsys.readouterr().out == f"{machine}/export: agent, probe for amd64\n"
    assert main(["export", str(machine / "export"), "lone"]) == 1
    assert "lone has no Go module pin; use another source for it" in capsys.readouterr().err


def test_a_look_up_answers_in_the_words_of_the_role(plugin: ModuleType) -> None:
    main(["build", "probe"])
    found = plugin.look_up({"a": asked(names=["probe"], images=["probe"])}, download=False)["a"]
    program, image = found["programs"]["probe"], found["images"]["probe"]
    assert program == {"path": "/usr/local/bin/probe", "sha256": program["sha256"], "version": "1.0.0"}
    assert image == {
        "path": "/var/lib/flatnet/images/probe-1.0.0.tar",
        "sha256": image["sha256"],
        "reference": "flatnet.local/probe:1.0.0",
    }
    sent, sent_image = found["transfers"]
    assert Path(sent.pop("source")).read_text() == "program\n"
    assert Path(sent_image.pop("source")).name.endswith(".tar")
    assert sent == {"path": "/usr/local/bin/probe", "sha256": program["sha256"], "mode": "0755"}
    assert sent_image == {"path": image["path"], "sha256": image["sha256"], "mode": "0644"}


def test_each_host_gets_what_it_asked_for_and_the_same_question_is_answered_once(plugin: ModuleType) -> None:
    main(["build", "probe"])
    some, none = asked(names=["probe"]), asked()
    found = plugin.look_up({"a": some, "b": none, "c": dict(some)}, download=False)
    assert [list(found[host]["programs"]) for host in "abc"] == [["probe"], [], ["probe"]]
    assert found["a"] is found["c"]


def test_what_is_missing_for_any_host_is_refused_together(plugin: ModuleType) -> None:
    requests = {
        "a": asked(names=["agent"]),
        "b": asked(names=["probe", "agent"], architecture="arm64"),
        "c": asked(names=["agent"]),
    }
    with pytest.raises(FlatnetError) as refused:
        plugin.look_up(requests, download=True)
    assert str(refused.value).splitlines() == [
        "2 programs are not available on this machine; no host was changed:",
        "  agent: agent 1.0.0 is not built yet for amd64 by Go 1.26.8",
        "  agent: agent 1.0.0 is not built yet for arm64 by Go 1.26.8",
        "  probe: probe 1.0.0 is not built yet for arm64 by Go 1.26.8",
        "Provide with: python -m flatnet.programs build --architecture amd64 agent",
        "Provide with: python -m flatnet.programs build --architecture arm64 agent probe",
    ]


def test_nothing_is_downloaded_while_something_else_is_missing(plugin: ModuleType) -> None:
    requests = {"a": asked(names=["agent"], source="release"), "b": asked(names=["probe"])}
    with pytest.raises(FlatnetError, match=r"^2 programs are not available"):
        plugin.look_up(requests, download=True)
    main(["build", "probe"])
    with pytest.raises(FlatnetError, match=r"^http://127\.0\.0\.1:1/agent: the connection failed"):
        plugin.look_up(requests, download=True)


def test_each_host_downloads_from_its_own_file_of_releases(machine: Path, plugin: ModuleType) -> None:
    file = {"url": "http://127.0.0.1:1/own", "program": "agent", "digests": {"amd64": f"sha256:{'1' * 64}"}}
    path = machine / "releases.yml"
    path.write_text(yaml.safe_dump({"upstreams": {"agent": {"version": "2.0.0", "release": [file]}}}))
    main(["build", "agent"])
    own = asked(names=["agent"], source="release", releases=str(path))
    with pytest.raises(FlatnetError, match=r"^http://127\.0\.0\.1:1/own: the connection failed"):
        plugin.look_up({"a": asked(names=["agent"]), "b": own}, download=True)
    with pytest.raises(FlatnetError, match=r"2\.0\.0 is not downloaded yet\nProvide with: .* --releases /"):
        plugin.look_up({"a": asked(names=["agent"]), "b": own}, download=False)
