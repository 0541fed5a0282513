"""The host's half of cluster_objects."""

from __future__ import annotations

from typing import Any

from ..state.host import Host
from .errors import ObjectsError
from .run import run


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return what the task returns.

    request: parameters (the options of cluster_objects), check and diff (bools).
    """
    try:
        return run(request["parameters"], check=request["check"], diff=request["diff"], host=Host())
    except ObjectsError as error:
        return {"failed": True, "msg": str(error)}
