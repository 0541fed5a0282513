from check_example import wrong
from check_symptoms import Symptom, causes, run

from flatnet.check.model import Check, Json


def _seen_as(kind: str, source: str, address: str) -> Symptom:
    def symptom(check: Check) -> Json | None:
        if check["class"] == kind and check["reads"] == "source" and check["source"]["node"] == source:
            return wrong(check, observed=address)
        return None

    return symptom


def test_masquerade_between_pods_is_laid_to_the_node_whose_address_appears() -> None:
    rule = "ip saddr 10.200.0.0/24 masquerade"
    failures = run(
        _seen_as("pod_to_pod_other_node", "node-0", "192.0.2.11"), {"node-0": {"masquerade": [rule]}}
    )
    assert causes(failures) == {"traffic is masqueraded on the way by node-0, whose node address it gets"}
    assert {finding["look"] for finding in failures} == {
        f"nat postrouting on node-0 (nft list ruleset); rules that masquerade there: {rule}"
    }


def test_masquerade_on_arrival_is_laid_to_the_receiving_node() -> None:
    failures = run(_seen_as("pod_to_pod_other_node", "node-0", "10.200.1.1"))
    assert causes(failures) == {
        "traffic is masqueraded on the way by node-1, whose pod gateway address it gets"
    }


def test_an_address_of_no_node_is_laid_to_the_underlay() -> None:
    failures = run(_seen_as("pod_to_pod_other_node", "node-0", "198.51.100.1"))
    assert causes(failures) == {
        f"something between node-0 and {other} rewrites the source to 198.51.100.1, "
        "which is not the address of a node: the underlay translates"
        for other in ("node-1", "node-2")
    }


def test_masquerade_towards_services_alone_is_a_wrong_cluster_cidr() -> None:
    failures = run(_seen_as("cluster_ip", "node-2", "192.0.2.13"))
    assert causes(failures) == {
        "node-2 does not recognise its pods when they call services: "
        "kube-proxy's clusterCIDR there does not hold the pod network"
    }


def test_masquerade_towards_services_and_pods_alike_is_no_matter_of_kube_proxy() -> None:
    def symptom(check: Check) -> Json | None:
        kinds = ("cluster_ip", "pod_to_pod_other_node")
        results = (_seen_as(kind, "node-2", "192.0.2.13")(check) for kind in kinds)
        return next((result for result in results if result), None)

    assert causes(run(symptom)) == {"traffic is masqueraded on the way by node-2, whose node address it gets"}


def test_a_node_that_uses_another_of_its_addresses_is_told_where_the_address_is_chosen() -> None:
    failures = run(_seen_as("node_to_pod", "node-0", "10.200.0.0"))
    assert causes(failures) == {
        "node-0 reaches pods from its tunnel address, the backend promises another of its addresses"
    }
    assert failures[0]["look"] == "ip route get 10.200.0.10 on node-0: src names the address"


def test_hairpin_traffic_with_a_wrong_source_is_held_against_the_backends_promise() -> None:
    assert causes(run(_seen_as("hairpin", "node-1", "10.200.1.10"))) == {
        "a pod on node-1 that reaches itself through a service is seen as 10.200.1.10, "
        "the backend promises 10.200.1.1"
    }
