from dataclasses import replace

import pytest
from check_example import SETTINGS, checks, cluster, plan, right, with_pod, wrong
from check_symptoms import ROUTES, Symptom, causes, run, way

from flatnet.check.cluster_state import cluster_checks
from flatnet.check.facts import Cluster, cluster_facts
from flatnet.check.findings import findings
from flatnet.check.matrix import part
from flatnet.check.model import Check, Json


def _silent(check: Check) -> Json:
    return wrong(check, error="timeout", detail="no answer within 2 s")


def _pair(check: Check) -> set[str]:
    return {check["source"]["node"], check["target"]["node"]}


def _with_backend(**changes: object) -> Cluster:
    facts = cluster()
    return replace(facts, plan={**facts.plan, "backend": {**facts.plan["backend"], **changes}})


def _without_route(here: str, network: str) -> dict[str, Json]:
    return {here: {"routes": [route for route in ROUTES[here] if route["destination"] != network]}}


def _lost(here: str, there: str) -> Symptom:
    """What is lost when packets from node `here` do not find the pods of node `there`."""

    def symptom(check: Check) -> Json | None:
        source, target = check["source"], check["target"]
        forth = (source["node"], target["node"], target["kind"]) == (here, there, "pod")
        back = (target["node"], source["node"], source["kind"]) == (here, there, "pod")
        return _silent(check) if forth or back else None

    return symptom


def test_a_missing_route_on_a_control_plane_that_need_not_forward_is_named() -> None:
    apart = {"name": "cp", "groups": ["kube_control_plane"], "addresses": ["192.0.2.9"], "pod_cidrs": []}
    facts = cluster()
    facts = replace(facts, plan={**facts.plan, "nodes": {**facts.plan["nodes"], "cp": apart}})
    own = part(facts, SETTINGS, "cp")
    evidence = {
        "routes": [route for route in ROUTES["node-0"] if not route["destination"].startswith("10.200.")],
        "settings": {"net.ipv4.ip_forward": "0"},
    }
    probes: dict[str, Json] = {"cp": {"results": [_silent(check) for check in own], "evidence": evidence}}
    found = findings(facts, own, probes)
    assert [finding["cause"] for finding in found] == [
        f"no route to 10.200.{index}.0/24 (pods of node-{index}) on cp" for index in range(3)
    ]


def test_a_missing_route_is_named_with_its_network_and_node_from_both_sides() -> None:
    failures = run(_lost("node-1", "node-2"), _without_route("node-1", "10.200.2.0/24"))
    assert causes(failures) == {"no route to 10.200.2.0/24 (pods of node-2) on node-1"}
    assert {(finding["source"]["node"], finding["target"]["node"]) for finding in failures} == {
        ("node-1", "node-2"),
        ("node-2", "node-1"),
    }
    looks = {finding["look"] for finding in failures if finding["class"] == "node_to_pod"}
    assert looks == {"ip route get 10.200.2.10 on node-1"}


def test_a_missing_route_that_is_a_daemons_comes_back_by_restarting_it() -> None:
    facts = _with_backend(routes="backend", units=["flanneld"])
    failures = run(_lost("node-1", "node-2"), _without_route("node-1", "10.200.2.0/24"), facts)
    assert causes(failures) == {"no route to 10.200.2.0/24 (pods of node-2) on node-1"}
    assert {finding["look"] for finding in failures} == {
        "systemctl restart flanneld on node-1: it sets its routes when it starts"
    }


def test_a_missing_route_is_named_where_nodes_have_no_pod_networks() -> None:
    facts = _with_backend(routes="backend", ipam="backend", units=["calico-node"])
    for node in facts.plan["nodes"].values():
        del node["pod_cidrs"], node["tunnel_addresses"]
    failures = run(_lost("node-1", "node-2"), _without_route("node-1", "10.200.2.0/24"), facts)
    assert causes(failures) == {"no route to pods of node-2 on node-1"}


