"""The filters of the role network_routes; thin adapters over flatnet.routers."""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

try:
    from flatnet import routers
except ImportError as error:
    raise AnsibleFilterError(
        f"flatnet cannot be imported ({error}): install it for the Python that runs Ansible, with"
        " `pip install -e .` in the checkout"
    ) from error


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "redirect_sysctls": routers.redirect_sysctls,
            "router_interfaces": routers.router_interfaces,
            "router_refusals": routers.router_refusals,
            "router_routes": routers.router_routes,
        }
