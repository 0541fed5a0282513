"""A site's own published files take the place of pinned ones, and what cannot be used is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from flatnet.errors import FlatnetError
from flatnet.programs.catalog import load_catalog
from flatnet.programs.cli import main
from flatnet.programs.overrides import site_catalog

DIGEST = "sha256:" + "0" * 64
ETCD: dict[str, Any] = {
    "url": "https://files.example.org/{version}/etcd-{architecture}.tgz",
    "members": {"etcd": "etcd-{version}/etcd"},
    "digests": {"amd64": DIGEST},
}


def write(folder: Path, text: str) -> Path:
    path = folder / "releases.yml"
    path.write_text(text)
    return path


def etcd(*files: object, version: object = "3.6.99") -> dict[str, Any]:
    return {"upstreams": {"etcd": {"version": version, "release": list(files)}}}


def test_a_named_upstream_has_the_files_of_the_site_and_no_others(tmp_path: Path) -> None:
    path = write(tmp_path, yaml.safe_dump(etcd(ETCD)))
    pinned, chosen = load_catalog(), site_catalog(path)
    upstream = chosen.upstream_of("etcd")
    published = upstream.published("etcd", "amd64")
    assert published is not None
    assert (published.version, published.address("amd64"), published.member_names("amd64")) == (
        "3.6.99",
        "https://files.example.org/3.6.99/etcd-amd64.tgz",
        {"etcd": "etcd-3.6.99/etcd"},
    )
    assert upstream.published("etcd", "arm64") is None
    # Builds stay those of the pins, and so does every other upstream.
    assert upstream.version == pinned.upstream_of("etcd").version
    assert [u for u in chosen.upstreams if u.name != "etcd"] == [
        u for u in pinned.upstreams if u.name != "etcd"
    ]
    assert chosen.releases == path


def test_without_a_file_the_pins_hold() -> None:
    assert site_catalog(None) == load_catalog()


def test_a_program_that_nobody_publishes_can_be_published_by_the_site(tmp_path: Path) -> None:
    file = {"url": "http://files.example.org/agnhost", "program": "agnhost", "digests": {"amd64": DIGEST}}
    path = write(tmp_path, yaml.safe_dump({"upstreams": {"agnhost": {"version": "1", "release": [file]}}}))
    published = site_catalog(path).upstream_of("agnhost").published("agnhost", "amd64")
    assert published is not None
    assert published.members == {"agnhost": None}


def test_architectures_may_have_files_of_their_own(tmp_path: Path) -> None:
    other = ETCD | {"url": "https://files.example.org/aarch64.tgz", "digests": {"arm64": DIGEST}}
    upstream = site_catalog(write(tmp_path, yaml.safe_dump(etcd(ETCD, other)))).upstream_of("etcd")
    assert [len(upstream.files(architecture)) for architecture in ("amd64", "arm64")] == [1, 1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "the file must be a mapping, not []"),
        ({"etcd": {}}, "the file has the unknown entry 'etcd'; known: upstreams"),
        ({}, "upstreams must be a mapping, not None"),
        (
            {"upstreams": {"etcdd": {}}},
            "upstreams has the unknown entry 'etcdd'; known: agnhost, cni-plugins, containerd, coredns, "
            "etcd, flannel, kube-router, kubernetes, pause, runc",
        ),
        ({"upstreams": {"etcd": None}}, "upstreams.etcd must be a mapping, not None"),
        (
            {"upstreams": {"etcd": {"gomod": {}}}},
            "upstreams.etcd has the unknown entry 'gomod'; known: release, version",
        ),
        (etcd(), "upstreams.etcd.release must be a list of at least one file, not []"),
        (etcd("a"), "upstreams.etcd.release[0] must be a mapping, not 'a'"),
        (
            etcd(ETCD | {"mirror": ""}),
            "upstreams.etcd.release[0] has the unknown entry 'mirror'; known: digests, members, program, "
            "url, version",
        ),
        (
            etcd(ETCD, version=3.6),
            "upstreams.etcd.release[0] needs a `version` in quotes (or its upstream does), not 3.6",
        ),
        (etcd(ETCD | {"url": 7}), "upstreams.etcd.release[0].url must be a string, not 7"),
        (
            etcd(ETCD | {"url": "file:///etc/passwd"}),
            "upstreams.etcd.release[0].url: 'file:///etc/passwd' is not a URL of the form https://host/path",
        ),
        (
            etcd(ETCD | {"url": "https://example.org/{arch}"}),
            "upstreams.etcd.release[0].url: 'https://example.org/{arch}' has {arch}; only {version} and "
            "{architecture} are filled in",
        ),
        (
            etcd(ETCD | {"url": "https://example.org/{"}),
            "upstreams.etcd.release[0].url: 'https://example.org/{' has an unmatched brace; only {version} "
            "and {architecture} are filled in",
        ),
        (
            etcd(ETCD | {"program": "etcd"}),
            "upstreams.etcd.release[0] needs either `program` (the file is the program) or `members` "
            "(program: name in the archive)",
        ),
        (
            etcd(ETCD | {"members": {"../etcd": "etcd"}}),
            "upstreams.etcd.release[0]: etcd has no program '../etcd'; it has etcd",
        ),
        (
            etcd(ETCD | {"members": {"etcd": None}}),
            "upstreams.etcd.release[0].members.etcd must be a string, not None",
        ),
        (
            etcd(ETCD | {"digests": {}}),
            "upstreams.etcd.release[0].digests must be a digest in quotes by architecture, not {}",
        ),
        (
            etcd(ETCD | {"digests": {"amd64": 7}}),
            "upstreams.etcd.release[0].digests must be a digest in quotes by architecture, not {'amd64': 7}",
        ),
        (
            etcd(ETCD | {"digests": {"s390x": DIGEST}}),
            "upstreams.etcd.release[0].digests has the unknown entry 's390x'; known: amd64, arm64",
        ),
        (
            etcd(ETCD | {"digests": {"amd64": "sha256:00"}}),
            "upstream etcd, https://files.example.org/{version}/etcd-{architecture}.tgz, amd64: 'sha256:00' "
            "is not a digest of the form sha256:<64 hex> or sha512:<128 hex>",
        ),
        (etcd(ETCD, ETCD), "upstreams.etcd.release: two files hold etcd for amd64; keep one"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(tmp_path: Path, data: object, message: str) -> None:
    path = write(tmp_path, yaml.safe_dump(data))
    with pytest.raises(FlatnetError) as refused:
        site_catalog(path)
    assert str(refused.value) == f"{path}: {message}"


def test_a_file_that_is_no_yaml_is_refused_with_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, "upstreams: {etcd: [\n")
    with pytest.raises(FlatnetError, match=r"releases\.yml is not valid YAML: .* line 2, column 1"):
        site_catalog(path)


def test_a_file_that_does_not_exist_is_refused_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(FlatnetError) as refused:
        site_catalog(tmp_path / "absent.yml")
    assert str(refused.value) == (
        f"{tmp_path}/absent.yml cannot be read ([Errno 2] No such file or directory: "
        f"'{tmp_path}/absent.yml'); correct cluster_programs_releases, or leave it out to use what "
        "build/programs.yml pins"
    )


def test_the_command_line_takes_the_file_too_and_names_it_in_what_it_advises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path / "cache"))
    path = write(tmp_path, yaml.safe_dump(etcd(ETCD)))
    options = ["--source", "release", "--architecture", "amd64", "--releases", str(path)]
    assert main(["path", *options, "etcd"]) == 1
    assert capsys.readouterr().err == (
        "1 program is not available on this machine; no host was changed:\n"
        "  etcd: etcd 3.6.99 is not downloaded yet\n"
        f"Provide with: python -m flatnet.programs download --architecture amd64 --releases {path} etcd\n"
    )
