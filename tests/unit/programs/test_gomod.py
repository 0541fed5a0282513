"""A build is decided by its input alone, happens once, and leaves nothing when it does not finish."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from flatnet.errors import FlatnetError
from flatnet.programs import toolchain
from flatnet.programs.catalog import GomodPin, Upstream
from flatnet.programs.gomod import build, build_command, build_environment, build_key, find_build, source_key
from flatnet.programs.progress import Lines
from flatnet.programs.store import Store
from flatnet.programs.toolchain import Toolchain, find_go, require_compiler, require_go, require_space

# Stands in for Go: answers `go env`, and `go build` writes its arguments into each file it is asked for.
FAKE_GO = """#!/bin/sh
if [ "$1" = env ]; then
  shift
  for name; do case $name in GOVERSION) echo go1.26.8;; *) echo "$FLATNET_CACHE/$name";; esac; done
  exit
fi
echo "$PWD" >> "$FLATNET_CACHE/builds"
[ -e "$FLATNET_CACHE/slow" ] && { echo started > "$FLATNET_CACHE/started"; sleep 30; }
[ -e "$FLATNET_CACHE/broken" ] && { seq 1 20; echo "tool.go:1: undefined: x"; exit 1; }
while [ "$1" != -o ]; do shift; done
printf 'CGO_ENABLED=%s GOARCH=%s\\n' "$CGO_ENABLED" "$GOARCH" > "$2"
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache directory of a machine whose only `go` is the fake one."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "go").write_text(FAKE_GO)
    (programs / "go").chmod(0o755)
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FLATNET_CACHE", str(cache))
    return cache


@pytest.fixture
def store(cache: Path) -> Store:
    return Store(cache / "programs")


def make_upstream(directory: Path, name: str = "tool", go: str = "1.26.0") -> Upstream:
    folder = directory / "build" / name
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text(f"module example.org/{name}\n\ngo {go}\n")
    (folder / "go.sum").write_text("")
    pin = GomodPin(folder, {name: "."}, disk_mib=1)
    return Upstream(name, "1.0.0", (name,), "/usr/local/bin", pin, ())


def pin_of(upstream: Upstream) -> GomodPin:
    assert upstream.gomod is not None
    return upstream.gomod


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    return make_upstream(tmp_path)


