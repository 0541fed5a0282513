"""Sets of files out of upstream's Go modules: copied from the module's folder, and found again."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from flatnet.errors import FlatnetError
from flatnet.programs.catalog import FileSet, GomodPin

# Below a folder of programs, the cache's or a site's; hosts have the same below DIRECTORY.
FOLDER = "files"
DIRECTORY = "/usr/local/share/flatnet"


def copy_file_sets(pin: GomodPin, go: str, environment: Mapping[str, str], folder: Path) -> None:
    """Copy every set of the pin to FOLDER/<name> in `folder`, with the paths that they have in their module.

    The module is the one that go.mod requires, which go.sum vouches for. Raises FlatnetError for a module
    that cannot be had, and for a path that is not in it.
    """
    for name, wanted in sorted(pin.files.items()):
        module = _module_folder(pin, go, environment, wanted.module)
        for file in _files(name, wanted, module):
            target = folder / FOLDER / name / file.relative_to(module)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def _module_folder(pin: GomodPin, go: str, environment: Mapping[str, str], module: str) -> Path:
    # What is replaced by a folder is there already, and not for download.
    described = _go(pin, environment, [go, "list", "-m", "-json", module])
    if not described.get("Dir"):
        described = _go(pin, environment, [go, "mod", "download", "-json", module])
    return Path(str(described["Dir"]))


def _go(pin: GomodPin, environment: Mapping[str, str], command: list[str]) -> dict[str, object]:
    ran = subprocess.run(
        command, cwd=pin.directory, env=environment, capture_output=True, text=True, check=False
    )
    if ran.returncode != 0:
        told = " ".join((ran.stderr.strip() or ran.stdout.strip()).split())[-400:]
        raise FlatnetError(f"{' '.join(command[1:])} in {pin.directory} failed: {told}")
    described: dict[str, object] = json.loads(ran.stdout)
    return described


def _files(name: str, wanted: FileSet, module: Path) -> Iterator[Path]:
    for path in wanted.paths:
        found = [
            file
            for match in sorted(module.glob(path))
            for file in (sorted(match.rglob("*")) if match.is_dir() else [match])
            if file.is_file() and not file.is_symlink()
        ]
        if not found:
            raise FlatnetError(
                f"files {name}: the module {wanted.module} has nothing at {path}; correct the path"
            )
        yield from found


def recorded_files(sums: Mapping[str, str], name: str) -> dict[str, str]:
    """Return path in the set -> sha256 of what SHA256SUMS says of it."""
    prefix = f"{FOLDER}/{name}/"
    return {file.removeprefix(prefix): digest for file, digest in sums.items() if file.startswith(prefix)}
