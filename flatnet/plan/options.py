"""The numbers that an inventory chooses for its backend: ports of tunnels and the like."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from flatnet.contract import Resolved
from flatnet.contract.faults import nearest
from flatnet.contract.schema import COMPONENT
from flatnet.plan.findings import Findings

_VARIABLE = "cluster_network_backend_options"


def with_options(backend: Resolved, chosen: Mapping[str, int], findings: Findings) -> Resolved:
    """Return the contract with the chosen numbers in it; one that is not possible becomes a finding.

    The default stands for such a one.
    """
    values = dict(backend.option_values)
    for name, number in sorted(chosen.items()):
        option = backend.options.get(name)
        value = f"{_VARIABLE} {name}: {number}"
        if option is None:
            known = f"{nearest(name, backend.options)}" if backend.options else "leave it out"
            findings.add("backend-option", value, f"{backend.title} has no such option", known.rstrip("?"))
        elif not option.least <= number <= option.most:
            reason = f"{option.about} of {backend.title} is from {option.least} to {option.most}"
            findings.add(
                "backend-option", value, reason, f"use one of these; {option.default} is the default"
            )
        else:
            values[name] = number
    ports = tuple(
        replace(port, port=values[port.option]) if port.option is not None else port for port in backend.ports
    )
    data: dict[str, Any] = {**backend.data, "option_values": values}
    data["ports"] = [
        {**port, "port": values[port["option"]]} if "option" in port else port
        for port in backend.data["ports"]
    ]
    return replace(backend, ports=ports, option_values=values, data=data)


def check_option_ports(backend: Resolved, used: Iterable[Resolved], findings: Findings) -> None:
    """Refuse a port that is chosen and somebody else's of the cluster; firewalls tell them by number."""
    for index, port in enumerate(backend.ports):
        if port.option is None or port.port is None:
            continue
        others = [
            one for one in backend.ports[:index] if (one.port, one.protocol) == (port.port, port.protocol)
        ]
        owners = [one.purpose for one in others] + [
            other.purpose if one.kind == COMPONENT else one.title
            for one in used
            for other in (one.ports if one is not backend else ())
            if other.port == port.port
        ]
        if owners:
            findings.add(
                "backend-option",
                f"{_VARIABLE} {port.option}: {port.port}",
                f"it is the port of {owners[0]}",
                f"use another; {backend.options[port.option].default} is the default",
            )


def chosen_options(backend: Mapping[str, Any]) -> dict[str, int]:
    """Return the numbers of a plan's `backend` that are not its defaults; none of a plan without options."""
    values, options = backend.get("option_values"), backend.get("options")
    if not isinstance(values, Mapping) or not isinstance(options, Mapping):
        return {}
    return {
        str(name): number
        for name, number in sorted(values.items())
        if isinstance(options.get(name), Mapping) and options[name].get("default") != number
    }


def options_words(backend: Mapping[str, Any]) -> str:
    """Return `port 4789, vni 42`, or nothing where all are the defaults."""
    return ", ".join(f"{name} {number}" for name, number in chosen_options(backend).items())
