"""The kubeconfig filter; thin adapter over flatnet.pki.kubeconfig."""

from collections.abc import Callable

from ansible.errors import AnsibleFilterError

try:
    from flatnet.errors import FlatnetError
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


class FilterModule:
    """What Ansible looks for in a file of filters."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"kubeconfig": kubeconfig}
