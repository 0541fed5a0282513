"""Filters of the network plan: thin adapters over flatnet.plan, one documentation file beside each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from ansible.errors import AnsibleFilterError

try:
    from flatnet import plan
    from flatnet.contract import Contract, Contracts
    from flatnet.errors import FlatnetError
except ImportError as error:
    raise AnsibleFilterError(
        f"the Python package flatnet is not in the environment that runs Ansible ({error}); "
        "install it there with: pip install -e <the directory of ansible.cfg>"
    ) from None


def _adapt(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what a user can put right into a message without a traceback."""

    @wraps(function)
    def adapted(*args: object, **kwargs: object) -> object:
        try:
            return function(*args, **kwargs)
        except FlatnetError as error:
            raise AnsibleFilterError(str(error)) from None
        except (TypeError, AttributeError, LookupError) as error:
            raise AnsibleFilterError(
                f"{function.__name__}: an argument has the wrong type ({error}); see ansible-doc -t filter"
            ) from None

    return adapted


def network_plan(
    settings: Mapping[str, Any],
    hosts: Sequence[Mapping[str, Any]],
    contracts: Sequence[Mapping[str, Any]],
    allocations: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the whole plan from plain data."""
    read = [Contract.from_mapping(one, str(one.get("name"))) for one in contracts]
    return plan.plan_from_data(settings, hosts, Contracts.of(read), allocations).plan


FUNCTIONS: tuple[Callable[..., Any], ...] = (
    network_plan,
    plan.adopted_allocations,
    plan.node_objects,
    plan.node_routes,
    plan.node_pod_cidr,
    plan.first_service_address,
    plan.dns_address,
    plan.apiserver_sans,
    plan.daemon_flags,
    plan.is_overlapping,
    plan.pod_mtu,
)


class FilterModule:
    """The filters, by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return filter name -> callable."""
        return {function.__name__: _adapt(function) for function in FUNCTIONS}
