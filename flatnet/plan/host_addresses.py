"""The addresses of the inventory's hosts: read all at once, and singly only where something is special."""

from bisect import bisect_left
from collections.abc import Sequence

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import Family, address_text, parse_address, parse_addresses
from flatnet.plan.findings import Findings, split_error
from flatnet.plan.hosts import Host
from flatnet.plan.rules import Owned, Resolved


def resolve_addresses(hosts: Sequence[Host], resolved: Resolved, findings: Findings) -> None:
    """Parse the hosts' addresses into `resolved`; whatever is wrong with one becomes a finding."""
    resolved.addresses = {family: [] for family in resolved.families}
    for host in _resolve_together(hosts, resolved):
        _resolve_singly(host, resolved, findings)
    for owned in resolved.addresses.values():
        owned.sort()


def owned_within(owned: Sequence[Owned], first: int, last: int) -> Sequence[Owned]:
    """Return the part of `Resolved.addresses` of a family that is from the first to the last address."""
    return owned[bisect_left(owned, (first,)) : bisect_left(owned, (last + 1,))]


def _resolve_together(hosts: Sequence[Host], resolved: Resolved) -> Sequence[Host]:
    """Resolve the hosts that have one address per family. Returns the others, or all when one is special."""
    families = resolved.families
    is_ipv6_first = families[:1] == ["ipv6"]
    names: list[str] = []
    rows: list[Sequence[str]] = []
    others: list[Host] = []
    for host in hosts:
        row = host.addresses
        if row and len(row) == len(families):
            names.append(host.inventory_name)
            rows.append(row if (":" in row[0]) is is_ipv6_first else row[::-1])
        else:
            others.append(host)
    columns = []
    for index, family in enumerate(families):
        column = parse_addresses(family, [row[index] for row in rows])
        if column is None:
            return hosts
        columns.append(column)
    for family, (values, texts) in zip(families, columns, strict=True):
        resolved.addresses[family] = list(zip(values, names, texts, strict=True))
    by_host = zip(*(texts for _, texts in columns), strict=True)
    resolved.texts.update(zip(names, map(list, by_host), strict=True))
    return others


def _resolve_singly(host: Host, resolved: Resolved, findings: Findings) -> None:
    owned, name = resolved.addresses, host.inventory_name
    texts: dict[Family, str] = {}
    is_readable = True
    for text in host.addresses:
        value = f"address {text!r}"
        try:
            family, number = parse_address(text)
        except FlatnetError as error:
            reason = split_error(error, text)[0]
            findings.add("node-address", value, reason, "set node_address to an IP address", name)
            is_readable = False
            continue
        if family not in owned:
            if resolved.pods:
                findings.warn("node-address-unused", value, f"there are no {family} pods", "nothing", name)
        elif family in texts:
            findings.add(
                "node-address", value, f"it is a second {family} address", "give one per family", name
            )
        else:
            # An IPv4 text that can be read is canonical; IPv6 has many ways to write an address.
            texts[family] = text if family == "ipv4" else address_text(family, number)
            owned[family].append((number, name, texts[family]))
    for family in resolved.families if is_readable else ():
        if family not in texts:
            findings.add(
                "node-address",
                "",
                f"it has no {family} address",
                f"set node_address, or node_addresses to a list with one {family} address",
                name,
            )
    resolved.texts[name] = [texts[family] for family in resolved.families if family in texts]
