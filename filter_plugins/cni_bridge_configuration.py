"""The filter cni_bridge_configuration: the CNI configuration of a bridge network."""

from collections.abc import Callable, Sequence

from ansible.errors import AnsibleFilterError

from flatnet.cni import HAIRPIN_MODES, bridge_configuration
from flatnet.errors import FlatnetError


def cni_bridge_configuration(
    pod_cidrs: Sequence[str],
    bridge: str,
    mtu: int,
    bandwidth: bool = False,
    hairpin_mode: str = HAIRPIN_MODES[0],
) -> str:
    """Return the configuration as text; AnsibleFilterError carries the message of a FlatnetError."""
    try:
        return bridge_configuration(pod_cidrs, bridge, mtu, bandwidth, hairpin_mode)
    except FlatnetError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Adapter of flatnet.cni."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"cni_bridge_configuration": cni_bridge_configuration}
