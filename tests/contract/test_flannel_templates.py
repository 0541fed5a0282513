"""What the role cni_flannel gives a host, for each place where the nodes' subnets may be kept."""

from pathlib import Path
from typing import Any, cast

import pytest
from ansible.template import Templar
from template_loader import loader

from flatnet.contract import find_contracts

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles/cni_flannel"
CONTRACT = find_contracts([ROOT / "roles"])["cni_flannel"]


def state(manager: str, mode: str = "vxlan") -> dict[str, Any]:
    """Return files and units by their names, as node_state gets them."""
    variables: dict[str, Any] = {
        "ansible_search_path": [str(ROLE)],
        "role_path": str(ROLE),
        "inventory_hostname": "node-a",
        "cni_backend": {
            "contract": CONTRACT.in_mode(mode).data,
            "facts": {"architecture": "x86_64", "interfaces": []},
            "node_name": "node-a",
            "node_addresses": ["192.0.2.11"],
            "cluster_pod_cidrs": ["10.200.0.0/16"],
            "pod_cidrs": ["10.200.1.0/24"],
            "nodes": {},
            "mtu": 1450,
            "etcd_addresses": ["192.0.2.10"],
            "api_server": "https://192.0.2.10:6443",
            "api_credentials": {"host": "node-a"},
            "cluster_name": "kubernetes",
            "pki_directory": "/srv/pki",
        },
    }
    for file in ("defaults/main.yml", "vars/main.yml"):
        content = loader(ROLE).load_from_file(str(ROLE / file), trusted_as_template=True)
        variables |= cast(dict[str, Any], content)
    variables["cni_flannel_subnet_manager"] = manager
    variables["cni_flannel_subnet_managers"] = [manager]
    templar = Templar(loader(ROLE), variables=variables)
    found = {
        name: templar.template(variables[f"__cni_flannel_{name}"]) for name in ("files", "units", "objects")
    }
    return {
        "files": {Path(file["path"]).name: file for file in found["files"]},
        "units": {unit["name"]: unit.get("content") for unit in found["units"]},
        "objects": found["objects"],
    }


def test_with_node_objects_flanneld_has_nothing_of_etcd() -> None:
    found = state("kubernetes")
    assert list(found["units"]) == ["flanneld.service"]
    assert not [name for name in found["files"] if "etcd" in name]
    assert "etcd" not in found["units"]["flanneld.service"]
    assert "--kube-subnet-mgr" in found["units"]["flanneld.service"]


def test_with_subnets_in_etcd_flanneld_has_one_identity_and_it_is_of_etcd() -> None:
    found = state("etcd")
    assert {name: file.get("source") for name, file in found["files"].items() if name.endswith(".key")} == {
        "etcd-client.key": "/srv/pki/flannel-etcd.key"
    }
    assert found["files"]["etcd-client.key"]["mode"] == "0600"
    assert "flannel.kubeconfig" not in found["files"]
    unit = found["units"]["flanneld.service"]
    assert "--kube-subnet-mgr" not in unit
    assert "--etcd-endpoints=https://192.0.2.10:2379" in unit
    assert '"subnet": "10.200.1.0-24"' in found["files"]["etcd.json"]["content"]
    assert found["files"]["etcd_subnet.py"]["source"] == str(ROLE / "files/etcd_subnet.py")


@pytest.mark.parametrize("mode", CONTRACT.modes)
def test_the_subnet_is_reserved_before_each_start_and_released_by_a_unit_that_stops_after(mode: str) -> None:
    units = state("etcd", mode)["units"]
    daemon, subnet = units["flanneld.service"], units["flanneld-subnet.service"]
    before, start, after = (
        daemon.index(f"\n{key}=") for key in ("ExecStartPre", "ExecStart", "ExecStartPost")
    )
    assert "reserve" in daemon[before:]
    assert "check" in daemon[after:]
    assert start > 0
    head = daemon[: daemon.index("[Service]")]
    assert [line for line in head.splitlines() if line.startswith(("Requires", "After"))] == [
        line.replace("+", " flanneld-routes.service" if "flanneld-routes.service" in units else "")
        for line in (
            "After=network-online.target flanneld-subnet.service+",
            "Requires=flanneld-subnet.service+",
        )
    ]
    assert "ExecStop=-/usr/bin/env" in subnet
    assert "release" in subnet
    assert ("txqueuelen" in daemon) == (mode == "udp")
