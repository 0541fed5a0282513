"""A cluster with the pods of the policies' cases, and what the API says of policies."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network

from check_example import SETTINGS, plan

from flatnet.check.facts import cluster_facts
from flatnet.check.model import Check, Json
from flatnet.check.policy.matrix import PolicyCluster, policy_cluster, policy_part
from flatnet.check.policy.objects import policy_pods

NODES = ("node-0", "node-1", "node-2")
NAMES = [f"n{index}.example" for index in range(3)]


def policies_cluster(engine: str = "calico", nodes: int = 3, units: Sequence[str] = ()) -> PolicyCluster:
    """Return a cluster with the pods of the cases, each with an address of its node's network."""
    network = {**plan(nodes), "policy_engine": {"name": engine, "units": [*units]}}
    facts = cluster_facts(network, [], [])
    return policy_cluster(facts, running(policy_pods(SETTINGS, NAMES[:nodes]), NAMES[:nodes]))


def running(objects: Iterable[Json], nodes: list[str]) -> list[Json]:
    """Return the pods that the objects become, as cluster_objects returns them. nodes: of Node objects."""
    found = []
    for item in objects:
        if item["kind"] == "DaemonSet":
            found += [
                (item["metadata"], item["spec"]["template"]["metadata"]["labels"], node) for node in nodes
            ]
        elif item["kind"] == "Pod":
            found.append((item["metadata"], item["metadata"]["labels"], item["spec"]["nodeName"]))
    return [
        {
            "name": f"{metadata['name']}-{number}",
            "namespace": metadata["namespace"],
            "uid": f"uid-{number}",
            "node": node,
            "ips": [f"10.200.{nodes.index(node)}.{20 + number}"],
            "labels": labels,
            "ready": True,
        }
        for number, (metadata, labels, node) in enumerate(found)
    ]


def policy_checks(policy: PolicyCluster, step: str) -> list[Check]:
    """Return the checks of a step that leave any node."""
    return [check for node in policy.cluster.nodes for check in policy_part(policy, SETTINGS, node, step)]


def fits(labels: Mapping[str, str], selector: Json) -> bool:
    """Tell whether a label selector fits (apimachinery, LabelSelector), as far as the cases use it."""
    wanted = selector.get("matchLabels", {}).items()
    # Of the operators of matchExpressions the cases use DoesNotExist.
    absent = [entry["key"] for entry in selector.get("matchExpressions", [])]
    return all(labels.get(key) == value for key, value in wanted) and not set(absent) & set(labels)


class Api:
    """What the API says about the objects: an evaluation of NetworkPolicy that knows nothing of the cases."""

    def __init__(self, objects: list[Json], pods: list[Json], applied: list[Json]) -> None:
        self.namespaces = {
            item["metadata"]["name"]: item["metadata"]["labels"]
            for item in objects
            if item["kind"] == "Namespace"
        }
        self.pods = {pod["ips"][0]: pod for pod in pods}
        self.policies = applied

    def lets_through(self, source: str, target: str, port: Json) -> bool:
        return self._direction("ingress", target, source, port) and self._direction(
            "egress", source, target, port
        )

    def _direction(self, direction: str, subject: str, peer: str, port: Json) -> bool:
        selecting = [
            policy["spec"]
            for policy in self.policies
            if policy["metadata"]["namespace"] == self.pods[subject]["namespace"]
            and direction.capitalize() in policy["spec"]["policyTypes"]
            and fits(self.pods[subject]["labels"], policy["spec"]["podSelector"])
        ]
        rules = [rule for spec in selecting for rule in spec.get(direction, [])]
        key = "from" if direction == "ingress" else "to"
        own = self.pods[subject]["namespace"]
        return not selecting or any(
            (not rule.get(key) or any(self._peer(entry, peer, own) for entry in rule[key]))
            and (not rule.get("ports") or any(self._port(entry, port) for entry in rule["ports"]))
            for rule in rules
        )

    def _peer(self, entry: Json, address: str, own: str) -> bool:
        if "ipBlock" in entry:
            block = entry["ipBlock"]
            excepted = any(ip_address(address) in ip_network(cidr) for cidr in block.get("except", []))
            return ip_address(address) in ip_network(block["cidr"]) and not excepted
        pod = self.pods[address]
        if "namespaceSelector" in entry:
            inside = fits(self.namespaces[pod["namespace"]], entry["namespaceSelector"])
        else:
            inside = pod["namespace"] == own
        return inside and fits(pod["labels"], entry.get("podSelector", {}))

    @staticmethod
    def _port(entry: Json, port: Json) -> bool:
        if entry.get("protocol", "TCP") != port["protocol"]:
            return False
        if isinstance(entry["port"], str):
            return bool(entry["port"] == port["name"])
        return bool(entry["port"] <= port["containerPort"] <= entry.get("endPort", entry["port"]))


def ports_of(objects: Iterable[Json]) -> dict[int, Json]:
    """Return the ports of the pods by their numbers."""
    return {
        port["containerPort"]: port
        for item in objects
        if item["kind"] == "Pod"
        for container in item["spec"]["containers"]
        for port in container["ports"]
    }
