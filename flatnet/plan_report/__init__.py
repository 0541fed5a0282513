"""Report on a plan: what it changes on what is deployed, as data with a schema, and as a page to look at.

Everything works on documents (`document.py`), is pure, and knows neither Ansible nor hosts.
"""

from flatnet.plan_report.changes import Change, Restart
from flatnet.plan_report.difference import Difference, plan_difference
from flatnet.plan_report.difference_table import difference_table
from flatnet.plan_report.document import (
    SCHEMA_PATH,
    SCHEMA_VERSION,
    document_text,
    parse_document,
    plan_document,
    plan_of,
    read_document,
    write_text,
)
from flatnet.plan_report.page import page_html
from flatnet.plan_report.ranges import Surroundings

__all__ = [
    "SCHEMA_PATH",
    "SCHEMA_VERSION",
    "Change",
    "Difference",
    "Restart",
    "Surroundings",
    "difference_table",
    "document_text",
    "page_html",
    "parse_document",
    "plan_difference",
    "plan_document",
    "plan_of",
    "read_document",
    "write_text",
]
