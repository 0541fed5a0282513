"""Data that an operator keeps elsewhere: behind links and on mounts."""

from pathlib import Path

import pytest
from node_reset_host import NO_MOUNTS, ClusterHost, request
from node_state_host import StateError, apply, tree, unit_text

from flatnet.host.reset.run import reset

KUBELET = {"directories": ["/var/lib/kubelet", "/var/lib/cni/results/flatnet-*"]}
DATA = request(kube_node=KUBELET)
VOLUME = "data/kubelet/pods/p1/token"


@pytest.fixture(name="host")
def make_host(tmp_path: Path) -> ClusterHost:
    """Return a node whose kubelet's directory is a link to /data/kubelet."""
    host = ClusterHost(tmp_path / "host")
    host.put(VOLUME, "secret")
    (host.root / "var/lib/kubelet").symlink_to("../../data/kubelet")
    apply(host, name="kube_node", units=[{"name": "kubelet.service", "content": unit_text()}])
    return host


def test_a_directory_behind_a_link_is_emptied_and_stays_with_its_link(host: ClusterHost) -> None:
    outcome = reset(host, DATA)
    assert list((host.root / "data/kubelet").iterdir()) == []
    assert (host.root / "var/lib/kubelet").readlink() == Path("../../data/kubelet")
    change = {"kind": "data", "item": "/var/lib/kubelet (a link to /data/kubelet)", "action": "remove"}
    assert change in outcome["changes"]
    assert reset(host, DATA)["changed"] is False


def test_what_is_mounted_below_the_target_of_a_link_is_unmounted_first(host: ClusterHost) -> None:
    host.put("proc/self/mounts", f"{NO_MOUNTS}nas:/x /data/kubelet/pods nfs rw 0 0")
    host.refused.add("umount")
    with pytest.raises(StateError, match=r"/data/kubelet/pods cannot be unmounted: umount: refused"):
        reset(host, DATA)
    assert (host.root / VOLUME).read_text() == "secret"
    host.refused.clear()
    reset(host, DATA)
    assert list((host.root / "data/kubelet").iterdir()) == []


def test_what_is_mounted_is_found_when_a_directory_above_is_a_link(host: ClusterHost) -> None:
    (host.root / "var/lib/kubelet").unlink()
    (host.root / "data/kubelet").rename(host.root / "var/lib/kubelet")
    (host.root / "var/lib").rename(host.root / "data/lib")
    (host.root / "var/lib").symlink_to("../data/lib")
    host.put("proc/self/mounts", f"{NO_MOUNTS}nas:/x /data/lib/kubelet/pods nfs rw 0 0")
    host.refused.add("umount")
    with pytest.raises(StateError, match=r"/data/lib/kubelet/pods cannot be unmounted"):
        reset(host, DATA)
    assert (host.root / "data/lib/kubelet/pods/p1/token").read_text() == "secret"
    host.refused.clear()
    reset(host, DATA)
    # This link is not the one to the kubelet's data, so the directory goes as any other.
    assert not (host.root / "data/lib/kubelet").exists()


def test_what_follows_a_place_that_cannot_be_removed_stays(host: ClusterHost) -> None:
    # A root is mounted below /run; the layers that it shows lie below /var/lib.
    root = "run/containerd/mounts/1"
    host.put(f"{root}/bin", "layer")
    host.put("var/lib/containerd/snapshots/1/fs/bin", "layer")
    host.put("var/lib/cni/results/flatnet-1", "")
    host.put("proc/self/mounts", f"{NO_MOUNTS}overlay /{root} overlay rw 0 0")
    apply(host, name="container_runtime", units=[{"name": "containerd.service", "content": unit_text()}])
    places = {"directories": ["/run/containerd", "/var/lib/containerd"]}
    asked = request(kube_node=KUBELET, container_runtime=places)
    host.refused.add("umount")
    with pytest.raises(StateError, match=f"/{root} cannot be unmounted"):
        reset(host, asked)
    assert (host.root / "var/lib/containerd/snapshots/1/fs/bin").read_text() == "layer"
    # Another owner's has nothing to do with it.
    assert not (host.root / "var/lib/cni/results/flatnet-1").exists()
    host.refused.clear()
    reset(host, asked)
    assert not (host.root / "var/lib/containerd").exists()


def test_check_mode_tells_of_links_what_a_reset_does(host: ClusterHost) -> None:
    found = tree(host.root)
    predicted = reset(host, DATA, check=True)
    assert tree(host.root) == found
    told = [(change["kind"], change["item"]) for change in predicted["changes"]]
    assert told == [(change["kind"], change["item"]) for change in reset(host, DATA)["changes"]]


def test_a_link_to_a_file_or_to_nothing_goes_alone(host: ClusterHost) -> None:
    others = host.put("data/others", "of others")
    results = host.root / "var/lib/cni/results"
    results.mkdir(parents=True)
    (results / "flatnet-1").symlink_to("../../../../data/others")
    (results / "flatnet-2").symlink_to("../../../../data/nothing")
    reset(host, DATA)
    assert list(results.iterdir()) == []
    assert others.read_text() == "of others"


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(("link", "target"), [("..", "/var"), (".", "/var/lib"), ("../..", "/")])
def test_a_link_to_a_directory_above_it_is_not_followed(
    check: bool, link: str, target: str, host: ClusterHost
) -> None:
    (host.root / "var/lib/kubelet").unlink()
    (host.root / "var/lib/kubelet").symlink_to(link)
    host.put("var/lib/others/file", "of others")
    with pytest.raises(StateError, match=rf"/var/lib/kubelet is a link to {target}, which it lies in itself"):
        reset(host, DATA, check=check)
    assert (host.root / "var/lib/others/file").read_text() == "of others"