def test_pods_that_lost_their_link_are_named_and_nothing_else_is_blamed() -> None:
    detail = "shop/web (10.200.1.7): the bridge cbr0 is gone"

    def symptom(check: Check) -> Json | None:
        lost = check["class"] == "running_pods" and check["source"]["node"] == "node-1"
        return wrong(check, error="lost", detail=detail) if lost else None

    (finding,) = run(symptom)
    assert finding["cause"] == f"pods of node-1 are not connected to it: {detail}"
    assert finding["look"].startswith("kubectl delete pod")


def test_a_node_that_keeps_no_record_of_its_pods_is_told_from_one_that_lost_some() -> None:
    def symptom(check: Check) -> Json | None:
        return wrong(check, error="record", detail="x") if check["class"] == "running_pods" else None

    assert causes(run(symptom)) == {f"the pods of node-{index} are not known: x" for index in range(3)}


def test_services_are_not_blamed_for_the_route_that_their_pods_lack() -> None:
    lost = _lost("node-1", "node-2")

    def symptom(check: Check) -> Json | None:
        service = check["class"] == "cluster_ip" and check["source"]["node"] == "node-1"
        return _silent(check) if service else lost(check)

    failures = run(symptom, _without_route("node-1", "10.200.2.0/24"))
    assert "cluster_ip" in {finding["class"] for finding in failures}
    assert causes(failures) == {"no route to 10.200.2.0/24 (pods of node-2) on node-1"}


def test_a_route_to_the_wrong_node_is_named_with_the_planned_gateway() -> None:
    diverted = way("10.200.2.0/24", "192.0.2.11")
    evidence = _without_route("node-1", "10.200.2.0/24")
    evidence["node-1"]["routes"].append(diverted)
    assert causes(run(_lost("node-1", "node-2"), evidence)) == {
        "the route to 10.200.2.0/24 (pods of node-2) on node-1 leads to 192.0.2.11, the plan says 192.0.2.13"
    }


def test_a_route_to_a_group_that_leads_elsewhere_is_named_with_the_planned_gateway() -> None:
    facts = cluster()
    topology = [
        {"name": "a", "cidrs": ["10.200.0.0/23"], "gateways": ["192.0.2.1"], "hosts": ["node-0", "node-1"]},
        {"name": "b", "cidrs": ["10.200.2.0/23"], "gateways": ["192.0.2.2"], "hosts": ["node-2"]},
    ]
    facts = replace(facts, plan={**facts.plan, "pod_topology": topology})
    evidence = _without_route("node-1", "10.200.2.0/24")
    evidence["node-1"]["routes"].append(way("10.200.2.0/23", "192.0.2.9"))
    evidence["node-2"] = {"routes": [way("10.200.0.0/23", "192.0.2.2")]}
    assert causes(run(_lost("node-1", "node-2"), evidence, facts)) == {
        "the route to 10.200.2.0/24 (pods of node-2) on node-1 leads to 192.0.2.9, the plan says 192.0.2.1"
    }


def test_a_wrong_mtu_is_named_with_both_values() -> None:
    def symptom(check: Check) -> Json | None:
        wrong_here = check["class"] == "pod_mtu" and check["source"]["node"] == "node-1"
        return wrong(check, observed="1500") if wrong_here else None

    assert causes(run(symptom)) == {"pods of node-1 have MTU 1500, the plan says 1450"}


def test_full_sized_packets_do_not_leave_pods_with_a_smaller_mtu_which_is_the_one_cause() -> None:
    def symptom(check: Check) -> Json | None:
        if check["class"] == "pod_mtu" and check["source"]["node"] == "node-1":
            return wrong(check, observed="1300")
        return _silent(check) if check["class"] == "large_packets" and "node-1" in _pair(check) else None

    assert causes(run(symptom)) == {"pods of node-1 have MTU 1300, the plan says 1450"}


