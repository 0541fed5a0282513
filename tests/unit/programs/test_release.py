"""Published files are used only with the pinned digest; an interrupted download goes on where it ended."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from flatnet.errors import FlatnetError
from flatnet.programs.catalog import ReleaseFile, Upstream
from flatnet.programs.download import fetch
from flatnet.programs.missing import MissingProgramError
from flatnet.programs.progress import Lines
from flatnet.programs.release import download, find_download, require_published, unpack
from flatnet.programs.store import Store, read_sums

CONTENT = bytes(range(256)) * 4000
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


class Site:
    """A web site on the loopback: what it serves, how it misbehaves, and what it was asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.files: dict[str, bytes] = {"/tool": CONTENT}
        self.cut_after: list[int] = []
        self.statuses: list[int] = []
        self.ranges_enabled = True
        self.requests: list[tuple[str, str | None]] = []


@pytest.fixture(name="site")
def running_site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.requests.append((self.path, self.headers.get("Range")))
            if site.statuses:
                self.send_error(site.statuses.pop(0))
                return
            content = site.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.answer(content)

        def answer(self, content: bytes) -> None:
            wanted = self.headers.get("Range")
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and site.ranges_enabled else 0
            if start and start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            part = content[start:]
            self.wfile.write(part[: site.cut_after.pop(0)] if site.cut_after else part)

        def log_message(self, *_: object) -> None:
            """Keep the output of the tests clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr("flatnet.programs.download.time.sleep", lambda _seconds: None)
    monkeypatch.delenv("FLATNET_MIRROR", raising=False)
    yield site
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def progress() -> Lines:
    return Lines(io.StringIO())


def said(progress: Lines) -> str:
    stream = progress.stream
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def archive(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, destination in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, destination
            tar.addfile(member)
    return target.getvalue()


def sha512(content: bytes) -> str:
    return f"sha512:{hashlib.sha512(content).hexdigest()}"


def test_a_file_with_the_pinned_digest_is_downloaded_once(
    site: Site, tmp_path: Path, progress: Lines
) -> None:
    first = fetch(f"{site.url}/tool", DIGEST, tmp_path, progress)
    assert first.read_bytes() == CONTENT
    assert fetch(f"{site.url}/tool", DIGEST, tmp_path, progress) == first
    assert site.requests == [("/tool", None)]


def test_a_file_with_another_digest_is_refused_with_both_and_kept_nowhere(
    site: Site, tmp_path: Path, progress: Lines
) -> None:
    site.files["/tool"] = b"something else"
    actual = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(FlatnetError) as refused:
        fetch(f"{site.url}/tool", DIGEST, tmp_path, progress)
    assert str(refused.value) == (
        f"{site.url}/tool has sha256 {actual}, and {DIGEST[7:]} is pinned; it was not used. "
        "The file was replaced between here and upstream, or the digest in build/programs.yml (or your own "
        "file of releases) is wrong: compare it with what upstream states"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_refused_at_once(site: Site, tmp_path: Path, progress: Lines) -> None:
    with pytest.raises(FlatnetError) as refused:
        fetch(f"{site.url}/absent", DIGEST, tmp_path, progress)
    assert str(refused.value) == (
        f"{site.url}/absent cannot be downloaded: the server answers 404 Not Found. "
        "Check URL and version in build/programs.yml (or your own file of releases), or name a mirror in "
        "FLATNET_MIRROR"
    )
    assert site.requests == [("/absent", None)]


def test_a_connection_that_ends_early_is_continued(site: Site, tmp_path: Path, progress: Lines) -> None:
    site.cut_after = [1000, 5000]
    assert fetch(f"{site.url}/tool", DIGEST, tmp_path, progress).read_bytes() == CONTENT
    assert site.requests == [("/tool", None), ("/tool", "bytes=1000-"), ("/tool", "bytes=6000-")]
    assert said(progress).splitlines() == [
        f"{site.url}/tool: the connection ended after 1000 of {len(CONTENT)} bytes; trying again",
        f"{site.url}/tool: the connection ended after 5000 of {len(CONTENT) - 1000} bytes; trying again",
    ]


def test_a_connection_that_keeps_ending_is_refused_and_its_part_is_kept_for_the_next_run(
    site: Site, tmp_path: Path, progress: Lines
) -> None:
    site.cut_after = [1000, 1000, 1000]
    with pytest.raises(FlatnetError) as refused:
        fetch(f"{site.url}/tool", DIGEST, tmp_path, progress)
    assert str(refused.value) == (
        f"{site.url}/tool: the connection ended after 1000 of {len(CONTENT) - 2000} bytes. "
        "3000 bytes are kept: repeat the command to go on from there,"
        " or take the programs from gomod or a directory"
    )
    assert fetch(f"{site.url}/tool", DIGEST, tmp_path, progress).read_bytes() == CONTENT
    assert site.requests[-1] == ("/tool", "bytes=3000-")


def test_a_server_that_cannot_continue_sends_the_whole_file_again(
    site: Site, tmp_path: Path, progress: Lines
) -> None:
    site.ranges_enabled = False
    site.cut_after = [1000]
    assert fetch(f"{site.url}/tool", DIGEST, tmp_path, progress).read_bytes() == CONTENT


def test_a_part_of_another_file_is_thrown_away_and_the_download_starts_over(
    site: Site, tmp_path: Path, progress: Lines
) -> None:
    (tmp_path / f"{DIGEST.removeprefix('sha256:')[:32]}.part").write_bytes(b"x" * 500)
    assert fetch(f"{site.url}/tool", DIGEST, tmp_path, progress).read_bytes() == CONTENT
    assert site.requests == [("/tool", "bytes=500-"), ("/tool", None)]
    assert said(progress) == f"{site.url}/tool: the continued download has another digest; starting over\n"


def test_a_part_that_is_already_whole_is_used(site: Site, tmp_path: Path, progress: Lines) -> None:
    (tmp_path / f"{DIGEST.removeprefix('sha256:')[:32]}.part").write_bytes(CONTENT)
    assert fetch(f"{site.url}/tool", DIGEST, tmp_path, progress).read_bytes() == CONTENT
    assert site.requests == [("/tool", f"bytes={len(CONTENT)}-")]


def test_a_server_with_a_passing_fault_is_asked_again(site: Site, tmp_path: Path, progress: Lines) -> None:
    site.statuses = [503]
    assert fetch(f"{site.url}/tool", DIGEST, tmp_path, progress).read_bytes() == CONTENT
    assert said(progress) == f"{site.url}/tool: the server answers 503 Service Unavailable; trying again\n"


@pytest.mark.usefixtures("site")
def test_a_refused_connection_is_a_message_with_the_address(tmp_path: Path, progress: Lines) -> None:
    with pytest.raises(
        FlatnetError, match=r"^http://127\.0\.0\.1:1/tool: the connection failed .*0 bytes are kept"
    ):
        fetch("http://127.0.0.1:1/tool", DIGEST, tmp_path, progress)


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("scheme", ["file", "ftp", "data"])
def test_nothing_but_http_is_opened(tmp_path: Path, progress: Lines, scheme: str) -> None:
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(FlatnetError, match=f"unknown url type: {scheme}"):
        fetch(f"{scheme}://{tmp_path}/secret", DIGEST, tmp_path / "downloads", progress)


def test_a_mirror_replaces_the_host_and_the_digest_still_decides(
    site: Site, tmp_path: Path, progress: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATNET_MIRROR", f"{site.url}/mirror/")
    site.files["/mirror/release/tool"] = CONTENT
    fetch("https://dl.example.org/release/tool", DIGEST, tmp_path, progress)
    assert site.requests == [("/mirror/release/tool", None)]


def test_too_little_room_is_refused_before_the_first_byte(
    site: Site, tmp_path: Path, progress: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=len(CONTENT) - 1))
    with pytest.raises(FlatnetError, match=r"has 0 MiB free, and http://127\.0\.0\.1:\d+/tool has 0 MiB"):
        fetch(f"{site.url}/tool", DIGEST, tmp_path, progress)
    assert list(tmp_path.iterdir()) == []


def make_upstream(site: Site) -> Upstream:
    content = archive(
        {"cluster/server/bin/api": b"api", "cluster/server/bin/proxy": b"proxy", "cluster/README": b"text"}
    )
    site.files["/v1.0.0/server-amd64.tgz"] = content
    site.files["/v1.2.0/agent-amd64"] = b"agent"
    release = (
        ReleaseFile(
            f"{site.url}/v{{version}}/server-{{architecture}}.tgz",
            "1.0.0",
            {"amd64": sha512(content)},
            {"api": "cluster/server/bin/api", "proxy": "./cluster/server/bin/proxy"},
        ),
        ReleaseFile(
            f"{site.url}/v{{version}}/agent-{{architecture}}",
            "1.2.0",
            {"amd64": f"sha256:{hashlib.sha256(b'agent').hexdigest()}"},
            {"agent": None},
        ),
    )
    return Upstream("cluster", "1.2.0", ("api", "proxy", "agent"), "/usr/local/bin", None, release)


def test_a_release_becomes_a_folder_like_that_of_a_build(site: Site, tmp_path: Path, progress: Lines) -> None:
    upstream, store = make_upstream(site), Store(tmp_path / "programs")
    assert find_download(store, upstream, "amd64") is None
    entry = download([upstream], store, progress, "amd64")["cluster"]
    assert find_download(store, upstream, "amd64") == entry
    assert {path.name: path.stat().st_mode & 0o777 for path in entry.iterdir()} == {
        **dict.fromkeys(("api", "proxy", "agent"), 0o755),
        **dict.fromkeys(("SHA256SUMS", "origin.json"), 0o644),
    }
    assert read_sums(entry) == {
        name: hashlib.sha256(name.encode()).hexdigest() for name in ("api", "proxy", "agent")
    }
    assert list((store.root / "downloads").iterdir()) == []


def test_a_release_is_downloaded_once(site: Site, tmp_path: Path, progress: Lines) -> None:
    upstream, store = make_upstream(site), Store(tmp_path / "programs")
    first = download([upstream], store, progress, "amd64")
    assert download([upstream], store, progress, "amd64") == first
    assert [path for path, _ in site.requests] == ["/v1.0.0/server-amd64.tgz", "/v1.2.0/agent-amd64"]


def test_after_an_interruption_finished_files_are_not_downloaded_again(
    site: Site, tmp_path: Path, progress: Lines
) -> None:
    upstream, store = make_upstream(site), Store(tmp_path / "programs")
    agent = site.files.pop("/v1.2.0/agent-amd64")
    with pytest.raises(FlatnetError, match=r"/v1\.2\.0/agent-amd64 cannot be downloaded"):
        download([upstream], store, progress, "amd64")
    assert find_download(store, upstream, "amd64") is None
    site.files["/v1.2.0/agent-amd64"] = agent
    download([upstream], store, progress, "amd64")
    assert [path for path, _ in site.requests].count("/v1.0.0/server-amd64.tgz") == 1


def test_an_upstream_without_files_for_the_architecture_is_left_out(
    site: Site, tmp_path: Path, progress: Lines
) -> None:
    assert download([make_upstream(site)], Store(tmp_path / "programs"), progress, "arm64") == {}
    assert site.requests == []


def test_a_program_that_is_not_published_is_refused_with_the_way_to_pin_it(site: Site) -> None:
    upstream = make_upstream(site)
    assert require_published(upstream, "agent", "amd64").version == "1.2.0"
    with pytest.raises(MissingProgramError) as refused:
        require_published(upstream, "agent", "arm64")
    assert str(refused.value) == (
        "agent: no published file of it is pinned for arm64; take it from another source "
        "(cluster_programs_exceptions: {cluster: gomod}), or list the URL and digest that upstream states "
        "under `upstreams.cluster.release` of a file that cluster_programs_releases names"
    )


def test_no_path_of_an_archive_is_written_to(tmp_path: Path) -> None:
    file, folder = tmp_path / "archive", tmp_path / "programs"
    folder.mkdir()
    file.write_bytes(archive({"../outside": b"x", "/absolute": b"x", "bin/tool": b"tool"}))
    unpack(file, {"tool": "bin/tool"}, folder)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["archive", "programs", "tool"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            archive({"bin/other": b"x"}),
            "contains no regular file bin/tool; correct the `members` in build/programs.yml",
        ),
        (archive({}, {"bin/tool": "/etc/passwd"}), "contains no regular file bin/tool"),
        (b"<html>", "is not a tar archive"),
    ],
)
def test_an_archive_without_the_program_as_a_regular_file_is_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "archive"
    file.write_bytes(content)
    with pytest.raises(FlatnetError, match=message):
        unpack(file, {"tool": "bin/tool"}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]
