"""What others have told systemd and containerd on a host."""

import json
from pathlib import Path
from typing import Any

import pytest

from flatnet.host.facts import systemd


def write(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


def test_every_drop_in_of_a_service_is_seen_once(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf": "ExecStart=\nExecStart = x",
            "etc/systemd/system/kubelet.service.d/20-site.conf": "[Service]\n#Type=exec\nSlice=pods.slice\n",
            "etc/systemd/system/kubelet.service.d/old.conf~": "[Service]\n",
            "etc/systemd/system/multi-user.target.wants/kubelet.service": "",
            "etc/systemd/system/empty.service.d/README": "",
        },
    )
    (tmp_path / "lib").symlink_to("usr/lib")
    assert systemd.drop_ins(root) == {
        "kubelet.service": [
            {"path": f"{root}/etc/systemd/system/kubelet.service.d/20-site.conf", "settings": ["Slice"]},
            {
                "path": f"{root}/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf",
                "settings": ["ExecStart"],
            },
        ]
    }


def test_what_flatnet_itself_has_put_there_is_nobody_elses(tmp_path: Path) -> None:
    drop_in, network = "etc/systemd/system/kubelet.service.d/own.conf", "etc/cni/net.d/10-flatnet.conflist"
    root = write(tmp_path, {drop_in: "[Service]\nSlice=x\n", network: "{}"})
    assert list(systemd.drop_ins(root)) == ["kubelet.service"]
    write(
        tmp_path,
        {f"{systemd.RECORDS}/kube_node.json": f'{{"files":{{"{root}/{drop_in}":1,"{root}/{network}":1}}}}'},
    )
    assert systemd.drop_ins(root) == {}
    assert systemd.cni_files(root) == []


def test_an_environment_that_every_unit_inherits_is_seen(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "etc/systemd/system.conf": "[Manager]\n#DefaultEnvironment=\n",
            "etc/systemd/system.conf.d/proxy.conf": "[Manager]\nDefaultEnvironment=HTTPS_PROXY=http://192.0.2.9\n",
        },
    )
    assert systemd.default_environment(root) == ["HTTPS_PROXY=http://192.0.2.9"]


def test_the_cni_configurations_are_in_the_order_in_which_containerd_looks(tmp_path: Path) -> None:
    root = write(
        tmp_path, {f"etc/cni/net.d/{name}": "{}" for name in ("87-podman.conflist", "10-x.conf", "note")}
    )
    assert systemd.cni_files(root) == [
        f"{root}/etc/cni/net.d/10-x.conf",
        f"{root}/etc/cni/net.d/87-podman.conflist",
    ]


def test_data_that_no_record_names_is_another_clusters(tmp_path: Path) -> None:
    record: dict[str, Any] = {"directories": {"/var/lib/etcd": {}}}
    directories = ["/var/lib/etcd", "/var/lib/nothing"]
    root = write(tmp_path, {"var/lib/etcd/member/wal/0.wal": ""})
    (tmp_path / "var/lib/nothing").mkdir()
    assert systemd.unrecorded_data(directories, root) == ["/var/lib/etcd"]
    write(tmp_path, {"var/lib/flatnet/state/etcd.json": json.dumps(record)})
    assert systemd.unrecorded_data(directories, root) == []


@pytest.mark.parametrize(
    "content",
    [
        {"type": "multus-shim", "clusterNetwork": "/host/etc/cni/net.d/10-flatnet-kubenet.conflist"},
        {"type": "multus", "delegates": [{"name": "flatnet", "plugins": [{"type": "bridge"}]}]},
    ],
)
def test_a_cni_configuration_that_hands_pods_on_to_ours_is_none_of_others(
    tmp_path: Path, content: dict[str, object]
) -> None:
    write(tmp_path, {"etc/cni/net.d/00-multus.conf": json.dumps(content)})
    assert systemd.cni_files(str(tmp_path)) == []
    write(tmp_path, {"etc/cni/net.d/00-multus.conf": json.dumps({"type": "multus"})})
    assert systemd.cni_files(str(tmp_path)) == [str(tmp_path / "etc/cni/net.d/00-multus.conf")]


def test_a_fresh_disk_for_the_data_has_no_data(tmp_path: Path) -> None:
    (tmp_path / "var/lib/etcd/lost+found").mkdir(parents=True)
    assert systemd.unrecorded_data(["/var/lib/etcd"], str(tmp_path)) == []
    (tmp_path / "var/lib/etcd/member").mkdir()
    assert systemd.unrecorded_data(["/var/lib/etcd"], str(tmp_path)) == ["/var/lib/etcd"]


def test_a_host_that_has_nothing_of_this_is_read_as_such(tmp_path: Path) -> None:
    root = str(tmp_path)
    assert systemd.drop_ins(root) == {}
    assert systemd.default_environment(root) == systemd.cni_files(root) == []
