"""The pods of a node whose kubelet has stopped: their network, their processes, their namespaces."""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Iterator
from typing import Any

from ..state.host import Host, Ran
from ..state.record import load
from .claims import Claims, entries
from .leftovers import matching
from .others import Runtime
from .request import Change, Outcome, Request

# Where iproute2 names network namespaces (ip-netns(8)); runtimes use the same place.
NAMESPACES = "/run/netns"
_SHIM = "containerd-shim-runc-v2"
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.5

# Of a pod's attachment: the path of libcni's note, and what it says.
Attachment = tuple[str, dict[str, Any]]


class Pods:
    """The pods of the networks that go, and the containers of the owners that go."""

    def __init__(
        self, host: Host, request: Request, claims: Claims, runtime: Runtime | None, check: bool
    ) -> None:
        """Look at the owners only. runtime: the containerd of this host, None without one."""
        self._host = host
        self._request = request
        self._claims = claims
        self._runtime = runtime
        self._check = check
        kept = {name for owner in claims.staying for name in entries(owner, "container_namespaces")}
        namespaces = dict.fromkeys(claims.listed("container_namespaces"))
        # Where the kubelet stays its pods do, and get another network.
        self._ended = [name for name in namespaces if name not in kept]
        self._living = sorted(kept)

    def close_networks(self, outcome: Outcome) -> None:
        """Remove the files by which a runtime that stays would attach new pods to networks that go.

        All is detached while these files' daemons still run, which plugins may ask.
        """
        if self._ended or self._check:
            return
        for owner in self._claims.going:
            folders = {network["configurations"] for network in entries(owner, "pod_networks")}
            # One with a slash at its end is such a folder itself.
            places = [place for place in entries(owner, "directories") if not place.endswith("/")]
            declared = [place for place in places if os.path.dirname(place) in folders]
            written = [path for place in declared for path in matching(self._host, place)]
            recorded = load(self._host, owner.name).files if folders else {}
            ours = [path for path in recorded if os.path.dirname(path) in folders]
            for kind, paths in (("file", ours), ("data", written)):
                for path in paths:
                    if self._host.lstat(path) is not None and not self._claims.keeps("directories", path):
                        self._host.discard(path)
                        outcome.changes.append(Change(kind, path))

    def remove(self, outcome: Outcome) -> None:
        """Detach the pods by the plugins that attached them, then end and delete the containers that go.

        What libcni noted of a pod goes here, not with the data: by then the plugins are gone, and the next
        run of a reset that was cut short would call them in vain. It goes after the namespace, whose name it
        holds.
        """
        namespaces, detached, sandboxes = [], [], []
        for path, attachment in self._attachments():
            item = f"{attachment['containerId']} {attachment['ifName']}"
            outcome.changes.append(Change("pod network", item))
            if self._check or _detach(self._host, self._request, attachment, outcome):
                detached.append(path)
                sandboxes.append(attachment["containerId"])
            if attachment.get("netns"):
                namespaces.append(attachment["netns"].rsplit("/", 1)[-1])
        for namespace in self._ended:
            self._delete_containers(namespace, outcome)
        self._end_sandboxes(sandboxes, outcome)
        for name in sorted(set(namespaces)):
            self._remove_namespace(name, outcome)
        outcome.gone.update(detached)
        if not self._check:
            for path in detached:
                self._host.discard(path)

    def _remove_namespace(self, name: str, outcome: Outcome) -> None:
        if self._host.lstat(f"{NAMESPACES}/{name}") is None:
            return
        outcome.changes.append(Change("network namespace", name))
        if not self._check:
            ran = self._host.run(["ip", "netns", "delete", name])
            # A kubelet that stays removes it as well, once it sees that the pod has ended.
            if self._host.lstat(f"{NAMESPACES}/{name}") is not None:
                _report(ran, f"network namespace {name}", outcome)

    def end_shims(self, outcome: Outcome) -> None:
        """End the shims of containers that went, where they have outlived containers and containerd.

        A shim ends when containerd tells it to. Containerd deletes the task of a pod that has ended, as we
        do. When the two meet, it takes the shim for dead and says nothing to it any more.
        """
        for namespace in () if self._check else self._ended:
            if self._runtime is None or self._host.names_in(self._runtime.running(namespace)):
                continue
            for process in (name for name in self._host.names_in("/proc") if name.isdecimal()):
                # A process that ends meanwhile has none.
                arguments = (self._host.text(f"/proc/{process}/cmdline") or "").split("\0")
                program = f"{self._request.programs_directory}/{_SHIM}"
                if arguments[0] == program and namespace in arguments:
                    outcome.changes.append(Change("process", f"{process} {_SHIM}"))
                    self._host.end_process(process)

    def _attachments(self) -> Iterator[Attachment]:
        """Yield the pods that are attached to networks that go; of all known ones where all pods go."""
        owners = [*self._request.owners, *self._request.others] if self._ended else self._claims.going
        networks = [network for owner in owners for network in entries(owner, "pod_networks")]
        names = {network["name"] for network in networks}
        if not self._ended:
            names -= {network["name"] for o in self._claims.staying for network in entries(o, "pod_networks")}
        for folder in dict.fromkeys(network["attachments"] for network in networks):
            for name in self._host.names_in(folder):
                attachment = _attachment(self._host, f"{folder}/{name}")
                if attachment is not None and attachment["networkName"] in names:
                    yield f"{folder}/{name}", attachment

    def _end_sandboxes(self, sandboxes: list[str], outcome: Outcome) -> None:
        """End what holds the network of pods that stay: the kubelet makes them anew."""
        if self._runtime is None:
            return
        for namespace in self._living:
            running = self._host.names_in(self._runtime.running(namespace))
            for sandbox in sandboxes:
                if sandbox in running:
                    outcome.changes.append(Change("pod", sandbox, "restart"))
                    if not self._check:
                        words = ["tasks", "kill", "--signal=SIGKILL", sandbox]
                        ran = self._host.run([*self._ctr(namespace), *words])
                        _report(ran, f"pod {sandbox}", outcome)

    def _delete_containers(self, namespace: str, outcome: Outcome) -> None:
        if self._runtime is None:
            return
        folder = self._runtime.running(namespace)
        running = self._host.names_in(folder)
        if not running:
            return
        outcome.changes += [Change("container", name) for name in running]
        if self._check:
            return
        ctr = self._ctr(namespace)
        for _ in range(_ATTEMPTS):
            # Containers of one pod share a process that ends with the pod's own, whose answer then fails; and
            # the exit status is that of a killed container as well. What is left is what tells.
            ran = self._host.run([*ctr, "tasks", "delete", "--force", *running])
            running = self._host.names_in(folder)
            if not running:
                break
            self._host.wait(_PAUSE_SECONDS)
        else:
            _report(ran, f"running containers {', '.join(running)}", outcome)
        listed = self._host.run([*ctr, "containers", "list", "--quiet"], changes=False)
        if listed.output.split():
            ran = self._host.run([*ctr, "containers", "delete", *listed.output.split()])
            _report(ran, "the containers", outcome)

    def _ctr(self, namespace: str) -> list[str]:
        return [f"{self._request.programs_directory}/ctr", f"--namespace={namespace}"]


def _attachment(host: Host, path: str) -> dict[str, Any] | None:
    """Return what libcni noted about a pod (its libcni/api.go), None for anything else."""
    try:
        noted = json.loads(host.read(path))
        # Whose network this is, is asked by its name.
        str(noted["networkName"])
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


def _report(ran: Ran, what: str, outcome: Outcome) -> bool:
    if ran.status != 0:
        outcome.problems.append(f"{what}: {ran.complaint}")
    return ran.status == 0