def test_host_ports_whose_rules_are_gone_are_one_cause_however_they_are_asked() -> None:
    detail = "flatnet-check/server-1: 192.0.2.12 port 8989"

    def symptom(check: Check) -> Json | None:
        if check["target"]["node"] != "node-1":
            return None
        if check["class"] == "running_host_ports":
            return wrong(check, error="lost", detail=detail)
        return wrong(check, error="refused", detail="x") if check["class"] == "host_port" else None

    assert causes(run(symptom)) == {f"host ports of pods of node-1 do not answer: {detail}"}


def test_full_sized_packets_that_get_lost_where_small_ones_pass_are_a_matter_of_mtu() -> None:
    def symptom(check: Check) -> Json | None:
        ends = check["class"], check["source"]["node"], check["target"]["node"]
        return _silent(check) if ends == ("large_packets", "node-0", "node-1") else None

    failures = run(symptom)
    assert causes(failures) == {
        "small packets pass from node-0 to node-1, full-sized ones do not: the MTU is too large"
    }
    assert failures[0]["look"] == "on node-0: ip link; ping -M do -s 1422 192.0.2.12"


def test_a_node_that_full_sized_packets_do_not_pass_is_the_one_cause() -> None:
    def symptom(check: Check) -> Json | None:
        return _silent(check) if check["class"] == "large_packets" and "node-1" in _pair(check) else None

    assert causes(run(symptom)) == {
        "small packets pass through node-1, full-sized ones do not: the MTU is too large"
    }


def test_a_stale_cni_file_is_named() -> None:
    facts = with_pod(0, "client", ["10.88.0.5"])

    def symptom(check: Check) -> Json | None:
        if check["class"] == "planned_address" and check["how"]["observed"] == "10.88.0.5":
            return wrong(check, observed="10.88.0.5")
        return None

    files = {"node-0": {"cni_files": ["00-old.conflist", "10-flatnet.conflist"]}}
    failures = run(symptom, files, facts)
    assert causes(failures) == {
        "pods of node-0 get addresses outside its pod network 10.200.0.0/24: another CNI configuration is in "
        "force (node-0 has 00-old.conflist, 10-flatnet.conflist)"
    }


@pytest.mark.parametrize(
    ("kind", "error", "evidence", "cause"),
    [
        (
            "pod_to_pod_other_node",
            "timeout",
            {"settings": {"net.ipv4.ip_forward": "0"}},
            "node-0 does not forward packets",
        ),
        ("pod_to_pod_same_node", "source", {}, "node-0 does not reach its own pods"),
        ("cluster_ip", "timeout", {}, "services do not work on node-0"),
        (
            "cluster_ip",
            "timeout",
            {"settings": {"net.bridge.bridge-nf-call-iptables": "0"}},
            "bridged packets pass kube-proxy's rules by on node-0",
        ),
        (
            "hairpin",
            "timeout",
            {},
            "pods on node-0 cannot reach themselves through a service: hairpin mode is off",
        ),
        ("dns_service", "timeout", {}, "DNS does not answer on node-0"),
        (
            "dns_outside_refused",
            "timeout",
            {},
            "a name outside the cluster gives no answer instead of REFUSED",
        ),
    ],
)
def test_silence_is_explained_by_what_carries_the_class(
    kind: str, error: str, evidence: Json, cause: str
) -> None:
    def symptom(check: Check) -> Json | None:
        mine = check["class"] == kind and check["source"]["node"] == "node-0"
        return wrong(check, error=error, detail="no answer") if mine else None

    assert causes(run(symptom, {"node-0": evidence})) == {cause}


def test_what_nodes_do_not_reach_without_any_pod_is_laid_to_the_underlay() -> None:
    def symptom(check: Check) -> Json | None:
        return _silent(check) if _pair(check) == {"node-0", "node-2"} else None

    assert causes(run(symptom)) == {
        "node-0 does not reach node-2 itself",
        "node-2 does not reach node-0 itself",
    }


