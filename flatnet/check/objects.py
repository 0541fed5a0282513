"""The probes as Kubernetes objects, arranged as a user's workload would be."""

from collections.abc import Mapping, Sequence

from flatnet.check.model import (
    CLIENT,
    HOST,
    NODE_PORT,
    NODE_PORT_LOCAL,
    SERVER,
    SERVICE,
    SERVICE_LOCAL,
    Json,
    Settings,
)

ROLE_LABEL = "flatnet/probe"
_ACCOUNT = "probe"


def probe_objects(settings: Settings, families: Sequence[str]) -> list[Json]:
    """Return namespace, service account, services and daemon sets, in the order in which to apply them.

    families: as in the plan, e.g. ["ipv4"]; they decide the services' ipFamilies.
    The services come before the pods, so that names and virtual addresses are known when the pods are ready.
    """
    return [
        labelled_namespace(settings.namespace),
        service_account(settings.namespace),
        _service(settings, SERVICE, families),
        _service(settings, settings.named_service, families),
        # A pod that calls this service can only be answered by itself: the way back is the hairpin.
        _service(settings, SERVICE_LOCAL, families, internalTrafficPolicy="Local"),
        _service(settings, NODE_PORT, families, type="NodePort", externalTrafficPolicy="Cluster"),
        _service(settings, NODE_PORT_LOCAL, families, type="NodePort", externalTrafficPolicy="Local"),
        _daemon_set(settings, SERVER, _pod_network_container(settings, host_port=settings.host_port)),
        _daemon_set(settings, CLIENT, _pod_network_container(settings, host_port=None)),
        _daemon_set(settings, HOST, _host_network_container(settings), host_network=True),
    ]


def labelled_namespace(name: str, labels: Mapping[str, str] | None = None) -> Json:
    """Return a namespace of the check.

    Host network and host ports are what is checked, and stricter levels of pod security refuse them.
    """
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {"pod-security.kubernetes.io/enforce": "privileged", **(labels or {})},
        },
    }


def service_account(namespace: str) -> Json:
    """Return the account of the probes in a namespace, where the default one appears only some time later."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": _ACCOUNT, "namespace": namespace},
        "automountServiceAccountToken": False,
    }


def pod_spec(containers: list[Json], *, host_network: bool = False) -> Json:
    """Return what probes of every kind have in common."""
    return {
        "serviceAccountName": _ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "terminationGracePeriodSeconds": 0,
        # Every node is part of the network, whatever its taints say about workloads.
        "tolerations": [{"operator": "Exists"}],
        "hostNetwork": host_network,
        "containers": containers,
    }


def _metadata(settings: Settings, name: str) -> Json:
    return {"name": name, "namespace": settings.namespace}


def _service(settings: Settings, name: str, families: Sequence[str], **spec: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(settings, name),
        "spec": {
            "type": "ClusterIP",
            "selector": {ROLE_LABEL: SERVER},
            "ipFamilyPolicy": "SingleStack" if len(families) == 1 else "RequireDualStack",
            "ipFamilies": [{"ipv4": "IPv4", "ipv6": "IPv6"}[family] for family in families],
            "ports": [
                {"name": "http", "port": settings.service_port, "targetPort": "http", "protocol": "TCP"},
                {"name": "udp", "port": settings.udp_port, "targetPort": "udp", "protocol": "UDP"},
            ],
            **spec,
        },
    }


def _daemon_set(settings: Settings, role: str, container: Json, *, host_network: bool = False) -> Json:
    labels = {ROLE_LABEL: role}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": _metadata(settings, role),
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
            "template": {
                "metadata": {"labels": labels},
                "spec": pod_spec([container], host_network=host_network),
            },
        },
    }


def agnhost(settings: Settings, name: str, arguments: list[str], readiness: Json, ports: list[Json]) -> Json:
    """Return a container of agnhost netexec, which answers each caller with the source address it saw."""
    return {
        "name": name,
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": ["/agnhost", "netexec"],
        "args": arguments,
        "ports": ports,
        "readinessProbe": {**readiness, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 65534,
        },
    }


def _pod_network_container(settings: Settings, *, host_port: int | None) -> Json:
    http: Json = {"name": "http", "containerPort": settings.http_port, "protocol": "TCP"}
    if host_port is not None:
        http["hostPort"] = host_port
    return agnhost(
        settings,
        "agnhost",
        [f"--http-port={settings.http_port}", f"--udp-port={settings.udp_port}"],
        # /readyz answers only after the UDP server listens too.
        {"httpGet": {"path": "/readyz", "port": "http"}},
        [http, {"name": "udp", "containerPort": settings.udp_port, "protocol": "UDP"}],
    )


def _host_network_container(settings: Settings) -> Json:
    port = settings.node_probe_port
    return agnhost(
        settings,
        "agnhost",
        # No UDP: a wildcard UDP socket on a node answers a local pod from the bridge's address.
        [f"--http-port={port}", "--udp-port=-1"],
        # Without its UDP server netexec never calls itself ready.
        {"tcpSocket": {"port": "http"}},
        [{"name": "http", "containerPort": port, "hostPort": port, "protocol": "TCP"}],
    )
