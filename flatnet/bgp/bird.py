"""The configuration of BIRD 2 on a host that announces its pods' networks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flatnet.bgp.peers import Peer, Speaker
from flatnet.plan.addresses import WIDTH, Address


def bird_configuration(speaker: Speaker, peers: Iterable[Peer]) -> str:
    """Return the text of bird.conf (BIRD 2.0.12, User's Guide).

    Own networks are announced from the moment the daemon starts, whether pods have made the bridge already or
    not. Accepted are networks within the cluster's, but never one's own; only what BGP taught goes into
    the kernel.
    """
    blocks = [_globals(speaker), *_families(speaker)]
    if speaker.bfd:
        blocks.append("protocol bfd {\n}")
    blocks += [_session(speaker, peer) for peer in peers]
    return "\n\n".join(blocks) + "\n"


def _globals(speaker: Speaker) -> str:
    # An identifier has the shape of an IPv4 address also where there is none (RFC 6286).
    identifier = speaker.addresses.get("ipv4")
    if identifier is None:
        low = speaker.addresses["ipv6"].value & 0xFFFFFFFF or 1
        identifier = Address("ipv4", low)
    return "\n".join(
        (
            "# Written by flatnet.",
            f"router id {identifier};",
            "log stderr { info, warning, error, fatal, remote, auth, bug };",
            f"graceful restart wait {speaker.restart_seconds};",
            "",
            "protocol device {",
            "  scan time 10;",
            "}",
        )
    )


def _families(speaker: Speaker) -> Iterator[str]:
    for family in sorted(speaker.addresses):
        own = [str(one) for one in speaker.pod_cidrs if one.family == family]
        cluster = [one for one in speaker.networks if one.family == family]
        lengths = ", ".join(f"{one}{{{one.prefix},{WIDTH[one.family]}}}" for one in cluster)
        yield f"define pods_{family} = [ {lengths} ];"
        refused = f" && !(net ~ [ {', '.join(f'{one}+' for one in own)} ])" if own else ""
        yield f"filter learned_{family} {{\n  if net ~ pods_{family}{refused} then accept;\n  reject;\n}}"
        routes = "".join(f"\n  route {one} unreachable;" for one in own)
        yield f"protocol static own_{family} {{\n  {family};{routes}\n}}"
        yield (
            f"protocol kernel kernel_{family} {{\n  scan time 10;\n  {family} {{\n    import none;\n"
            f"    export filter {{\n      if source != RTS_BGP then reject;\n"
            f"      krt_prefsrc = {speaker.addresses[family]};\n      accept;\n    }};\n  }};\n}}"
        )


def _session(speaker: Speaker, peer: Peer) -> str:
    family = peer.address.family
    lines = [
        f"local {speaker.addresses[family]} as {speaker.as_number};",
        f"neighbor {peer.address} as {peer.as_number};",
        "direct;",
        f"hold time {speaker.hold_seconds};",
        "connect retry time 5;",
        "connect delay time 1;",
        "error wait time 2, 20;",
        "graceful restart on;",
        f"graceful restart time {speaker.restart_seconds};",
    ]
    if speaker.bfd:
        # A restart of the daemon silences BFD too: what it lost is kept as at any other restart (RFC 5882, 4.3).
        lines.append("bfd graceful;")
    if peer.password:
        lines.append(f'password "{peer.password}";')
    if peer.is_client:
        lines.append("rr client;")
    if peer.is_outside and peer.as_number != speaker.as_number:
        # A router tells of other nodes, which have the number of this one; own networks are refused below.
        lines.append("allow local as;")
    told = f'source = RTS_BGP || proto = "own_{family}"' if peer.is_told_all else f'proto = "own_{family}"'
    lines += [
        f"{family} {{",
        f"  import filter learned_{family};",
        f"  export where {told};",
        "  gateway direct;",
        "};",
    ]
    body = "\n".join(f"  {line}" for line in lines)
    return f"protocol bgp {peer.name} {{\n{body}\n}}"
