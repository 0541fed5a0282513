"""The `release` source: files that upstream publishes, used only when their digest is the pinned one.

They are fetched on the controller into the same cache layout as builds. A download that was interrupted
goes on where it ended; nothing of it is unpacked before the whole file has the pinned digest.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from flatnet.errors import FlatnetError
from flatnet.programs.catalog import ReleaseFile, ReleasePin, Upstream
from flatnet.programs.download import fetch
from flatnet.programs.missing import MissingProgramError
from flatnet.programs.progress import Progress
from flatnet.programs.store import Store


def is_published(upstream: Upstream, program: str, architecture: str) -> bool:
    """Return whether there is a pinned file that holds `program` for `architecture`."""
    return upstream.release is not None and upstream.release.file_of(program, architecture) is not None


def require_published(upstream: Upstream, program: str, architecture: str) -> ReleasePin:
    """Return the pin of the published files; MissingProgramError saying how to add one when there is none."""
    if upstream.release is None or not is_published(upstream, program, architecture):
        reason = (
            f"no published file of it is pinned for {architecture}; take it from another source "
            f"(node_programs_sources: {{{upstream.name}: gomod}}), or add its URL and digest under "
            f"`upstreams.{upstream.name}.release.files` in build/programs.yml"
        )
        raise MissingProgramError(program, reason)
    return upstream.release


def find_download(store: Store, upstream: Upstream, architecture: str) -> Path | None:
    """Return the finished folder of what upstream publishes for `architecture`, None when not downloaded."""
    if upstream.release is None:
        return None
    entry = _entry(store, upstream, upstream.release, architecture)
    return entry if store.is_complete(entry) else None


def download(
    upstreams: Iterable[Upstream], store: Store, progress: Progress, architecture: str
) -> dict[str, Path]:
    """Download what is not in the store yet and return upstream name -> folder.

    Upstreams without published files for `architecture` are left out. Raises FlatnetError naming the
    URL when a file cannot be had or has another digest than the pinned one.
    """
    pins = {
        upstream: upstream.release
        for upstream in upstreams
        if upstream.release is not None and _files(upstream.release, architecture)
    }

    def waiting(holder: str) -> None:
        progress.say(f"another download is running (process {holder}); waiting for it to end")

    with store.lock("download", waiting):
        pending = {u: pin for u, pin in pins.items() if find_download(store, u, architecture) is None}
        total = sum(len(_files(pin, architecture)) for pin in pending.values())
        position = 0
        for upstream, pin in pending.items():
            origin = {
                "source": "release",
                "upstream": upstream.name,
                "version": pin.version,
                "architecture": architecture,
            }
            fetched = []
            for published in _files(pin, architecture):
                position += 1
                url = _url(published, pin, architecture)
                with progress.step(f"download {url}", position, total):
                    fetched.append(
                        fetch(url, published.digests[architecture], store.root / "downloads", progress)
                    )
            with store.new_entry(_entry(store, upstream, pin, architecture), origin) as folder:
                for published, file in zip(_files(pin, architecture), fetched, strict=True):
                    unpack(file, published, folder)
            for file in fetched:
                file.unlink()
    return {u.name: _entry(store, u, pin, architecture) for u, pin in pins.items()}


def unpack(file: Path, published: ReleaseFile, folder: Path) -> None:
    """Put the programs of a downloaded file into `folder`, under their own names and with mode 0755.

    No path of the archive is used to write: members are looked up by the pinned name, and must be
    regular files. Raises FlatnetError naming a member that is missing.
    """
    wanted = {member: program for program, member in published.members.items() if member is not None}
    for name, member in published.members.items():
        if member is None:
            shutil.copyfile(file, folder / name)
            (folder / name).chmod(0o755)
    if not wanted:
        return
    with tarfile.open(file, "r:*") as archive:
        for entry in archive:
            name = entry.name.removeprefix("./")
            content = archive.extractfile(entry) if name in wanted and entry.isreg() else None
            if content is None:
                continue
            program = folder / wanted.pop(name)
            with content, program.open("wb") as target:
                shutil.copyfileobj(content, target)
            program.chmod(0o755)
    if wanted:
        names = ", ".join(sorted(wanted))
        raise FlatnetError(
            f"{published.url} holds no regular file {names}; correct its `members` in build/programs.yml"
        )


def _files(pin: ReleasePin, architecture: str) -> list[ReleaseFile]:
    return [published for published in pin.files if architecture in published.digests]


def _url(published: ReleaseFile, pin: ReleasePin, architecture: str) -> str:
    return published.url.format(version=pin.version, architecture=architecture)


def _entry(store: Store, upstream: Upstream, pin: ReleasePin, architecture: str) -> Path:
    content = [architecture, [asdict(published) for published in _files(pin, architecture)], "release"]
    key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return store.entry(upstream.name, pin.version, key)
