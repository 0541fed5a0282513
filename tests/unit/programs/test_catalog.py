"""The pins agree with the Go modules that they build, and data that cannot work is refused."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from flatnet.errors import FlatnetError
from flatnet.programs.catalog import Catalog, Upstream, default_program_name, load_catalog

SHA256 = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


# What only tests build, of the same version as what hosts get.
FOR_TESTS = Path(__file__).resolve().parents[2] / "kubeadm" / "programs.yml"


def gomod_upstreams() -> list[Upstream]:
    both = (*load_catalog().upstreams, *load_catalog(FOR_TESTS).upstreams)
    return [upstream for upstream in both if upstream.gomod]


def test_kubeadm_judges_for_the_kubernetes_that_hosts_get(catalog: Catalog) -> None:
    (kubeadm,) = load_catalog(FOR_TESTS).upstreams
    assert kubeadm.version == catalog.upstream_of("kubelet").version


def module_versions(directory: Path) -> dict[str, str]:
    text = (directory / "go.mod").read_text()
    return dict(re.findall(r"^(?:\t|require )([^\s=>]+) (v[^\s]+)", text, re.MULTILINE))


@pytest.mark.parametrize("upstream", gomod_upstreams(), ids=lambda upstream: upstream.name)
def test_the_version_of_an_upstream_is_the_one_in_its_go_mod(upstream: Upstream) -> None:
    assert upstream.gomod is not None
    versions = module_versions(upstream.gomod.directory)
    for package in upstream.gomod.packages.values():
        if package == ".":
            continue
        modules = [module for module in versions if f"{package}/".startswith(f"{module}/")]
        assert versions[max(modules, key=len)] == f"v{upstream.version}"


@pytest.mark.parametrize("upstream", gomod_upstreams(), ids=lambda upstream: upstream.name)
def test_the_version_that_a_program_states_is_the_one_it_is_built_from(upstream: Upstream) -> None:
    assert upstream.gomod is not None
    major, minor, _ = upstream.version.split(".")
    expected = {"gitMajor": major, "gitMinor": minor}
    for variable, value in upstream.gomod.variables.items():
        assert value == expected.get(variable.rpartition(".")[2], f"v{upstream.version}"), variable


def test_staging_modules_of_kubernetes_have_the_patch_release_of_kubernetes(catalog: Catalog) -> None:
    kubernetes = catalog.upstream_of("kubelet")
    assert kubernetes.gomod is not None
    text = (kubernetes.gomod.directory / "go.mod").read_text()
    replaced = re.findall(r"^\t(k8s\.io/\S+) => (\S+) (\S+)$", text, re.MULTILINE)
    assert len(replaced) == 33
    assert {(name, version) for name, _, version in replaced} == {
        (target, "v0." + kubernetes.version.partition(".")[2]) for _, target, _ in replaced
    }


def test_every_upstream_with_a_build_has_sums_for_it(catalog: Catalog) -> None:
    for upstream in catalog.upstreams:
        if upstream.gomod:
            assert (upstream.gomod.directory / "go.sum").is_file(), upstream.name


def test_small_upstreams_are_built_before_large_ones(catalog: Catalog) -> None:
    sizes = [
        upstream.gomod.disk_mib
        for upstream in catalog.upstreams
        if upstream.gomod and upstream.name != "agnhost"
    ]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_what_upstream_publishes_of_the_cluster_is_pinned_for_both_architectures(architecture: str) -> None:
    catalog = load_catalog()
    unpublished = {
        program
        for program in catalog.programs
        if catalog.upstream_of(program).published(program, architecture) is None
    }
    assert unpublished == {"agnhost", "coredns", "flanneld", "kube-router", "pause"}


def test_addresses_and_members_are_filled_in_with_version_and_architecture(catalog: Catalog) -> None:
    etcd = catalog.upstream_of("etcd").published("etcd", "arm64")
    assert etcd is not None
    assert etcd.address("arm64") == (
        "https://github.com/etcd-io/etcd/releases/download/v3.6.13/etcd-v3.6.13-linux-arm64.tar.gz"
    )
    assert etcd.member_names("arm64") == {"etcd": "etcd-v3.6.13-linux-arm64/etcd"}


def test_a_published_file_may_be_of_another_version_than_the_build(catalog: Catalog) -> None:
    containerd = catalog.upstream_of("ctr")
    published = containerd.published("ctr", "amd64")
    assert published is not None
    assert (containerd.version, published.version) == ("2.4.2", "2.4.1")


def test_programs_go_where_hosts_expect_them(catalog: Catalog) -> None:
    directories = {
        name: catalog.upstream_of(name).install_directory for name in ("bridge", "kubelet", "runc")
    }
    assert directories == {"bridge": "/opt/cni/bin", "kubelet": "/usr/local/bin", "runc": "/usr/local/sbin"}


def test_names_of_programs_and_upstreams_select_upstreams_in_build_order(catalog: Catalog) -> None:
    assert [u.name for u in catalog.select(["kubelet", "bridge", "kubernetes"])] == [
        "cni-plugins",
        "kubernetes",
    ]
    assert catalog.select([]) == list(catalog.upstreams)


def test_an_unknown_program_is_refused_with_the_known_ones(catalog: Catalog) -> None:
    with pytest.raises(FlatnetError, match=r"no program is called 'kubelett'; known programs: .*kubelet"):
        catalog.select(["kubelett"])


def test_an_unknown_image_is_refused_with_the_known_ones(catalog: Catalog) -> None:
    with pytest.raises(
        FlatnetError, match="no image is called 'nginx'; known images: agnhost, coredns, pause"
    ):
        catalog.image("nginx")


@pytest.mark.parametrize(
    ("package", "program"),
    [
        ("go.etcd.io/etcd/server/v3", "server"),
        ("k8s.io/kubernetes/cmd/kubelet", "kubelet"),
        ("example.org/v2", "example.org"),
        ("v2", "v2"),
        ("example.org/tools/v2x", "v2x"),
    ],
)
def test_the_program_of_a_package_is_called_as_go_calls_it(package: str, program: str) -> None:
    assert default_program_name(package) == program


def refusal(tmp_path: Path, data: object) -> str:
    path = tmp_path / "programs.yml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(FlatnetError) as refused:
        load_catalog(path)
    return str(refused.value).replace(str(path), "programs.yml")


def test_a_program_of_two_upstreams_is_refused(tmp_path: Path) -> None:
    upstream = {"version": "1.0.0", "gomod": {"directory": "one", "packages": {"tool": "."}}}
    assert refusal(tmp_path, {"upstreams": {"one": upstream, "two": upstream}}) == (
        "programs.yml: one and two both have a program 'tool'"
    )


def test_a_program_that_go_would_call_otherwise_is_refused(tmp_path: Path) -> None:
    packages = {"etcd": "go.etcd.io/etcd/server/v3", "etcdctl": "go.etcd.io/etcd/etcdctl"}
    upstream = {"version": "1.0.0", "gomod": {"directory": "one", "packages": packages}}
    assert refusal(tmp_path, {"upstreams": {"one": upstream}}) == (
        "programs.yml: upstream one: Go calls the program of go.etcd.io/etcd/server/v3 'server', not 'etcd'; "
        "give it an upstream entry of its own"
    )


@pytest.mark.parametrize(
    "digest", ["sha256:00", "md5:" + "0" * 32, "0" * 64, "sha256:" + "G" * 64, "sha512:" + "0" * 64]
)
def test_a_digest_that_can_never_match_is_refused(tmp_path: Path, digest: str) -> None:
    file = {"url": "https://example.org/tool", "program": "tool", "digests": {"amd64": digest}}
    assert refusal(tmp_path, {"upstreams": {"one": {"version": "1.0.0", "release": [file]}}}) == (
        f"programs.yml: upstream one, https://example.org/tool, amd64: {digest!r} is not a digest of the "
        "form sha256:<64 hex> or sha512:<128 hex>"
    )


def test_an_image_of_an_unknown_program_is_refused(tmp_path: Path) -> None:
    file = {"url": "https://example.org/tool", "program": "tool", "digests": {"amd64": SHA256}}
    data = {
        "upstreams": {"one": {"version": "1.0.0", "release": [file]}},
        "images": {"web": {"program": "nginx"}},
    }
    assert refusal(tmp_path, data) == "programs.yml: image web is made from 'nginx', which no upstream has"


def test_a_missing_key_is_refused_with_its_name(tmp_path: Path) -> None:
    assert refusal(tmp_path, {"upstreams": {"one": {}}}) == "programs.yml: an entry lacks the key 'version'"


ROLE: dict[str, Any] = {
    "upstreams": {
        "guard": {
            "version": "2.0.0",
            "gomod": {
                "directory": "../build",
                "packages": {"guardd": "example.org/guard/cmd/guardd"},
                "files": {"guard-crds": {"module": "example.org/guard", "paths": ["crds/*.yaml"]}},
                "disk_mib": 600,
            },
        }
    },
    "images": {"guard": {"program": "guardd"}},
}


def write_role(roles: Path, name: str, data: object) -> Path:
    path = roles / name / "meta/programs.yml"
    path.parent.mkdir(parents=True)
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data))
    return path


def test_a_role_brings_upstreams_images_and_files_of_its_own(tmp_path: Path) -> None:
    write_role(tmp_path / "a", "policy_guard", ROLE)
    write_role(tmp_path / "b", "policy_guard", {"upstreams": {}})
    found = load_catalog(roles_paths=[tmp_path / "a", tmp_path / "b"])
    guard = found.upstream_of("guard-crds")
    assert guard is found.upstream_of("guardd")
    assert guard.gomod is not None
    assert guard.gomod.directory.resolve() == tmp_path / "a/policy_guard/build"
    assert found.image("guard").program == "guardd"
    assert found.file_sets == ("guard-crds",)
    order = [upstream.name for upstream in found.upstreams]
    assert order.index("etcd") < order.index("guard") < order.index("containerd")


def test_flannels_upstream_is_its_roles(catalog: Catalog) -> None:
    assert catalog.upstream_of("flanneld").name == "flannel"
    with pytest.raises(FlatnetError, match="no program is called 'flanneld'"):
        load_catalog(roles_paths=[]).upstream_of("flanneld")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("[", "cannot be read: "),
        ({}, "has no mapping `upstreams`; see build/programs.yml"),
        ({"upstreams": {"etcd": ROLE["upstreams"]["guard"]}}, "another file has etcd too; use another name"),
        (
            {"upstreams": {"x": {"version": "1", "gomod": {"directory": "x", "packages": {"etcd": "x"}}}}},
            "etcd and x both have a program 'etcd'",
        ),
        (
            {"upstreams": {"x": {"version": "1", "gomod": {"directory": "x"}}}},
            "upstream x: gomod has neither packages nor files; give it what to make",
        ),
        (
            {
                "upstreams": {
                    "x": {
                        "version": "1",
                        "gomod": {"directory": "x", "files": {"f": {"module": "m", "paths": ["../y"]}}},
                    }
                }
            },
            "upstream x, files f: '../y' is not inside the module; list paths below the module's folder",
        ),
    ],
)
def test_what_a_role_cannot_bring_is_refused_with_its_file(
    tmp_path: Path, data: object, message: str
) -> None:
    path = write_role(tmp_path, "policy_guard", data)
    with pytest.raises(FlatnetError) as refused:
        load_catalog(roles_paths=[tmp_path])
    assert str(refused.value).startswith(str(path))
    assert message in str(refused.value)
