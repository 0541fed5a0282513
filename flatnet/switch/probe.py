"""What the interruption is measured on: a pod that a NodePort leads to, and one on another node behind it."""

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

NAMESPACE = "flatnet-switch"
OWNER = "network_switch"
LABEL = "flatnet.io/switch-probe"
# The one that is asked from outside, and the one that it asks.
NEAR, FAR = "near", "far"
_PORT = 8080


def probe_objects(nodes: Sequence[str], image: str) -> list[Json]:
    """Return namespace, services and pods of the measurement.

    nodes: names of one or more, of which the first two count. The pods have no controller: after a switch it
    is they themselves that are there again.
    """
    places = {NEAR: nodes[0], FAR: nodes[-1] if len(nodes) < 2 else nodes[1]}
    services = [_service(NEAR, {"type": "NodePort", "externalTrafficPolicy": "Local"}), _service(FAR, {})]
    return [probe_namespace(), *services, *(_pod(name, node, image) for name, node in places.items())]


def probe_namespace() -> Json:
    """Return the namespace, with which all goes."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "baseline"}},
    }


def targets(objects: Sequence[Mapping[str, Any]], address: str) -> dict[str, str]:
    """Return the URLs to ask, given the objects as the API server has them and the address of the near node.

    `outside`: to a pod by a NodePort. `pods`: the same, and from there to the pod of another node.
    """
    services = {one["metadata"]["name"]: one["spec"] for one in objects if one["kind"] == "Service"}
    host = f"[{address}]" if ":" in address else address
    base = f"http://{host}:{services[NEAR]['ports'][0]['nodePort']}"
    far = f"host={services[FAR]['clusterIP']}&port={_PORT}"
    return {
        "outside": f"{base}/clientip",
        "pods": f"{base}/dial?{far}&request=hostname&protocol=http&tries=1",
    }


def _metadata(name: str) -> Json:
    return {"name": name, "namespace": NAMESPACE, "labels": {LABEL: name}}


def _service(name: str, spec: Json) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(name),
        "spec": {"selector": {LABEL: name}, "ports": [{"port": _PORT, "protocol": "TCP"}], **spec},
    }


def _pod(name: str, node: str, image: str) -> Json:
    container = {
        "name": "agnhost",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/agnhost", "netexec"],
        "args": [f"--http-port={_PORT}", "--udp-port=8081"],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": _PORT}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 65534,
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(name),
        "spec": {
            "nodeName": node,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
        },
    }
