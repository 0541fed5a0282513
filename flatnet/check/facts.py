"""What the matrix is computed from: the plan, and the probes as the cluster reports them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flatnet.check.model import CLIENT, HOST, SERVER, Json
from flatnet.check.objects import ROLE_LABEL
from flatnet.check.upstreams import upstreams
from flatnet.errors import FlatnetError


@dataclass(frozen=True)
class Pod:
    """A probe; addresses as in status.podIPs, `problem` is "" when it is ready."""

    name: str
    uid: str
    addresses: tuple[str, ...]
    problem: str

    def address(self, family: str) -> str:
        """Return the pod's address of that family, "" when there is none."""
        return of_family(self.addresses, family)


@dataclass(frozen=True)
class Service:
    """A service; node_port is 0 where there is none."""

    addresses: tuple[str, ...]
    node_port: int


@dataclass(frozen=True)
class Cluster:
    """The nodes to check (inventory names, in order), their probes by (node, role), the services by name.

    message: what was said when not all probes became ready, "" when they did.
    upstreams: what the cluster's DNS forwards to, see flatnet.check.upstreams.
    """

    plan: Mapping[str, Any]
    nodes: tuple[str, ...]
    pods: Mapping[tuple[str, str], Pod]
    services: Mapping[str, Service]
    message: str = ""
    upstreams: Sequence[Json] = ()

    @property
    def families(self) -> list[str]:
        """The address families, in plan order."""
        return list(self.plan["families"])

    @property
    def policy_engine(self) -> str:
        """The name of what enforces network policies, "" where nothing does."""
        name = str((self.plan.get("policy_engine") or {}).get("name", "none"))
        return {"none": "", "backend": str(self.plan["backend"]["name"])}.get(name, name)

    @cached_property
    def ready_servers(self) -> list[str]:
        """The names of the server pods that answer for the services."""
        pods = (self.pods.get((node, SERVER)) for node in self.nodes)
        return sorted(pod.name for pod in pods if pod and not pod.problem)

    @cached_property
    def users(self) -> dict[str, list[tuple[str, str]]]:
        """Return which probes of the pod network have an address, as (node, name of the pod), by address."""
        found: dict[str, list[tuple[str, str]]] = {}
        for (node, role), pod in self.pods.items():
            for address in pod.addresses if role != HOST else ():
                found.setdefault(address, []).append((node, pod.name))
        return found

    def pod_networks(self, node: str, family: str) -> list[str]:
        """Return the networks that pods of the node get their addresses from.

        Those are the node's own where the plan owns the addresses, and the pools of the whole cluster where
        the backend hands them out.
        """
        plan = self.plan
        own = plan["backend"]["ipam"] == "plan"
        networks = plan["nodes"][node].get("pod_cidrs") or [] if own else plan["pod_cidrs"]
        return all_of_family(networks, family)

    def node_address(self, node: str, family: str) -> str:
        """Return the node's own address of that family, "" when the plan has none."""
        return of_family(self.plan["nodes"][node]["addresses"], family)

    def pod_address(self, node: str, role: str, family: str) -> str:
        """Return the address of the node's probe, "" when there is none."""
        pod = self.pods.get((node, role))
        return of_family(pod.addresses, family) if pod else ""

    def pod_problem(self, node: str, role: str, family: str) -> str:
        """Return why the probe cannot take part, "" when it can."""
        pod = self.pods.get((node, role))
        if pod is None:
            return f"there is no {role} pod on {node}" + (f": {self.message}" if self.message else "")
        if pod.problem:
            return f"pod {pod.name} on {node} is not ready: {pod.problem}"
        if not of_family(pod.addresses, family):
            return f"pod {pod.name} on {node} has no {family} address"
        return ""

    def service_address(self, name: str, family: str) -> str:
        """Return the service's virtual address of that family, "" when there is none."""
        service = self.services.get(name)
        return of_family(service.addresses, family) if service else ""

    def own_addresses(self, node: str) -> dict[str, str]:
        """Return what each address of the node is called in the plan, by address."""
        entry = self.plan["nodes"][node]
        names = {"tunnel_addresses": "tunnel", "pod_gateways": "pod gateway", "addresses": "node"}
        return {address: kind for key, kind in names.items() for address in entry.get(key) or []}


def cluster_facts(
    plan: Mapping[str, Any],
    pods: Iterable[Json],
    services: Iterable[Json],
    nodes: Sequence[str] = (),
    message: str = "",
    found: Iterable[Json] = (),
) -> Cluster:
    """Return the facts from the plan and what cluster_objects returns about the probes.

    pods: {name, uid, node, ips, labels, ready}, node being the Node object's name.
    services: objects as the API server stores them; those of other kinds are ignored.
    nodes: inventory names to check; empty means every node of the plan.
    message: what was said when not all probes became ready.
    found: objects that are not the probes', of which those of the cluster's DNS count.
    Raises FlatnetError when a node is not in the plan.
    """
    for node in nodes:
        if node not in plan["nodes"]:
            known = ", ".join(sorted(plan["nodes"]))
            raise FlatnetError(
                f"node {node} is to be checked but is not in the plan, which has {known}; "
                "plan it first or take it out of network_check_nodes"
            )
    chosen = tuple(nodes) or tuple(plan["nodes"])
    inventory_names = {plan["nodes"][node]["name"]: node for node in chosen}
    return Cluster(
        plan,
        chosen,
        _pods(pods, inventory_names, message),
        _services(services),
        message,
        upstreams(found),
    )


def cluster_from(arguments: Mapping[str, Any]) -> Cluster:
    """Return the facts from an action's arguments: plan, pods, services, optionally nodes, message, found."""
    return cluster_facts(
        arguments["plan"],
        arguments["pods"],
        arguments["services"],
        arguments.get("nodes") or (),
        arguments.get("message") or "",
        arguments.get("found") or (),
    )


def of_family(addresses: Iterable[str], family: str) -> str:
    """Return the first address that belongs to the family ("ipv4" or "ipv6"), "" when none does."""
    return next(iter(all_of_family(addresses, family)), "")


def all_of_family(networks: Iterable[str], family: str) -> list[str]:
    """Return the addresses or networks that belong to the family."""
    return [text for text in networks if (":" in text) == (family == "ipv6")]


def pod_of(pod: Json, message: str = "") -> Pod:
    """Return a pod as cluster_objects returns it; message: what was said when not all became ready."""
    problem = "" if pod["ready"] else message or "kubectl describe pod says why"
    return Pod(pod["name"], pod["uid"], tuple(pod.get("ips") or ()), problem)


def _pods(
    pods: Iterable[Json], inventory_names: Mapping[str, str], message: str
) -> dict[tuple[str, str], Pod]:
    found: dict[tuple[str, str], Pod] = {}
    for pod in pods:
        role = (pod.get("labels") or {}).get(ROLE_LABEL)
        node = inventory_names.get(pod.get("node") or "")
        if role not in (SERVER, CLIENT, HOST) or node is None:
            continue
        probe = pod_of(pod, message)
        # Beside a ready pod, another of its kind is on its way out.
        if (node, role) not in found or not probe.problem:
            found[node, role] = probe
    return found


def _services(objects: Iterable[Json]) -> dict[str, Service]:
    found = {}
    for item in objects:
        if item["kind"] != "Service":
            continue
        spec = item["spec"]
        addresses = spec.get("clusterIPs") or [spec["clusterIP"]]
        node_port = next((port.get("nodePort", 0) for port in spec["ports"] if port["name"] == "http"), 0)
        found[item["metadata"]["name"]] = Service(tuple(addresses), node_port)
    return found
