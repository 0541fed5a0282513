"""Why a host cannot be reached, in words that lead to the fix. ssh's own messages are those of OpenSSH."""

import re
from typing import NamedTuple


class Target(NamedTuple):
    """How a host is reached. known_hosts: the file that ssh was told to use, or empty for the user's own."""

    name: str
    address: str
    port: int
    user: str
    known_hosts: str = ""

    @property
    def title(self) -> str:
        """The host as messages name it."""
        return f"host {self.name} ({self.address}, port {self.port})"

    @property
    def key_name(self) -> str:
        """The host as known_hosts names it (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT")."""
        return self.address if self.port == 22 else f"[{self.address}]:{self.port}"


def explain(target: Target, said: str) -> str:
    """Return one message for what ssh, or another connection, said when it failed."""
    words = _last_words(said)
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in said:
        return (
            f"{target.title} shows another SSH host key than the one known. {_comparison(target)}\n"
            f"If they are the same, as after a new installation, accept it:\n"
            f"  {_forget(target)}\n  {_learn(target)}\n"
            "If they are not, somebody else answers at that address: do not connect."
        )
    if "Host key verification failed" in said or "host key is known for" in said:
        return (
            f"{target.title} shows an SSH host key that is not known yet. {_comparison(target)}\n"
            f"If they are the same, accept it:\n  {_learn(target)}"
        )
    if "Permission denied" in said or "Too many authentication failures" in said:
        return (
            f"{target.title} does not let {target.user} in: {words}. Put the public key into the "
            f"authorized_keys of {target.user} there, or correct ansible_user or ansible_ssh_private_key_file"
        )
    if "Could not resolve hostname" in said or "Name or service not known" in said:
        return f"host {target.name}: its address {target.address!r} is unknown: {words}. Correct ansible_host"
    return (
        f"{target.title} cannot be reached: {words}. Check that it is up and that sshd listens there, "
        "or correct ansible_host or ansible_port"
    )


def known_hosts_file(arguments: str) -> str:
    """Return the file that ssh's arguments name as UserKnownHostsFile, or nothing."""
    named = re.findall(r"UserKnownHostsFile[= ]\s*\"?([^\s\"']+)", arguments)
    return str(named[0]) if named else ""


def _last_words(said: str) -> str:
    # Ansible puts its own sentence before what ssh said.
    own = re.sub(r"^.*?(over ssh|via ssh|via scp|via sftp): ", "", said, flags=re.DOTALL)
    lines = [line.strip() for line in own.splitlines() if line.strip() and not line.startswith("@")]
    return (lines[-1] if lines else "no reason given").rstrip(".")


def _comparison(target: Target) -> str:
    return (
        "Compare the fingerprints that these print, here and on the host's own console:\n"
        f"  {_scan(target)} | ssh-keygen -lf -\n"
        "  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
    )


def _scan(target: Target) -> str:
    port = "" if target.port == 22 else f"-p {target.port} "
    return f"ssh-keyscan -t ed25519 {port}{target.address}"


def _learn(target: Target) -> str:
    return f"{_scan(target)} >> {target.known_hosts or '~/.ssh/known_hosts'}"


def _forget(target: Target) -> str:
    file = f" -f {target.known_hosts}" if target.known_hosts else ""
    return f"ssh-keygen -R '{target.key_name}'{file}"
