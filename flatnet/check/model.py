"""The data that the network check passes around; all of it is JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

SERVER, CLIENT, HOST = "server", "client", "host"
SERVICE, SERVICE_LOCAL = "server", "server-local"
NODE_PORT, NODE_PORT_LOCAL = "server-nodeport", "server-nodeport-local"

# What a check expects that promises silence: a refusal (TCP RST, ICMP port unreachable), an ICMP error of
# another kind, or nothing at all. A way that is cut may say any of the three; which, is its own business.
REFUSED, UNREACHABLE, NO_ANSWER = "refused", "unreachable", "no answer"
SILENCE = (REFUSED, UNREACHABLE, NO_ANSWER)

Json = dict[str, Any]


class Endpoint(TypedDict):
    """One end of a check: `node` is the inventory name ("" for the controller and for services)."""

    kind: Literal["pod", "node", "controller", "service", "dns"]
    node: str
    name: str
    address: str


# "class" is a word of Python, hence the functional form.
Check = TypedDict(
    "Check",
    {
        "id": str,
        "class": str,
        "family": str,
        "protocol": str,
        "source": Endpoint,
        "target": Endpoint,
        # What network_probe does; its documentation lists the methods.
        "how": Json,
        # How the answer becomes `observed`: source (its address, no port), text, length, rcode, addresses.
        "reads": str,
        # Any of these is right. `device:NAME` is the address of that device on the source node,
        # `reference` what the request how.reference answers, each of SILENCE what came instead of an answer.
        "expected": list[str],
    },
)


class Result(TypedDict):
    """What came of a check; `error` is "" where an answer came, right or wrong, or silence is right."""

    id: str
    ok: bool
    observed: str
    expected: list[str]
    error: str
    detail: str
    milliseconds: float
    tries: int


Finding = TypedDict(
    "Finding",
    {
        "id": str,
        "class": str,
        "family": str,
        "protocol": str,
        "source": Endpoint,
        "target": Endpoint,
        "expected": list[str],
        "observed": str,
        "ok": bool,
        "error": str,
        "detail": str,
        "milliseconds": float,
        "tries": int,
        # The likely cause and where to look; "" where the check passed.
        "cause": str,
        "look": str,
    },
)


@dataclass(frozen=True)
class Settings:
    """The inputs of the check that its parts share; ports are numbers, sizes are bytes."""

    namespace: str = "flatnet-check"
    image: str = "flatnet.local/agnhost:latest"
    image_pull_policy: str = "IfNotPresent"
    http_port: int = 8080
    udp_port: int = 8081
    service_port: int = 80
    host_port: int = 8989
    node_probe_port: int = 18080
    # Empty means every class.
    classes: tuple[str, ...] = ()
    # How many other nodes each node is checked against, on a ring; 0 means all.
    peers: int = 0
    large_bytes: int = 8000
    loss_packets: int = 1000
    full_sized_packets: int = 20
    tolerated_loss: int = 2
    # Whether pods call the controller, which must be outside of the cluster and let them in.
    outside_enabled: bool = False
    # Part of the name of the service that DNS is asked for; a new one for each check (see named_service).
    run: str = "0"
    dns_outside: str = "refused"
    dns_outside_name: str = "example.com"

    @property
    def named_service(self) -> str:
        """Name of the service that DNS is asked for.

        Every check has its own. A resolver may answer with the address that a name had before until the time
        to live of that answer ends (RFC 1034, section 3.6), and that would be no fault of the network.
        """
        return f"named-{self.run}"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Settings":
        """Return the settings from their JSON form; keys that are absent keep their defaults."""
        known = {key: value for key, value in values.items() if key in cls.__dataclass_fields__}
        if "classes" in known:
            known["classes"] = tuple(known["classes"])
        return cls(**known)
