"""The real Kubernetes programs accept what the plan hands to other installers."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from foreign_cluster import program

from flatnet.contract import find_contracts
from flatnet.plan import Host, Settings, plan_network
from flatnet.plan_report import plan_document
from flatnet.plan_report.document import Document
from flatnet.plan_report.installers import plain_flags
from flatnet.plan_report.kubeadm import kubeadm_configuration

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = {
    "ipv4": Settings(),
    "dual-stack": Settings(
        pod_cidrs=("10.200.0.0/16", "2001:db8:200::/56"), service_cidrs=("10.32.0.0/24", "2001:db8:32::/112")
    ),
}


@pytest.fixture(name="programs", scope="module")
def find_programs() -> Path:
    return program("kubelet").parent


@pytest.fixture(name="document", params=list(FAMILIES))
def make_document(request: pytest.FixtureRequest) -> Document:
    groups = frozenset({"etcd", "kube_control_plane", "kube_node"})
    hosts = [Host("node-1", "node-1", ("192.0.2.11", "2001:db8::11"), groups)]
    settings = FAMILIES[request.param]
    return plan_document(plan_network(settings, hosts, find_contracts([ROOT / "roles"])))


def run(program: Path, *arguments: str) -> str:
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("daemon", ["kube-apiserver", "kube-controller-manager", "kube-proxy", "kubelet"])
def test_a_daemon_knows_every_flag(programs: Path, document: Document, daemon: str) -> None:
    sections = {
        lines[0].removeprefix("# "): lines[1:]
        for section in plain_flags(document, "node-1").split("\n\n")
        if (lines := section.splitlines())
    }
    # Flags are read before the version is told: one that is unknown, or of another type, comes first.
    assert run(programs / daemon, *sections[daemon], "--version").startswith("Kubernetes v")
    assert "unknown flag: --such" in run(programs / daemon, "--such=1", "--version")


def test_kube_proxy_reads_its_configuration_strictly(
    programs: Path, document: Document, tmp_path: Path
) -> None:
    wanted = list(yaml.safe_load_all(kubeadm_configuration(document)))[3]
    (tmp_path / "wanted.json").write_text(json.dumps(wanted))
    said = run(
        programs / "kube-proxy",
        f"--config={tmp_path}/wanted.json",
        f"--write-config-to={tmp_path}/read.yaml",
    )
    assert "strict decoding error" not in said
    read = yaml.safe_load((tmp_path / "read.yaml").read_text())
    assert {key: read[key] for key in wanted} == wanted
