"""The filters network_check_policy_pods and network_check_policies: what the check of policies applies."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

try:
    from flatnet.check.facts import cluster_facts
    from flatnet.check.model import Json, Settings
    from flatnet.check.policy.matrix import policy_cluster
    from flatnet.check.policy.objects import lifted, policies, policy_pods
except ImportError as error:
    raise AnsibleFilterError(
        f"flatnet cannot be imported ({error}): install it for the Python that runs Ansible, with"
        " `pip install -e .` in the checkout"
    ) from error


def network_check_policy_pods(
    plan: Mapping[str, Any], settings: Mapping[str, Any], nodes: Iterable[str]
) -> list[Json]:
    """Return the pods that policies are about, with what they need, in order."""
    return policy_pods(Settings.of(settings), [plan["nodes"][node]["name"] for node in nodes])


def network_check_policies(
    plan: Mapping[str, Any], settings: Mapping[str, Any], pods: Iterable[Json], step: str
) -> list[Json]:
    """Return the policies of a step, or those that the change takes away (step "lifted")."""
    known = policy_cluster(cluster_facts(plan, [], []), pods).known()
    if step == "lifted":
        return lifted(Settings.of(settings), known)
    return policies(Settings.of(settings), known, step)


class FilterModule:
    """Adapter of flatnet.check.policy."""

    def filters(self) -> dict[str, Callable[..., list[Json]]]:
        """Return the filters by name."""
        return {
            "network_check_policies": network_check_policies,
            "network_check_policy_pods": network_check_policy_pods,
        }
