"""kubeadm's own validation accepts what the plan hands to it, and refuses what is refused before."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from plan_cases import prepare
from plan_examples import SEVERAL, settings
from plan_examples_hosts import REFUSED_HOSTS, WARNED
from plan_examples_settings import REFUSED, TWO
from plan_report_cases import PLANS

from flatnet.errors import FlatnetError
from flatnet.plan_report import kubeadm, plan_document
from flatnet.plan_report.kubeadm import kubeadm_configuration
from flatnet.programs.catalog import load_catalog
from flatnet.programs.gomod import build
from flatnet.programs.progress import Lines
from flatnet.programs.store import program_store
from flatnet.programs.toolchain import machine_architecture

ROOT = Path(__file__).resolve().parents[2]
Validate = Callable[[str], str]


@pytest.fixture(name="validate", scope="module")
def make_validate(tmp_path_factory: pytest.TempPathFactory) -> Validate:
    upstreams = load_catalog(ROOT / "tests/kubeadm/programs.yml").upstreams
    program = build(upstreams, program_store(), Lines(), machine_architecture())["kubeadm"] / "kubeadm"
    path = tmp_path_factory.mktemp("kubeadm") / "configuration.yaml"

    def validate(text: str) -> str:
        """Return what kubeadm has against the text, nothing when it takes it."""
        # Or it would ask the internet for the newest version.
        path.write_text(text.replace("clusterName:", "kubernetesVersion: v1.36.3\nclusterName:"))
        done = subprocess.run(
            [program, "config", "validate", "--config", path],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return "" if done.returncode == 0 else done.stderr

    return validate


def plans() -> list[dict[str, Any]]:
    """Return the plans of all examples of the planner, each once."""
    kept = [case.kept for case in (*REFUSED, *REFUSED_HOSTS, *WARNED)]
    kept += [settings(pod_cidrs=TWO) | {"contract": SEVERAL}]
    found = [*PLANS.values(), *(prepare(**arguments).plan for arguments in kept)]
    return [plan for index, plan in enumerate(found) if plan not in found[:index]]


def test_kubeadm_takes_what_is_written_and_refuses_what_is_refused(
    validate: Validate, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, refused = [], []
    for document in map(plan_document, plans()):
        try:
            taken.append(kubeadm_configuration(document))
        except FlatnetError:
            refused.append(document)
    assert len(taken) > 50
    assert [said for text in taken if (said := validate(text))] == []
    assert len(refused) >= 4
    monkeypatch.setattr(kubeadm, "_refuse", lambda _document: None)
    assert all(validate(kubeadm_configuration(document)) for document in refused)


def test_kubeadm_takes_what_a_host_joins_with(
    validate: Validate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    discovery = tmp_path / "discovery.conf"
    discovery.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config"}))
    monkeypatch.setattr(kubeadm, "DISCOVERY", str(discovery))
    assert validate(kubeadm_configuration(plan_document(PLANS["dual-stack"]), "node-2")) == ""
    strange = kubeadm_configuration(plan_document(PLANS["kubenet"]), "node-1").replace(
        "name: node", "nam: node", 1
    )
    assert "unknown field" in validate(strange)
