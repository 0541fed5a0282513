"""What other runtimes, Docker and nerdctl say, keep in the containerd that Kubernetes uses."""

from __future__ import annotations

from typing import NamedTuple

from ..state.host import Host
from .claims import Claims
from .request import Owner, Request

_CONTENT = "io.containerd.metadata.v1.bolt/meta.db"
# One directory for each task, below its namespace's: while it runs, and until containerd has seen its end.
_TASKS = "io.containerd.runtime.v2.task"
# A containerd that hangs must not hang us.
_TIMEOUT = "--timeout=30s"


class Runtime(NamedTuple):
    """A containerd: its directories of what runs and of what it keeps, and the namespaces it fills itself."""

    owner: str
    state: str
    root: str
    namespaces: list[str]

    def running(self, namespace: str) -> str:
        """Return where one directory is for each container that runs; with none it need not be asked."""
        return f"{self.state}/{_TASKS}/{namespace}"


def runtime_of(owners: list[Owner]) -> Runtime | None:
    """Return the containerd of the first owner that has one."""
    for owner in owners:
        containerd = owner.makes.get("containerd")
        if containerd:
            return Runtime(owner.name, **containerd)
    return None


def namespaces_of_others(
    host: Host, request: Request, runtime: Runtime, claims: Claims, noted: list[str]
) -> list[str]:
    """Return the namespaces, besides those of the owners that go, where containerd has containers or images.

    One that does not run tells nothing of its images and of containers that have stopped. Then what an
    earlier run of this reset has noted counts as long as the data is there.
    """
    ours = {*runtime.namespaces, *claims.listed("container_namespaces")}
    ours -= {name for owner in claims.staying for name in owner.makes.get("container_namespaces") or ()}
    # Ours goes with the programs; the distribution's may be there.
    program = f"{request.programs_directory}/ctr"
    address = f"--address={runtime.state}/containerd.sock"
    ctr = [program if host.lstat(program) is not None else "ctr", address, _TIMEOUT]
    listed = host.run([*ctr, "namespaces", "ls", "--quiet"], changes=False)
    if listed.status == 0:
        names = {*listed.output.split()} - ours
        found = {name for name in names if _is_used(host, ctr, name)}
    else:
        kept = noted if host.lstat(f"{runtime.root}/{_CONTENT}") is not None else ()
        found = {*kept, *_with_tasks(host, f"{runtime.root}/{_TASKS}")}
    return sorted({*found, *_with_tasks(host, f"{runtime.state}/{_TASKS}")} - ours)


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
