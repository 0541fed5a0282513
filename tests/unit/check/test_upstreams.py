"""The servers that DNS forwards to: which they are, who asks them, and what it means if none answers."""

from dataclasses import replace

import pytest
from check_example import checks, cluster, plan, pods, services, wrong
from check_symptoms import Symptom, causes, run

from flatnet.check.facts import Cluster, cluster_facts
from flatnet.check.matrix import matrix
from flatnet.check.model import Check, Json, Settings
from flatnet.check.upstreams import upstreams


def corefile(*lines: str) -> list[Json]:
    """Return the ConfigMaps of a cluster whose Corefile has these lines."""
    text = ".:53 {\n    errors\n" + "".join(f"    {line}\n" for line in lines) + "}\n"
    other: Json = {
        "kind": "ConfigMap",
        "metadata": {"name": "kube-root-ca.crt"},
        "data": {"ca.crt": "forward . x"},
    }
    return [other, {"kind": "ConfigMap", "metadata": {"name": "coredns"}, "data": {"Corefile": text}}]


def forwarding(*lines: str, families: tuple[str, ...] = ("ipv4",)) -> Cluster:
    ipv6 = "ipv6" in families
    return cluster_facts(plan(3, families), pods(ipv6=ipv6), services(ipv6=ipv6), found=corefile(*lines))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("forward . 198.51.100.53", [("198.51.100.53", 53, "udp")]),
        (
            "forward . 198.51.100.53:5353 2001:db8::53 {",
            [("198.51.100.53", 5353, "udp"), ("2001:db8::53", 53, "udp")],
        ),
        ("forward example.com tls://198.51.100.53%dns.example.com", [("198.51.100.53", 853, "tcp")]),
        ("forward . /etc/resolv.conf", [("", 53, "udp")]),
        ("forward . 198.51.100.53 # 198.51.100.54", [("198.51.100.53", 53, "udp")]),
        ("# forward . 198.51.100.53", []),
        ("kubernetes cluster.local", []),
    ],
)
def test_what_a_corefile_forwards_to_is_read(line: str, expected: list[tuple[str, int, str]]) -> None:
    found = upstreams(corefile(line))
    assert [(one["address"], one["port"], one["transport"]) for one in found] == expected


def test_where_there_is_no_configuration_nobody_is_asked() -> None:
    assert upstreams([]) == upstreams([{"kind": "ConfigMap", "metadata": {"name": "coredns"}}]) == []
    assert matrix(cluster(), Settings(classes=("dns_upstreams",))) == []


@pytest.mark.parametrize("setting", ["refused", "resolved", "answered"])
def test_every_node_asks_the_servers_of_its_family_from_a_pod(setting: str) -> None:
    facts = forwarding("forward . 198.51.100.53 2001:db8::53", families=("ipv4", "ipv6"))
    made = matrix(facts, Settings(dns_outside=setting, classes=("dns_upstreams",)))
    asked = [(check["source"]["name"], [one["address"] for one in check["how"]["servers"]]) for check in made]
    assert asked == [(f"client-{i}", [one]) for i in range(3) for one in ("198.51.100.53", "2001:db8::53")]
    assert {check["how"]["pod_uid"] for check in made} == {f"uid-client-{index}" for index in range(3)}


def test_they_can_be_left_out() -> None:
    facts = forwarding("forward . 198.51.100.53")
    assert matrix(facts, Settings(dns_outside="skipped", classes=("dns_upstreams",))) == []
    # A name that anybody may answer as he likes is not asked for.
    assert matrix(facts, Settings(dns_outside="answered", classes=("dns_outside_refused",))) == []


def dead(*nodes: str) -> Symptom:
    """What becomes of a server that these nodes' pods do not hear from."""

    def symptom(check: Check) -> Json | None:
        if check["class"] == "dns_upstreams" and check["source"]["node"] in nodes:
            return wrong(check, error="lost", detail="198.51.100.53")
        if check["class"] == "dns_outside_refused" and len(nodes) == 3:
            return wrong(check, error="timeout", detail="no answer")
        return None

    return symptom


def test_a_dead_upstream_is_one_cause_for_all_that_follows() -> None:
    facts = forwarding("forward . 198.51.100.53")
    failures = run(dead("node-0", "node-1", "node-2"), facts=facts)
    assert {failure["class"] for failure in failures} == {"dns_upstreams", "dns_outside_refused"}
    assert causes(failures) == {
        "CoreDNS forwards names outside the cluster to 198.51.100.53, which does not answer"
    }


def test_an_upstream_that_answers_other_nodes_is_named_with_those_that_it_does_not() -> None:
    failures = run(dead("node-1"), facts=forwarding("forward . 198.51.100.53"))
    assert causes(failures) == {
        "CoreDNS forwards names outside the cluster to 198.51.100.53, which does not answer pods of node-1"
    }


def test_a_name_that_is_resolved_instead_of_refused_is_no_matter_of_upstreams() -> None:
    facts = forwarding("forward . 198.51.100.53")
    lost = dead("node-0", "node-1", "node-2")

    def symptom(check: Check) -> Json | None:
        return wrong(check, "NOERROR") if check["class"] == "dns_outside_refused" else lost(check)

    assert "a name outside the cluster gives NOERROR instead of REFUSED" in causes(run(symptom, facts=facts))


def test_what_no_pod_of_a_node_reaches_is_laid_to_the_node() -> None:
    facts = replace(forwarding("forward . 198.51.100.53"))
    assert any(check["class"] == "dns_upstreams" for check in checks(facts))
    evidence: dict[str, Json] = {"node-1": {"settings": {"net.ipv4.ip_forward": "0"}}}
    failures = run(dead("node-1"), evidence, facts)
    assert causes(failures) == {"node-1 does not forward packets"}