@pytest.mark.parametrize(
    ("kind", "error", "cause"),
    [
        ("node_port", "refused", "node ports of node-1 do not answer"),
        ("node_port_from_pod", "timeout", "node ports of node-1 do not answer"),
        ("host_port", "refused", "host ports of node-1 do not answer"),
    ],
)
def test_ports_of_a_node_are_laid_to_that_node(kind: str, error: str, cause: str) -> None:
    def symptom(check: Check) -> Json | None:
        mine = check["class"] == kind and check["target"]["node"] == "node-1"
        return wrong(check, error=error, detail="no answer") if mine else None

    assert causes(run(symptom)) == {cause}


def test_names_that_resolve_wrongly_are_told_from_a_dns_that_is_silent() -> None:
    def symptom(check: Check) -> Json | None:
        return (
            wrong(check, observed="10.32.0.77")
            if check["protocol"] == "dns-udp" and check["class"] == "dns_service"
            else None
        )

    assert causes(run(symptom)) == {f"names resolve wrongly on node-{index}" for index in range(3)}


def _server_failure(check: Check) -> Json | None:
    mine = check["class"] == "dns_service" and check["source"]["node"] == "node-2"
    return wrong(check, observed="SERVFAIL") if mine else None


def test_a_dns_that_has_not_heard_from_the_api_server_is_named() -> None:
    assert causes(run(_server_failure)) == {
        "DNS does not know a Service that exists: CoreDNS has not heard from the API server"
    }


def test_a_dns_that_fails_is_laid_to_what_its_pods_do_not_reach() -> None:
    def symptom(check: Check) -> Json | None:
        return _server_failure(check) or _cut_off("node-1")(check)

    assert causes(run(symptom)) == {
        "pods of node-1 are cut off from the other nodes, which do reach node-1 itself"
    }


def test_udp_alone_is_named() -> None:
    def symptom(check: Check) -> Json | None:
        mine = check["protocol"] == "udp" and check["class"] == "pod_to_pod_other_node"
        return _silent(check) if mine and _pair(check) == {"node-0", "node-1"} else None

    assert causes(run(symptom)) == {
        "TCP passes from node-0 to node-1, UDP does not",
        "TCP passes from node-1 to node-0, UDP does not",
    }


def test_a_node_that_drops_udp_is_the_one_cause_of_all_its_failures() -> None:
    def symptom(check: Check) -> Json | None:
        mine = check["protocol"] == "udp" and check["class"].startswith("pod_to_pod")
        return _silent(check) if mine and "node-1" in _pair(check) else None

    failures = run(symptom)
    assert len(failures) == 5
    assert causes(failures) == {"UDP does not pass node-1, TCP does"}


def _cut_off(node: str) -> Symptom:
    """What is lost when the pods of a node and the other nodes do not reach each other."""
    kinds = {"pod_to_pod_other_node", "node_to_pod", "pod_to_node", "cluster_ip"}
    return lambda check: (
        _silent(check) if check["class"] in kinds and node in _pair(check) and len(_pair(check)) > 1 else None
    )


MADE = {
    "bridge": {"name": "br-pods", "carries": "all_pods"},
    "pods": {"name": "veth*", "carries": "own_pods"},
    "other": {"name": "ex0", "carries": "nothing"},
}


def test_a_node_whose_pods_are_cut_off_is_named_with_what_its_backend_runs_there() -> None:
    failures = run(_cut_off("node-1"), facts=_with_backend(units=["segment"], makes={"interfaces": MADE}))
    assert {finding["class"] for finding in failures} > {"pod_to_pod_other_node", "node_to_pod"}
    assert causes(failures) == {
        "pods of node-1 are cut off from the other nodes, which do reach node-1 itself"
    }
    assert {finding["look"] for finding in failures} == {
        "ip -details link show br-pods; bridge link; journalctl -u segment on node-1"
    }


