"""The promises about services: virtual addresses, node ports, host ports and names."""

from collections.abc import Iterator

from flatnet.check.facts import of_family
from flatnet.check.model import (
    CLIENT,
    HOST,
    NODE_PORT,
    NODE_PORT_LOCAL,
    SERVER,
    SERVICE,
    SERVICE_LOCAL,
    Check,
    Endpoint,
)
from flatnet.check.part import Part

_RECORD = {"ipv4": "A", "ipv6": "AAAA"}
CONTROLLER: Endpoint = {"kind": "controller", "node": "", "name": "controller", "address": ""}


def cluster_ip(part: Part) -> Iterator[Check]:
    """Check that a service leads pods and nodes to a pod behind it; pods keep their address on the way.

    The client pod is never one of the service's pods, so nothing may rewrite its address. A node's address is
    rewritten by some modes of kube-proxy and not by others: there the answer counts.
    """
    target, problem = part.service(SERVICE), part.service_problem(SERVICE)
    ports = part.settings
    yield part.from_client("cluster_ip", target, ports.service_port, problem=problem)
    yield part.from_client("cluster_ip", target, ports.udp_port, protocol="udp", problem=problem)
    yield part.check(
        "cluster_ip",
        part.own_node(part.node),
        target,
        part.http(target["address"], ports.service_port, "hostname"),
        expected=part.cluster.ready_servers,
        reads="text",
        problem=problem,
    )


def hairpin(part: Part) -> Iterator[Check]:
    """Check that a pod reaches itself through a service; what it then sees is the backend's promise."""
    target = part.service(SERVICE_LOCAL)
    yield part.check(
        "hairpin",
        part.pod(part.node, SERVER),
        target,
        part.dial(SERVER, target["address"], part.settings.service_port),
        expected=part.contract_source("hairpin"),
        problem=part.problem(part.node, SERVER) or part.service_problem(SERVICE_LOCAL),
    )


def node_port(part: Part) -> Iterator[Check]:
    """Check that a node port answers the world outside; with policy Local it sees the true source.

    What the true source is, the node's own probe says: the controller may sit behind NAT.
    """
    target = part.own_node(part.node)
    address = target["address"]
    yield part.check(
        "node_port",
        CONTROLLER,
        target,
        part.http(address, _node_port(part, NODE_PORT), "hostname"),
        expected=part.cluster.ready_servers,
        reads="text",
        problem=_node_port_problem(part, NODE_PORT) or part.service_problem(NODE_PORT),
        label="cluster",
    )
    reference = part.http(address, part.settings.node_probe_port)
    yield part.check(
        "node_port",
        CONTROLLER,
        target,
        {**part.http(address, _node_port(part, NODE_PORT_LOCAL)), "reference": reference},
        expected=["reference"],
        problem=(
            _node_port_problem(part, NODE_PORT_LOCAL)
            or part.problem(part.node, SERVER)
            or part.problem(part.node, HOST)
        ),
        label="local",
    )


def pod_to_outside(part: Part) -> Iterator[Check]:
    """Check that the outside sees a pod's packets come from its node: nobody out there has a way to a pod.

    The controller stands for the outside; who runs the check fills in where it listens (`host`, `port`).
    """
    if part.settings.outside_enabled:
        expected = [part.own_node(part.node)["address"]]
        yield part.from_client("pod_to_outside", CONTROLLER, 0, expected=expected)


def node_port_from_pod(part: Part) -> Iterator[Check]:
    """Check that a node port answers pods on every node, their own too."""
    for node in (part.node, *part.others):
        yield part.from_client(
            "node_port_from_pod",
            part.own_node(node),
            _node_port(part, NODE_PORT),
            request="hostname",
            expected=part.cluster.ready_servers,
            reads="text",
            problem=_node_port_problem(part, NODE_PORT) or part.service_problem(NODE_PORT),
        )


def _node_port(part: Part, name: str) -> int:
    service = part.cluster.services.get(name)
    return service.node_port if service else 0


