"""All that is waited for after objects were applied."""

from __future__ import annotations

from typing import Any

from .client import Client
from .discovery import Discovery
from .rollout import wait_for_pods
from .wait import wait_for_nodes


def wait(
    client: Client,
    discovery: Discovery,
    objects: list[dict[str, Any]],
    parameters: dict[str, Any],
    seconds: float | None = None,
) -> None:
    """Wait for what the parameters of cluster_objects name. Raises ObjectsError saying what did not come.

    seconds: how long, in place of what the parameters say.
    """
    nodes, pods = parameters["wait_for_nodes"], parameters["wait_for_pods"]
    if nodes:
        wait_for_nodes(client, nodes["names"], nodes["seconds"] if seconds is None else seconds)
    if pods:
        present = objects if parameters["state"] == "present" else []
        wait_for_pods(client, discovery, present, pods if seconds is None else {**pods, "seconds": seconds})
