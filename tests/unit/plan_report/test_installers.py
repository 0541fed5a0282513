import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from plan_cases import DUAL, host
from plan_report_cases import DUAL_HOSTS, PLANS, THREE, plan

from flatnet.errors import FlatnetError
from flatnet.plan import Settings
from flatnet.plan_report import document_text, plan_document, read_document
from flatnet.plan_report.cli import main
from flatnet.plan_report.installers import node_objects, plain_flags, service_objects
from flatnet.plan_report.kubeadm import kubeadm_configuration, kubeadm_notes

ROOT = Path(__file__).resolve().parents[3]


def by_kind(text: str) -> dict[str, dict[str, Any]]:
    return {item["kind"]: item for item in yaml.safe_load_all(text)}


@pytest.fixture(name="written")
def write_plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    path.write_text(document_text(plan_document(plan())))
    return path


def test_kubeadm_gets_the_networks_the_names_and_the_flags_that_it_does_not_derive() -> None:
    found = by_kind(
        kubeadm_configuration(plan_document(plan(Settings(extra_apiserver_sans=("api.example.com",)))))
    )
    assert list(found) == [
        "InitConfiguration",
        "ClusterConfiguration",
        "KubeletConfiguration",
        "KubeProxyConfiguration",
    ]
    assert found["InitConfiguration"] == {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "InitConfiguration",
        "localAPIEndpoint": {"advertiseAddress": "192.0.2.11", "bindPort": 6443},
        "nodeRegistration": {
            "name": "control-plane-1",
            "taints": [],
            "kubeletExtraArgs": [{"name": "node-ip", "value": "192.0.2.11"}],
        },
    }
    assert found["ClusterConfiguration"] == {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "clusterName": "kubernetes",
        "controlPlaneEndpoint": "192.0.2.11:6443",
        "networking": {
            "dnsDomain": "cluster.local",
            "podSubnet": "10.200.0.0/16",
            "serviceSubnet": "10.32.0.0/24",
        },
        "apiServer": {
            "certSANs": [
                "api.example.com",
                "control-plane-1",
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
                "localhost",
                "10.32.0.1",
                "127.0.0.1",
                "192.0.2.11",
            ],
            "extraArgs": [{"name": "service-node-port-range", "value": "30000-32767"}],
        },
        "controllerManager": {
            "extraArgs": [
                {"name": "allocate-node-cidrs", "value": "false"},
                {"name": "node-cidr-mask-size", "value": "24"},
            ]
        },
    }
    assert found["KubeletConfiguration"] == {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "clusterDNS": ["10.32.0.10"],
        "clusterDomain": "cluster.local",
        "maxPods": 110,
    }
    assert found["KubeProxyConfiguration"] == {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clusterCIDR": "10.200.0.0/16",
        "mode": "iptables",
    }


def test_kubeadm_gets_both_families_in_their_order() -> None:
    found = by_kind(kubeadm_configuration(plan_document(PLANS["dual-stack"])))
    assert found["ClusterConfiguration"]["networking"]["podSubnet"] == "10.200.0.0/16,2001:db8:200::/56"
    assert found["ClusterConfiguration"]["networking"]["serviceSubnet"] == "10.32.0.0/24,2001:db8:32::/112"
    assert found["ClusterConfiguration"]["controllerManager"]["extraArgs"][1:] == [
        {"name": "node-cidr-mask-size-ipv4", "value": "24"},
        {"name": "node-cidr-mask-size-ipv6", "value": "64"},
    ]


def test_what_kubeadm_does_not_do_by_itself_is_said() -> None:
    apply = (
        "No controller gives nodes their pod networks: apply the Node objects of "
        "`python -m flatnet.plan_report nodes` as nodes join."
    )
    assert kubeadm_notes(plan_document(plan())) == [apply]
    moved = plan_document(plan(Settings(dns_addresses=("10.32.0.53",))))
    move = "kubeadm makes its DNS Service at 10.32.0.10: make it again at 10.32.0.53."
    assert kubeadm_notes(moved) == [apply, move]
    assert kubeadm_configuration(moved).startswith(f"---\n# {apply}\n# {move}\n")


