"""Pods of a user of the cluster, one on every node, that live through the tour.

What a network makes with the first pod of a node, and with the first that has a port of the host, is there at
every look, whichever other pods are.
"""

import json
import shlex
from typing import Any

from tests.tour.hosts import CONTROL_PLANE, KUBECTL, Hosts

NAMESPACE, NAME = "tour", "everywhere"
_IMAGE = "flatnet.local/agnhost:probe"
# Of the host none that the check takes for itself.
_PORT, _HOST_PORT = 8080, 28080


def objects() -> dict[str, Any]:
    """Return them as one list."""
    labels = {"app": NAME}
    metadata = {"name": NAME, "namespace": NAMESPACE}
    container = {
        "name": "agnhost",
        "image": _IMAGE,
        "command": ["/agnhost", "netexec", f"--http-port={_PORT}", "--udp-port=8081"],
        "ports": [{"containerPort": _PORT, "hostPort": _HOST_PORT}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": _PORT}, "periodSeconds": 1},
    }
    pod = {
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
    }
    daemon_set = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": metadata,
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    return {"apiVersion": "v1", "kind": "List", "items": [namespace, daemon_set]}


def start(hosts: Hosts) -> None:
    """Make the pods, and wait for them."""
    hosts.on(CONTROL_PLANE, f"{KUBECTL} apply --filename - <<'OBJECTS'\n{json.dumps(objects())}\nOBJECTS\n")
    wait(hosts)


def wait(hosts: Hosts) -> None:
    """Wait until one is ready on every node."""
    hosts.kubectl(f"--namespace {NAMESPACE} rollout status daemonset/{NAME} --timeout=90s")


def reach(hosts: Hosts, host: str) -> None:
    """Wait until those of all nodes answer a host: routes that are learned come a moment after the switch."""
    path = "jsonpath={.items[*].status.podIPs[*].ip}"
    found = hosts.kubectl(f"--namespace {NAMESPACE} get pods --output '{path}'").split()
    tries = "; ".join(
        f"until timeout 1 bash -c '</dev/tcp/{one}/{_PORT}'; do sleep 0.2; done" for one in found
    )
    hosts.on(host, f"timeout 30 bash -c {shlex.quote(tries)} 2>/dev/null")


def replace(hosts: Hosts, host: str) -> None:
    """Have another one made on a host whose kubelet does not run: the API goes on to say that it is ready."""
    hosts.kubectl(f"--namespace {NAMESPACE} delete pods --field-selector spec.nodeName={host} --force")
