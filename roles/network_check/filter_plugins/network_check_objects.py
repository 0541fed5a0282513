"""The filter network_check_objects: the probes as Kubernetes objects."""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

try:
    from flatnet.check.model import Json, Settings
    from flatnet.check.objects import probe_objects
except ImportError as error:
    raise AnsibleFilterError(
        f"flatnet cannot be imported ({error}): install it for the Python that runs Ansible, with"
        " `pip install -e .` in the checkout"
    ) from error


def network_check_objects(plan: Mapping[str, Any], settings: Mapping[str, Any]) -> list[Json]:
    """Return the objects to apply, in order."""
    return probe_objects(Settings.of(settings), plan["families"])


class FilterModule:
    """Adapter of flatnet.check.objects."""

    def filters(self) -> dict[str, Callable[..., list[Json]]]:
        """Return the filters by name."""
        return {"network_check_objects": network_check_objects}
