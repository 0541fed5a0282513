"""The promises about pods and nodes: one address each, and no NAT between them."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from flatnet.check.model import CLIENT, HOST, SERVER, Check, Endpoint
from flatnet.check.part import Part


def planned_address(part: Part) -> Iterator[Check]:
    """Check that a pod's address lies in a network of its node's; decided from data, without traffic.

    Where the backend hands out the addresses, that is the pool of the whole cluster.
    """
    networks = part.cluster.pod_networks(part.node, part.family)
    for role in (SERVER, CLIENT):
        address = part.pod(part.node, role)["address"]
        inside = bool(address) and any(ip_address(address) in ip_network(network) for network in networks)
        yield _from_data(part, "planned_address", role, address, [address] if inside else networks)


def unique_address(part: Part) -> Iterator[Check]:
    """Check that no pod of another node has a pod's address: who calls one of them would meet the other."""
    for role in (SERVER, CLIENT):
        address = part.pod(part.node, role)["address"]
        others = [
            f"{name} on {node}" for node, name in part.cluster.users.get(address, ()) if node != part.node
        ]
        observed = f"{address}, which {' and '.join(others)} has as well" if others else address
        yield _from_data(part, "unique_address", role, observed, [address])


def _from_data(part: Part, kind: str, role: str, observed: str, expected: list[str]) -> Check:
    return part.check(
        kind,
        part.pod(part.node, role),
        part.own_node(part.node),
        {"method": "data", "observed": observed},
        # What is right is written as the observed text itself: right and wrong are told apart as everywhere.
        expected=expected,
        reads="text",
        protocol="none",
        problem=part.problem(part.node, role),
    )


def pod_own_address(part: Part) -> Iterator[Check]:
    """Check that the address on a pod's own interface is the one the cluster knows it by."""
    for role in (SERVER, CLIENT):
        pod = part.pod(part.node, role)
        yield _inside(part, "pod_own_address", role, "address", [pod["address"]])


def pod_mtu(part: Part) -> Iterator[Check]:
    """Check that a pod's interface has the planned MTU: larger packets would be lost on the way."""
    # The interface is one for all families.
    if part.family != part.cluster.families[0]:
        return
    for role in (SERVER, CLIENT):
        yield _inside(part, "pod_mtu", role, "mtu", [str(part.cluster.plan["mtu"])])


def _inside(part: Part, kind: str, role: str, read: str, expected: list[str]) -> Check:
    pod = part.cluster.pods.get((part.node, role))
    endpoint = part.pod(part.node, role)
    return part.check(
        kind,
        endpoint,
        endpoint,
        {"method": "interface", "pod_uid": pod.uid if pod else "", "read": read, "family": part.family},
        expected=expected,
        reads="text",
        protocol="none",
        problem=part.problem(part.node, role),
    )


def running_pods(part: Part) -> Iterator[Check]:
    """Check that every pod that runs on the node answers it, whoever made the pod.

    The probes are new. A pod that lost its link before they came, as when somebody deletes its bridge and
    the next pod's CNI call makes another, is only found by asking all.
    """
    probes = [
        part.cluster.pods[part.node, role] for role in (SERVER, CLIENT) if not part.problem(part.node, role)
    ]
    every: Endpoint = {"kind": "pod", "node": part.node, "name": "running", "address": ""}
    yield part.check(
        "running_pods",
        part.own_node(part.node),
        every,
        {"method": "running_pods", "family": part.family, "pod_uids": [pod.uid for pod in probes]},
        expected=["every pod answers"],
        reads="text",
        protocol="icmp",
    )


def running_host_ports(part: Part) -> Iterator[Check]:
    """Check that the host ports of every pod that runs on the node answer there, whoever made the pod.

    A firewall that starts anew takes the rules of running pods with it, and nothing makes them again.
    """
    source = part.own_node(part.node)
    every: Endpoint = {"kind": "pod", "node": part.node, "name": "running", "address": ""}
    yield part.check(
        "running_host_ports",
        source,
        every,
        {"method": "running_host_ports", "family": part.family, "address": source["address"]},
        expected=["every host port answers"],
        reads="text",
    )


def node_to_node(part: Part) -> Iterator[Check]:
    """Check that the nodes see each other's own addresses: without that nothing above can hold."""
    source = part.own_node(part.node)
    for other in part.others:
        target = part.own_node(other)
        yield part.check(
            "node_to_node",
            source,
            target,
            part.http(target["address"], part.settings.node_probe_port),
            expected=[source["address"]],
            problem=part.problem(other, HOST),
        )


