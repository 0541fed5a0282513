"""A host gets each program from the source that the inventory chose, or one message says what is missing."""

import hashlib
import json
import struct
from pathlib import Path

import pytest

from flatnet.errors import FlatnetError
from flatnet.programs.catalog import Catalog, GomodPin, ImagePin, ReleaseFile, Upstream
from flatnet.programs.directory import DirectoryProgram, elf_architecture, export_programs, find_in_directory
from flatnet.programs.gomod import build_key
from flatnet.programs.missing import MissingProgramError, missing_message
from flatnet.programs.release import find_download
from flatnet.programs.sources import Choice, Finder
from flatnet.programs.store import DigestCache, Store
from flatnet.programs.toolchain import Toolchain


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def elf(machine: int, byte_order: int = 1) -> bytes:
    endian = "<" if byte_order == 1 else ">"
    return b"\x7fELF" + bytes([2, byte_order]) + bytes(12) + struct.pack(f"{endian}H", machine) + b"program"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("flatnet.programs.sources.find_go", lambda: Toolchain("go", "1.26.8"))


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """Return a catalog of an agent that is published, and a probe that is not."""
    upstreams = []
    for name, version in (("agent", "2.0.0"), ("probe", "1.0.0")):
        folder = tmp_path / "build" / name
        folder.mkdir(parents=True)
        (folder / "go.mod").write_text(f"module example.org/{name}\n")
        release: tuple[ReleaseFile, ...] = ()
        if name == "agent":
            url = "https://example.org/agent"
            release = (ReleaseFile(url, "1.9.0", {"amd64": f"sha256:{'0' * 64}"}, {"agent": None}),)
        upstreams.append(
            Upstream(name, version, (name,), "/usr/local/bin", GomodPin(folder, {name: "."}), release)
        )
    images = {"probe": ImagePin("probe", "probe", arguments=("listen",), user="1:1")}
    return Catalog(tuple(upstreams), images)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache" / "programs")


def put_build(store: Store, upstream: Upstream, content: bytes) -> Path:
    assert upstream.gomod is not None
    entry = store.entry(upstream.name, upstream.version, build_key(upstream.gomod, "amd64", "1.26.8"))
    with store.new_entry(entry, {}) as folder:
        (folder / upstream.name).write_bytes(content)
    return entry


def put_download(store: Store, upstream: Upstream, content: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    entry = store.root / f"{upstream.name}-download"
    with store.new_entry(entry, {}) as folder:
        (folder / upstream.name).write_bytes(content)
    monkeypatch.setattr("flatnet.programs.release.find_download", lambda *_: entry)
    return entry


def folder_with(tmp_path: Path, programs: dict[str, bytes], sums: dict[str, str] | None = None) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    for name, content in programs.items():
        (folder / name).write_bytes(content)
    digests = {name: sha256(content) for name, content in programs.items()} if sums is None else sums
    (folder / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in digests.items()))
    return folder


def test_a_built_program_is_found_with_its_digest_and_destination(catalog: Catalog, store: Store) -> None:
    entry = put_build(store, catalog.upstream_of("agent"), b"agent")
    found = Finder(catalog, Choice("gomod"), store).program("agent")
    assert (found.file, found.sha256, found.version) == (entry / "agent", sha256(b"agent"), "2.0.0")
    assert (found.path, found.source) == ("/usr/local/bin/agent", "gomod")


