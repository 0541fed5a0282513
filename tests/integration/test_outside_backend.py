"""A backend and a policy engine from outside of roles/: planned, provisioned, proven and removed alike.

Their roles lie below tests/outside, which only this module has Ansible look into. The tests follow one
cluster, in the order in which they stand.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from documented_roles import write_documented_roles
from host_shell import on_host
from outside_roles import OUTSIDE, ROLES, WAYS, broken_contract
from playbook import ROOT, Answer, run_playbook

from tests.container_hosts import hosts
from tests.container_hosts.spec import read_inventory

PREFIX = "flatnet-outside"
INVENTORIES = (ROOT / "inventories/container_hosts", OUTSIDE / "inventory")
NAMES = ("control-plane-1", "node-1", "node-2")
SNAPSHOT = (ROOT / "molecule/resources/files/snapshot").read_text()
on = partial(on_host, PREFIX)
# A set of files out of an upstream module, and where hosts have it.
FILES = "cni-specification"
DELIVERED = f"/usr/local/share/flatnet/{FILES}"


def run(playbook: str, *options: str, roles: Path = ROLES, **settings: str | int) -> Answer:
    """Run a playbook on the inventory of these hosts, with roles from one more folder."""
    first, second = INVENTORIES
    given = {"cluster_network_policy_engine": "none", **settings}
    return run_playbook(
        playbook,
        first,
        "--inventory",
        str(second),
        *options,
        "--extra-vars",
        json.dumps(given),
        environment={"ANSIBLE_ROLES_PATH": f"{ROOT / 'roles'}:{roles}"},
    )


# In the mode in which the backend carries services itself.
run_vxlan = partial(run, cluster_network_backend_mode="vxlan", cluster_kube_proxy_mode="none")


def expect(answer: Answer) -> Answer:
    """Return the answer of a run that succeeded."""
    assert answer.code == 0, answer.output + answer.errors
    return answer


def build_files() -> None:
    """Make the set of upstream's files that the backend asks for, as its operator would."""
    subprocess.run(
        [sys.executable, "-m", "flatnet.programs", "build", FILES],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_ROLES_PATH": str(ROLES)},
        check=True,
        capture_output=True,
    )


def snapshot(host: str) -> list[str]:
    """Return what the host is like, a line for each thing."""
    return on(host, f"bash <<'snapshot'\n{SNAPSHOT}\nsnapshot").splitlines()


@pytest.fixture(scope="module", autouse=True)
def before() -> Iterator[dict[str, list[str]]]:
    """Return what the hosts were like when they were new."""
    build_files()
    hosts.destroy(PREFIX)
    hosts.create(read_inventory(INVENTORIES), lambda _: None)
    for host in NAMES:
        on(host, "mkdir -p /etc/cni/net.d && echo '{}' > /etc/cni/net.d/99-others.conf")
    yield {host: snapshot(host) for host in NAMES}
    hosts.destroy(PREFIX)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.mark.parametrize("name", ["a misspelt key", "interfaces of everybody"])
def test_a_broken_contract_stops_a_provision_before_a_host_is_asked(tmp_path: Path, name: str) -> None:
    path = broken_contract(WAYS[name], tmp_path)
    answer = run("provision_network.yml", roles=tmp_path)
    assert answer.code != 0
    assert f"the contract {path} is wrong:\n- {WAYS[name].fault}" in answer.message
    assert "Read the facts of the hosts" not in answer.output


def test_an_engine_that_does_not_exist_is_refused() -> None:
    answer = run("plan_network.yml", "--check", cluster_network_policy_engine="seive")
    assert answer.code != 0
    assert "'seive'" in answer.message
    assert "sieve" in answer.message.partition("'seive'")[2]


def test_a_missing_command_is_refused_with_who_needs_it_and_its_package() -> None:
    on("node-1", "mv /usr/sbin/ipset /usr/sbin/ipset.away")
    try:
        answer = run("provision_network.yml")
    finally:
        on("node-1", "mv /usr/sbin/ipset.away /usr/sbin/ipset")
    assert answer.code != 0
    assert [word for word in ("node-1", "ipset", "backend claims") if word not in answer.message] == []


def test_a_preflight_of_its_own_is_asked() -> None:
    on("node-2", "ip link add outward type bridge")
    try:
        answer = run("provision_network.yml")
    finally:
        on("node-2", "ip link delete outward")
    assert answer.code != 0
    assert "node-2: the host's outward is of the kind bridge" in answer.message
    assert on("node-2", "ls /var/lib/flatnet /etc/kubernetes 2>/dev/null || true") == ""


def test_the_backend_of_the_page_about_adding_one_is_all_that_is_needed(tmp_path: Path) -> None:
    write_documented_roles(tmp_path)
    answer = expect(
        run("provision_network.yml", "--check", roles=tmp_path, cluster_network_backend="example")
    )
    assert min(answer.changed[host] for host in NAMES) > 0


def test_it_carries_traffic_with_exact_sources_and_the_engine_enforces_policies(
    before: dict[str, list[str]], reports: Path
) -> None:
    assert before
    expect(run("provision_network.yml", cluster_network_policy_engine="sieve"))
    answer = run(
        "verify_network.yml",
        cluster_network_policy_engine="sieve",
        network_check_report_directory=str(reports),
    )
    expect(answer)
    report = json.loads((reports / "network_check.json").read_text())
    address = {name: node["addresses"][0] for name, node in report["plan"]["nodes"].items()}
    checks = {one["id"]: one for one in report["checks"]}
    assert report["failed"] == 0
    for kind in ("node_to_pod", "hairpin"):
        found = [one for one in checks.values() if one["class"] == kind]
        assert found
        assert {one["observed"] for one in found if kind == "node_to_pod"} <= set(address.values())
    policies = [one for one in checks.values() if one["class"] == "policy"]
    assert {bool(one["expected"][0][0].isdigit()) for one in policies} == {True, False}


