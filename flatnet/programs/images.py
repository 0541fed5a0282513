"""Container images made from one static program, for hosts that reach no registry.

The format is the docker-archive tar that `ctr images import` and `docker load` read: manifest.json, one
configuration and one layer (https://github.com/moby/moby/blob/master/image/spec/spec.md, "Combined Image
JSON + Filesystem"). The same input gives the same bytes: times, owners and order are fixed.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from flatnet.paths import cache_directory
from flatnet.programs.store import DigestCache, Store, digest_of

REGISTRY = "flatnet.local"
# Part of every key: raise it when the bytes made from the same input change.
FORMAT = 1
_CREATED = "1970-01-01T00:00:00Z"
_DEFAULT_FILES: Mapping[str, str] = {
    "etc/group": "root:x:0:\nnobody:x:65534:\n",
    "etc/passwd": "root:x:0:0:root:/:/nonexistent\nnobody:x:65534:65534:nobody:/:/nonexistent\n",
}


@dataclass(frozen=True)
class ImageSpec:
    """What an image is to be.

    program: name of the program, which lies in / and is the entrypoint; arguments: its default
    arguments; user: `uid:gid`, empty for root; architecture: Go's name of it; tag: empty for the
    version; files: path without leading slash -> text (mode 0644).
    """

    name: str
    version: str
    program: str
    architecture: str = "amd64"
    arguments: tuple[str, ...] = ()
    user: str = ""
    tag: str = ""
    files: Mapping[str, str] = field(default_factory=lambda: dict(_DEFAULT_FILES))

    @property
    def reference(self) -> str:
        """Return the name under which container runtimes know the image: `flatnet.local/<name>:<tag>`."""
        return f"{REGISTRY}/{self.name}:{self.tag or self.version}"


@dataclass(frozen=True)
class StoredImage:
    """An image tar on the controller."""

    path: Path
    sha256: str
    reference: str


def image_store() -> Store:
    """Return the store of images in the cache directory."""
    return Store(cache_directory() / "container-images")


def image_key(spec: ImageSpec, program_sha256: str) -> str:
    """Return the hex digest over everything that decides the bytes of the image."""
    return hashlib.sha256(_json([FORMAT, asdict(spec), program_sha256])).hexdigest()


def stored_image(spec: ImageSpec, program: Path, program_sha256: str, store: Store) -> StoredImage:
    """Return the image of `spec`, made in `store` when it is not there yet (about a second)."""
    entry = store.entry(spec.name, spec.version, image_key(spec, program_sha256))
    file = f"{spec.name}-{spec.version}.tar"
    if not store.is_complete(entry):
        # One process makes it while the others wait: Ansible asks once per host, in parallel.
        with store.lock("images"):
            if not store.is_complete(entry):
                store.discard_unfinished()
                origin = {"reference": spec.reference, "program_sha256": program_sha256, "format": FORMAT}
                with store.new_entry(entry, origin) as folder:
                    write_image(spec, program, folder / file)
    return StoredImage(entry / file, DigestCache().sha256(entry / file), spec.reference)


def write_image(spec: ImageSpec, program: Path, target: Path) -> str:
    """Write the docker-archive of `spec` around the file `program` to `target` and return its sha256.

    Memory stays at a few buffers whatever the size of the program: the layer, whose digest the
    configuration holds, is spooled to a temporary file.
    """
    with tempfile.TemporaryFile(dir=target.parent) as spool:
        _write_layer(spec, program, spool)
        size = spool.tell()
        spool.seek(0)
        layer_digest = hashlib.file_digest(spool, "sha256").hexdigest()
        spool.seek(0)
        configuration = _json(_configuration(spec, layer_digest))
        names = (f"{hashlib.sha256(configuration).hexdigest()}.json", f"{layer_digest}.tar")
        manifest = [{"Config": names[0], "Layers": [names[1]], "RepoTags": [spec.reference]}]
        with tarfile.open(target, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            _add_bytes(tar, "manifest.json", _json(manifest))
            _add_bytes(tar, names[0], configuration)
            tar.addfile(_member(names[1], size=size), spool)
    return digest_of(target)


def _write_layer(spec: ImageSpec, program: Path, target: IO[bytes]) -> None:
    directories = {str(parent) for name in spec.files for parent in Path(name).parents if parent != Path()}
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for directory in sorted(directories):
            tar.addfile(_member(directory, mode=0o755, kind=tarfile.DIRTYPE))
        for name in sorted(spec.files):
            _add_bytes(tar, name, spec.files[name].encode())
        # Programs expect it, and nothing else in the image can be written to.
        tar.addfile(_member("tmp", mode=0o1777, kind=tarfile.DIRTYPE))
        with program.open("rb") as file:
            tar.addfile(_member(spec.program, size=program.stat().st_size, mode=0o755), file)


def _configuration(spec: ImageSpec, layer_digest: str) -> dict[str, Any]:
    return {
        "architecture": spec.architecture,
        "os": "linux",
        "created": _CREATED,
        "config": {
            "Entrypoint": [f"/{spec.program}"],
            "Cmd": list(spec.arguments),
            "Env": ["PATH=/"],
            "User": spec.user,
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
        "history": [{"created": _CREATED, "created_by": "flatnet"}],
    }


def _member(name: str, size: int = 0, mode: int = 0o644, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    """Return a header whose owner (root) and time (the epoch) are the defaults of TarInfo."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.type = size, mode, kind
    return member


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    tar.addfile(_member(name, size=len(content)), io.BytesIO(content))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