def pod_to_pod_same_node(part: Part) -> Iterator[Check]:
    """Check that a pod reaches another pod of its node, which sees the pod's own address."""
    yield from _to_server(part, "pod_to_pod_same_node", part.node)


def pod_to_pod_other_node(part: Part) -> Iterator[Check]:
    """Check that a pod reaches the pods of other nodes, which see the pod's own address."""
    for other in part.others:
        yield from _to_server(part, "pod_to_pod_other_node", other)


def _to_server(part: Part, kind: str, node: str) -> Iterator[Check]:
    target, problem = part.pod(node, SERVER), part.problem(node, SERVER)
    yield part.from_client(kind, target, part.settings.http_port, problem=problem)
    yield part.from_client(kind, target, part.settings.udp_port, protocol="udp", problem=problem)


def large_packets(part: Part) -> Iterator[Check]:
    """Check that full-sized packets pass between nodes, there and back; small ones hide a wrong MTU."""
    size = part.settings.large_bytes
    for other in part.others:
        target = part.pod(other, SERVER)
        yield part.check(
            "large_packets",
            part.pod(part.node, CLIENT),
            target,
            # The probe fills in the bytes; they need not travel with the matrix.
            {**part.dial(CLIENT, target["address"], part.settings.http_port, "echo"), "bytes": size},
            expected=[f"{size} bytes"],
            reads="length",
            problem=part.problem(part.node, CLIENT) or part.problem(other, SERVER),
        )
    yield from _full_sized_packets(part)


def _full_sized_packets(part: Part) -> Iterator[Check]:
    """Check that packets of the whole planned MTU pass between nodes, one by one.

    Of a connection's segments, offloads may make others than those that travel.
    """
    for other in part.others:
        packets = part.settings.full_sized_packets
        yield _loss(part, "large_packets", other, {"packets": packets, "bytes": part.cluster.plan["mtu"]})


def packet_loss(part: Part) -> Iterator[Check]:
    """Check that packets between pods of different nodes arrive: a repeat would hide that some do not.

    Where one in a hundred gets lost, 1000 lose more than 2 with a probability of 99.7 %; a network that
    loses none is not held against the one that a busy machine may drop.
    """
    packets = part.settings.loss_packets
    for other in part.others:
        yield _loss(
            part, "packet_loss", other, {"packets": packets, "bytes": 0}, part.settings.tolerated_loss
        )


def _loss(part: Part, kind: str, other: str, what: dict[str, int], tolerated: int = 0) -> Check:
    source, target = part.cluster.pods.get((part.node, CLIENT)), part.pod(other, SERVER)
    how = {
        "method": "loss",
        "pod_uid": source.uid if source else "",
        "host": target["address"],
        **what,
    }
    return part.check(
        kind,
        part.pod(part.node, CLIENT),
        target,
        how,
        expected=[f"{lost} of {what['packets']} packets lost" for lost in range(tolerated + 1)],
        reads="text",
        protocol="icmp",
        problem=part.problem(part.node, CLIENT) or part.problem(other, SERVER),
    )


def node_to_pod(part: Part) -> Iterator[Check]:
    """Check that a node reaches its own and all other pods; the address they see is the backend's promise."""
    for node in (part.node, *part.others):
        connection = "node_to_local_pod" if node == part.node else "node_to_remote_pod"
        target = part.pod(node, SERVER)
        yield part.check(
            "node_to_pod",
            part.own_node(part.node),
            target,
            part.http(target["address"], part.settings.http_port),
            expected=part.contract_source(connection),
            problem=part.problem(node, SERVER),
        )


def control_plane_to_pod(part: Part) -> Iterator[Check]:
    """Check that a host of the control plane that is not a node reaches pods on all nodes, as its API server.

    The pods see the host's own address, by which they also answer.
    """
    source = part.own_node(part.node)
    nodes = part.cluster.nodes
    for node in nodes[: part.settings.peers] if part.settings.peers else nodes:
        target = part.pod(node, SERVER)
        yield part.check(
            "control_plane_to_pod",
            source,
            target,
            part.http(target["address"], part.settings.http_port),
            expected=[source["address"]],
            problem=part.problem(node, SERVER),
        )


def pod_to_node(part: Part) -> Iterator[Check]:
    """Check that a pod reaches every node, its own too, which sees the pod's own address."""
    for node in (part.node, *part.others):
        yield part.from_client(
            "pod_to_node",
            part.own_node(node),
            part.settings.node_probe_port,
            problem=part.problem(node, HOST),
        )