def test_plain_flags_are_one_a_line_under_their_daemon() -> None:
    assert plain_flags(plan_document(plan())) == (
        "# kube-apiserver\n"
        "--secure-port=6443\n"
        "--service-cluster-ip-range=10.32.0.0/24\n"
        "--service-node-port-range=30000-32767\n"
        "\n"
        "# kube-controller-manager\n"
        "--allocate-node-cidrs=false\n"
        "--cluster-cidr=10.200.0.0/16\n"
        "--node-cidr-mask-size=24\n"
        "--service-cluster-ip-range=10.32.0.0/24\n"
        "\n"
        "# kube-proxy\n"
        "--cluster-cidr=10.200.0.0/16\n"
        "--proxy-mode=iptables\n"
        "\n"
        "# kubelet\n"
        "--cluster-dns=10.32.0.10\n"
        "--cluster-domain=cluster.local\n"
        "--max-pods=110\n"
    )


def test_a_host_adds_its_own_flags() -> None:
    document = plan_document(PLANS["dual-stack"])
    before = plain_flags(document).splitlines()
    after = plain_flags(document, "node-1").splitlines()
    assert [line for line in after if line not in before] == [
        "--advertise-address=192.0.2.11",
        "--hostname-override=node-1",
        "--hostname-override=node-1",
        "--node-ip=192.0.2.11,2001:db8::1",
    ]
    assert plain_flags(document).splitlines() == before, "the document is not changed"


def test_an_unknown_host_is_told_with_those_that_there_are() -> None:
    with pytest.raises(FlatnetError) as caught:
        plain_flags(plan_document(plan()), "node-9")
    assert str(caught.value) == "host 'node-9' is not in the plan; it has control-plane-1, node-1 and node-2"


def test_node_objects_carry_the_pod_networks() -> None:
    found = list(yaml.safe_load_all(node_objects(plan_document(plan(DUAL, DUAL_HOSTS)))))
    assert [item["metadata"]["name"] for item in found] == [f"node-{i}" for i in range(1, 6)]
    assert found[1] == {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "node-2"},
        "spec": {"podCIDR": "10.200.1.0/24", "podCIDRs": ["10.200.1.0/24", "2001:db8:200:1::/64"]},
    }


def test_hosts_without_pods_have_no_node_object() -> None:
    found = list(yaml.safe_load_all(node_objects(plan_document(PLANS["control-plane-alone"]))))
    assert [item["metadata"]["name"] for item in found] == ["node-a", "node-b", "node-c"]


def test_a_backend_with_its_own_networks_has_no_node_objects() -> None:
    document = plan_document(plan())
    document["backend"] = document["backend"] | {"ipam": "backend", "name": "other"}
    assert kubeadm_notes(document) == []
    with pytest.raises(FlatnetError, match="backend other gives nodes their pod networks by itself"):
        node_objects(document)


def test_a_host_joins_with_its_name_its_addresses_and_its_number_of_pods() -> None:
    small = [*DUAL_HOSTS[:2], replace(DUAL_HOSTS[2], max_pods=50)]
    found = by_kind(kubeadm_configuration(plan_document(plan(DUAL, small)), "node-3"))["JoinConfiguration"]
    assert found["nodeRegistration"] == {
        "name": "node-3",
        "kubeletExtraArgs": [
            {"name": "max-pods", "value": "50"},
            {"name": "node-ip", "value": "192.0.2.13,2001:db8::3"},
        ],
    }
    assert found["discovery"] == {"file": {"kubeConfigPath": "/etc/kubernetes/discovery.conf"}}


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("control-plane-1", "control-plane-1 makes the cluster with kubeadm init"),
        ("node-9", "host 'node-9' is not in the plan"),
    ],
)
def test_who_cannot_join_is_told(host: str, message: str) -> None:
    with pytest.raises(FlatnetError, match=message):
        kubeadm_configuration(plan_document(plan()), host)


def test_a_port_an_endpoint_an_etcd_apart_and_further_services_are_told() -> None:
    apart = [replace(THREE[0], groups=THREE[0].groups - {"etcd"}), *THREE[1:], host("store", "192.0.2.9")]
    apart[-1] = replace(apart[-1], groups=frozenset({"etcd"}))
    wanted = Settings(
        api_port=7443,
        api_endpoint="api.example.com:443",
        extra_service_cidrs=("10.33.0.0/24",),
        dns_upstreams=("192.0.2.53",),
    )
    document = plan_document(plan(wanted, apart))
    found = by_kind(kubeadm_configuration(document))
    assert found["InitConfiguration"]["localAPIEndpoint"]["bindPort"] == 7443
    cluster = found["ClusterConfiguration"]
    assert cluster["controlPlaneEndpoint"] == "api.example.com:443"
    assert cluster["etcd"]["external"]["endpoints"] == ["https://192.0.2.9:2379"]
    assert [item["spec"]["cidrs"] for item in yaml.safe_load_all(service_objects(document))] == [
        ["10.33.0.0/24"]
    ]
    told = " ".join(kubeadm_notes(document))
    assert "ServiceCIDR" in told
    assert "forward to 192.0.2.53" in told
    assert "etcd runs apart" in told


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            Settings(service_cidrs=("10.0.0.0/11",), pod_cidrs=("10.200.0.0/16",)),
            "too large for kubeadm; use a /12",
        ),
        (
            Settings(service_cidrs=("10.32.0.0/29",), dns_addresses=("10.32.0.3",)),
            "too small for kubeadm; use a /28",
        ),
    ],
)
def test_sizes_that_kubeadm_refuses_are_refused(settings: Settings, message: str) -> None:
    with pytest.raises(FlatnetError, match=message):
        kubeadm_configuration(plan_document(plan(settings)))


