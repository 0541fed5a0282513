"""The pods of a node whose kubelet has stopped: their network, their processes, their namespaces."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from ..state.host import Host, Ran
from .request import Change, Outcome, Request

# Where libcni keeps what it needs for DEL (containernetworking/cni, libcni/api.go), and our network's name.
RESULTS = "/var/lib/cni/results"
NETWORK = "flatnet"
NAMESPACES = "/run/netns"
# Where containerd keeps one directory for each container that runs; none, and it need not be asked.
TASKS = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"
_SHIM = "containerd-shim-runc-v2"
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.5


def remove_containers(host: Host, request: Request, outcome: Outcome, check: bool) -> None:
    """Detach the pods by the plugins that attached them, then end and delete the containers of Kubernetes.

    What libcni noted of a pod goes here, not with the data: by then the plugins are gone, and the next run of
    a reset that was cut short would call them in vain. It goes after the namespace, whose name it holds.
    """
    namespaces, detached = [], []
    for name in host.names_in(RESULTS):
        attachment = _attachment(host, f"{RESULTS}/{name}")
        if attachment is None:
            continue
        outcome.changes.append(Change("pod network", f"{attachment['containerId']} {attachment['ifName']}"))
        if check or _detach(host, request, attachment, outcome):
            detached.append(f"{RESULTS}/{name}")
        if attachment.get("netns"):
            namespaces.append(attachment["netns"].rsplit("/", 1)[-1])
    _delete_containers(host, request, outcome, check)
    for name in sorted(set(namespaces)):
        if host.lstat(f"{NAMESPACES}/{name}") is not None:
            outcome.changes.append(Change("network namespace", name))
            if not check:
                _report(host.run(["ip", "netns", "delete", name]), f"network namespace {name}", outcome)
    outcome.gone.update(detached)
    if not check:
        for path in detached:
            host.discard(path)


def end_shims(host: Host, request: Request, outcome: Outcome, check: bool) -> None:
    """End the shims of Kubernetes' containers that have outlived containers and containerd.

    A shim ends when containerd tells it to. Containerd deletes the task of a pod that has ended, as we do.
    When the two meet, it takes the shim for dead and says nothing to it any more.
    """
    if check or host.names_in(TASKS):
        return
    for process in (name for name in host.names_in("/proc") if name.isdecimal()):
        # A process that ends meanwhile has none.
        arguments = (host.text(f"/proc/{process}/cmdline") or "").split("\0")
        if arguments[0] == f"{request.programs_directory}/{_SHIM}" and "k8s.io" in arguments:
            outcome.changes.append(Change("process", f"{process} {_SHIM}"))
            host.end_process(process)


def _attachment(host: Host, path: str) -> dict[str, Any] | None:
    """Return what libcni noted about a pod of our network, None for anything else."""
    try:
        noted = json.loads(host.read(path))
        if noted["networkName"] != NETWORK:
            return None
        noted["plugins"] = json.loads(base64.b64decode(noted["config"]))
    except (OSError, ValueError, KeyError, TypeError, binascii.Error):
        return None
    return dict(noted)


def _detach(host: Host, request: Request, attachment: dict[str, Any], outcome: Outcome) -> bool:
    """Call DEL of every plugin, the last first (CNI specification 1.0.0, section 3); True if all succeed."""
    succeeded = True
    network = attachment["plugins"]
    namespace = attachment.get("netns") or ""
    environment = {
        "CNI_COMMAND": "DEL",
        "CNI_CONTAINERID": attachment["containerId"],
        # Gone with a reboot; what the plugins keep outside of it is removed all the same.
        "CNI_NETNS": namespace if host.lstat(namespace.replace("/var/run", "/run")) else "",
        "CNI_IFNAME": attachment["ifName"],
        "CNI_PATH": request.cni_programs_directory,
    }
    for plugin in reversed(network["plugins"]):
        able = plugin.get("capabilities") or {}
        given = (attachment.get("capabilityArgs") or {}).items()
        runtime = {name: value for name, value in given if able.get(name)}
        configuration = {
            **plugin,
            "name": network["name"],
            "cniVersion": network["cniVersion"],
            "prevResult": attachment.get("result"),
            **({"runtimeConfig": runtime} if runtime else {}),
        }
        program = f"{request.cni_programs_directory}/{plugin['type']}"
        arguments = ["env", *(f"{name}={value}" for name, value in environment.items()), program]
        what = f"the pod network of container {attachment['containerId']} ({plugin['type']})"
        succeeded &= _report(host.run(arguments, json.dumps(configuration)), what, outcome)
    return succeeded


def _delete_containers(host: Host, request: Request, outcome: Outcome, check: bool) -> None:
    running = host.names_in(TASKS)
    if not running:
        return
    outcome.changes += [Change("container", name) for name in running]
    if check:
        return
    ctr = [f"{request.programs_directory}/ctr", "--namespace=k8s.io"]
    for _ in range(_ATTEMPTS):
        # Containers of one pod share a process that ends with the pod's own, whose answer then fails; and the
        # exit status is that of a killed container as well. What is left is what tells.
        ran = host.run([*ctr, "tasks", "delete", "--force", *running])
        running = host.names_in(TASKS)
        if not running:
            break
        host.wait(_PAUSE_SECONDS)
    else:
        _report(ran, f"running containers {', '.join(running)}", outcome)
    listed = host.run([*ctr, "containers", "list", "--quiet"], changes=False)
    if listed.output.split():
        _report(host.run([*ctr, "containers", "delete", *listed.output.split()]), "the containers", outcome)


def _report(ran: Ran, what: str, outcome: Outcome) -> bool:
    if ran.status != 0:
        outcome.problems.append(f"{what}: {ran.complaint}")
    return ran.status == 0
