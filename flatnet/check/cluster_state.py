"""Checks of what the API server holds; decided from its objects, without traffic."""

from collections.abc import Iterable

from flatnet.check.facts import Cluster
from flatnet.check.matrix_services import CONTROLLER
from flatnet.check.model import Check, Endpoint, Json, Result, Settings
from flatnet.check.policy.objects import namespaces

# What cluster_objects is asked for, besides the probes.
KINDS = ({"api_version": "networking.k8s.io/v1", "kind": "NetworkPolicy"},)
_NAMED = 5


def cluster_checks(cluster: Cluster, settings: Settings, found: Iterable[Json]) -> list[tuple[Check, Result]]:
    """Return the checks of the cluster as a whole with their results.

    found: objects of KINDS, as the API server has them.
    """
    checks = [_network_policies(cluster, settings, found)]
    return [
        (check, _result(check))
        for check in checks
        if check and (not settings.classes or check["class"] in settings.classes)
    ]


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
