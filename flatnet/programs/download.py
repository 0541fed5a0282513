"""One file over HTTPS, resumable, and refused unless its digest is the pinned one."""

from __future__ import annotations

import os
import shutil
import time
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

from flatnet.errors import FlatnetError
from flatnet.programs.catalog import PINS
from flatnet.programs.progress import Progress
from flatnet.programs.store import digest_of, flush

# A site with a mirror sets it to a URL that replaces scheme and host; the digests still decide.
MIRROR_VARIABLE = "FLATNET_MIRROR"
_ATTEMPTS = 3
_TIMEOUT = 60.0
_CHUNK = 1 << 18


class _InterruptedError(Exception):
    """The connection ended or broke; another attempt may go on from there."""


def fetch(url: str, digest: str, folder: Path, progress: Progress) -> Path:
    """Download `url` into `folder`; return the file, whose `digest` is `sha256:<hex>` or `sha512:<hex>`.

    A part left by an earlier attempt is continued. Raises FlatnetError naming the URL when the server
    refuses, the connection keeps breaking, there is no room, or the digest differs (then both digests
    are in the message).
    """
    algorithm, _, wanted = digest.partition(":")
    folder.mkdir(parents=True, exist_ok=True)
    finished = folder / wanted[:32]
    if finished.exists() and digest_of(finished, algorithm) == wanted:
        return finished
    part = folder / f"{wanted[:32]}.part"
    address = _address(url)
    resumed = part.exists()
    actual = _complete(address, part, algorithm, progress)
    if actual != wanted and resumed:
        # The part may have been of something else: only a whole download of now says that the pin is wrong.
        progress.say(f"{address}: the continued download has another digest; starting over")
        part.unlink()
        actual = _complete(address, part, algorithm, progress)
    if actual != wanted:
        part.unlink()
        raise FlatnetError(
            f"{address} has {algorithm} {actual}, and {wanted} is pinned; it was not used. "
            f"The file was replaced between here and upstream, or the digest in {PINS} is wrong: "
            "compare it with what upstream states"
        )
    flush(part)
    part.rename(finished)
    return finished


def _complete(address: str, part: Path, algorithm: str, progress: Progress) -> str:
    """Bring `part` to its full length in up to three attempts, and return its digest."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _transfer(address, part)
        except _InterruptedError as problem:
            if attempt == _ATTEMPTS:
                kept = part.stat().st_size if part.exists() else 0
                raise FlatnetError(
                    f"{address}: {problem}. {kept} bytes are kept: repeat the command to go on from there,"
                    " or take the programs from gomod or a directory"
                ) from problem
            progress.say(f"{address}: {problem}; trying again")
            time.sleep(attempt)
        else:
            break
    return digest_of(part, algorithm)


def _transfer(address: str, part: Path) -> None:
    offset = part.stat().st_size if part.exists() else 0
    opener = _opener()
    if offset:
        opener.addheaders.append(("Range", f"bytes={offset}-"))
    try:
        with opener.open(address, timeout=_TIMEOUT) as response:
            _receive(response, part, offset)
    except urllib.error.HTTPError as problem:
        problem.close()
        if problem.code == 416 and offset:
            # Nothing is left to send; the digest decides whether the part is the whole file.
            return
        if problem.code >= 500:
            raise _InterruptedError(f"the server answers {problem.code} {problem.reason}") from problem
        raise FlatnetError(
            f"{address} cannot be downloaded: the server answers {problem.code} {problem.reason}. "
            f"Check URL and version in {PINS}, or name a mirror in {MIRROR_VARIABLE}"
        ) from problem
    except (urllib.error.URLError, HTTPException, ConnectionError, TimeoutError) as problem:
        raise _InterruptedError(f"the connection failed ({getattr(problem, 'reason', problem)})") from problem


def _receive(response: HTTPResponse, part: Path, offset: int) -> None:
    continues = response.status == 206
    length = response.headers.get("Content-Length")
    expected = int(length) if length else None
    free = shutil.disk_usage(part.parent).free
    if expected is not None and expected > free:
        raise FlatnetError(
            f"{part.parent} has {free >> 20} MiB free, and {response.url} has {expected >> 20} MiB; "
            "free some room, or point FLATNET_CACHE at another filesystem"
        )
    received = 0
    with part.open("ab" if continues and offset else "wb") as target:
        while piece := response.read(_CHUNK):
            target.write(piece)
            received += len(piece)
    if expected is not None and received < expected:
        raise _InterruptedError(f"the connection ended after {received} of {expected} bytes")


def _address(url: str) -> str:
    mirror = os.environ.get(MIRROR_VARIABLE)
    return f"{mirror.rstrip('/')}{urlsplit(url).path}" if mirror else url


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener for http and https only: the default one would read local files and FTP as well."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener
