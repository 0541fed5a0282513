"""What the benchmark of connections asks of hosts, and its probe over the loopback interface."""

import subprocess
import sys
from pathlib import Path

import stream_probe
import throughput

from flatnet.contract import find_contracts
from tests.docs.generated_page import ROOT
from tests.docs.measured import machine_tour, record_measured, throughput_table

CONTRACTS = find_contracts([ROOT / "roles"])
STOPS = machine_tour(CONTRACTS, "kubenet").stops


def test_each_backend_is_measured_once_in_each_mode_with_one_mode_of_kube_proxy() -> None:
    found = throughput.networks(STOPS, CONTRACTS)
    assert [(stop.backend, stop.mode) for stop in found] == list(
        dict.fromkeys((stop.backend, stop.mode) for stop in STOPS)
    )
    assert {stop.kube_proxy_mode for stop in found} == {"iptables"}
    assert {stop.policy_engine for stop in found} <= {"none", "backend"}


def test_a_pod_is_where_it_is_to_be_measured() -> None:
    listed = throughput.objects("agnhost:1")["items"]
    assert [one["kind"] for one in listed] == ["Namespace", "Pod", "Pod"]
    assert [one["spec"]["nodeName"] for one in listed[1:]] == [throughput.NEAR, throughput.FAR]
    assert {one["metadata"]["namespace"] for one in listed[1:]} == {listed[0]["metadata"]["name"]}


def test_an_end_in_a_pod_is_reached_by_its_network_namespace() -> None:
    host, pod = throughput.End("node-1", "192.0.2.1"), throughput.End("node-1", "10.200.1.2", "cni-1")
    assert host.command("serve", 1) == "python3 - serve 1"
    assert pod.command("ask", "10.200.2.2", 1, 3, 9) == ("ip netns exec cni-1 python3 - ask 10.200.2.2 1 3 9")


def test_the_namespace_of_a_pod_is_found_by_its_whole_address(tmp_path: Path) -> None:
    program = tmp_path / "ip"
    program.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        '  "netns list") printf "cni-1 (id: 0)\\ncni-2\\n" ;;\n'
        '  "-n cni-1"*) echo "2: eth0    inet 10.200.1.22/24 scope global eth0" ;;\n'
        '  "-n cni-2"*) echo "2: eth0    inet 10.200.1.2/24 scope global eth0" ;;\n'
        "esac\n"
    )
    program.chmod(0o755)
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", throughput.namespace_script("10.200.1.2")],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["cni-2"]


def test_what_counts_is_the_median_of_the_rounds() -> None:
    rounds = [{"megabits": 900.04}, {"megabits": 100.0}, {"megabits": 950.0}]
    assert throughput.medians(rounds) == {"megabits": 900.0}


def test_the_probe_measures_a_stream_and_bytes_there_and_back() -> None:
    port = 19_998
    command = [sys.executable, str(throughput.PROBE), "serve", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        found = stream_probe.ask("127.0.0.1", port, 0.1, 20)
        assert server.wait(timeout=10) == 0
    assert found["megabits"] > 1
    assert 0 < found["microseconds"] < 1e6


def test_the_table_has_pods_beside_hosts() -> None:
    row = {
        "network": "kubenet-host-routes-iptables",
        "pods": {"megabits": 8000.0, "microseconds": 60.0},
        "hosts": {"megabits": 10000.0, "microseconds": 50.0},
    }
    assert throughput_table([row]).splitlines()[-1] == (
        "| kubenet-host-routes-iptables | 8,000 Mbit/s | 10,000 Mbit/s | 0.80 | 60 µs | 50 µs | 1.20 |"
    )


def test_what_one_benchmark_records_leaves_what_another_has(tmp_path: Path) -> None:
    file = tmp_path / "measured.yml"
    record_measured({"machine": "one", "lacks": ["vxlan"], "switches": []}, file)
    record_measured({"throughput": {"machine": "another", "networks": []}}, file)
    text = file.read_text()
    assert "machine: one\n" in text
    assert "  - vxlan\n" in text
    assert "  machine: another\n" in text
