"""Runs scripts on container hosts, over the ssh that Ansible uses."""

from __future__ import annotations

import subprocess

from tests.container_hosts import state


def on_host(prefix: str, host: str, script: str) -> str:
    """Return what a shell script prints on `host` of the cluster `prefix`; it ends at the first failure."""
    configuration = state.state_directory(prefix) / "ssh_config"
    done = subprocess.run(
        ["ssh", "-F", configuration, host, "sh -eu"],
        input=f"{script}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{host}: {done.stderr}"
    return done.stdout
