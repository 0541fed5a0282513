"""The same routes as commands of gcloud and as Terraform, for who makes resources by other means."""

import json
import shlex
from collections.abc import Iterable, Sequence

from flatnet.gce.routes import Changes, Place, VpcRoute


def gcloud_commands(changes: Changes, place: Place) -> str:
    """Return the commands that carry out the changes, one a line: what is new first."""
    lines = [_create(route, place) for route in changes.inserted]
    lines += [
        shlex.join(
            ["gcloud", "compute", "routes", "delete", route.name, f"--project={place.project}", "--quiet"]
        )
        for route in changes.deleted
    ]
    return "".join(f"{line}\n" for line in lines)


def _create(route: VpcRoute, place: Place) -> str:
    return shlex.join(
        [
            *("gcloud", "compute", "routes", "create", route.name),
            f"--project={place.project}",
            f"--network={place.network}",
            f"--destination-range={route.destination}",
            f"--next-hop-address={route.next_hop_ip}",
            f"--priority={route.priority}",
            *([f"--tags={','.join(route.tags)}"] if route.tags else []),
            f"--description={route.description}",
        ]
    )


def terraform(routes: Iterable[VpcRoute], place: Place) -> str:
    """Return the routes as resources `google_compute_route`, in the order of their names."""
    return "\n".join(_resource(route, place) for route in sorted(routes))


def _resource(route: VpcRoute, place: Place) -> str:
    values: dict[str, str | int | Sequence[str]] = {
        "name": route.name,
        "project": place.project,
        "network": route.network,
        "description": route.description,
        "dest_range": route.destination,
        "next_hop_ip": route.next_hop_ip,
        "priority": route.priority,
        **({"tags": list(route.tags)} if route.tags else {}),
    }
    width = max(map(len, values))
    lines = [f"  {key:{width}} = {_literal(value)}" for key, value in values.items()]
    return "\n".join([f'resource "google_compute_route" "{route.name}" {{', *lines, "}", ""])


def _literal(value: str | int | Sequence[str]) -> str:
    # Texts of HCL are those of JSON, but for `${` and `%{`, which begin a template there.
    return json.dumps(value).replace("${", "$${").replace("%{", "%%{")
