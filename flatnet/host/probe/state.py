"""What a host is like as far as its pods' network depends on it; nothing is changed.

Read before the first probe starts, since the calls that connect a probe mend some of it (a CNI plugin
switches forwarding on and gives its bridge the address), and once more where a check failed.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

from ..facts import network
from .answers import Json, NoAnswerError, get
from .claims import claims
from .filters import from_iptables, from_nft
from .host import run_program
from .pods import recorded_pods

_FAMILIES = {4: "ipv4", 6: "ipv6"}
_UNIT = ("Id", "LoadState", "ActiveState", "SubState", "Result", "NRestarts")
_SETTINGS = (
    "net/ipv4/ip_forward",
    "net/ipv6/conf/all/forwarding",
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
)
_CNI = pathlib.Path("/etc/cni/net.d")
# Where its metrics are unless told otherwise (pkg/cluster/ports there).
_KUBE_PROXY_PORT = 10249
# The last words of a unit that is not well.
_LAST_LINES = 2


def answer(request: Json) -> Json:
    """Return the host's state. request: units (names without .service), addresses (the host's own)."""
    interfaces = network.interfaces(_ip("-details", "address"))
    with ThreadPoolExecutor(max_workers=1) as pool:
        # To hear that nobody says anything takes a while.
        claimed = pool.submit(claims, request["addresses"], interfaces)
        state = state_of(request["units"])
        return {"changed": False, "state": {**state, "claims": claimed.result()}}


def state_of(units: list[str]) -> Json:
    """Return the state."""
    interfaces = network.interfaces(_ip("-details", "address"))
    return {
        "time": time.time(),
        "units": unit_states(units),
        "interfaces": interfaces,
        "settings": {name.replace("/", "."): text for name in _SETTINGS if (text := _setting(name))},
        "forwarding": {
            name: [family for family in found if found[family].get("forwarding") == 0]
            for name, found in network.settings(interfaces).items()
            if any(values.get("forwarding") == 0 for values in found.values())
        },
        "routes": [
            {**route, "family": family}
            for version, family in _FAMILIES.items()
            for route in network.routes(_ip(f"-{version}", "route", "show", "table", "all"), version)
            if route["table"] != "local"
        ],
        "rules": [
            rule for version in _FAMILIES for rule in network.rules(_ip(f"-{version}", "rule"), version)
        ],
        "neighbours": [
            {"address": entry["dst"], "device": entry["dev"], "mac": entry["lladdr"], "state": entry["state"]}
            for entry in _ip("neighbour")
            if "lladdr" in entry
        ],
        "tunnel_ends": [
            {"device": entry["ifname"], "mac": entry["mac"], "address": entry["dst"]}
            for entry in _json("bridge", "-json", "fdb", "show")
            if "dst" in entry and "mac" in entry
        ],
        "filters": packet_filters(),
        "pods": sorted(str(address) for pod in recorded_pods() for address in pod["addresses"]),
        "kube_proxy": kube_proxy_configuration(),
        "cni_files": sorted(path.name for path in _CNI.iterdir()) if _CNI.is_dir() else [],
    }


def kube_proxy_configuration() -> Json:
    """Return {masquerade_all, cluster_cidr} as kube-proxy is configured, {} where it does not tell.

    It serves what it has read (k8s.io/component-base/configz) beside its metrics.
    """
    try:
        _, body = get("127.0.0.1", _KUBE_PROXY_PORT, "configz", 1.0)
        (read,) = json.loads(body).values()
    except (NoAnswerError, ValueError, AttributeError):
        return {}
    flat = {name.lower(): value for name, value in _leaves(read)}
    return {
        "masquerade_all": any(
            value is True for name, value in flat.items() if name.endswith(".masqueradeall")
        ),
        "cluster_cidr": str(flat.get(".clustercidr", "")),
    }


def _leaves(value: object, name: str = "") -> list[tuple[str, object]]:
    if not isinstance(value, dict):
        return [(name, value)]
    return [leaf for key, inner in value.items() for leaf in _leaves(inner, f"{name}.{key}")]


def _setting(name: str) -> str:
    path = pathlib.Path("/proc/sys", name)
    return path.read_text(encoding="ascii").strip() if path.exists() else ""


def _ip(*arguments: str) -> list[Json]:
    return _json("ip", "-json", *arguments)


def _json(*command: str) -> list[Json]:
    return [entry for entry in json.loads(run_program(*command) or "[]") if entry]


def unit_states(names: list[str]) -> dict[str, Json]:
    """Return {unit: {state, restarts, last}}; state is such as active/running, last what it logged last.

    A unit that does not exist has the state "absent".
    """
    if not names:
        return {}
    services = [f"{name}.service" for name in names]
    shown = run_program("systemctl", "show", f"--property={','.join(_UNIT)}", *services)
    found: dict[str, Json] = {}
    for block in shown.strip().split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" not in fields:
            continue
        absent = fields.get("LoadState") == "not-found"
        state = "absent" if absent else f"{fields.get('ActiveState', '')}/{fields.get('SubState', '')}"
        restarts = fields.get("NRestarts", "0")
        found[fields["Id"].rpartition(".")[0]] = {
            "state": state,
            "restarts": int(restarts) if restarts.isdigit() else 0,
            "last": "" if state.startswith("active/") or absent else _last_words(fields["Id"]),
        }
    return found


def _last_words(unit: str) -> str:
    lines = run_program(
        "journalctl", f"--unit={unit}", "--output=cat", f"--lines={_LAST_LINES}", "--no-pager", "--quiet"
    )
    return " | ".join(line.strip() for line in lines.splitlines() if line.strip())[:300]


def packet_filters() -> list[Json]:
    """Return what each packet filter in force does, see filters.py."""
    found = []
    over_nft = False
    for name, command in (("ipv4", "iptables"), ("ipv6", "ip6tables")):
        text = run_program(f"{command}-nft-save", "-c")
        if text:
            over_nft = True
            found.append(from_iptables(text, f"{command}-nft", name))
        # To list legacy tables makes the kernel load them; it has none where this file is empty.
        tables = pathlib.Path("/proc/net", f"{'ip' if name == 'ipv4' else 'ip6'}_tables_names")
        has_legacy = tables.exists() and tables.read_text(encoding="ascii").strip()
        text = run_program(f"{command}-legacy-save", "-c") if has_legacy else ""
        if text:
            found.append(from_iptables(text, f"{command}-legacy", name))
    if shutil.which("nft"):
        # Terse: what sets and maps hold can be much.
        found.append(from_nft(run_program("nft", "--terse", "list", "ruleset"), with_iptables=over_nft))
    return found
