"""What other runtimes, Docker and nerdctl say, keep in the containerd that Kubernetes uses."""

from __future__ import annotations

from ..state.host import Host
from .request import Request

RUNTIME = "container_runtime"
PROGRAMS = "node_programs"
_KUBERNETES = "k8s.io"
_SOCKET = "/run/containerd/containerd.sock"
_CONTENT = "/var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db"
# One directory for each task, below its namespace's: while it runs, and until containerd has seen its end.
_RUNNING = "/run/containerd/io.containerd.runtime.v2.task"
_KNOWN = "/var/lib/containerd/io.containerd.runtime.v2.task"
# A containerd that hangs must not hang us.
_TIMEOUT = "--timeout=30s"


def namespaces_of_others(host: Host, request: Request, noted: list[str]) -> list[str]:
    """Return the namespaces, besides that of Kubernetes, in which containerd has containers or images.

    One that does not run tells nothing of its images and of containers that have stopped. Then what an
    earlier run of this reset has noted counts as long as the data is there.
    """
    # Ours goes with the programs; the distribution's may be there.
    ours = f"{request.programs_directory}/ctr"
    ctr = [ours if host.lstat(ours) is not None else "ctr", f"--address={_SOCKET}", _TIMEOUT]
    listed = host.run([*ctr, "namespaces", "ls", "--quiet"], changes=False)
    if listed.status == 0:
        names = {*listed.output.split()} - {_KUBERNETES}
        found = {name for name in names if _is_used(host, ctr, name)}
    else:
        found = {*(noted if host.lstat(_CONTENT) is not None else ()), *_with_tasks(host, _KNOWN)}
    return sorted({*found, *_with_tasks(host, _RUNNING)} - {_KUBERNETES})


def complaint(namespaces: list[str], stays: bool) -> str:
    """Return what to tell of namespaces of others. stays: so does containerd itself, for want of another."""
    kept = "it stays, with its programs and its data" if stays else "its data stays"
    first = namespaces[0]
    return (
        f"containerd has containers or images of others in its namespaces {', '.join(namespaces)}: {kept}; "
        f"once they are removed (see `ctr --namespace={first} containers ls` and `ctr --namespace={first} "
        "images ls`), a reset again takes the rest"
    )


def _is_used(host: Host, ctr: list[str], namespace: str) -> bool:
    """Tell if a namespace has anything in it; one that does not say is not empty."""
    for kind in ("containers", "images"):
        listed = host.run([*ctr, f"--namespace={namespace}", kind, "ls", "--quiet"], changes=False)
        if listed.status != 0 or listed.output.strip():
            return True
    return False


def _with_tasks(host: Host, directory: str) -> list[str]:
    return [
        namespace
        for namespace in host.names_in(directory)
        # A name with a dot before it is one that containerd is removing.
        if any(not name.startswith(".") for name in host.names_in(f"{directory}/{namespace}"))
    ]
