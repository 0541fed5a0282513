"""The filters of the role cni_romana; thin adapters over flatnet.romana and flatnet.cni."""

from collections.abc import Callable, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

try:
    from flatnet import cni, romana
    from flatnet.errors import FlatnetError
except ImportError as error:
    raise AnsibleFilterError(
        f"flatnet cannot be imported ({error}): install it for the Python that runs Ansible, with"
        " `pip install -e .` in the checkout"
    ) from error


def cni_ptp_configuration(pod_cidrs: Sequence[str], mtu: int) -> str:
    """Return the configuration as text; AnsibleFilterError carries the message of a FlatnetError."""
    try:
        return cni.ptp_configuration(pod_cidrs, mtu)
    except FlatnetError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "cni_ptp_configuration": cni_ptp_configuration,
            "romana_refusals": romana.romana_refusals,
            "romana_routes": romana.romana_routes,
        }
