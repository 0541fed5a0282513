"""The plan for whoever installs Kubernetes another way: flags, and objects for the API server."""

from flatnet.errors import FlatnetError
from flatnet.plan.derive import daemon_flags
from flatnet.plan.flags import node_objects as planned_node_objects
from flatnet.plan_report.document import Document, host_of
from flatnet.plan_report.yaml_text import yaml_text


def plain_flags(document: Document, host: str = "") -> str:
    """Return the flags of every daemon, one per line, under a comment with its name.

    With a host's inventory name its own flags are added. Raises FlatnetError for a host that is not there.
    """
    flags: dict[str, dict[str, str]] = {daemon: dict(found) for daemon, found in document["flags"].items()}
    flags["kube-apiserver"]["secure-port"] = str(document["api_port"])
    if host:
        node = host_of(document, host)
        if "kube_control_plane" in node["groups"]:
            flags["kube-apiserver"]["advertise-address"] = node["addresses"][0]
        if "kube_node" in node["groups"]:
            flags["kubelet"] |= {"hostname-override": node["name"], "node-ip": ",".join(node["addresses"])}
            if "max_pods" in node:
                flags["kubelet"]["max-pods"] = str(node["max_pods"])
            if "kube-proxy" in flags:
                flags["kube-proxy"]["hostname-override"] = node["name"]
    parts = [[f"# {daemon}", *daemon_flags(found)] for daemon, found in sorted(flags.items())]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def node_objects(document: Document) -> str:
    """Return Node objects with their pod networks as one YAML text, for `kubectl apply --server-side`.

    Raises FlatnetError for a backend that gives nodes their networks by itself.
    """
    backend = document["backend"]
    if backend["ipam"] != "plan":
        raise FlatnetError(
            f"backend {backend['name']} gives nodes their pod networks by itself; "
            "there are no Node objects to apply"
        )
    return yaml_text(
        *planned_node_objects({host: node for host, node in document["nodes"].items() if node["pod_cidrs"]})
    )


def service_objects(document: Document) -> str:
    """Return the ServiceCIDR objects of further service networks as one YAML text, empty without any."""
    return yaml_text(*document.get("service_cidr_objects", ()))
