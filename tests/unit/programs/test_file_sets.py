"""Sets of files come out of the module that go.mod requires, by real Go, and are found by their digests."""

from pathlib import Path

import pytest

from flatnet.errors import FlatnetError
from flatnet.programs.catalog import Catalog, FileSet, GomodPin, Upstream
from flatnet.programs.directory import DirectoryProgram, export_programs
from flatnet.programs.gomod import build, source_key
from flatnet.programs.missing import MissingProgramError
from flatnet.programs.progress import Lines
from flatnet.programs.sources import Choice, Finder
from flatnet.programs.store import Store, read_sums

GO_MOD = """module example.org/build

go 1.21

require example.org/guard v0.0.0

replace example.org/guard => ./guard
"""
PATHS = ("crds/*.yaml", "bpf")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path / "cache"))
    return Store(tmp_path / "cache/programs")


def upstream(folder: Path, paths: tuple[str, ...] = PATHS) -> Upstream:
    """Return an upstream of a local module, which has files and no program."""
    module = folder / "guard"
    for path in (
        "crds/a.yaml",
        "crds/b.yaml",
        "crds/notes.txt",
        "bpf/from.c",
        "bpf/lib/common.h",
        "other.md",
    ):
        (module / path).parent.mkdir(parents=True, exist_ok=True)
        (module / path).write_text(f"{path}\n")
    (module / "go.mod").write_text("module example.org/guard\n\ngo 1.21\n")
    (folder / "go.mod").write_text(GO_MOD)
    (folder / "go.sum").write_text("")
    files = {"guard-files": FileSet("example.org/guard", paths)}
    pin = GomodPin(folder, {}, disk_mib=1, files=files)
    return Upstream("guard", "1.0.0", (), "/usr/local/bin", pin, ())


def built(one: Upstream, store: Store) -> Path:
    return build([one], store, Lines(), "amd64")["guard"]


def test_files_are_copied_with_their_paths_and_recorded_by_digest(tmp_path: Path, store: Store) -> None:
    entry = built(upstream(tmp_path / "build"), store)
    assert sorted(read_sums(entry)) == [
        "files/guard-files/bpf/from.c",
        "files/guard-files/bpf/lib/common.h",
        "files/guard-files/crds/a.yaml",
        "files/guard-files/crds/b.yaml",
    ]


def test_a_host_gets_each_file_in_the_sets_folder(tmp_path: Path, store: Store) -> None:
    one = upstream(tmp_path / "build")
    built(one, store)
    found = Finder(Catalog((one,), {}), Choice(), store).files("guard-files")
    assert (found.path, found.version) == ("/usr/local/share/flatnet/guard-files", "1.0.0")
    assert [file.path for file in found.files][:2] == [
        "/usr/local/share/flatnet/guard-files/bpf/from.c",
        "/usr/local/share/flatnet/guard-files/bpf/lib/common.h",
    ]
    assert found.files[0].file.read_text() == "bpf/from.c\n"


def test_a_site_without_a_network_has_them_in_its_folder(tmp_path: Path, store: Store) -> None:
    one = upstream(tmp_path / "build")
    built(one, store)
    catalog = Catalog((one,), {})
    found = Finder(catalog, Choice(), store).files("guard-files")
    names = [f"files/guard-files/{Path(file.path).relative_to(found.path)}" for file in found.files]
    site = tmp_path / "site"
    programs = [DirectoryProgram(file.file, file.sha256, "1.0.0") for file in found.files]
    export_programs(dict(zip(names, programs, strict=True)), site)
    choice = Choice(source="directory", directory=site)
    there = Finder(catalog, choice, Store(tmp_path / "none")).files("guard-files")
    assert [file.file for file in there.files] == [site / name for name in names]
    (site / names[0]).write_text("changed")
    with pytest.raises(MissingProgramError, match="is not what was recorded of it"):
        Finder(catalog, choice, Store(tmp_path / "none")).files("guard-files")


def test_what_is_not_built_yet_is_told(tmp_path: Path, store: Store) -> None:
    one = upstream(tmp_path / "build")
    with pytest.raises(MissingProgramError, match=r"guard 1\.0\.0 is not built yet"):
        Finder(Catalog((one,), {}), Choice(), store).files("guard-files")


def test_a_program_is_no_set_of_files(tmp_path: Path, store: Store) -> None:
    one = upstream(tmp_path / "build")
    with pytest.raises(FlatnetError, match="no program is called 'guard'; known programs: guard-files"):
        Finder(Catalog((one,), {}), Choice(), store).files("guard")


def test_a_path_that_the_module_does_not_have_is_refused(tmp_path: Path, store: Store) -> None:
    with pytest.raises(
        FlatnetError, match=r"the module example\.org/guard has nothing at manifests/\*\.yaml"
    ):
        built(upstream(tmp_path / "build", ("manifests/*.yaml",)), store)
    assert store.entries("guard", "1.0.0") == []


def test_a_module_that_is_not_required_is_refused_in_the_words_of_go(tmp_path: Path, store: Store) -> None:
    one = upstream(tmp_path / "build")
    assert one.gomod is not None
    pin = GomodPin(one.gomod.directory, {}, files={"x": FileSet("example.org/other", ("a",))})
    with pytest.raises(FlatnetError, match=r"list -m -json example\.org/other in .* failed: .* known dep"):
        build([Upstream("guard", "1.0.0", (), "/usr/local/bin", pin, ())], store, Lines(), "amd64")


def test_other_files_are_another_input(tmp_path: Path) -> None:
    one, other = (upstream(tmp_path / "build", paths).gomod for paths in (PATHS, ("crds",)))
    assert one is not None
    assert other is not None
    assert source_key(one, "amd64") != source_key(other, "amd64")
