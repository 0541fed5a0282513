"""The record of the plan that was provisioned last, as the file beside the allocations has it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flatnet.errors import FlatnetError


def read_deployed(path: Path) -> Mapping[str, Any] | None:
    """Return the recorded plan, None when there is no file: nothing is deployed, or nobody recorded it.

    Raises FlatnetError for a file that is no JSON object.
    """
    advice = "restore it from version control, or delete it to have nothing compared"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise FlatnetError(
            f"the record of the deployed plan {path} cannot be read: {error}; {advice}"
        ) from None
    if not isinstance(data, dict):
        raise FlatnetError(f"the record of the deployed plan {path} is no JSON object; {advice}")
    return data
