"""What a host is to be, as far as it is judged beside what others have set up there."""

from collections.abc import Sequence
from typing import NamedTuple


class Place(NamedTuple):
    """What a host is to be in the plan, and what flatnet runs there."""

    addresses: Sequence[str]
    """The host's own."""
    pod_cidrs: Sequence[str]
    """Those of the cluster."""
    service_cidrs: Sequence[str]
    units: Sequence[str]
    """Names without .service."""
    own_tables: Sequence[str] = ()
    """Tables of routes that the backend keeps, by the names or numbers that ip shows."""
    own_paths: Sequence[str] = ()
    """Files and directories that the backend's programs make, or patterns of such."""
    own_interfaces: Sequence[str] = ()
    """Interfaces that the backend's programs make, or patterns of such."""
    own_data: Sequence[str] = ()
    """Directories of data that flatnet's programs make on this host."""
    is_node: bool = True
    uses_iptables: bool = False
    """Whether programs on a node make rules with iptables."""
    cni_name: str = "10-flatnet"
    """What the names of flatnet's CNI configurations begin with."""
