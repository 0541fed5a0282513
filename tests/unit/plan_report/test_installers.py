import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from plan_cases import DUAL
from plan_report_cases import DUAL_HOSTS, PLANS, plan

from flatnet.errors import FlatnetError
from flatnet.plan import Settings
from flatnet.plan_report import document_text, plan_document
from flatnet.plan_report.cli import main
from flatnet.plan_report.installers import kubeadm_configuration, kubeadm_notes, node_objects, plain_flags

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
    assert list(found) == ["ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration"]
    assert found["ClusterConfiguration"] == {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "clusterName": "kubernetes",
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
    assert kubeadm_configuration(moved).startswith(f"# {apply}\n# {move}\n---\n")


def test_a_service_network_without_a_tenth_address_has_its_dns_elsewhere() -> None:
    small = plan_document(plan(Settings(service_cidrs=("10.32.0.0/29",), dns_addresses=("10.32.0.3",))))
    assert "make it again at 10.32.0.3." in kubeadm_notes(small)[1]


def test_plain_flags_are_one_a_line_under_their_daemon() -> None:
    assert plain_flags(plan_document(plan())) == (
        "# kube-apiserver\n"
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


def test_yaml_has_no_anchors() -> None:
    assert not re.search(r"[&*]id0", node_objects(plan_document(plan())))


def test_commands_read_the_plan(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = plan_document(plan())
    for arguments, expected in (
        (["kubeadm"], kubeadm_configuration(document)),
        (["flags"], plain_flags(document)),
        (["flags", "--host", "node-1"], plain_flags(document, "node-1")),
        (["nodes"], node_objects(document)),
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
    assert len(commands) == 3
    for command in commands:
        arguments = [str(written) if word == "reports/plan.json" else word for word in shlex.split(command)]
        assert main(arguments) == 0
        assert capsys.readouterr().out
