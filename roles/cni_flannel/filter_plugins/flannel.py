"""The filters of the role cni_flannel; thin adapters over flatnet.flannel."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from ansible.errors import AnsibleFilterError

try:
    from flatnet import flannel
    from flatnet.errors import FlatnetError
except ImportError as error:
    raise AnsibleFilterError(
        f"flatnet cannot be imported ({error}): install it for the Python that runs Ansible, with"
        " `pip install -e .` in the checkout"
    ) from error


P = ParamSpec("P")
T = TypeVar("T")


def _filter(function: Callable[P, T]) -> Callable[P, T]:
    """Return the function with AnsibleFilterError in place of FlatnetError, with its message."""

    @wraps(function)
    def called(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return function(*arguments, **options)
        except FlatnetError as error:
            raise AnsibleFilterError(str(error)) from None

    return called


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "flannel_addresses": _filter(flannel.flannel_addresses),
            "flannel_etcd_plan": _filter(flannel.flannel_etcd_plan),
            "flannel_etcd_refusals": _filter(flannel.flannel_etcd_refusals),
            "flannel_network": _filter(flannel.flannel_network),
            "flannel_refusals": _filter(flannel.flannel_refusals),
            "flannel_route_removal": _filter(flannel.flannel_route_removal),
        }