def _node_port_problem(part: Part, name: str) -> str:
    return "" if _node_port(part, name) else f"service {name} has no node port"


def host_port(part: Part) -> Iterator[Check]:
    """Check that a host port leads nodes and pods of other nodes to a pod that sees their own address."""
    source = part.own_node(part.node)
    port = part.settings.host_port
    for other in part.others:
        target, problem = part.own_node(other), part.problem(other, SERVER)
        yield part.check(
            "host_port",
            source,
            target,
            part.http(target["address"], port),
            expected=[source["address"]],
            problem=problem,
        )
        yield part.from_client("host_port", target, port, problem=problem)


def dns_service(part: Part) -> Iterator[Check]:
    """Check that names lead to services: in pods by resolv.conf, from nodes by asking the planned address."""
    domain, service = part.cluster.plan["dns_domain"], part.settings.named_service
    full_name = f"{service}.{part.settings.namespace}.svc.{domain}"
    for name in (service, full_name):
        yield part.from_client(
            "dns_service",
            {**part.service(service), "name": name},
            part.settings.service_port,
            request="hostname",
            host=name,
            expected=part.cluster.ready_servers,
            reads="text",
            problem=part.service_problem(service),
        )
    api_server = of_family(part.cluster.plan["first_service_addresses"], part.family)
    addresses = {full_name: part.cluster.service_address(service, part.family)}
    # The API server's own service has addresses of the first family only.
    if part.family == part.cluster.families[0]:
        addresses[f"kubernetes.default.svc.{domain}"] = api_server
    for name, address in addresses.items():
        problem = "" if address else f"{name} has no {part.family} address to resolve to"
        for transport in ("udp", "tcp"):
            yield _query(part, "dns_service", name, transport, [address], "addresses", problem)


def dns_outside(part: Part) -> Iterator[Check]:
    """Check that a name outside the cluster is refused, or resolved where the cluster forwards it."""
    expectation = part.settings.dns_outside
    if expectation in ("skipped", "answered"):
        return
    # RFC 1035, section 4.1.1: REFUSED is response code 5, NOERROR is 0.
    expected = ["REFUSED"] if expectation == "refused" else ["NOERROR"]
    yield _query(part, "dns_outside_refused", part.settings.dns_outside_name, "udp", expected, "rcode")


def dns_upstreams(part: Part) -> Iterator[Check]:
    """Check that the servers answer that the cluster's DNS forwards to, whatever they answer."""
    if part.settings.dns_outside == "skipped":
        return
    servers = [
        server
        for server in part.cluster.upstreams
        # Of the node's own file, the node knows.
        if not server["address"] or (":" in server["address"]) == (part.family == "ipv6")
    ]
    if not servers:
        return
    pod = part.cluster.pods.get((part.node, CLIENT))
    yield part.check(
        "dns_upstreams",
        part.pod(part.node, CLIENT),
        {"kind": "dns", "node": "", "name": "upstreams", "address": ""},
        {
            "method": "upstreams",
            "servers": servers,
            "name": part.settings.dns_outside_name,
            "family": part.family,
            "pod_uid": pod.uid if pod else "",
        },
        expected=["every upstream answers"],
        reads="text",
        protocol="dns",
        problem=part.problem(part.node, CLIENT),
    )


def _query(
    part: Part,
    kind: str,
    name: str,
    transport: str,
    expected: list[str],
    reads: str,
    problem: str = "",
) -> Check:
    server = of_family(part.cluster.plan["dns_addresses"], part.family)
    target: Endpoint = {"kind": "dns", "node": "", "name": name, "address": server}
    return part.check(
        kind,
        part.own_node(part.node),
        target,
        {
            "method": "dns",
            "server": server,
            "name": name,
            "type": _RECORD[part.family],
            "transport": transport,
        },
        expected=expected,
        reads=reads,
        protocol=f"dns-{transport}",
        problem=problem if server else f"the plan has no {part.family} DNS address",
    )
