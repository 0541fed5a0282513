"""The filters of the role cni_l2_bridge; thin adapters over flatnet.segment."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

try:
    from flatnet.errors import FlatnetError
    from flatnet.segment.place import segment_node
    from flatnet.segment.tables import segment_tables
    from flatnet.segment.uplink import bridge_drift, uplink_refusals
except ImportError as error:
    raise AnsibleFilterError(
        f"flatnet cannot be imported ({error}): install it for the Python that runs Ansible, with"
        " `pip install -e .` in the checkout"
    ) from error

Json = dict[str, Any]


def l2_bridge_node(pod_cidrs: Sequence[str], cluster_pod_cidrs: Sequence[str]) -> Json:
    """Return a node's place on the segment; AnsibleFilterError carries the message of a FlatnetError."""
    try:
        return segment_node(pod_cidrs, cluster_pod_cidrs)
    except FlatnetError as error:
        raise AnsibleFilterError(str(error)) from None


def l2_bridge_tables(
    pod_cidrs: Sequence[str], cluster_pod_cidrs: Sequence[str], node_addresses: Sequence[str]
) -> list[dict[str, str]]:
    """Return tables of nftables; AnsibleFilterError carries the message of a FlatnetError."""
    try:
        return segment_tables(pod_cidrs, cluster_pod_cidrs, node_addresses)
    except FlatnetError as error:
        raise AnsibleFilterError(str(error)) from None


def l2_bridge_drift(facts: Mapping[str, Any], uplink: str, bridge: str, mtu: int, node: Json) -> list[str]:
    """Return in what way the bridge is not as it was set up. node: what l2_bridge_node returns."""
    return bridge_drift(facts, uplink, bridge, mtu, node["gateways"], node["mac"])


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "l2_bridge_node": l2_bridge_node,
            "l2_bridge_refusals": uplink_refusals,
            "l2_bridge_tables": l2_bridge_tables,
            "l2_bridge_drift": l2_bridge_drift,
        }
