"""An image is decided by its input alone, and container runtimes can read it."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatnet.programs.images import ImageSpec, image_key, stored_image, write_image
from flatnet.programs.store import Store

SPEC = ImageSpec("probe", "1.0.0", "agnhost", arguments=("pause",), user="65535:65535")
PROGRAM = b"\x7fELF program"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(PROGRAM)
    return path


def members(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {entry.name: file.read() for entry in tar if (file := tar.extractfile(entry))}


def image(spec: ImageSpec, program: Path) -> bytes:
    target = program.parent / "image.tar"
    digest = write_image(spec, program, target)
    content = target.read_bytes()
    assert digest == hashlib.sha256(content).hexdigest()
    return content


def test_the_manifest_names_the_configuration_the_layer_and_the_reference(program: Path) -> None:
    content = members(image(SPEC, program))
    (manifest,) = json.loads(content["manifest.json"])
    assert manifest["RepoTags"] == ["flatnet.local/probe:1.0.0"]
    configuration = content[manifest["Config"]]
    assert manifest["Config"] == f"{hashlib.sha256(configuration).hexdigest()}.json"
    (layer,) = manifest["Layers"]
    digest = hashlib.sha256(content[layer]).hexdigest()
    assert layer == f"{digest}.tar"
    assert json.loads(configuration) == {
        "architecture": "amd64",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Entrypoint": ["/agnhost"],
            "Cmd": ["pause"],
            "Env": ["PATH=/"],
            "User": "65535:65535",
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "flatnet"}],
    }
    assert len(content) == 3


def test_the_layer_holds_the_program_accounts_and_a_place_to_write(program: Path) -> None:
    content = members(image(SPEC, program))
    layer = next(value for name, value in content.items() if name.endswith(".tar"))
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        found = {
            entry.name: (oct(entry.mode), entry.uid, entry.gid, entry.mtime, entry.isdir()) for entry in tar
        }
    assert found == {
        "etc": ("0o755", 0, 0, 0, True),
        "etc/group": ("0o644", 0, 0, 0, False),
        "etc/passwd": ("0o644", 0, 0, 0, False),
        "tmp": ("0o1777", 0, 0, 0, True),
        "agnhost": ("0o755", 0, 0, 0, False),
    }
    assert members(layer)["agnhost"] == PROGRAM


names = st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}", fullmatch=True).map(lambda name: f"etc/{name}.conf")


@given(st.dictionaries(names, st.text(max_size=50), max_size=5), st.randoms())
def test_the_order_of_files_does_not_change_a_byte(files: dict[str, str], random: Random) -> None:
    folder = Path(os.environ["FLATNET_CACHE"])
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "program"
    program.write_bytes(PROGRAM)
    shuffled = list(files.items())
    random.shuffle(shuffled)
    assert image(replace(SPEC, files=files), program) == image(replace(SPEC, files=dict(shuffled)), program)


def test_neither_time_nor_mode_nor_place_of_the_program_changes_a_byte(program: Path) -> None:
    first = image(SPEC, program)
    (program.parent / "elsewhere").mkdir()
    other = program.rename(program.parent / "elsewhere" / "other")
    other.chmod(0o600)
    assert image(SPEC, other) == first


@pytest.mark.parametrize(
    "changed",
    [
        replace(SPEC, name="other"),
        replace(SPEC, version="1.0.1"),
        replace(SPEC, architecture="arm64"),
        replace(SPEC, arguments=()),
        replace(SPEC, user=""),
        replace(SPEC, files={}),
    ],
)
def test_every_part_of_an_image_is_part_of_its_key(changed: ImageSpec) -> None:
    assert image_key(changed, "ab") != image_key(SPEC, "ab")


def test_the_program_is_part_of_the_key() -> None:
    assert image_key(SPEC, "ab") != image_key(SPEC, "cd")


def test_an_image_is_stored_once_under_a_name_that_hosts_can_keep(program: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "cache" / "container-images")
    digest = hashlib.sha256(PROGRAM).hexdigest()
    first = stored_image(SPEC, program, digest, store)
    program.unlink()
    assert stored_image(SPEC, program, digest, store) == first
    assert first.path.name == "probe-1.0.0.tar"
    assert first.sha256 == hashlib.sha256(first.path.read_bytes()).hexdigest()


def test_memory_stays_small_for_a_large_program(tmp_path: Path) -> None:
    program = tmp_path / "large"
    with program.open("wb") as file:
        file.truncate(48 << 20)
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from flatnet.programs.images import ImageSpec, write_image\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "write_image(ImageSpec('a', '1', 'a'), Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    command = [sys.executable, "-c", script, str(program), str(tmp_path / "image.tar")]
    kib = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert kib < 16 << 10
