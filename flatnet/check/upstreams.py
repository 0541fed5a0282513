"""The servers that the cluster's DNS forwards names outside the cluster to, as its ConfigMap has them."""

from collections.abc import Iterable, Iterator

from flatnet.check.model import Json
from flatnet.plan.upstreams import RESOLV_CONF, upstream_endpoint


def upstreams(found: Iterable[Json]) -> list[Json]:
    """Return {text, address, port, transport} of each, in order; address is "" for the node's resolv.conf.

    found: objects of the API server. What CoreDNS reads counts, which somebody may have edited, and not what
    was planned; where there is no ConfigMap of its name, nothing is known.
    """
    texts = [
        text
        for item in found
        if item["kind"] == "ConfigMap" and item["metadata"]["name"] == "coredns"
        for text in _forwarded((item.get("data") or {}).get("Corefile") or "")
    ]
    known = []
    for text in dict.fromkeys(texts):
        endpoint = upstream_endpoint(text)
        if endpoint or text == RESOLV_CONF:
            address, port, transport = endpoint or ("", 53, "udp")
            known.append({"text": text, "address": address, "port": port, "transport": transport})
    return known


def _forwarded(corefile: str) -> Iterator[str]:
    """Return the targets of the plugin forward (CoreDNS, plugin/forward/README.md: `forward FROM TO...`)."""
    for line in corefile.splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["forward"]:
            yield from (word for word in words[2:] if word != "{")
