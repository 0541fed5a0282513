"""The filters of the role cni_openvswitch; thin adapters over flatnet.openvswitch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

try:
    from flatnet.errors import FlatnetError
    from flatnet.openvswitch import network, place, refusals, tables
except ImportError as error:
    raise AnsibleFilterError(
        f"flatnet cannot be imported ({error}): install it for the Python that runs Ansible, with"
        " `pip install -e .` in the checkout"
    ) from error

Json = Mapping[str, Any]


def openvswitch_network(given: Json, facts: Json) -> dict[str, Any]:
    """Return a node's bridges, tunnels and flows; AnsibleFilterError carries a FlatnetError's message."""
    here, datapath = _here(given, facts)
    return network.network(here, datapath)


def openvswitch_tables(given: Json, facts: Json, node_addresses: Sequence[str]) -> list[dict[str, str]]:
    """Return tables of nftables; AnsibleFilterError carries a FlatnetError's message."""
    here, datapath = _here(given, facts)
    try:
        return tables.tables(here, datapath, node_addresses)
    except FlatnetError as error:
        raise AnsibleFilterError(str(error)) from None


def _here(given: Json, facts: Json) -> tuple[place.Place, str]:
    try:
        here = place.place_of(given)
    except FlatnetError as error:
        raise AnsibleFilterError(str(error)) from None
    return here, place.datapath(facts, here.mode, given["datapath"])


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "openvswitch_drift": refusals.drift,
            "openvswitch_network": openvswitch_network,
            "openvswitch_refusals": refusals.refusals,
            "openvswitch_tables": openvswitch_tables,
        }
