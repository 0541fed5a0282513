"""The filter bridge_refusals; thin adapter over flatnet.host_bridge."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

try:
    from flatnet import host_bridge
    from flatnet.errors import FlatnetError
except ImportError as error:
    raise AnsibleFilterError(
        f"flatnet cannot be imported ({error}): install it for the Python that runs Ansible, with"
        " `pip install -e .` in the checkout"
    ) from error


def bridge_refusals(facts: Mapping[str, Any], bridge: str, pod_cidrs: Sequence[str]) -> list[str]:
    """Return why pods cannot be plugged in; AnsibleFilterError carries the message of a FlatnetError."""
    try:
        return host_bridge.bridge_refusals(facts, bridge, pod_cidrs)
    except FlatnetError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """The filters, by name."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Return the filters by name."""
        return {"bridge_refusals": bridge_refusals}