def test_a_downloaded_program_has_the_version_of_its_file(
    catalog: Catalog, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = put_download(store, catalog.upstream_of("agent"), b"agent", monkeypatch)
    found = Finder(catalog, Choice("release"), store).program("agent")
    assert (found.file, found.version, found.source) == (entry / "agent", "1.9.0", "release")


def test_what_upstream_does_not_publish_comes_from_go_modules(catalog: Catalog, store: Store) -> None:
    put_build(store, catalog.upstream_of("probe"), b"probe")
    assert Finder(catalog, Choice("release"), store).program("probe").source == "gomod"


def test_what_upstream_does_not_publish_comes_from_the_folder_if_there_is_one(
    catalog: Catalog, store: Store, tmp_path: Path
) -> None:
    folder = folder_with(tmp_path, {"probe": b"probe"})
    assert Finder(catalog, Choice("release", directory=folder), store).program("probe").source == "directory"


def test_an_exception_for_a_program_goes_before_the_source_of_all(
    catalog: Catalog, store: Store, tmp_path: Path
) -> None:
    put_build(store, catalog.upstream_of("agent"), b"agent")
    choice = Choice("gomod", {"probe": "directory"}, folder_with(tmp_path, {"probe": b"probe"}))
    finder = Finder(catalog, choice, store)
    assert (finder.program("agent").source, finder.program("probe").source) == ("gomod", "directory")


def test_an_exception_is_taken_literally_and_refused_where_nothing_is_published(
    catalog: Catalog, store: Store
) -> None:
    finder = Finder(catalog, Choice("gomod", {"probe": "release"}), store)
    with pytest.raises(
        MissingProgramError, match="probe: no published file of it is pinned for amd64"
    ) as refused:
        finder.program("probe")
    assert refused.value.verb == ""


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (
            Choice("ftp"),
            "cluster_programs_source: 'ftp' is not a source; choose one of release, gomod, directory",
        ),
        (
            Choice("gomod", {"agent": "x"}),
            "agent: 'x' is not a source; choose one of release, gomod, directory",
        ),
        (
            Choice("directory"),
            "cluster_programs_source is `directory`: set cluster_programs_directory to the folder",
        ),
        (
            Choice("gomod", {"agent": "directory"}),
            "agent is `directory`: set cluster_programs_directory to the folder",
        ),
        (Choice(architecture="s390x"), "node_programs_architecture: 's390x' is not one of amd64, arm64"),
        (Choice("gomod", {"agnet": "gomod"}), "no program is called 'agnet'; known programs: agent, probe"),
    ],
)
def test_a_choice_that_cannot_work_is_refused(
    catalog: Catalog, store: Store, choice: Choice, message: str
) -> None:
    with pytest.raises(FlatnetError) as refused:
        Finder(catalog, choice, store)
    assert str(refused.value) == message


def test_a_damaged_program_of_the_cache_is_refused_with_both_digests(catalog: Catalog, store: Store) -> None:
    entry = put_build(store, catalog.upstream_of("agent"), b"agent")
    (entry / "agent").write_bytes(b"damaged")
    with pytest.raises(MissingProgramError) as refused:
        Finder(catalog, Choice("gomod"), store).program("agent")
    assert str(refused.value) == (
        f"agent: {entry}/agent has sha256 {sha256(b'damaged')}, and was made with {sha256(b'agent')}; "
        f"remove {entry} and repeat"
    )


def test_an_image_has_the_version_of_its_program_and_is_made_once(catalog: Catalog, store: Store) -> None:
    put_build(store, catalog.upstream_of("probe"), b"probe")
    first = Finder(catalog, Choice("gomod"), store).image("probe")
    modified = first.file.stat().st_mtime_ns
    assert Finder(catalog, Choice("gomod"), store).image("probe") == first
    assert first.file.stat().st_mtime_ns == modified
    assert first.sha256 == sha256(first.file.read_bytes())
    assert (first.path, first.reference) == (
        "/var/lib/flatnet/images/probe-1.0.0.tar",
        "flatnet.local/probe:1.0.0",
    )


def test_everything_missing_is_one_message_with_the_commands_that_provide_it(
    catalog: Catalog, store: Store
) -> None:
    missing = []
    for source, names in (("gomod", ["probe", "agent", "probe"]), ("release", ["agent"])):
        finder = Finder(catalog, Choice(source), store)
        for name in names:
            with pytest.raises(MissingProgramError) as refused:
                finder.program(name)
            missing.append(refused.value)
    assert missing_message(missing).splitlines() == [
        "2 programs are not available on this machine; no host was changed:",
        "  agent: agent 1.9.0 is not downloaded yet",
        "  agent: agent 2.0.0 is not built yet for amd64 by Go 1.26.8",
        "  probe: probe 1.0.0 is not built yet for amd64 by Go 1.26.8",
        "Provide with: python -m flatnet.programs build --architecture amd64 agent probe",
        "Provide with: python -m flatnet.programs download --architecture amd64 agent",
    ]


def test_programs_that_are_missing_for_one_reason_share_a_line(
    tmp_path: Path, catalog: Catalog, store: Store
) -> None:
    finder = Finder(catalog, Choice("directory", directory=tmp_path / "absent"), store)
    missing = []
    for name in ("probe", "agent"):
        with pytest.raises(MissingProgramError) as refused:
            finder.program(name)
        missing.append(refused.value)
    assert missing_message(missing).splitlines()[1] == (
        f"  agent, probe: {tmp_path}/absent is not a folder (cluster_programs_directory); make it with "
        f"`python -m flatnet.programs export {tmp_path}/absent` on a machine that has the programs"
    )


