"""The `gomod` source: programs built from Go modules, reproducibly and once per input.

Everything that can change a program is in the key of its folder: go.mod, go.sum, local sources, flags, the
Go release and the architecture (https://go.dev/ref/mod on -mod=readonly and go.sum). The user's own Go
settings are not, except where modules and caches come from (GOPROXY, GOCACHE and the like).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from flatnet.errors import FlatnetError
from flatnet.programs.catalog import GomodPin, Upstream
from flatnet.programs.file_sets import copy_file_sets
from flatnet.programs.progress import Progress
from flatnet.programs.store import Store
from flatnet.programs.toolchain import Toolchain, find_go, require_compiler, require_go, require_space

_LOG_TAIL = 15


def source_key(pin: GomodPin, architecture: str) -> str:
    """Return the hex digest of everything except the Go release that decides what `go build` makes."""
    settings: dict[str, object] = {
        "command": build_command("go", pin, architecture, Path("out")),
        "environment": build_environment(pin, architecture),
    }
    if pin.files:
        settings["files"] = {name: [one.module, *one.paths] for name, one in sorted(pin.files.items())}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in sorted(pin.directory.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            digest.update(f"\0{path.relative_to(pin.directory)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def build_key(pin: GomodPin, architecture: str, go_version: str) -> str:
    """Return the hex digest that names the folder of a build."""
    return hashlib.sha256(f"{source_key(pin, architecture)} go{go_version}".encode()).hexdigest()


def build_environment(pin: GomodPin, architecture: str) -> dict[str, str]:
    """Return the variables that make `go build` give the same program whatever the user's settings."""
    return {
        "CGO_ENABLED": "1" if architecture in pin.cgo_architectures else "0",
        "GOOS": "linux",
        "GOARCH": architecture,
        "GOAMD64": "v1",
        "GOARM64": "v8.0",
        # A non-empty value, because an empty one lets `go env -w GOFLAGS=...` through.
        "GOFLAGS": "-mod=readonly",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def build_command(go: str, pin: GomodPin, architecture: str, target: Path) -> list[str]:
    """Return the command that builds every program of `pin` into the folder `target`."""
    linker = ["-s", "-w", *(f"-X {name}={value}" for name, value in pin.variables.items())]
    if architecture in pin.cgo_architectures:
        linker.append('-extldflags "-static"')
    programs = list(pin.packages)
    # With one package the file can be named; with several, Go names them (the catalog has checked how).
    output = str(target / programs[0]) if len(programs) == 1 else f"{target}/"
    return [
        *(go, "build", "-mod=readonly", "-trimpath", "-buildvcs=false"),
        *(("-tags", ",".join(pin.tags)) if pin.tags else ()),
        *("-ldflags", " ".join(linker), "-o", output),
        *pin.packages.values(),
    ]


def find_build(store: Store, upstream: Upstream, architecture: str, go: Toolchain | None) -> Path | None:
    """Return the finished folder of `upstream` for `architecture`, None when it has not been built.

    Without Go on this machine a build of the same input by any Go release will do, the newest first.
    """
    pin = upstream.gomod
    if pin is None:
        return None
    if go is not None:
        entry = store.entry(upstream.name, upstream.version, build_key(pin, architecture, go.version))
        return entry if store.is_complete(entry) else None
    wanted = source_key(pin, architecture)
    for entry in store.entries(upstream.name, upstream.version):
        if store.is_complete(entry) and store.origin(entry).get("source_key") == wanted:
            return entry
    return None


def build(
    upstreams: Iterable[Upstream],
    store: Store,
    progress: Progress,
    architecture: str,
    go: Toolchain | None = None,
) -> dict[str, Path]:
    """Build what is not built yet, one upstream after the other, and return upstream name -> folder.

    Interrupted or killed, it leaves the finished upstreams and nothing of the others; a second process
    waits for the first. Raises FlatnetError when Go, a C compiler or disk space is missing, or a build
    fails.
    """
    wanted = [upstream for upstream in upstreams if upstream.gomod is not None]
    go = require_go(wanted, go or find_go())

    def waiting(holder: str) -> None:
        progress.say(f"another build is running (process {holder}); waiting for it to end")

    with store.lock("build", waiting) as lock:
        store.discard_unfinished()
        pending = [upstream for upstream in wanted if find_build(store, upstream, architecture, go) is None]
        require_compiler(pending, architecture)
        require_space(pending, store.root, go)
        for position, upstream in enumerate(pending, 1):
            with progress.step(
                f"build {upstream.name} {upstream.version} ({architecture})", position, len(pending)
            ):
                _build_one(upstream, store, architecture, go, lock)
    found = {upstream.name: find_build(store, upstream, architecture, go) for upstream in wanted}
    return {name: entry for name, entry in found.items() if entry is not None}


def _build_one(upstream: Upstream, store: Store, architecture: str, go: Toolchain, lock: int) -> None:
    pin = upstream.gomod
    if pin is None:
        return
    entry = store.entry(upstream.name, upstream.version, build_key(pin, architecture, go.version))
    log = store.root / "logs" / f"{entry.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    origin = {
        "source": "gomod",
        "upstream": upstream.name,
        "version": upstream.version,
        "architecture": architecture,
        "go": go.version,
        "source_key": source_key(pin, architecture),
    }
    with store.new_entry(entry, origin) as folder:
        command = build_command(go.program, pin, architecture, folder)
        environment = {**os.environ, **build_environment(pin, architecture)}
        began = time.monotonic()
        status = _run(command, pin.directory, environment, log, lock) if pin.packages else 0
        if status == 0:
            copy_file_sets(pin, go.program, environment, folder)
        else:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_TAIL:])
            raise FlatnetError(
                f"building {upstream.name} {upstream.version} failed after {time.monotonic() - began:.0f} s "
                f"(go exited with {status}). Whole output: {log}. Its end:\n{tail}"
            )


def _run(command: list[str], directory: Path, environment: dict[str, str], log: Path, lock: int) -> int:
    """Run `command`, output into `log`; whatever ends this function ends the processes of it as well."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A group of its own, to end the compilers with it. The lock goes along: if this process is killed
            # outright, whoever builds next waits for the orphan instead of racing it.
            start_new_session=True,
            pass_fds=(lock,),
        )
        try:
            return process.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
