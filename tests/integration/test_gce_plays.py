"""The plays that have routes in Google Cloud, and what they hand the role, with a stand-in for the API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from compute_server import ComputeServer, Project

ROOT = Path(__file__).resolve().parents[2]
PLAN: dict[str, Any] = {
    "underlay_mtu": 1460,
    "families": ["ipv4"],
    "backend": {"routes": "network"},
    "nodes": {
        f"node-{number}": {
            "name": f"node-{number}",
            "addresses": [f"192.0.2.1{number}"],
            "pod_cidrs": [f"10.200.{number}.0/24"],
        }
        for number in (1, 2)
    },
}
READ = {
    "name": "Read the inputs of the roles",
    "hosts": "k8s_cluster",
    "gather_facts": False,
    "tasks": [
        {
            "name": "Read them",
            "ansible.builtin.include_vars": str(ROOT / "playbooks/vars/wiring.yml"),
            "run_once": True,
        }
    ],
}

pytestmark = pytest.mark.skipif(
    subprocess.run([sys.executable, "-c", "import google.cloud.compute_v1"], capture_output=True).returncode
    != 0,
    reason="google-cloud-compute is not installed: pip install -e '.[gce]'",
)


def play(folder: Path, endpoint: str, plan: dict[str, Any], *files: str) -> str:
    variables = {
        "ansible_connection": "local",
        "gce_routes_project": "example-project",
        "gce_routes_api_endpoint": endpoint,
        "network_settings_result": {
            "settings": {
                "cluster_name": "demo",
                "cluster_state_directory": str(folder),
                "cluster_reports_directory": str(folder),
                "cluster_api_port": 6443,
            }
        },
        "network_plan_result": {"plan": plan},
    }
    hosts = {"kube_node": {"hosts": dict.fromkeys(PLAN["nodes"])}}
    inventory, book = folder / "hosts.yml", folder / "play.yml"
    inventory.write_text(json.dumps({"k8s_cluster": {"children": hosts, "vars": variables}}))
    imports = [
        {"name": "Play", "ansible.builtin.import_playbook": str(ROOT / "playbooks/plays" / file)}
        for file in files
    ]
    book.write_text(yaml.safe_dump([READ, *imports], sort_keys=False))
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, book],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_routes_are_checked_made_once_and_withdrawn_with_the_backend(tmp_path: Path) -> None:
    project = Project()
    for node in PLAN["nodes"].values():
        project.add_instance(node["name"], node["addresses"][0])
    project.add_route("of-others")
    with ComputeServer(project) as server:
        play(tmp_path, server.endpoint, PLAN, "check_routers.yml")
        assert list(project.routes) == ["of-others"]
        assert "changed=1" in play(tmp_path, server.endpoint, PLAN, "check_routers.yml", "route_network.yml")
        assert {route["destRange"] for route in project.routes.values()} == {
            "0.0.0.0/0",
            "10.200.1.0/24",
            "10.200.2.0/24",
        }
        assert "changed=0" in play(tmp_path, server.endpoint, PLAN, "route_network.yml")
        assert "changed=0" in play(tmp_path, server.endpoint, PLAN, "withdraw_network_routes.yml")
        on_hosts = PLAN | {"backend": {"routes": "plan"}}
        assert "changed=1" in play(tmp_path, server.endpoint, on_hosts, "withdraw_network_routes.yml")
    assert list(project.routes) == ["of-others"]
    assert project.faults == []