def test_a_node_that_is_not_reached_itself_is_not_cut_off_by_its_backend() -> None:
    lost = _cut_off("node-1")

    def symptom(check: Check) -> Json | None:
        underlay = check["class"] == "node_to_node" and _pair(check) == {"node-1", "node-2"}
        return _silent(check) if underlay else lost(check)

    assert not any("cut off" in cause for cause in causes(run(symptom)))


def test_a_pod_that_the_outside_cannot_answer_lacks_its_nodes_address() -> None:
    asked = replace(SETTINGS, classes=("pod_to_outside",), outside_enabled=True)
    everything = part(cluster(), asked, "node-1")
    failures = findings(
        cluster(), everything, {"node-1": {"results": [_silent(check) for check in everything]}}
    )
    assert [(finding["cause"], finding["look"]) for finding in failures] == [
        (
            "what pods on node-1 send out of the cluster is not answered: "
            "nothing gives it the node's address",
            "nft list table ip flatnet_masquerade on node-1; a firewall of the controller",
        )
    ]


def test_an_unready_pod_is_the_cause_of_all_that_needed_it() -> None:
    facts = with_pod(1, "client", [], "ErrImageNeverPull")

    def symptom(check: Check) -> Json | None:
        return (
            wrong(check, error="none", detail=check["how"]["reason"])
            if check["how"]["method"] == "none"
            else None
        )

    assert causes(run(symptom, facts=facts)) == {"pod client-1 on node-1 is not ready: ErrImageNeverPull"}


def test_a_node_that_made_no_checks_fails_them_all_with_its_reason() -> None:
    facts = cluster(2)
    everything = checks(facts)
    probes: dict[str, Json] = {
        "node-0": {"results": [right(check) for check in part(facts, SETTINGS, "node-0")]},
        "node-1": {"unreachable": True, "msg": "Failed to connect to the host via ssh"},
    }
    failures = [finding for finding in findings(facts, everything, probes) if not finding["ok"]]
    assert [finding["id"] for finding in failures] == [
        check["id"] for check in part(facts, SETTINGS, "node-1")
    ]
    assert causes(failures) == {"node-1 did not run its checks: Failed to connect to the host via ssh"}
    assert {finding["look"] for finding in failures} == {"ansible -m ping node-1"}


def test_a_failure_that_nothing_explains_says_so_and_how_to_watch_it() -> None:
    failures = run(_lost("node-0", "node-1"))
    assert causes(failures) == {
        "no answer from node-1 to node-0, for a reason that the evidence does not show",
        "no answer from node-0 to node-1, for a reason that the evidence does not show",
    }
    assert "tcpdump -ni any host 10.200.1.10 on node-0" in {finding["look"] for finding in failures}


def test_what_passed_has_no_cause() -> None:
    facts = cluster()
    everything = checks(facts)
    probes = {"node-0": {"results": [right(check) for check in everything]}}
    assert {(finding["ok"], finding["cause"]) for finding in findings(facts, everything, probes)} == {
        (True, "")
    }


def test_what_a_service_or_dns_suffers_from_a_node_that_takes_no_part_is_laid_to_what_is_below() -> None:
    lost = _lost("node-1", "node-0")

    def symptom(check: Check) -> Json | None:
        # The pod that answered this time was one of node-1, and that of DNS has been cut off since.
        if (
            check["class"] == "cluster_ip"
            and check["protocol"] == "udp"
            and check["source"]["node"] == "node-2"
        ):
            return _silent(check)
        if (
            check["class"] == "dns_service"
            and check["id"].endswith("local")
            and check["protocol"] == "dns-tcp"
        ):
            return wrong(check, "NXDOMAIN")
        return lost(check)

    failures = run(symptom, _without_route("node-1", "10.200.0.0/24"))
    assert {failure["class"] for failure in failures} >= {"cluster_ip", "dns_service"}
    assert causes(failures) == {"no route to 10.200.0.0/24 (pods of node-0) on node-1"}


