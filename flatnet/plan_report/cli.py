"""`python -m flatnet.plan_report`: what follows from a plan.json, on standard output."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from flatnet.errors import FlatnetError
from flatnet.plan.deployed import check_deployed
from flatnet.plan.findings import Findings
from flatnet.plan.immutable import KINDS
from flatnet.plan_report.difference import plan_difference
from flatnet.plan_report.difference_table import difference_table
from flatnet.plan_report.document import SCHEMA_PATH, Document, document_text, read_document, write_text
from flatnet.plan_report.installers import node_objects, plain_flags, service_objects
from flatnet.plan_report.kubeadm import kubeadm_configuration
from flatnet.plan_report.page import page_html


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0 done, 1 refused with a message."""
    options = _parser().parse_args(arguments)
    try:
        sys.stdout.write(options.run(options))
    except FlatnetError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flatnet.plan_report", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    with_plan = argparse.ArgumentParser(add_help=False)
    with_plan.add_argument("plan", type=Path, help="plan.json, as playbooks/plan_network.yml writes it")

    kubeadm = commands.add_parser(
        "kubeadm", parents=[with_plan], help="configuration for kubeadm, kubelet and kube-proxy, as YAML"
    )
    kubeadm.add_argument("--host", default="", help="for this host to join, by inventory name")
    kubeadm.set_defaults(run=lambda options: kubeadm_configuration(_document(options.plan), options.host))
    flags = commands.add_parser("flags", parents=[with_plan], help="flags of every daemon, one per line")
    flags.add_argument("--host", default="", help="add the flags of this host, by inventory name")
    flags.set_defaults(run=lambda options: plain_flags(_document(options.plan), options.host))
    nodes = commands.add_parser(
        "nodes", parents=[with_plan], help="Node objects with their pod networks, as YAML"
    )
    nodes.set_defaults(run=lambda options: node_objects(_document(options.plan)))
    services = commands.add_parser(
        "services", parents=[with_plan], help="ServiceCIDR objects of further service networks, as YAML"
    )
    services.set_defaults(run=lambda options: service_objects(_document(options.plan)))
    record = commands.add_parser(
        "record", parents=[with_plan], help="note the plan as deployed, so that the next ones keep to it"
    )
    record.add_argument("deployed", type=Path, help="network_deployed.json beside the inventory")
    record.set_defaults(run=_record)
    page = commands.add_parser("page", parents=[with_plan], help="the page, as HTML")
    page.add_argument("--deployed", type=Path, help="plan.json of what is deployed")
    page.set_defaults(run=_page)
    difference = commands.add_parser(
        "difference", help="what changes, and what restarts; 1 when it is refused"
    )
    difference.add_argument("deployed", type=Path, help="plan.json of what is deployed")
    difference.add_argument("wanted", type=Path, help="plan.json of what is wanted")
    difference.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=list(KINDS),
        help="a kind of change that is wanted in spite of what it takes; may be given several times",
    )
    difference.set_defaults(run=_difference)
    commands.add_parser("schema", help="the JSON Schema of plan.json").set_defaults(
        run=lambda _options: SCHEMA_PATH.read_text(encoding="utf-8")
    )
    return parser


def _document(path: Path) -> Document:
    document = read_document(path)
    if document is None:
        raise FlatnetError(f"there is no plan {path}; make it with playbooks/plan_network.yml")
    return document


def _record(options: argparse.Namespace) -> str:
    document = _document(options.plan)
    # What is there and cannot be read is somebody's to look at, not to be replaced.
    read_document(options.deployed)
    is_new = write_text(options.deployed, document_text(document))
    return f"{options.deployed}: {'recorded' if is_new else 'nothing changes'}\n"


def _page(options: argparse.Namespace) -> str:
    wanted = _document(options.plan)
    deployed = _document(options.deployed) if options.deployed else None
    return page_html(wanted, plan_difference(deployed, wanted))


def _difference(options: argparse.Namespace) -> str:
    deployed, wanted = _document(options.deployed), _document(options.wanted)
    table = difference_table(plan_difference(deployed, wanted, options.allow)) + "\n"
    findings = Findings()
    check_deployed(deployed, wanted, options.allow, findings)
    if findings.found:
        sys.stdout.write(table)
    findings.raise_if_any()
    return table
