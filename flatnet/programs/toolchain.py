"""What building needs from this machine: Go, sometimes a C compiler, and disk space."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flatnet.errors import FlatnetError
from flatnet.programs.catalog import ARCHITECTURES, GomodPin, Upstream

_GO_DIRECTIVE = re.compile(r"^go\s+(\S+)", re.MULTILINE)
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_OTHER_SOURCES = "or choose the source `release` or `directory` (cluster_programs_source)"


@dataclass(frozen=True)
class Toolchain:
    """The Go in PATH: its file and its release, such as `1.26.8`."""

    program: str
    version: str


def machine_architecture() -> str:
    """Return Go's name of this machine's architecture; FlatnetError when flatnet has no pins for it."""
    machine = platform.machine()
    if machine not in _MACHINES:
        raise FlatnetError(f"{machine} has no pinned programs; choose one of {', '.join(ARCHITECTURES)}")
    return _MACHINES[machine]


def find_go() -> Toolchain | None:
    """Return the Go in PATH, None when there is none; it never fetches another one (GOTOOLCHAIN=local)."""
    program = shutil.which("go")
    if program is None:
        return None
    version = _go_variables(program, "GOVERSION")[0].removeprefix("go").partition(" ")[0]
    return Toolchain(program, version)


def require_go(upstreams: Iterable[Upstream], go: Toolchain | None) -> Toolchain:
    """Return `go` if it can build every upstream; FlatnetError saying which Go is needed when it cannot."""
    needs = [(go_directive(upstream.gomod), upstream.name) for upstream in upstreams if upstream.gomod]
    version, name = max(needs, key=lambda need: _numbers(need[0]), default=("0", ""))
    if go is None:
        raise FlatnetError(
            f"`go` is not in PATH, and building {name} from Go modules needs Go {version} or newer. "
            f"Install it (https://go.dev/dl/), {_OTHER_SOURCES}"
        )
    if _numbers(go.version) < _numbers(version):
        raise FlatnetError(
            f"{go.program} is Go {go.version}, and building {name} needs Go {version} or newer. "
            f"Install a newer one (https://go.dev/dl/), {_OTHER_SOURCES}"
        )
    return go


def go_directive(pin: GomodPin) -> str:
    """Return the oldest Go release that go.mod of `pin` accepts, such as `1.26.6`."""
    path = pin.directory / "go.mod"
    try:
        text = path.read_text()
    except OSError as problem:
        raise FlatnetError(
            f"{path} cannot be read: {problem.strerror}; restore it from version control"
        ) from problem
    found = _GO_DIRECTIVE.search(text)
    return found[1] if found else "1.16"


def require_compiler(upstreams: Iterable[Upstream], architecture: str) -> None:
    """Raise FlatnetError when an upstream links C on `architecture` and no compiler for it is here."""
    linking = [u.name for u in upstreams if u.gomod and architecture in u.gomod.cgo_architectures]
    if not linking:
        return
    names = ", ".join(linking)
    compiler = os.environ.get("CC", "gcc")
    if shutil.which(compiler.split()[0]) is None:
        raise FlatnetError(
            f"the C compiler {compiler!r} is not in PATH, and {names} links C on {architecture}. "
            f"Install it (Debian: apt-get install gcc libc6-dev), name it in CC, {_OTHER_SOURCES}"
        )
    if architecture != machine_architecture() and "CC" not in os.environ:
        raise FlatnetError(
            f"{names} links C on {architecture}, and this machine is {machine_architecture()}. "
            f"Name a cross compiler in CC, build on an {architecture} machine, {_OTHER_SOURCES}"
        )


def require_space(upstreams: Iterable[Upstream], store: Path, go: Toolchain) -> None:
    """Raise FlatnetError when a filesystem that a build writes to has less room than a first build needs."""
    needed = sum(upstream.gomod.disk_mib for upstream in upstreams if upstream.gomod)
    places = {"flatnet's cache": (store, "FLATNET_CACHE")}
    build_cache, module_cache = _go_variables(go.program, "GOCACHE", "GOMODCACHE")
    places["Go's build cache"] = (Path(build_cache), "GOCACHE")
    places["Go's module cache"] = (Path(module_cache), "GOMODCACHE")
    for purpose, (path, variable) in places.items():
        existing = next(parent for parent in (path, *path.parents) if parent.exists())
        free = shutil.disk_usage(existing).free >> 20
        if free < needed:
            raise FlatnetError(
                f"{path} ({purpose}) has {free} MiB free, and this build may write {needed} MiB. "
                f"Free some (`go clean -cache` empties Go's), or point {variable} at another filesystem"
            )


def _go_variables(program: str, *names: str) -> list[str]:
    answer = subprocess.run(
        [program, "env", *names],
        # Away from any go.mod, whose toolchain line would make an older Go fetch a newer one.
        cwd="/",
        env={**os.environ, "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    values = answer.stdout.splitlines()
    if answer.returncode != 0 or len(values) != len(names):
        raise FlatnetError(f"`{program} env` failed: {answer.stderr.strip()}; repair the Go installation")
    return values


def _numbers(version: str) -> tuple[int, ...]:
    """Return a release as numbers to compare; `1.27rc1` counts as 1.27."""
    return tuple(
        int(number) for number in re.findall(r"\d+", version.partition("rc")[0].partition("beta")[0])
    )
