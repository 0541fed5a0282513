"""One node's part of the matrix in one address family: the vocabulary in which checks are written."""

from collections.abc import Sequence
from dataclasses import dataclass

from flatnet.check.facts import Cluster, of_family
from flatnet.check.model import CLIENT, SERVER, Check, Endpoint, Json, Settings
from flatnet.contract.schema import DEVICE, SOURCES
from flatnet.errors import FlatnetError


@dataclass(frozen=True)
class Part:
    """The node's place in the matrix. Methods return addresses as text, "" where there is none."""

    cluster: Cluster
    settings: Settings
    node: str
    family: str

    @property
    def others(self) -> list[str]:
        """The other nodes that this one is checked against.

        With settings.peers they are the next ones on the ring of all nodes, so that every node is the
        target of as many others as it has itself.
        """
        nodes = self.cluster.nodes
        here = nodes.index(self.node)
        ring = [*nodes[here + 1 :], *nodes[:here]]
        return ring[: self.settings.peers] if self.settings.peers else ring

    def pod(self, node: str, role: str) -> Endpoint:
        """Return a probe in a pod network as an end of a check."""
        known = self.cluster.pods.get((node, role))
        address = self.cluster.pod_address(node, role, self.family)
        return {"kind": "pod", "node": node, "name": known.name if known else role, "address": address}

    def own_node(self, node: str) -> Endpoint:
        """Return a node as an end of a check."""
        address = self.cluster.node_address(node, self.family)
        return {"kind": "node", "node": node, "name": node, "address": address}

    def service(self, name: str) -> Endpoint:
        """Return a service's virtual address as an end of a check."""
        address = self.cluster.service_address(name, self.family)
        return {"kind": "service", "node": "", "name": name, "address": address}

    def problem(self, node: str, role: str) -> str:
        """Return why that probe cannot take part, "" when it can."""
        return self.cluster.pod_problem(node, role, self.family)

    def contract_source(self, connection: str) -> list[str]:
        """Return the source addresses that the backend's contract promises for this node's connection.

        connection: a key of the contract's `check`; its value is pod_gateway, node_address,
        tunnel_address or device:NAME (the address of that device on the node), or a list of them.
        Raises FlatnetError when the plan lacks the address.
        """
        backend = self.cluster.plan["backend"]
        value = backend["check"][connection]
        names = [value] if isinstance(value, str) else list(value)
        return [self._contract_address(backend["name"], connection, name) for name in names]

    def _contract_address(self, backend: str, connection: str, name: str) -> str:
        if name.startswith(DEVICE):
            return name
        key = SOURCES[name].key
        address = of_family(self.cluster.plan["nodes"][self.node].get(key) or [], self.family)
        if not address:
            raise FlatnetError(
                f"the contract of backend {backend} expects the {name} of {self.node} for {connection}, "
                f"but the plan of {self.node} has no {self.family} {key}; plan again for this backend"
            )
        return address

    def dial(
        self, role: str, host: str, port: int, request: str = "clientip", protocol: str = "http"
    ) -> Json:
        """Return the question that the node's probe of that role asks from inside its pod."""
        return {
            "method": "dial",
            "via": self.cluster.pod_address(self.node, role, self.family),
            "via_port": self.settings.http_port,
            "host": host,
            "port": port,
            "request": request,
            "protocol": protocol,
        }

    def check(
        self,
        kind: str,
        source: Endpoint,
        target: Endpoint,
        how: Json,
        *,
        expected: Sequence[str],
        reads: str = "source",
        protocol: str = "http",
        problem: str = "",
        label: str = "",
    ) -> Check:
        """Return one check.

        label: tells checks apart that agree in class, protocol and both ends.
        problem: why it cannot be made; it then fails without an attempt.
        """
        ends = f"{_end(source)}->{_end(target)}"
        parts = [kind, self.family, protocol, *([label] if label else []), ends]
        return {
            "id": "/".join(parts),
            "class": kind,
            "family": self.family,
            "protocol": protocol,
            "source": source,
            "target": target,
            "how": {"method": "none", "reason": problem} if problem else how,
            "reads": reads,
            "expected": list(expected),
        }

    def from_client(
        self,
        kind: str,
        target: Endpoint,
        port: int,
        *,
        request: str = "clientip",
        protocol: str = "http",
        host: str = "",
        expected: Sequence[str] | None = None,
        reads: str = "source",
        problem: str = "",
        label: str = "",
    ) -> Check:
        """Return a check that this node's client pod makes; expected: its own address unless given."""
        source = self.pod(self.node, CLIENT)
        return self.check(
            kind,
            source,
            target,
            self.dial(CLIENT, host or target["address"], port, request, protocol),
            expected=[source["address"]] if expected is None else expected,
            reads=reads,
            protocol=protocol,
            problem=self.problem(self.node, CLIENT) or problem,
            label=label,
        )

    def http(self, address: str, port: int, path: str = "clientip") -> Json:
        """Return the question that the node itself, or the controller, asks over HTTP."""
        return {"method": "http", "host": address, "port": port, "path": path}

    def service_problem(self, name: str) -> str:
        """Return why the service cannot answer, "" when it can."""
        if not self.cluster.service_address(name, self.family):
            return f"service {name} has no {self.family} address"
        return "" if self.cluster.ready_servers else f"no {SERVER} pod is ready on any node"


def _end(endpoint: Endpoint) -> str:
    if endpoint["kind"] in ("service", "dns", "controller"):
        return endpoint["name"]
    return endpoint["node"] if endpoint["kind"] == "node" else f"{endpoint['node']}:{endpoint['name']}"
