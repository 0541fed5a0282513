"""The rules about DNS servers that are asked for names outside the cluster. Each adds findings."""

import re

from flatnet.plan.addresses import Address
from flatnet.plan.endpoint import address_of
from flatnet.plan.findings import Findings
from flatnet.plan.limits import MOST_DNS_UPSTREAMS, hostless
from flatnet.plan.rules import Resolved
from flatnet.settings import Settings

# The one file that a pod of the cluster's DNS has from its host: what its kubelet's resolvConf names.
RESOLV_CONF = "/etc/resolv.conf"
_FIX = "use an address like 198.51.100.53, with :port behind it where that is another one, or " + RESOLV_CONF
# What CoreDNS takes apart of addresses and files: plugin/pkg/parse/host.go, HostPortOrFile. The text behind %
# is the name in the server's certificate, of tls alone: plugin/forward/setup.go, splitZone.
_UPSTREAM = re.compile(
    r"(?:(?P<transport>dns|tls|https)://)?"
    r"(?:\[(?P<bracketed>[^\]%]*)(?:%(?P<inner>[^\]%]*))?\]|(?P<ipv4>[0-9.]+)(?:%(?P<outer>[^:%/]*))?)"
    r"(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)

# What CoreDNS takes where none is given: plugin/pkg/transport/transport.go.
_PORTS = {"dns": 53, "tls": 853, "https": 443}


def upstream_address(text: str) -> Address | None:
    """Return the address of the server that CoreDNS would forward to; None for text without one."""
    match = _UPSTREAM.fullmatch(text)
    if match is None:
        # IPv6 without a port needs no brackets.
        return address_of(text.removeprefix("dns://").removeprefix("tls://"))
    name = match["inner"] or match["outer"]
    is_named = match["inner"] is not None or match["outer"] is not None
    if is_named and (match["transport"] != "tls" or not name):
        return None
    if match["port"] is not None and not 1 <= int(match["port"]) <= 65535:
        return None
    return address_of(match["ipv4"] if match["bracketed"] is None else match["bracketed"])


def upstream_endpoint(text: str) -> tuple[str, int, str] | None:
    """Return (address, port, "udp" or "tcp") of the server that CoreDNS would forward to, if it is one."""
    address = upstream_address(text)
    if address is None:
        return None
    transport = text.partition("://")[0] if "://" in text else "dns"
    match = _UPSTREAM.fullmatch(text)
    port = int(match["port"]) if match and match["port"] else _PORTS[transport]
    return str(address), port, "udp" if transport == "dns" else "tcp"


def check_upstreams(settings: Settings, resolved: Resolved, findings: Findings) -> None:
    """Check the servers that the cluster's DNS forwards to, which pods have to reach."""
    for text in settings.dns_upstreams:
        if text != RESOLV_CONF:
            _check_one(f"cluster_dns_upstreams {text!r}", upstream_address(text), resolved, findings)
    count = len(settings.dns_upstreams)
    if count > MOST_DNS_UPSTREAMS:
        findings.add(
            "dns-upstream",
            f"cluster_dns_upstreams, {count} servers",
            f"CoreDNS takes at most {MOST_DNS_UPSTREAMS}",
            f"keep {MOST_DNS_UPSTREAMS} of them",
        )


def _check_one(value: str, address: Address | None, resolved: Resolved, findings: Findings) -> None:
    reason, fix = "", _FIX
    if address is None:
        reason = "it is no address of a DNS server"
    elif what := hostless(address):
        reason = f"it is {what}, which leads no pod to a server"
    elif address in resolved.dns:
        reason = "it is the cluster's own DNS, which would ask itself"
    elif any(address.value == network.first + 1 for network in resolved.services if network.holds(address)):
        reason = "it is the address of the Service kubernetes, which is the API server"
    elif any(network.holds(address) for network in resolved.pods):
        reason = "it is in the pod network, where the address of a server does not last"
    elif resolved.pods and address.family not in resolved.families:
        reason = f"it is of {address.family}, and pods have {' and '.join(resolved.families)} alone"
        fix = f"use a server with an address of {' or '.join(resolved.families)}"
    if reason:
        findings.add("dns-upstream", value, reason, fix)
