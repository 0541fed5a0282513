"""The image that container hosts boot: Debian with systemd and sshd, built once per content."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

from flatnet.errors import FlatnetError
from flatnet.paths import cache_directory
from tests.container_hosts.commands import run
from tests.container_hosts.podman import podman
from tests.container_hosts.state import only_one

SOURCE = Path(__file__).with_name("image")
SUITE = "bookworm"
_NAME = "localhost/flatnet-container-host"
# A host that lives for minutes is never read about nor spoken to in another language.
_LEFT_OUT = ("doc", "info", "lintian", "locale", "man")


def packages(source: Path = SOURCE) -> list[str]:
    """Return the Debian packages of the image, in the order of its list."""
    lines = (source / "packages").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def content_key(source: Path = SOURCE) -> str:
    """Return twelve hexadecimal digits that change with every file the image is built from."""
    digest = hashlib.sha256(f"{SUITE} {_LEFT_OUT}".encode())
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"\0{path.relative_to(source)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


def reference() -> str:
    """Return the name under which podman has the image."""
    return f"{_NAME}:{content_key()}"


def archive() -> Path:
    """Return where the image's file system lies as a tar file, so that podman can be given it again."""
    return cache_directory() / "images" / f"container-host-{content_key()}.tar"


def ensure_image(say: Callable[[str], None]) -> str:
    """Return the image's reference, after building or importing it where podman lacks it.

    Raises FlatnetError when a program is missing or the build fails; nothing half-built stays.
    """
    name = reference()
    with only_one("image"):
        if name in podman(["image", "list", "--format={{.Repository}}:{{.Tag}}", _NAME]).split():
            return name
        if not archive().exists():
            say(f"building the image of the hosts (Debian {SUITE}, about a minute)")
            _build(archive())
        say(f"importing {archive()}")
        podman(["import", "--quiet", str(archive()), name])
    return name


def build_command(target: Path) -> list[str]:
    """Return the command that writes the file system of the image as a tar file to `target`."""
    leave_out = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in _LEFT_OUT]
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--format=tar",
        f"--include={','.join(packages())}",
        *leave_out,
        f"--customize-hook={SOURCE / 'customize'}",
        SUITE,
        str(target),
    ]


def _build(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    run(["mmdebstrap", "--version"])
    try:
        # Its progress goes to the terminal: this is the one step that takes a minute.
        done = subprocess.run(build_command(partial), check=False)
        if done.returncode:
            raise FlatnetError(
                f"the image of the hosts was not built (mmdebstrap ended with {done.returncode}, see above); "
                "it needs a Debian mirror within reach"
            )
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)
