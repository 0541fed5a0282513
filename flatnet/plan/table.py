"""The plan as tables for a terminal."""

from collections.abc import Mapping
from io import StringIO
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from flatnet.contract.schema import titled
from flatnet.plan.routes import is_routed, node_routes

WIDTH = 120
# As many hosts as a reader goes through; of more the first ones, and how many more there are.
HOSTS = 40


def plan_table(plan: Mapping[str, Any], width: int = WIDTH) -> str:
    """Return the plan as two tables of text, without colour: what the cluster has, and what each host has.

    `width` is in characters; longer cells are folded, never cut. Of more than HOSTS hosts the first ones are
    shown: the page of the plan has them all.
    """
    cluster = Table("Cluster", plan["cluster_name"], box=SIMPLE_HEAD, title_justify="left")
    for label, value in (
        ("Backend", f"{titled(plan['backend'])}: {plan['backend']['description']}"),
        ("API server", plan["api_endpoint"]["url"]),
        ("Pods", plan["pod_cidrs"]),
        ("Services", plan["service_cidrs"]),
        ("Service kubernetes", plan["first_service_addresses"]),
        ("DNS", [*plan["dns_addresses"], plan["dns_domain"]]),
        ("Node ports", plan["node_port_range"]),
        ("MTU", f"{plan['mtu']} in pods, {plan['underlay_mtu']} between the nodes"),
        ("kube-proxy", plan["kube_proxy_mode"]),
        ("Network policies", plan["policy_engine"]["name"]),
    ):
        cluster.add_row(label, value if isinstance(value, str) else ", ".join(value))
    columns = ("Host", "Node", "Groups", "Addresses", "Pods", "Gateways", "Routes")
    nodes = Table(*columns, box=SIMPLE_HEAD)
    total = sum(len(node["pod_cidrs"]) for node in plan["nodes"].values())
    hosts = sorted(plan["nodes"].items())
    for name, node in hosts[:HOSTS]:
        listed = [", ".join(node[key]) for key in ("groups", "addresses", "pod_cidrs", "pod_gateways")]
        routed = plan["backend"]["routes"] == "plan" and is_routed(
            node["groups"], plan["backend"]["control_plane_routes"]
        )
        routes = total - len(node["pod_cidrs"]) if routed else 0
        if plan.get("pod_topology"):
            routes = len(node_routes(plan, name))
        nodes.add_row(name, node["name"], *listed, str(routes))
    for table in (cluster, nodes):
        for column in table.columns:
            column.overflow = "fold"
    text = StringIO()
    console = Console(file=text, width=width, color_system=None, markup=False, emoji=False, highlight=False)
    console.print(cluster, nodes)
    if len(hosts) > HOSTS:
        console.print(f"  and {len(hosts) - HOSTS:,} more hosts")
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()).strip("\n")
