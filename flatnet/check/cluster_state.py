"""Checks of what the API server holds; decided from its objects, without traffic."""

from collections.abc import Iterable

from flatnet.check.facts import Cluster
from flatnet.check.matrix_services import CONTROLLER
from flatnet.check.model import Check, Endpoint, Json, Result, Settings
from flatnet.check.policy.objects import namespaces

_NAMED = 5


def cluster_checks(
    cluster: Cluster, settings: Settings, found: Iterable[Json], trouble: str = ""
) -> list[tuple[Check, Result]]:
    """Return the checks of the cluster as a whole with their results.

    found: NetworkPolicy objects, and what belongs to the cluster's DNS, as the API server has them.
    trouble: what was said when the API server gave none, "" when it did.
    """
    found = list(found)
    objects = [_network_policies(cluster, settings, found), _dns_pods(cluster, found)]
    checks = [_api_server(trouble), *([] if trouble else objects)]
    return [
        (check, _result(check))
        for check in checks
        if check and (not settings.classes or check["class"] in settings.classes)
    ]


def _api_server(trouble: str) -> Check:
    """Return the check that the API server answers: where it does not, there are no probes."""
    end: Endpoint = {"kind": "service", "node": "", "name": "API server", "address": ""}
    return {
        "id": "api_server/cluster",
        "class": "api_server",
        "family": "",
        "protocol": "none",
        "source": CONTROLLER,
        "target": end,
        "how": {"method": "data", "observed": trouble or "answers"},
        "reads": "text",
        "expected": ["answers"],
    }


def _network_policies(cluster: Cluster, settings: Settings, found: Iterable[Json]) -> Check | None:
    """Return the check that nobody relies on policies which nothing enforces; the API takes them silently."""
    if cluster.policy_engine:
        return None
    names = sorted(
        f"{item['metadata']['namespace']}/{item['metadata']['name']}"
        for item in found
        if item["kind"] == "NetworkPolicy" and item["metadata"]["namespace"] not in namespaces(settings)
    )
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    everyone: Endpoint = {"kind": "service", "node": "", "name": "NetworkPolicy objects", "address": ""}
    return {
        "id": "network_policies/cluster",
        "class": "network_policies",
        "family": "",
        "protocol": "none",
        "source": everyone,
        "target": CONTROLLER,
        "how": {"method": "data", "observed": ", ".join(names[:_NAMED] + more) or "none"},
        "reads": "text",
        "expected": ["none"],
    }


def _dns_pods(cluster: Cluster, found: list[Json]) -> Check | None:
    """Return the check that the DNS Service has pods behind it, where it is the one that flatnet plans."""
    addresses = set(cluster.plan["dns_addresses"])
    services = [
        item for item in found if item["kind"] == "Service" and item["spec"].get("clusterIP") in addresses
    ]
    if not services:
        return None
    end: Endpoint = {"kind": "service", "node": "", "name": services[0]["metadata"]["name"], "address": ""}
    return {
        "id": "dns_pods/cluster",
        "class": "dns_pods",
        "family": "",
        "protocol": "none",
        "source": end,
        "target": CONTROLLER,
        "how": {"method": "data", "observed": _dns_problem(services[0], found) or "ready pods"},
        "reads": "text",
        "expected": ["ready pods"],
    }


def _dns_problem(service: Json, found: list[Json]) -> str:
    """Return why no pod answers for the DNS Service, "" where one does."""
    name, selector = service["metadata"]["name"], service["spec"].get("selector") or {}
    deployments = [item for item in found if item["kind"] == "Deployment" and _is_dns(item)]
    pods = [item for item in found if item["kind"] == "Pod" and _is_dns(item)]
    for item in deployments:
        if item["spec"].get("replicas", 1) == 0:
            return f"CoreDNS has no pods: its Deployment {item['metadata']['name']} is scaled to 0"
    if not pods:
        return "CoreDNS has no pods"
    selected = [pod for pod in pods if selector.items() <= pod["metadata"].get("labels", {}).items()]
    if not selected:
        wanted = ", ".join(f"{key}={value}" for key, value in selector.items())
        return f"the Service {name} selects none of the pods of CoreDNS: its selector is {wanted}"
    unready = [pod for pod in selected if not _is_ready(pod)]
    if len(unready) < len(selected):
        return ""
    return f"no pod of CoreDNS is ready: {unready[0]['metadata']['name']}: {_waiting(unready[0])}"


def _is_dns(item: Json) -> bool:
    return bool((item["metadata"].get("labels") or {}).get("k8s-app") == "kube-dns") or bool(
        item["metadata"]["name"] == "coredns"
    )


def _is_ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def _waiting(pod: Json) -> str:
    """Return what its container waits for, and how it ended last."""
    words = []
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        for part in (status.get("state") or {}, status.get("lastState") or {}):
            for kind in ("waiting", "terminated"):
                entry = part.get(kind) or {}
                words += [str(entry[key]) for key in ("reason", "message") if entry.get(key)]
    return "; ".join(dict.fromkeys(words))[:300] or str((pod.get("status") or {}).get("phase", "unknown"))


def _result(check: Check) -> Result:
    observed = check["how"]["observed"]
    return {
        "id": check["id"],
        "ok": observed in check["expected"],
        "observed": observed,
        "expected": check["expected"],
        "error": "",
        "detail": "",
        "milliseconds": 0.0,
        "tries": 1,
    }