def test_a_service_that_dns_has_not_heard_of_is_one_cause_for_whoever_asks() -> None:
    def symptom(check: Check) -> Json | None:
        if check["class"] != "dns_service":
            return None
        if check["source"]["kind"] == "node":
            return wrong(check, "NXDOMAIN")
        return wrong(check, error="name", detail="lookup named-0 on 10.32.0.10:53: no such host")

    assert causes(run(symptom)) == {
        "DNS does not know a Service that exists: CoreDNS has not heard from the API server"
    }


def test_dns_that_does_not_answer_where_packets_get_lost_is_laid_to_the_loss() -> None:
    def symptom(check: Check) -> Json | None:
        if check["class"] == "packet_loss" and "node-1" in _pair(check):
            return wrong(check, "51 of 1000 packets lost")
        asks = check["class"] == "dns_service" and check["protocol"] == "dns-udp"
        return _silent(check) if asks and check["source"]["node"] == "node-2" else None

    failures = run(symptom)
    assert {failure["class"] for failure in failures} == {"packet_loss", "dns_service"}
    assert causes(failures) == {"packets get lost on the way to and from node-1"}


def test_without_an_api_server_no_name_is_called_wrong() -> None:
    facts = cluster_facts(plan(), [], [], message="the API server does not answer")
    asked = [check for check in checks(facts) if check["class"] == "dns_service"]
    methods = {
        check["target"]["name"]: check["how"]["method"] for check in asked if check["protocol"] == "dns-tcp"
    }
    assert methods == {
        "named-0.flatnet-check.svc.cluster.local": "none",
        "kubernetes.default.svc.cluster.local": "dns",
    }


def test_bridged_packets_that_pass_by_are_named_where_only_udp_happens_to_fail() -> None:
    def symptom(check: Check) -> Json | None:
        mine = check["class"] == "cluster_ip" and check["source"]["node"] == "node-0"
        return _silent(check) if mine and check["protocol"] == "udp" else None

    evidence: dict[str, Json] = {"node-0": {"settings": {"net.bridge.bridge-nf-call-iptables": "0"}}}
    assert causes(run(symptom, evidence)) == {"bridged packets pass kube-proxy's rules by on node-0"}


@pytest.mark.parametrize("unreachable", [True, False])
def test_a_host_that_is_off_is_the_one_cause_of_all_that_it_takes_part_in(unreachable: bool) -> None:
    facts = with_pod(2, "server", [], "no condition Ready yet")
    everything = checks(facts)
    probes: dict[str, Json] = {
        node: {"results": [], "evidence": {"routes": ROUTES[node]}} for node in ("node-0", "node-1")
    }
    probes["node-2"] = {"msg": "cannot be reached", "unreachable": unreachable}
    for check in everything:
        if check["source"]["node"] in probes and check["source"]["node"] != "node-2":
            lost = "node-2" in _pair(check)
            probes[check["source"]["node"]]["results"].append(_silent(check) if lost else right(check))
    failures = [finding for finding in findings(facts, everything, probes) if not finding["ok"]]
    off = "node-2 did not run its checks: cannot be reached"
    found = causes([failure for failure in failures if failure["source"]["kind"] != "controller"])
    # One that cannot make its checks, and is reached, explains nothing but that.
    assert (found == {off}) == unreachable
    assert off in found


@pytest.mark.parametrize(
    ("trouble", "cause"),
    [
        ("timed out", "the API server does not answer: timed out"),
        (
            "Namespace flatnet-check still exists",
            "there can be no probes: Namespace flatnet-check still exists",
        ),
    ],
)
def test_why_there_are_no_probes_is_told_by_what_the_api_server_said(trouble: str, cause: str) -> None:
    facts = cluster_facts(plan(), [], [], message=trouble)
    whole = cluster_checks(facts, SETTINGS, [], trouble)
    probes: dict[str, Json] = {"": {"results": [result for _, result in whole]}}
    found = findings(facts, [check for check, _ in whole], probes)
    assert causes([finding for finding in found if not finding["ok"]]) == {cause}
