"""CNI network configuration lists (CNI specification 1.0.0, "Network configuration format")."""

import json
from collections.abc import Mapping, Sequence

from netaddr import IPNetwork

from flatnet.errors import FlatnetError

# As kubelets of old called them (--hairpin-mode): how a pod reaches itself through a Service.
HAIRPIN_MODES = ("hairpin-veth", "promiscuous-bridge")
_PORTMAP = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
_DEFAULT_ROUTE = {4: "0.0.0.0/0", 6: "::/0"}


def bridge_configuration(
    pod_cidrs: Sequence[str],
    bridge: str,
    mtu: int,
    bandwidth: bool = False,
    hairpin_mode: str = HAIRPIN_MODES[0],
) -> str:
    """Return the JSON text of a network that plugs pods into a bridge, an address per family from host-local.

    `pod_cidrs` are the node's own pod networks in family order, `mtu` is in bytes. The first address of
    each network becomes the bridge's, and so the pods' gateway. The bridge plugin adds no NAT
    (`ipMasq` off: translation has one owner).
    bandwidth: whether the annotations kubernetes.io/ingress-bandwidth and egress-bandwidth of pods count.
    hairpin_mode: one of HAIRPIN_MODES: its port of the bridge sends a pod what is its own, or the host does.
    Raises FlatnetError without a network, as host-local would have no address to give, and for another mode.
    """
    if hairpin_mode not in HAIRPIN_MODES:
        raise FlatnetError(f"there is no hairpin mode {hairpin_mode!r}; choose {' or '.join(HAIRPIN_MODES)}")
    if not pod_cidrs:
        raise FlatnetError(
            f"the node has no pod network for its bridge {bridge}; plan one, or take it out of kube_node"
        )
    bridge_plugin = {
        "type": "bridge",
        "bridge": bridge,
        "isGateway": True,
        "ipMasq": False,
        # The plugin takes one of the two at most.
        **({"hairpinMode": True} if hairpin_mode == HAIRPIN_MODES[0] else {"promiscMode": True}),
        "mtu": mtu,
        "ipam": _host_local(pod_cidrs),
    }
    limits = [{"type": "bandwidth", "capabilities": {"bandwidth": True}}] if bandwidth else []
    return _list_text([bridge_plugin, _PORTMAP, *limits])


def ptp_configuration(pod_cidrs: Sequence[str], mtu: int) -> str:
    """Return the JSON text of a network in which each pod has a link of its own to the host.

    The host has a route to each pod's one address, and the first address of each network on its end of every
    link, which is the pods' gateway. `pod_cidrs` and `mtu` are as for a bridge.
    Raises FlatnetError without a network: host-local would have no address to give.
    """
    if not pod_cidrs:
        raise FlatnetError("the node has no pod network; plan one, or take it out of kube_node")
    ptp_plugin = {"type": "ptp", "ipMasq": False, "mtu": mtu, "ipam": _host_local(pod_cidrs)}
    return _list_text([ptp_plugin, _PORTMAP])


def _host_local(pod_cidrs: Sequence[str]) -> dict[str, object]:
    networks = [IPNetwork(cidr) for cidr in pod_cidrs]
    return {
        "type": "host-local",
        "ranges": [[{"subnet": str(network)}] for network in networks],
        "routes": [{"dst": _DEFAULT_ROUTE[network.version]} for network in networks],
    }


def _list_text(plugins: Sequence[Mapping[str, object]]) -> str:
    configuration = {"cniVersion": "1.0.0", "name": "flatnet", "plugins": plugins}
    return json.dumps(configuration, indent=2) + "\n"
