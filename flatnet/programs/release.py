"""The `release` source: files that upstream publishes, used only when their digest is the pinned one.

They are fetched on the controller into the same cache layout as builds. A download that was interrupted goes
on where it ended; nothing of it is unpacked before the whole file has the pinned digest.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from flatnet.errors import FlatnetError
from flatnet.programs.catalog import PINS, ReleaseFile, Upstream
from flatnet.programs.download import fetch
from flatnet.programs.missing import MissingProgramError
from flatnet.programs.progress import Progress
from flatnet.programs.store import Store


def require_published(upstream: Upstream, program: str, architecture: str) -> ReleaseFile:
    """Return the file that holds `program`; MissingProgramError saying how to pin one when there is none."""
    file = upstream.published(program, architecture)
    if file is None:
        raise MissingProgramError(
            program,
            f"no published file of it is pinned for {architecture}; take it from another source "
            f"(cluster_programs_exceptions: {{{upstream.name}: gomod}}), or list the URL and digest that "
            f"upstream states under `upstreams.{upstream.name}.release` of a file that "
            "cluster_programs_releases names",
        )
    return file


def find_download(store: Store, upstream: Upstream, architecture: str) -> Path | None:
    """Return the finished folder of what upstream publishes for `architecture`, None when there is none."""
    entry = _entry(store, upstream, architecture)
    return entry if store.is_complete(entry) else None


def download(
    upstreams: Iterable[Upstream], store: Store, progress: Progress, architecture: str
) -> dict[str, Path]:
    """Download what is not in the store yet and return upstream name -> folder.

    Upstreams without published files for `architecture` are left out. Raises FlatnetError naming the URL when
    a file cannot be downloaded or has another digest than the pinned one.
    """
    published = [upstream for upstream in upstreams if upstream.files(architecture)]

    def waiting(holder: str) -> None:
        progress.say(f"another download is running (process {holder}); waiting for it to end")

    with store.lock("download", waiting):
        store.discard_unfinished()
        pending = [upstream for upstream in published if find_download(store, upstream, architecture) is None]
        total = sum(len(upstream.files(architecture)) for upstream in pending)
        position = 0
        for upstream in pending:
            fetched = []
            for file in upstream.files(architecture):
                position += 1
                address = file.address(architecture)
                with progress.step(f"download {address}", position, total):
                    digest = file.digests[architecture]
                    fetched.append((file, fetch(address, digest, store.root / "downloads", progress)))
            origin = {"source": "release", "upstream": upstream.name, "architecture": architecture}
            with store.new_entry(_entry(store, upstream, architecture), origin) as folder:
                for file, archive in fetched:
                    unpack(archive, file.member_names(architecture), folder)
            for _, archive in fetched:
                archive.unlink()
    return {upstream.name: _entry(store, upstream, architecture) for upstream in published}


def unpack(archive: Path, members: Mapping[str, str | None], folder: Path) -> None:
    """Put the programs of a downloaded file into `folder`, under their own names and with mode 0755.

    members: program name -> name in the archive, None where the file is the program. No path of the
    archive is used to write: members are looked up by the pinned name, and must be regular files.
    Raises FlatnetError naming a member that is missing.
    """
    wanted = {member.removeprefix("./"): folder / name for name, member in members.items() if member}
    for name, member in members.items():
        if member is None:
            shutil.copyfile(archive, folder / name)
            (folder / name).chmod(0o755)
    if wanted:
        _extract(archive, wanted)


def _extract(archive: Path, wanted: dict[str, Path]) -> None:
    try:
        with tarfile.open(archive, "r:*") as tar:
            for entry in tar:
                name = entry.name.removeprefix("./")
                content = tar.extractfile(entry) if name in wanted and entry.isreg() else None
                if content is None:
                    continue
                program = wanted.pop(name)
                with content, program.open("wb") as target:
                    shutil.copyfileobj(content, target)
                program.chmod(0o755)
    except tarfile.TarError as problem:
        raise FlatnetError(
            f"{archive} is not a tar archive ({problem}); correct its URL in {PINS}"
        ) from problem
    if wanted:
        names = ", ".join(sorted(wanted))
        raise FlatnetError(f"{archive} contains no regular file {names}; correct the `members` in {PINS}")


def _entry(store: Store, upstream: Upstream, architecture: str) -> Path:
    content = ["release", architecture, [asdict(file) for file in upstream.files(architecture)]]
    key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return store.entry(upstream.name, upstream.version, key)
