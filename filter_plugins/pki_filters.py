"""Filters of certificates, keys and who uses them; thin adapters over flatnet.pki."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

try:
    from flatnet.errors import FlatnetError
    from flatnet.pki import host_files
    from flatnet.pki.kubeconfig import kubeconfig as kubeconfig_text
except ImportError as error:
    raise AnsibleFilterError(
        f"flatnet cannot be imported ({error}): install it for the Python that runs Ansible, with"
        " `pip install -e .` in the checkout"
    ) from error


def kubeconfig(server: str, ca: str, certificate: str, key: str, user: str, cluster: str) -> str:
    """Return a kubeconfig as text; AnsibleFilterError carries the message of a FlatnetError."""
    try:
        return kubeconfig_text(server, ca, certificate, key, user, cluster)
    except FlatnetError as error:
        raise AnsibleFilterError(str(error)) from None


def pki_files(names: Sequence[str] | Mapping[str, str], source: str, directory: str) -> list[dict[str, Any]]:
    """Return files for node_state; AnsibleFilterError carries the message of a FlatnetError."""
    try:
        return host_files.pki_files(names, source, directory)
    except FlatnetError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """What Ansible looks for in a file of filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"kubeconfig": kubeconfig, "pki_files": pki_files}
