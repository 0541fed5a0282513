"""A control plane that flatnet did not make: Kubernetes itself gives its nodes their pod networks.

etcd, kube-apiserver and kube-controller-manager with plain flags, on loopback of a network namespace that has
no name, with all they write in one folder. No kubelet runs: Node objects are registered through the API.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from flatnet.programs.catalog import load_catalog
from flatnet.programs.sources import Choice, Finder
from flatnet.programs.store import program_store

SECONDS = 60
_SERVER = "https://127.0.0.1:6443"
# What the API server advertises may not be loopback; nothing listens there.
_ADDRESS = "192.0.2.1"


@dataclass(frozen=True)
class Foreign:
    """A running cluster; `folder` holds its kubeconfig, its data and what its daemons said."""

    folder: Path
    inside: Sequence[str]

    def kubectl(self, *arguments: str, given: str = "", check: bool = True) -> str:
        """Return what the real kubectl prints."""
        own = (f"--kubeconfig={self.folder}/admin.kubeconfig", f"--cache-dir={self.folder}/kubectl")
        done = subprocess.run(
            [*self.inside, program("kubectl"), *own, *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout if done.returncode == 0 else done.stderr

    def register(self, name: str) -> list[str]:
        """Create a Node object as a kubelet does, and return the pod networks that Kubernetes gives it."""
        self.kubectl("create", "-f", "-", given=json.dumps(node_object(name)))
        wanted = ("--for=jsonpath={.spec.podCIDRs}", "-o=jsonpath={.spec.podCIDRs}")
        listed: list[str] = json.loads(self.kubectl("wait", f"node/{name}", *wanted, f"--timeout={SECONDS}s"))
        return listed

    def pod_cidrs(self) -> dict[str, list[str]]:
        """Return the pod networks of every Node object."""
        items = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        return {item["metadata"]["name"]: item["spec"].get("podCIDRs", []) for item in items}


def node_object(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}


@cache
def program(name: str) -> Path:
    """Return the program that was built; who has none is told how to build it."""
    return Finder(load_catalog(), Choice(), program_store()).program(name).file


@contextmanager
def foreign_cluster(folder: Path, *controller_manager: str) -> Iterator[Foreign]:
    """Run a cluster whose controller manager gives out pod networks as its flags say.

    Every process has ended when this returns; none outlives this one either.
    """
    token = secrets.token_hex()
    _write_credentials(folder, token)
    with ExitStack() as running:
        cluster = Foreign(folder, running.enter_context(_network()))

        def run(name: str, *flags: str) -> subprocess.Popen[bytes]:
            command: list[str | Path] = [*cluster.inside, *_DYING, program(name), *flags]
            return running.enter_context(_process(command, folder / f"{name}.log"))

        run("etcd", f"--data-dir={folder}/etcd", "--unsafe-no-fsync")
        server = run(
            "kube-apiserver",
            "--etcd-servers=http://127.0.0.1:2379",
            "--bind-address=127.0.0.1",
            f"--advertise-address={_ADDRESS}",
            f"--cert-dir={folder}/apiserver",
            f"--token-auth-file={folder}/tokens.csv",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/24",
            "--service-account-issuer=https://foreign.example",
            f"--service-account-key-file={folder}/accounts.key",
            f"--service-account-signing-key-file={folder}/accounts.key",
        )
        _wait_until_ready(cluster, server)
        run(
            "kube-controller-manager",
            f"--kubeconfig={folder}/admin.kubeconfig",
            "--bind-address=127.0.0.1",
            f"--cert-dir={folder}/controller-manager",
            "--leader-elect=false",
            "--controllers=node-ipam-controller",
            "--allocate-node-cidrs=true",
            "--service-cluster-ip-range=10.96.0.0/24",
            *controller_manager,
        )
        yield cluster


# A killed test run takes its daemons with it.
_DYING = ("setpriv", "--pdeathsig=KILL")


@contextmanager
def _network() -> Iterator[list[str]]:
    """Yield the command that runs another one inside a network namespace of loopback alone."""
    script = f"ip link set lo up && ip address add {_ADDRESS}/32 dev lo && echo ready && exec sleep infinity"
    command = [*_DYING, "unshare", "--net", "sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        try:
            assert holder.stdout.readline() == "ready\n"
            yield ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
        finally:
            holder.kill()


@contextmanager
def _process(command: Sequence[str | Path], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("w") as stream, subprocess.Popen(command, stdout=stream, stderr=stream) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _write_credentials(folder: Path, token: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "accounts.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    (folder / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    # The API server makes its certificate itself and puts the authority's beside it.
    cluster = {"server": _SERVER, "certificate-authority": f"{folder}/apiserver/apiserver.crt"}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "foreign", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "foreign", "context": {"cluster": "foreign", "user": "admin"}}],
        "current-context": "foreign",
    }
    (folder / "admin.kubeconfig").write_text(json.dumps(kubeconfig))


def _wait_until_ready(cluster: Foreign, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + SECONDS
    while server.poll() is None and time.monotonic() < end:
        if cluster.kubectl("get", "--raw", "/readyz", check=False) == "ok":
            return
        # The server starts the sooner for it.
        time.sleep(0.1)
    raise AssertionError((cluster.folder / "kube-apiserver.log").read_text()[-2000:])