def test_nodes_have_claimed_blocks_that_no_plan_knows(reports: Path) -> None:
    plan = json.loads((reports / "network_check.json").read_text())["plan"]
    routes = {host: on(host, "ip -json route show protocol 158") for host in NAMES}
    blocks = {
        host: [one["dst"] for one in json.loads(text) if one.get("type") == "blackhole"]
        for host, text in routes.items()
    }
    assert [len(own) for own in blocks.values()] == [1, 1, 1]
    assert len({own[0] for own in blocks.values()}) == len(NAMES)
    assert [node["pod_cidrs"] for node in plan["nodes"].values()] == [[], [], []]


def test_a_second_run_changes_nothing() -> None:
    answer = expect(run("provision_network.yml", cluster_network_policy_engine="sieve"))
    assert answer.changed == dict.fromkeys(NAMES, 0)


def test_check_mode_predicts_a_change_of_its_own_setting_exactly() -> None:
    def once(*options: str) -> Answer:
        return expect(
            run(
                "provision_network.yml",
                "--diff",
                *options,
                cni_claims_watch_seconds=50,
                cluster_network_policy_engine="sieve",
            )
        )

    predicted = once("--check")
    assert predicted.changed == dict.fromkeys(NAMES, 1)
    assert once().changed == predicted.changed
    assert '"watch_seconds": 50' in predicted.output
    assert "claimsd.service" in predicted.output


def test_another_mode_is_refused_while_pods_are_connected_in_the_first() -> None:
    answer = run_vxlan("provision_network.yml", cluster_network_policy_engine="sieve")
    assert answer.code != 0
    words = ("immutable-backend-mode", "routed", "vxlan", "pods of two modes do not reach each other")
    assert [word for word in words if word not in answer.message] == []


def test_the_engine_goes_alone() -> None:
    present = "nft list tables; ls /etc/systemd/system /etc/flatnet"
    roles = (
        "kubectl --kubeconfig /etc/kubernetes/admin.kubeconfig get clusterroles,clusterrolebindings -o name"
    )
    assert "inet sieve" in on("node-1", present)
    assert on(NAMES[0], roles).count("example:sieve") == 2
    expect(run("../tests/outside/remove_engine.yml"))
    left, left_roles = on("node-1", present), on(NAMES[0], roles)
    assert "sieve" not in left + left_roles
    assert "claimsd.service" in left
    assert left_roles.count("example:claims") == 2


def test_a_reset_leaves_the_hosts_as_they_were(before: dict[str, list[str]]) -> None:
    expect(run("reset_network.yml", cluster_reset_confirmed="container-hosts"))
    after = {host: snapshot(host) for host in NAMES}
    differing = {host: sorted({*before[host]} ^ {*after[host]}) for host in NAMES}
    assert differing == {host: [] for host in NAMES}


def test_kube_proxy_is_left_out_only_where_the_backend_takes_its_place() -> None:
    for answer, words in (
        (run("provision_network.yml", cluster_kube_proxy_mode="none"), ("'none'", "iptables, nftables")),
        (run("provision_network.yml", cluster_network_backend_mode="vxlan"), ("'iptables'", "use none")),
    ):
        assert answer.code != 0
        assert [word for word in ("cluster_kube_proxy_mode", *words) if word not in answer.message] == []


def test_the_other_mode_carries_traffic_and_services_itself(reports: Path) -> None:
    expect(run_vxlan("provision_network.yml"))
    expect(run_vxlan("verify_network.yml", network_check_report_directory=str(reports / "vxlan")))
    report = json.loads((reports / "vxlan/network_check.json").read_text())
    tunnel = json.loads(on("node-1", "ip -json address show dev out-vxlan"))[0]
    remote = [
        one
        for one in report["checks"]
        if one["class"] == "node_to_pod"
        and one["source"]["node"] == "node-1"
        and one["target"]["node"] != "node-1"
    ]
    assert {one["observed"] for one in remote} == {tunnel["addr_info"][0]["local"]}
    assert report["plan"]["mtu"] == tunnel["mtu"] == 1450
    assert {one["class"] for one in report["checks"]} >= {"cluster_ip", "node_port"}
    units = on("node-1", "systemctl is-active kube-proxy claims-services || true")
    assert units.split() == ["inactive", "active"]
    assert expect(run_vxlan("provision_network.yml")).changed == dict.fromkeys(NAMES, 0)


def test_files_of_an_upstream_are_on_every_node_byte_for_byte() -> None:
    made = json.loads(
        subprocess.run(
            ["go", "list", "-m", "-json", "github.com/containernetworking/cni"],
            cwd=ROLES / "cni_claims/build",
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    for path in ("SPEC.md", "cnitool/README.md"):
        digest = hashlib.sha256((Path(made["Dir"]) / path).read_bytes()).hexdigest()
        assert [on(host, f"sha256sum < {DELIVERED}/{path}").split()[0] for host in NAMES] == [digest] * 3


def test_nothing_of_the_other_mode_is_left_either(before: dict[str, list[str]]) -> None:
    expect(run_vxlan("reset_network.yml", cluster_reset_confirmed="container-hosts"))
    after = {host: snapshot(host) for host in NAMES}
    differing = {host: sorted({*before[host]} ^ {*after[host]}) for host in NAMES}
    assert differing == {host: [] for host in NAMES}
