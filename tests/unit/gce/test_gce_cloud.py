"""Routes in a stand-in for the Compute API, with Google's own client library."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from compute_server import ComputeServer, Project

from flatnet.errors import FlatnetError
from flatnet.gce.cloud import Cloud
from flatnet.gce.routes import Changes, Instance, Place, route_changes, wanted_routes

ROOT = Path(__file__).resolve().parents[3]
PLACE = Place("example-project", "default", "demo", tags=("nodes",))
NODES: dict[str, dict[str, Any]] = {
    f"node-{number}": {
        "name": f"node-{number}",
        "addresses": [f"192.0.2.{number}"],
        "pod_cidrs": [f"10.200.{number}.0/24"],
    }
    for number in (11, 12, 13)
}


def example(project: Project | None = None) -> Project:
    project = project or Project()
    for name, node in NODES.items():
        project.add_instance(name, node["addresses"][0])
    project.add_route("default-route", nextHopGateway="default-internet-gateway", destRange="0.0.0.0/0")
    project.add_route("by-hand", nextHopIp="192.0.2.1", destRange="198.51.100.0/24", description="ours")
    return project


library = pytest.mark.skipif(
    subprocess.run([sys.executable, "-c", "import google.cloud.compute_v1"], capture_output=True).returncode
    != 0,
    reason="google-cloud-compute is not installed: pip install -e '.[gce]'",
)


@library
def test_routes_come_stay_move_and_go_and_those_of_others_stay() -> None:
    project = example()
    with ComputeServer(project) as server:
        cloud = Cloud(PLACE.project, server.endpoint)
        wanted = wanted_routes(NODES, PLACE)
        cloud.carry_out(route_changes(wanted, cloud.routes(), PLACE))
        assert sorted(route.name for route in cloud.routes()) == sorted(
            [*(route.name for route in wanted), "by-hand", "default-route"]
        )
        assert not route_changes(wanted, cloud.routes(), PLACE)

        project.add_instance("new", "192.0.2.99")
        moved = wanted_routes(NODES | {"node-11": NODES["node-11"] | {"addresses": ["192.0.2.99"]}}, PLACE)
        project.requests.clear()
        cloud.carry_out(route_changes(moved, cloud.routes(), PLACE))
        verbs = [
            method for method, path in project.requests if path.startswith(_routes()) and method != "GET"
        ]
        assert verbs == ["POST", "DELETE"]
        assert not route_changes(moved, cloud.routes(), PLACE)

        cloud.carry_out(route_changes([], cloud.routes(), PLACE))
    assert sorted(project.routes) == ["by-hand", "default-route"]
    assert project.faults == []


def _routes() -> str:
    return "/compute/v1/projects/example-project/global/routes"


@library
def test_what_is_asked_of_network_and_instances_is_read() -> None:
    project = example(Project(mtus={"default": 1500}))
    project.add_instance("still", "192.0.2.50", forwards=False, network="other")
    with ComputeServer(project) as server:
        cloud = Cloud(PLACE.project, server.endpoint)
        assert cloud.network_mtu("default") == 1500
        found = sorted(cloud.instances(), key=lambda one: one.address)
    assert len(found) == 4
    assert found[0] == Instance("node-11", "192.0.2.11", PLACE.network_path, can_ip_forward=True)
    assert found[3] == Instance(
        "still", "192.0.2.50", "projects/example-project/global/networks/other", can_ip_forward=False
    )
    assert project.faults == []


@library
def test_an_operation_that_fails_is_told_with_its_reason_and_the_next_run_goes_on() -> None:
    wanted = wanted_routes(NODES, PLACE)
    project = example(
        Project(
            failing={wanted[1].name: ("QUOTA_EXCEEDED", "Quota 'ROUTES' exceeded. Limit: 2.0")}, pending=3
        )
    )
    with ComputeServer(project) as server:
        cloud = Cloud(PLACE.project, server.endpoint)
        with pytest.raises(
            FlatnetError, match=r"insert route \S+ of project .*QUOTA_EXCEEDED: Quota 'ROUTES'"
        ):
            cloud.carry_out(route_changes(wanted, cloud.routes(), PLACE))
        project.failing.clear()
        left = route_changes(wanted, cloud.routes(), PLACE)
        assert wanted[1] in left.inserted
        assert wanted[0] not in left.inserted
        cloud.carry_out(left)
        assert not route_changes(wanted, cloud.routes(), PLACE)


@library
def test_what_the_api_refuses_is_told_in_its_words() -> None:
    project = example()
    with ComputeServer(project) as server:
        cloud = Cloud(PLACE.project, server.endpoint)
        with pytest.raises(FlatnetError, match="the network lost of project example-project: 404"):
            cloud.network_mtu("lost")
        nodes = {"x": {"name": "x", "addresses": ["203.0.113.9"], "pod_cidrs": ["10.200.9.0/24"]}}
        stranger = tuple(wanted_routes(nodes, PLACE))
        with pytest.raises(FlatnetError, match=r"Next hop 203\.0\.113\.9 is in no subnet of the network"):
            cloud.carry_out(Changes(stranger, ()))
    assert len(project.faults) == 2


@library
def test_an_address_of_the_api_that_is_none_is_refused() -> None:
    with pytest.raises(FlatnetError, match=r"gce_routes_api_endpoint 'compute\.example' is no address"):
        Cloud("example-project", "compute.example")


def play(
    folder: Path, endpoint: str, *options: str, tasks: str = "main", **changed: object
) -> tuple[int, str]:
    variables = {
        "gce_routes_project": "example-project",
        "gce_routes_cluster_name": "demo",
        "gce_routes_nodes": NODES,
        "gce_routes_underlay_mtu": 1460,
        "gce_routes_api_endpoint": endpoint,
        **changed,
    }
    steps = [
        {"name": "Route", "ansible.builtin.import_role": {"name": "gce_routes", "tasks_from": tasks}},
        {"name": "Show", "ansible.builtin.debug": {"var": "gce_routes_result"}},
    ]
    book = [{"name": "Play", "hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": steps}]
    path = folder / "play.yml"
    path.write_text(yaml.safe_dump(book))
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", path, *options],
        cwd=ROOT,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "ANSIBLE_LOCALHOST_WARNING": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@library
def test_the_role_predicts_applies_once_and_withdraws(tmp_path: Path) -> None:
    project = example()
    before = sorted(project.routes)
    with ComputeServer(project) as server:
        for tasks, options in (("main", ["--check"]), ("preflight", [])):
            code, output = play(tmp_path, server.endpoint, *options, tasks=tasks)
            assert code == 0, output
            assert ("changed=1" in output) == (tasks == "main")
            assert sorted(project.routes) == before
        code, output = play(tmp_path, server.endpoint)
        assert code == 0, output
        assert "changed=1" in output
        assert len(project.routes) == len(before) + 3
        code, output = play(tmp_path, server.endpoint)
        assert "changed=0" in output, output
        code, output = play(tmp_path, server.endpoint, tasks="withdraw", gce_routes_nodes={})
        assert code == 0, output
    assert sorted(project.routes) == before
    assert project.faults == []


@library
def test_the_role_refuses_before_it_changes_anything(tmp_path: Path) -> None:
    project = example()
    project.instances[0]["canIpForward"] = False
    with ComputeServer(project) as server:
        code, output = play(tmp_path, server.endpoint, gce_routes_underlay_mtu=1500)
    assert code != 0
    assert "may not forward packets (canIpForward)" in output
    assert "the VPC network has 1460" in output
    assert {method for method, _ in project.requests} == {"GET"}


def test_the_role_says_by_name_that_the_library_is_missing(tmp_path: Path) -> None:
    (tmp_path / "google").mkdir()
    (tmp_path / "google/__init__.py").write_text("raise ImportError('not here')\n")
    environment = {"PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    text = "from flatnet.gce.cloud import Cloud; Cloud('example-project')"
    done = subprocess.run(
        [sys.executable, "-c", text],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "google-cloud-compute is not in the environment that runs Ansible" in done.stderr
    assert "pip install 'flatnet[gce]'" in done.stderr


@library
def test_the_stand_in_takes_no_request_that_differs_in_one_field() -> None:
    project = example()
    right = {
        "name": "x",
        "network": PLACE.network_path,
        "destRange": "10.200.9.0/24",
        "nextHopIp": "192.0.2.11",
        "priority": 1,
        "description": "",
    }
    wrong: list[tuple[str, object]] = [
        ("name", "X"),
        ("network", "default"),
        ("destRange", "10.200.9.1/24"),
        ("nextHopIp", "192.0.2.200"),
        ("priority", 65536),
        ("priority", "1"),
        ("tags", "nodes"),
        ("tags", ["a", "a"]),
        ("region", "x"),
    ]
    with ComputeServer(project) as server:
        answers = [_post(server.endpoint, right | {key: value}) for key, value in wrong]
        answers += [_post(server.endpoint, {key: right[key] for key in right if key != "nextHopIp"})]
        answers += [_post(server.endpoint, right, "requestId=1"), _post(server.endpoint, right, "")]
        assert answers == [400] * 12
        assert _post(server.endpoint, right) == 200


def _post(endpoint: str, body: object, query: str = "requestId=8d0b8f6c-5a52-4b4e-9a4c-2f2a7d0f2f5e") -> int:
    request = urllib.request.Request(f"{endpoint}{_routes()}?{query}", json.dumps(body).encode())  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 (it is this machine's own)
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
