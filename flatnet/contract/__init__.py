"""Contracts: what a role declares about what it needs of a host and what it makes there.

Pure, but for `find`. `schema` is the one definition of what a contract may say; everything else follows from
it.
"""

from flatnet.contract.contract import Contract
from flatnet.contract.find import Contracts, find_contracts
from flatnet.contract.json_schema import json_schema
from flatnet.contract.schema import Makes, Needs, Resolved

__all__ = ["Contract", "Contracts", "Makes", "Needs", "Resolved", "find_contracts", "json_schema"]
