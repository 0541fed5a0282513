"""The filters of the role cni_bgp; thin adapters over flatnet.bgp."""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

try:
    from flatnet.bgp import bird, peers, refusals
except ImportError as error:
    raise AnsibleFilterError(
        f"flatnet cannot be imported ({error}): install it for the Python that runs Ansible, with"
        " `pip install -e .` in the checkout"
    ) from error


def bird_configuration(given: Mapping[str, Any]) -> str:
    """Return the text of bird.conf of a host."""
    return bird.bird_configuration(peers.speaker_of(given), peers.peers_of(given))


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"bgp_refusals": refusals.refusals, "bird_configuration": bird_configuration}
