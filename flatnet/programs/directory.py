"""The `directory` source: a flat folder of programs with SHA256SUMS, for sites without a network.

`python -m flatnet.programs export` makes one. Such a folder may also be made by hand: programs under their
names and `sha256sum * > SHA256SUMS`; then their versions are unknown and a part of the digest stands in for
them.
"""

from __future__ import annotations

import json
import shutil
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flatnet.errors import FlatnetError
from flatnet.programs.store import SUMS, DigestCache, flush, read_sums, replace_text, write_sums

VERSIONS = "versions.json"
# e_machine of the ELF header, https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
_ELF_MACHINES = {62: "amd64", 183: "arm64"}


@dataclass(frozen=True)
class DirectoryProgram:
    """A checked program of a folder."""

    file: Path
    sha256: str
    version: str


def find_in_directory(
    directory: Path, program: str, architecture: str, digests: DigestCache
) -> DirectoryProgram:
    """Return `program` of the folder `directory` after checking its digest and its machine.

    Raises FlatnetError naming the file, and both digests where they differ.
    """
    if not directory.is_dir():
        raise FlatnetError(
            f"{directory} is not a folder (cluster_programs_directory); make it with {_export(directory)}"
        )
    recorded = read_sums(directory)
    file = directory / program
    if not file.is_file():
        raise FlatnetError(
            f"{file} does not exist; add it and its line in {SUMS}, or use {_export(directory)}"
        )
    if program not in recorded:
        raise FlatnetError(
            f"{file} has no line in {directory / SUMS}; add it with `sha256sum {program} >> {SUMS}` there"
        )
    actual = digests.sha256(file)
    if actual != recorded[program]:
        raise FlatnetError(
            f"{file} has sha256 {actual}, and {directory / SUMS} says {recorded[program]}: "
            "it is damaged or was replaced. Copy it again, or record the new digest if the change was meant"
        )
    machine = elf_architecture(file)
    if machine is not None and machine != architecture:
        raise FlatnetError(
            f"{file} is built for {machine}, and the host needs {architecture}; "
            f"put a program for {architecture} there"
        )
    return DirectoryProgram(file, actual, _versions(directory).get(program, f"sha256-{actual[:12]}"))


def elf_architecture(file: Path) -> str | None:
    """Return Go's name of the machine that an ELF program is for, None for anything else."""
    with file.open("rb") as program:
        header = program.read(20)
    if len(header) < 20 or header[:4] != b"\x7fELF":
        return None
    byte_order = "<" if header[5] == 1 else ">"
    return _ELF_MACHINES.get(struct.unpack(f"{byte_order}H", header[18:20])[0])


def export_programs(programs: Mapping[str, DirectoryProgram], directory: Path) -> None:
    """Copy `programs` (name -> file, digest, version) into the folder `directory`, and record them there.

    Files of sets have their place below files/<set>/ as their name. Each file is replaced atomically, and
    SHA256SUMS last: an interrupted export is found by its digests. Programs that were exported before stay.
    """
    directory.mkdir(parents=True, exist_ok=True)
    recorded = read_sums(directory) if (directory / SUMS).is_file() else {}
    versions = _versions(directory)
    for name, program in programs.items():
        _copy(program, directory / name)
        recorded[name] = program.sha256
        versions[name] = program.version
    replace_text(directory / VERSIONS, json.dumps(versions, indent=1, sort_keys=True) + "\n")
    write_sums(directory, recorded)


def _copy(program: DirectoryProgram, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix=f".{target.name}.", dir=target.parent) as temporary:
        with program.file.open("rb") as source:
            shutil.copyfileobj(source, temporary)
        temporary.flush()
        copy = Path(temporary.name)
        copy.chmod(0o755)
        flush(copy)
        # A link of its own, because the temporary name is removed at the end of the block.
        target.unlink(missing_ok=True)
        target.hardlink_to(copy)


def _versions(directory: Path) -> dict[str, str]:
    try:
        recorded = json.loads((directory / VERSIONS).read_text())
    except (OSError, ValueError):
        return {}
    return (
        {str(name): str(version) for name, version in recorded.items()} if isinstance(recorded, dict) else {}
    )


def _export(directory: Path) -> str:
    return f"`python -m flatnet.programs export {directory}` on a machine that has the programs"
