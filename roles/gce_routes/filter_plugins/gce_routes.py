"""The filters of the role gce_routes; thin adapters over flatnet.gce."""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

try:
    from flatnet.errors import FlatnetError
    from flatnet.gce.routes import Changes, Place, place_faults, wanted_routes
    from flatnet.gce.words import gcloud_commands, terraform
except ImportError as error:
    raise AnsibleFilterError(
        f"flatnet cannot be imported ({error}): install it for the Python that runs Ansible, with"
        " `pip install -e .` in the checkout"
    ) from error


def vpc_routes_gcloud(nodes: Mapping[str, Mapping[str, Any]], place: Mapping[str, Any]) -> str:
    """Return the commands of gcloud that make the routes to the pods of all nodes."""
    where = _place(place)
    return gcloud_commands(Changes(tuple(wanted_routes(nodes, where)), ()), where)


def vpc_routes_terraform(nodes: Mapping[str, Mapping[str, Any]], place: Mapping[str, Any]) -> str:
    """Return the routes to the pods of all nodes as resources of Terraform."""
    where = _place(place)
    return terraform(wanted_routes(nodes, where), where)


def _place(given: Mapping[str, Any]) -> Place:
    try:
        place = Place(**{**given, "tags": tuple(given.get("tags", ()))})
    except TypeError as error:
        raise FlatnetError(f"the place of the routes is wrong: {error}") from None
    if faults := place_faults(place):
        raise FlatnetError("\n".join(faults))
    return place


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"vpc_routes_gcloud": vpc_routes_gcloud, "vpc_routes_terraform": vpc_routes_terraform}
