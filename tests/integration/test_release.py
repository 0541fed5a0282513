"""A cluster whose programs are all downloaded: refused with a wrong file, proven, kept up to date, moved off.

Whatever changes, check mode predicts: as many changes on each host as are then made.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from host_shell import on_host
from playbook import ROOT, Answer, run_playbook
from release_site import ARCHITECTURE, ReleaseSite, release_site

from flatnet.programs.catalog import load_catalog
from flatnet.programs.store import digest_of, read_sums
from tests.container_hosts import hosts, state
from tests.container_hosts.spec import read_inventory

PREFIX = "flatnet-rel"
HOSTS = {"control-plane-1": "10.211.7.11", "node-1": "10.211.7.12"}
UNITS = ("containerd", "kube-proxy", "kubelet")
CONTROL_PLANE_UNITS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
KUBECTL = "kubectl --kubeconfig /etc/kubernetes/admin.kubeconfig"
# One of each kind, and each of another role.
DRIFT = (
    "cp /bin/true /usr/local/bin/new && mv /usr/local/bin/new /usr/local/bin/kube-proxy",
    "sysctl --quiet --write net.ipv4.ip_forward=0",
    "chmod 0600 /etc/containerd/config.toml && systemctl --quiet disable containerd",
    "systemctl stop kubelet",
    "echo >> /etc/cni/net.d/10-flatnet-kubenet.conflist",
    "ip route delete $(ip route show proto 157 | cut -d' ' -f1)",
    "nft delete table ip flatnet_masquerade",
    "rm /etc/kubernetes/kube-proxy/config.json",
)
DRIFT_OF_OBJECTS = (
    "delete service kube-dns",
    """patch configmap coredns --patch '{"data": {"Corefile": ""}}'""",
    "scale deployment coredns --replicas=1",
)


@dataclass(frozen=True)
class Cluster:
    """Two hosts, the inventory of their cluster, and the site that publishes its programs."""

    folder: Path
    site: ReleaseSite

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory"

    def run(self, playbook: str, *options: str, **settings: object) -> Answer:
        """Run a playbook with a cache in which nothing is built, and the site in the place of all others."""
        return run_playbook(
            playbook,
            self.inventory,
            "--extra-vars",
            json.dumps({**self.settings, **settings}),
            *options,
            environment={"FLATNET_CACHE": str(self.folder / "cache"), "FLATNET_MIRROR": self.site.url},
        )

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "cluster_programs_source": "release",
            "cluster_programs_releases": str(self.site.releases),
            # Where the keys of the hosts are, whatever the cache of the programs.
            "cluster_state_directory": str(state.state_directory(PREFIX)),
            "cluster_reports_directory": str(self.folder / "reports"),
        }

    def provision(self, **settings: object) -> dict[str, int]:
        """Provision; return how much that changed on each host, which check mode has to have said before."""
        predicted = self.run("provision_network.yml", "--check", "--diff", **settings)
        assert predicted.code == 0, predicted
        assert "PRIVATE KEY" not in predicted.output
        answer = self.run("provision_network.yml", **settings)
        assert answer.code == 0, answer
        assert predicted.changed == answer.changed
        return answer.changed

    def prove(self) -> None:
        """Verify the network."""
        answer = self.run("verify_network.yml")
        # Of its output what is told of failures is near the end.
        assert answer.code == 0, f"{answer.output[-6000:]}{answer.errors}"

    def installed(self, host: str) -> dict[str, str]:
        """Return program -> sha256 on `host`."""
        lines = on_host(PREFIX, host, "sha256sum /usr/local/bin/* /opt/cni/bin/*").splitlines()
        return {Path(path).name: digest for digest, path in (line.split() for line in lines)}

    def starts(self, host: str) -> dict[str, str]:
        """Return unit -> when it was started last."""
        show = "systemctl show --value --property=ActiveEnterTimestampMonotonic"
        units = [*UNITS, *(CONTROL_PLANE_UNITS if host == "control-plane-1" else ())]
        return dict(zip(units, on_host(PREFIX, host, f"{show} {' '.join(units)}").split(), strict=True))

    def write_inventory(self) -> None:
        """Write the inventory, with the settings of every other cluster of container hosts."""
        self.inventory.mkdir()
        (self.inventory / "group_vars").symlink_to(ROOT / "inventories/container_hosts/group_vars")
        first, *_ = names = list(HOSTS)
        groups = {"kube_control_plane": [first], "etcd": [first], "kube_node": names}
        data = {
            "vars": {
                "container_hosts_prefix": PREFIX,
                "container_hosts_subnets": ["10.211.7.0/24"],
                "cluster_name": PREFIX,
            },
            "children": {group: {"hosts": dict.fromkeys(members)} for group, members in groups.items()},
            "hosts": {name: {"ansible_host": address} for name, address in HOSTS.items()},
        }
        (self.inventory / "hosts.yml").write_text(yaml.safe_dump({"k8s_cluster": data}))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    # Gone at once: pytest would keep a gigabyte of programs for three runs.
    with tempfile.TemporaryDirectory(prefix="flatnet-release-") as directory:
        folder = Path(directory)
        (folder / "site").mkdir()
        with release_site(folder / "site") as site:
            site.pack()
            cluster = Cluster(folder, site)
            cluster.write_inventory()
            hosts.create(read_inventory([cluster.inventory]), lambda _: None)
            try:
                yield cluster
            finally:
                hosts.destroy(PREFIX)


# The tests build on each other, in their order: what one leaves is what the next one finds.


def test_a_file_that_is_not_the_listed_one_is_refused_before_a_host_is_touched(cluster: Cluster) -> None:
    file = cluster.site.file("kubelet")
    content, listed = file.read_bytes(), digest_of(file)
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    served = digest_of(file)
    answer = cluster.run("provision_network.yml")
    file.write_bytes(content)
    assert answer.code == 2
    assert answer.message.startswith(
        f"{cluster.site.url}{cluster.site.path('kubelet')} has sha256 {served}, "
        f"and {listed} is pinned; it was not used. "
    )
    # find fails where there is nothing to look through, which is the good case too.
    left = "find /usr/local/bin /opt/cni /etc/kubernetes /var/lib/flatnet -type f 2>/dev/null || true"
    assert [on_host(PREFIX, host, left) for host in HOSTS] == ["", ""]


def test_a_cluster_of_downloaded_programs_is_proven(cluster: Cluster) -> None:
    assert set(cluster.provision()) == set(HOSTS)
    answer = cluster.run("verify_network.yml")
    assert answer.code == 0, answer
    report = json.loads((cluster.folder / "reports" / PREFIX / "network_check.json").read_text())
    assert (report["failed"], report["passed"]) == (0, len(report["checks"]))
    # What was there when the wrong file was refused was not fetched a second time.
    wanted = [cluster.site.path(program) for program in ("etcd", "kube-apiserver", "kubelet", "agnhost")]
    assert [cluster.site.requests.count(path) for path in wanted] == [1, 1, 2, 1]
    published = digest_of(cluster.site.file("kubelet"))
    assert [cluster.installed(host)["kubelet"] for host in HOSTS] == [published, published]


def test_a_file_that_upstream_published_meets_its_pin_and_runs(cluster: Cluster) -> None:
    pinned = load_catalog().upstream_of("kubectl").published("kubectl", ARCHITECTURE)
    assert pinned
    installed = cluster.installed("control-plane-1")["kubectl"]
    assert f"sha256:{installed}" == pinned.digests[ARCHITECTURE]
    # What is built here states no commit, so this one was not.
    version = json.loads(on_host(PREFIX, "control-plane-1", f"{KUBECTL} version --output json"))
    client = version["clientVersion"]
    assert (client["gitVersion"], client["gitTreeState"]) == (f"v{pinned.version}", "clean")
    assert version["serverVersion"]["gitTreeState"] != "clean"
    wait = f"{KUBECTL} wait --for=condition=Ready nodes --all --timeout=9s"
    ready = on_host(PREFIX, "control-plane-1", wait)
    assert ready.splitlines() == [f"node/{host} condition met" for host in HOSTS]


def test_a_second_run_changes_and_downloads_nothing(cluster: Cluster) -> None:
    requests = len(cluster.site.requests)
    assert cluster.provision() == dict.fromkeys(HOSTS, 0)
    assert cluster.site.requests[requests:] == []


def test_a_run_that_finds_all_as_it_should_be_asks_each_host_once(cluster: Cluster) -> None:
    answer = cluster.run("provision_network.yml")
    assert (answer.calls, answer.changed) == (dict.fromkeys(HOSTS, 1), dict.fromkeys(HOSTS, 0))


def test_whatever_somebody_changed_is_foreseen_and_repaired(cluster: Cluster) -> None:
    for command in DRIFT:
        on_host(PREFIX, "node-1", command)
    for arguments in DRIFT_OF_OBJECTS:
        on_host(PREFIX, "control-plane-1", f"{KUBECTL} --namespace kube-system {arguments}")
    # Programs, kernel, runtime, kubelet, backend, masquerade, kube-proxy; and the objects of DNS.
    assert cluster.provision() == {"control-plane-1": 1, "node-1": 7}
    states = on_host(PREFIX, "node-1", "systemctl is-active kubelet; systemctl is-enabled containerd")
    assert states.split() == ["active", "enabled"]
    answer = cluster.run("provision_network.yml")
    assert (answer.calls, answer.changed) == (dict.fromkeys(HOSTS, 1), dict.fromkeys(HOSTS, 0))
    cluster.prove()


def test_a_changed_value_costs_the_calls_of_whom_it_concerns(cluster: Cluster) -> None:
    settings = yaml.safe_load((cluster.inventory / "group_vars/k8s_cluster/test_hosts.yml").read_text())
    kubelet = {**settings["kube_node_kubelet_configuration_extra"], "maxPods": 60}
    answer = cluster.run("provision_network.yml", kube_node_kubelet_configuration_extra=kubelet)
    assert answer.changed == dict.fromkeys(HOSTS, 1)
    # The facts and the kubelet, and whether that stays up; and whether all nodes are ready after it.
    assert answer.calls == {"control-plane-1": 3, "node-1": 3}
    assert cluster.provision() == dict.fromkeys(HOSTS, 1)


def test_a_new_release_of_one_program_replaces_and_restarts_nothing_else(cluster: Cluster) -> None:
    before = {host: (cluster.installed(host), cluster.starts(host)) for host in HOSTS}
    file = cluster.site.file("kubelet")
    # Behind its last section a program may have what it likes.
    file.write_bytes(file.read_bytes() + b"\n")
    cluster.site.publish()
    # On each host the program, and the unit that runs it.
    assert cluster.provision() == dict.fromkeys(HOSTS, 2)
    for host, (programs, starts) in before.items():
        assert cluster.installed(host) == programs | {"kubelet": digest_of(file)}
        now = cluster.starts(host)
        assert {unit for unit in now if now[unit] != starts[unit]} == {"kubelet"}
    cluster.prove()


def test_a_new_name_of_the_api_issues_one_certificate_and_restarts_one_daemon(cluster: Cluster) -> None:
    before = {host: cluster.starts(host) for host in HOSTS}
    # The certificate here and there, with the daemon that uses it, and the record of what is deployed.
    changed = cluster.provision(cluster_apiserver_extra_sans=["api.example.org"])
    assert changed == {"control-plane-1": 3, "node-1": 0}
    restarted = {
        (host, unit)
        for host, starts in before.items()
        for unit, now in cluster.starts(host).items()
        if now != starts[unit]
    }
    assert restarted == {("control-plane-1", "kube-apiserver")}
    shown = on_host(
        PREFIX,
        "control-plane-1",
        "openssl x509 -noout -ext subjectAltName -in /etc/kubernetes/pki/apiserver.crt",
    )
    assert "DNS:api.example.org" in shown


def test_a_run_for_one_node_registers_it_before_its_kubelet_does(cluster: Cluster) -> None:
    on_host(PREFIX, "node-1", "systemctl stop kubelet")
    on_host(PREFIX, "control-plane-1", f"{KUBECTL} delete node node-1")
    names = ["api.example.org"]
    answer = cluster.run("provision_network.yml", "--limit", "node-1", cluster_apiserver_extra_sans=names)
    assert answer.code == 0, answer
    assert set(answer.changed) == {"node-1"}
    # A kubelet that registers its own node brings none.
    networks = f"{KUBECTL} get node node-1 --output jsonpath={{.spec.podCIDRs}}"
    assert json.loads(on_host(PREFIX, "control-plane-1", networks)) == ["10.200.1.0/24"]


def test_the_same_programs_from_a_folder_are_sent_only_where_they_differ(cluster: Cluster) -> None:
    folder = cluster.folder / "folder"
    export = [sys.executable, "-m", "flatnet.programs", "export", str(folder)]
    subprocess.run(export, cwd=ROOT, check=True, capture_output=True)
    before = {host: cluster.installed(host) for host in HOSTS}
    changed = cluster.provision(
        cluster_programs_source="directory",
        cluster_programs_directory=str(folder),
        cluster_apiserver_extra_sans=["api.example.org"],
    )
    built = read_sums(folder)
    # The kubelet has another digest since the test of a new release; kubectl is upstream's own.
    differ = {"control-plane-1": {"kubelet", "kubectl"}, "node-1": {"kubelet"}}
    # Programs and kubelet; and once, on the controller, the record of where programs come from.
    assert changed == {"control-plane-1": 3, "node-1": 2}
    for host, programs in before.items():
        assert cluster.installed(host) == programs | {program: built[program] for program in differ[host]}
        assert {program for program in programs if programs[program] != built[program]} == differ[host]
    cluster.prove()