def directory_refusal(folder: Path, program: str = "agent") -> str:
    with pytest.raises(FlatnetError) as refused:
        find_in_directory(folder, program, "amd64", DigestCache())
    return str(refused.value).replace(str(folder), "DIR")


def test_a_program_of_a_folder_is_found_with_the_version_that_the_export_recorded(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {"agent": elf(62)})
    (folder / "versions.json").write_text(json.dumps({"agent": "2.0.0"}))
    found = find_in_directory(folder, "agent", "amd64", DigestCache())
    assert found == DirectoryProgram(folder / "agent", sha256(elf(62)), "2.0.0")


def test_a_program_of_a_folder_made_by_hand_has_its_digest_as_version(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {"agent": b"agent"})
    found = find_in_directory(folder, "agent", "amd64", DigestCache())
    assert found.version == f"sha256-{sha256(b'agent')[:12]}"


def test_a_program_with_another_digest_is_refused_with_both(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {"agent": b"agent"}, {"agent": "ab" * 32})
    assert directory_refusal(folder) == (
        f"DIR/agent has sha256 {sha256(b'agent')}, and DIR/SHA256SUMS says {'ab' * 32}: it is damaged or was "
        "replaced. Copy it again, or record the new digest if the change was meant"
    )


def test_a_program_that_is_not_in_the_folder_is_refused(tmp_path: Path) -> None:
    assert directory_refusal(folder_with(tmp_path, {})) == (
        "DIR/agent does not exist; add it and its line in SHA256SUMS, or use "
        "`python -m flatnet.programs export DIR` on a machine that has the programs"
    )


def test_a_program_without_a_digest_is_refused(tmp_path: Path) -> None:
    assert directory_refusal(folder_with(tmp_path, {"agent": b"agent"}, {})) == (
        "DIR/agent has no line in DIR/SHA256SUMS; add it with `sha256sum agent >> SHA256SUMS` there"
    )


def test_a_program_for_another_machine_is_refused(tmp_path: Path) -> None:
    assert directory_refusal(folder_with(tmp_path, {"agent": elf(183)})) == (
        "DIR/agent is built for arm64, and the host needs amd64; put a program for amd64 there"
    )


@pytest.mark.parametrize(
    ("content", "architecture"),
    [
        (elf(62), "amd64"),
        (elf(183), "arm64"),
        (elf(22, 2), None),
        (b"#!/bin/sh\n# a script, not a program", None),
        (b"", None),
    ],
)
def test_the_machine_of_a_program_is_read_from_its_header(
    tmp_path: Path, content: bytes, architecture: str | None
) -> None:
    (tmp_path / "program").write_bytes(content)
    assert elf_architecture(tmp_path / "program") == architecture


def test_an_export_is_a_folder_that_the_directory_source_accepts(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"agent")
    target = tmp_path / "export"
    export_programs({"agent": DirectoryProgram(source, sha256(b"agent"), "2.0.0")}, target)
    found = find_in_directory(target, "agent", "amd64", DigestCache())
    assert (found.version, found.sha256) == ("2.0.0", sha256(b"agent"))
    assert (target / "agent").stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in target.iterdir()) == ["SHA256SUMS", "agent", "versions.json"]


def test_an_export_renews_what_changed_and_keeps_the_rest(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "export"
    for name, content, version in (
        ("agent", b"one", "1.0.0"),
        ("probe", b"probe", "1.0.0"),
        ("agent", b"two", "2.0.0"),
    ):
        source.write_bytes(content)
        export_programs({name: DirectoryProgram(source, sha256(content), version)}, target)
    found = {name: find_in_directory(target, name, "amd64", DigestCache()) for name in ("agent", "probe")}
    assert {name: (program.file.read_bytes(), program.version) for name, program in found.items()} == {
        "agent": (b"two", "2.0.0"),
        "probe": (b"probe", "1.0.0"),
    }


def test_nothing_is_downloaded_where_nothing_is_published(catalog: Catalog, store: Store) -> None:
    assert find_download(store, catalog.upstream_of("probe"), "amd64") is None
