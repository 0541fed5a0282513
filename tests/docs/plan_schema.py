"""Write the parts of the plan's schema that are contracts: flatnet/plan_report/schema.json.

Run `python -m tests.docs.plan_schema`; with `--check` it says whether the schema is up to date.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from flatnet.contract import json_schema
from flatnet.contract.schema import BACKEND, POLICY_ENGINE
from tests.docs.generated_page import run

TARGET = Path("flatnet/plan_report/schema.json")
_WORDS = {
    BACKEND: "The backend's contract in its mode.",
    POLICY_ENGINE: "The policy engine's contract in its mode.",
}


def schema(before: str, root: Path) -> str:
    """Return the schema with the definitions of contracts as flatnet.contract has them."""
    del root
    found = json.loads(before)
    for kind, words in _WORDS.items():
        found["$defs"][kind] = {"description": words, **json_schema(kind)}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the schema, or with --check say whether it is up to date. Returns the exit status."""
    return run("tests.docs.plan_schema", __doc__, TARGET, schema, arguments)


if __name__ == "__main__":
    sys.exit(main())