@pytest.mark.parametrize("name", ["4e7", "y", "n", "1", "0x1f", "1e3", "null", "on", "12", "07", "true"])
def test_names_that_look_like_something_else_are_text_for_every_reader(name: str) -> None:
    text = node_objects(plan_document(plan(some=[THREE[0], host(name, "192.0.2.12")])))
    assert f'name: "{name}"\n' in text
    assert [item["metadata"]["name"] for item in yaml.safe_load_all(text)] == sorted(
        [name, "control-plane-1"]
    )


def test_whoever_installs_another_way_records_what_was_done(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "inventory" / "network_deployed.json"
    assert main(["record", str(written), str(record)]) == 0
    assert capsys.readouterr().out == f"{record}: recorded\n"
    assert read_document(record) == plan_document(plan())
    assert main(["record", str(written), str(record)]) == 0
    assert capsys.readouterr().out == f"{record}: nothing changes\n"
    record.write_text("{")
    assert main(["record", str(written), str(record)]) == 1
    assert record.read_text() == "{"


def test_yaml_has_no_anchors() -> None:
    assert not re.search(r"[&*]id0", node_objects(plan_document(plan())))


def test_commands_read_the_plan(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = plan_document(plan())
    for arguments, expected in (
        (["kubeadm"], kubeadm_configuration(document)),
        (["flags"], plain_flags(document)),
        (["flags", "--host", "node-1"], plain_flags(document, "node-1")),
        (["nodes"], node_objects(document)),
        (["services"], service_objects(document)),
        (["kubeadm", "--host", "node-1"], kubeadm_configuration(document, "node-1")),
    ):
        assert main([arguments[0], str(written), *arguments[1:]]) == 0
        assert capsys.readouterr().out == expected


def test_the_page_and_the_schema_come_from_commands_too(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["page", str(written), "--deployed", str(written)]) == 0
    assert "Nothing changes: this plan is what is deployed." in capsys.readouterr().out
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$id"] == "urn:flatnet:plan:1"


def test_a_difference_that_is_refused_fails_after_the_table(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = tmp_path / "wanted.json"
    wanted.write_text(document_text(plan_document(plan(Settings(dns_domain="example.com")))))
    assert main(["difference", str(written), str(written)]) == 0
    assert capsys.readouterr().out == "Nothing changes: this plan is what is deployed.\n"
    assert main(["difference", str(written), str(wanted)]) == 1
    said = capsys.readouterr()
    assert "REFUSED" in said.out
    assert said.err.startswith(
        "the network cannot be planned, 1 finding:\n- [immutable-dns-domain] cluster_dns_domain_name "
        "example.com in place"
    )
    assert main(["difference", str(written), str(wanted), "--allow", "dns_domain"]) == 0
    assert "REFUSED" not in capsys.readouterr().out


def test_a_plan_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kubeadm", str(tmp_path / "plan.json")]) == 1
    assert capsys.readouterr().err == (
        f"there is no plan {tmp_path}/plan.json; make it with playbooks/plan_network.yml\n"
    )


def test_the_commands_of_the_documentation_work(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs/other-installers.md").read_text()
    commands = re.findall(r"^python -m flatnet\.plan_report (.*?)(?: >.*)?$", text, re.MULTILINE)
    assert len(commands) == 6
    places = {
        "$plan": str(written),
        "inventories/mine/network_deployed.json": f"{written.parent}/deployed.json",
    }
    for command in commands:
        arguments = [places.get(word, word) for word in shlex.split(command)]
        assert main(arguments) == 0
        said = capsys.readouterr().out
        assert said or arguments[0] == "services", "there are no further service networks here"
