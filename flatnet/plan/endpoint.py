"""Where everybody reaches the API server: the host of the control plane, or what stands in front of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import Address, parse_address
from flatnet.plan.hosts import Host
from flatnet.plan.names import is_san
from flatnet.settings import Settings

# A port behind a name, an IPv4 address, or an IPv6 address in brackets as in a URL (RFC 3986, section 3.2).
_WITH_PORT = re.compile(r"(?:\[(?P<ipv6>[^\]]*)\]|(?P<name>[^:\[\]]*)):(?P<port>[0-9]{1,5})", re.ASCII)


@dataclass(frozen=True)
class Endpoint:
    """How nodes, backends and kubeconfigs reach the API server."""

    host: str
    """Inventory name of the control-plane host on which calls of the API are made."""
    address: str
    """A name or an address."""
    port: int

    @property
    def data(self) -> dict[str, Any]:
        """The plan's `api_endpoint`."""
        name = f"[{self.address}]" if ":" in self.address else self.address
        return {
            "host": self.host,
            "address": self.address,
            "port": self.port,
            "url": f"https://{name}:{self.port}",
        }


def parse_endpoint(text: str, port: int) -> tuple[str, int]:
    """Return (name or address, port) of a text such as api.example.com:443; `port` is that of none.

    Raises FlatnetError for what is neither.
    """
    match = _WITH_PORT.fullmatch(text)
    name = (match["ipv6"] or match["name"] or "") if match else text.removeprefix("[").removesuffix("]")
    number = int(match["port"]) if match else port
    address = address_of(name)
    if not 1 <= number <= 65535:
        raise FlatnetError(f"{text!r} has port {number}; use one from 1 to 65535")
    if address is None and not is_san(name):
        raise FlatnetError(
            f"{text!r} is neither an address nor a lower-case DNS name; "
            "use a name like api.example.com or an address, with :port behind it where that is another one"
        )
    return (str(address) if address else name), number


def address_of(text: str) -> Address | None:
    """Return the address in the text, None when it is none."""
    try:
        return parse_address(text)
    except FlatnetError:
        return None


def api_endpoint(
    settings: Settings, hosts: Sequence[Host], texts: Mapping[str, Sequence[str]], deployed: object
) -> Endpoint | None:
    """Return the endpoint, None without a usable host of the control plane or with an unusable setting.

    hosts: sorted by inventory name; texts: inventory name -> the host's addresses.
    deployed: the plan that is deployed. Its host stays as long as it is one of the control plane, so that a
    host with a name that sorts before it moves nobody.
    """
    names = [host.inventory_name for host in hosts if "kube_control_plane" in host.groups]
    recorded = deployed.get("api_endpoint") if isinstance(deployed, Mapping) else None
    before = recorded.get("host") if isinstance(recorded, Mapping) else None
    host = before if before in names else next(iter(names), "")
    if settings.api_endpoint:
        try:
            address, port = parse_endpoint(settings.api_endpoint, settings.api_port)
        except FlatnetError:
            return None
        return Endpoint(host, address, port) if host else None
    own = texts.get(host) or ()
    return Endpoint(host, own[0], settings.api_port) if own else None
