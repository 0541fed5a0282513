"""The JSON Schema of a contract in a mode, as the plan has it under `backend`."""

from flatnet.contract.kinds import Json, keys_schema
from flatnet.contract.schema import BACKEND, terms_of
from flatnet.contract.words import CONTRACT_NAME, MODE_NAME


def json_schema(kind: str = BACKEND) -> Json:
    """Return the schema (draft 2020-12) of a resolved contract of that kind as plain data."""
    schema = keys_schema(terms_of(kind))
    head = {
        "kind": {"description": "The kind of contract.", "const": kind},
        "name": {"description": "Its name.", **CONTRACT_NAME.json_schema()},
        "role": {"description": "The role that declares it.", **CONTRACT_NAME.json_schema()},
        "mode": {"description": "The mode; default where it has one only.", **MODE_NAME.json_schema()},
    }
    if kind == BACKEND:
        values = {"type": "object", "additionalProperties": {"type": "integer"}}
        head["option_values"] = {"description": "The numbers of the options.", **values}
    return {
        **schema,
        "properties": {**head, **schema["properties"]},
        "required": [*head, *schema["required"]],
    }