class Recorder(Lines):
    """Keeps what is said, without the seconds."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message.rpartition(":")[0] if message.endswith(" s") else message)


def test_a_build_is_one_command_with_the_flags_of_its_pin(tmp_path: Path) -> None:
    pin = GomodPin(
        tmp_path,
        {"bridge": "example.org/cni/bridge", "ptp": "example.org/cni/ptp"},
        tags=("a", "b"),
        variables={"example.org/version.V": "v1"},
    )
    assert build_command("/bin/go", pin, "amd64", Path("/out")) == [
        *("/bin/go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-tags", "a,b"),
        *("-ldflags", "-s -w -X example.org/version.V=v1", "-o", "/out/"),
        *("example.org/cni/bridge", "example.org/cni/ptp"),
    ]


def test_a_single_program_is_named_as_the_catalog_says(tmp_path: Path) -> None:
    pin = GomodPin(tmp_path, {"etcd": "go.etcd.io/etcd/server/v3"})
    assert build_command("go", pin, "amd64", Path("/out"))[-3:] == [
        "-o",
        "/out/etcd",
        "go.etcd.io/etcd/server/v3",
    ]


def test_c_is_linked_statically_and_only_where_the_pin_says(tmp_path: Path) -> None:
    pin = GomodPin(tmp_path, {"flanneld": "."}, cgo_architectures=("amd64",))
    assert '-s -w -extldflags "-static"' in build_command("go", pin, "amd64", Path("/out"))
    assert "-s -w" in build_command("go", pin, "arm64", Path("/out"))
    assert build_environment(pin, "amd64")["CGO_ENABLED"] == "1"
    assert build_environment(pin, "arm64")["CGO_ENABLED"] == "0"


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "main.go", "stub/go.mod"])
def test_every_source_file_is_part_of_the_key(upstream: Upstream, file: str) -> None:
    pin = pin_of(upstream)
    before = source_key(pin, "amd64")
    path = pin.directory / file
    path.parent.mkdir(exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "") + "// changed\n")
    assert source_key(pin, "amd64") != before


def test_every_setting_of_a_build_is_part_of_the_key(upstream: Upstream) -> None:
    pin = pin_of(upstream)
    keys = [
        build_key(pin, "amd64", "1.26.8"),
        build_key(pin, "amd64", "1.26.9"),
        build_key(pin, "arm64", "1.26.8"),
        build_key(replace(pin, tags=("x",)), "amd64", "1.26.8"),
        build_key(replace(pin, variables={"x.V": "1"}), "amd64", "1.26.8"),
        build_key(replace(pin, packages={"tool": "./cmd"}), "amd64", "1.26.8"),
        build_key(replace(pin, cgo_architectures=("amd64",)), "amd64", "1.26.8"),
    ]
    assert len(set(keys)) == len(keys)


def test_the_key_does_not_depend_on_where_the_checkout_lies(tmp_path: Path) -> None:
    here, there = make_upstream(tmp_path / "here"), make_upstream(tmp_path / "there")
    assert source_key(pin_of(here), "amd64") == source_key(pin_of(there), "amd64")


def test_a_build_happens_once(upstream: Upstream, store: Store, cache: Path) -> None:
    progress = Recorder()
    first = build([upstream], store, progress, "amd64")
    assert build([upstream], store, progress, "amd64") == first
    assert (first["tool"] / "tool").read_text() == "CGO_ENABLED=0 GOARCH=amd64\n"
    assert (cache / "builds").read_text() == f"{pin_of(upstream).directory}\n"
    assert progress.said == ["[1/1] build tool 1.0.0 (amd64) ...", "[1/1] build tool 1.0.0 (amd64)"]
    assert store.origin(first["tool"])["go"] == "1.26.8"


def test_a_changed_input_is_built_beside_the_old_one(upstream: Upstream, store: Store) -> None:
    first = build([upstream], store, Recorder(), "amd64")
    (pin_of(upstream).directory / "go.sum").write_text("changed\n")
    second = build([upstream], store, Recorder(), "amd64")
    assert first["tool"] != second["tool"]
    assert store.is_complete(first["tool"])
    assert store.is_complete(second["tool"])


def test_a_failed_build_names_its_log_and_shows_the_end_of_it(
    upstream: Upstream, store: Store, cache: Path
) -> None:
    (cache / "broken").touch()
    with pytest.raises(FlatnetError) as refused:
        build([upstream], store, Recorder(), "amd64")
    message, *tail = str(refused.value).splitlines()
    key = build_key(pin_of(upstream), "amd64", "1.26.8")[:12]
    log = store.root / "logs" / f"tool-1.0.0-{key}.log"
    assert (
        message == f"building tool 1.0.0 failed after 0 s (go exited with 1). Whole output: {log}. Its end:"
    )
    assert tail == [*map(str, range(7, 21)), "tool.go:1: undefined: x"]
    assert len(log.read_text().splitlines()) == 21
    assert sorted(path.name for path in store.root.iterdir()) == [".build.lock", "logs"]


def test_what_is_finished_stays_when_a_later_upstream_fails(
    tmp_path: Path, store: Store, cache: Path
) -> None:
    first, second = make_upstream(tmp_path, "first"), make_upstream(tmp_path, "second")
    build([first], store, Recorder(), "amd64")
    (cache / "broken").touch()
    with pytest.raises(FlatnetError, match=r"^building second 1\.0\.0 failed"):
        build([first, second], store, Recorder(), "amd64")
    (cache / "broken").unlink()
    progress = Recorder()
    assert set(build([first, second], store, progress, "amd64")) == {"first", "second"}
    assert progress.said[0] == "[1/1] build second 1.0.0 (amd64) ..."


def running_build(cache: Path, upstream: Upstream) -> "subprocess.Popen[bytes]":
    (cache / "slow").touch()
    program = (
        "import signal, sys\n"
        "from pathlib import Path\n"
        "from flatnet.programs.catalog import GomodPin, Upstream\n"
        "from flatnet.programs.gomod import build\n"
        "from flatnet.programs.progress import Lines\n"
        "from flatnet.programs.store import Store\n"
        # Ignored where the tests themselves run in the background of a shell, and then inherited.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "pin = GomodPin(Path(sys.argv[1]), {'tool': '.'}, disk_mib=1)\n"
        "upstream = Upstream('tool', '1.0.0', ('tool',), '/usr/local/bin', pin, ())\n"
        "build([upstream], Store(Path(sys.argv[2])), Lines(), 'amd64')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(pin_of(upstream).directory), str(cache / "programs")],
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while not (cache / "started").exists():
        assert process.poll() is None, "the build ended before it was interrupted"
        assert time.monotonic() < deadline, "the build never started"
        time.sleep(0.01)
    return process


def test_an_interrupted_build_ends_its_compilers_and_leaves_nothing(
    upstream: Upstream, store: Store, cache: Path
) -> None:
    process = running_build(cache, upstream)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) != 0
    assert [path.name for path in store.root.glob("*tool*")] == []
    # A compiler that lives on would still hold the lock that it inherited.
    with store.lock("build", lambda holder: pytest.fail(f"{holder} is still running")):
        pass


def test_after_a_killed_build_the_next_one_waits_for_its_orphan_and_cleans_up(
    upstream: Upstream, store: Store, cache: Path
) -> None:
    process = running_build(cache, upstream)
    orphan = int(subprocess.check_output(["pgrep", "-P", str(process.pid)]).split()[0])
    process.kill()
    process.wait(timeout=10)
    assert [path.name.startswith(".unfinished-tool") for path in store.root.glob("*tool*")] == [True]
    waited: list[str] = []

    def end_the_orphan(holder: str) -> None:
        waited.append(holder)
        os.killpg(orphan, signal.SIGKILL)

    with store.lock("build", end_the_orphan):
        pass
    assert waited == [str(process.pid)]
    (cache / "slow").unlink()
    built = build([upstream], store, Recorder(), "amd64")
    assert [path.name for path in store.root.glob("*tool*")] == [built["tool"].name]


def test_without_go_the_newest_build_of_the_same_input_is_found(upstream: Upstream, store: Store) -> None:
    built = build([upstream], store, Recorder(), "amd64")["tool"]
    assert find_build(store, upstream, "amd64", None) == built
    assert find_build(store, upstream, "arm64", None) is None
    assert find_build(store, upstream, "amd64", Toolchain("go", "1.27.0")) is None
    (pin_of(upstream).directory / "go.sum").write_text("changed\n")
    assert find_build(store, upstream, "amd64", None) is None


def test_missing_go_is_refused_with_the_release_that_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_go() is None
    upstreams = [make_upstream(tmp_path, "old", "1.9"), make_upstream(tmp_path, "new", "1.26.6")]
    with pytest.raises(FlatnetError) as refused:
        require_go(upstreams, None)
    assert str(refused.value) == (
        "`go` is not in PATH, and building new from Go modules needs Go 1.26.6 or newer. Install it "
        "(https://go.dev/dl/), or choose the source `release` or `directory` (cluster_programs_source)"
    )


@pytest.mark.parametrize(
    ("version", "enough"),
    [("1.26.5", False), ("1.26.6", True), ("1.26.10", True), ("1.27rc1", True), ("1.9.9", False)],
)
def test_a_go_release_is_compared_by_its_numbers(tmp_path: Path, version: str, enough: bool) -> None:
    go = Toolchain("/usr/bin/go", version)
    upstream = make_upstream(tmp_path, go="1.26.6")
    if enough:
        assert require_go([upstream], go) == go
    else:
        with pytest.raises(
            FlatnetError, match=f"/usr/bin/go is Go {version}, and building tool needs Go 1.26.6 or newer"
        ):
            require_go([upstream], go)


def test_the_go_in_path_is_asked_for_its_release(cache: Path) -> None:
    assert find_go() == Toolchain(str(cache.parent / "bin" / "go"), "1.26.8")


def test_a_missing_c_compiler_is_refused_before_anything_is_built(
    tmp_path: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    linking = replace(upstream, gomod=replace(pin_of(upstream), cgo_architectures=("amd64",)))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    require_compiler([linking], "arm64")
    with pytest.raises(FlatnetError, match="the C compiler 'gcc' is not in PATH, and tool links C on amd64"):
        require_compiler([linking], "amd64")


def test_c_for_another_architecture_needs_a_named_compiler(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    linking = replace(upstream, gomod=replace(pin_of(upstream), cgo_architectures=("amd64",)))
    monkeypatch.setattr(toolchain, "machine_architecture", lambda: "arm64")
    monkeypatch.setattr("shutil.which", lambda _program: "/usr/bin/gcc")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(FlatnetError, match="tool links C on amd64, and this machine is arm64"):
        require_compiler([linking], "amd64")
    monkeypatch.setenv("CC", "x86_64-linux-gnu-gcc")
    require_compiler([linking], "amd64")


def test_too_little_room_is_refused_with_what_is_free_and_what_is_needed(
    upstream: Upstream, store: Store, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = replace(upstream, gomod=replace(pin_of(upstream), disk_mib=3000))
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=2999 << 20))
    with pytest.raises(FlatnetError) as refused:
        require_space([large], store.root, Toolchain(str(cache.parent / "bin" / "go"), "1.26.8"))
    assert str(refused.value) == (
        f"{store.root} (flatnet's cache) has 2999 MiB free, and this build may write 3000 MiB. "
        "Free some (`go clean -cache` empties Go's), or point FLATNET_CACHE at another filesystem"
    )
