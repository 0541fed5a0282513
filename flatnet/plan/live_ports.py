"""The rule that nobody else has a port of what the plan puts on a host."""

from collections.abc import Collection, Iterator, Sequence

from flatnet.contract import Resolved as Contract
from flatnet.contract.schema import COMPONENT
from flatnet.plan.chosen import Chosen
from flatnet.plan.findings import Findings
from flatnet.plan.hosts import Host
from flatnet.plan.live import Socket, sockets_of, tunnels_of
from flatnet.plan.made import Made
from flatnet.plan.service_rules import API_SERVER
from flatnet.settings import Settings

# What the facts call the unit of a process in a pod, which may be on the host's network.
_PODS = "kubepods"
# The kernel cuts names of processes here (TASK_COMM_LEN in include/linux/sched.h, with its final zero).
_COMM = 15


def check_ports(host: Host, settings: Settings, chosen: Chosen, made: Made, findings: Findings) -> None:
    """Check that the ports of the host's daemons and of its backend are free, or theirs already."""
    sockets = sockets_of(host)
    # Whoever is deployed now may have it until the plan is: what changes there is judged elsewhere.
    modes = [one.in_mode(mode) for one in chosen.contracts.values() for mode in one.modes]
    units = {unit for mode in modes for unit in mode.units}
    for contract in chosen.used:
        if not _runs_on(contract, host):
            continue
        for port in contract.ports:
            number = settings.api_port if port.purpose == API_SERVER else port.port
            users = [one for one in sockets if (one.port, one.protocol) == (number, port.protocol)]
            for owner, fix in _others(users, units, not contract.units, host, made):
                purpose = port.purpose if contract.kind == COMPONENT else contract.title
                findings.add(
                    "port-in-use",
                    f"{port.protocol} port {number}",
                    f"{owner} has it, and {purpose} needs it",
                    fix,
                    host.inventory_name,
                )


def _runs_on(contract: Contract, host: Host) -> bool:
    if contract.kind != COMPONENT:
        return "kube_node" in host.groups
    brought = (contract.needs.programs, contract.needs.images)
    return any(names and group in host.groups for by_group in brought for group, names in by_group.items())


def _others(
    users: Sequence[Socket], units: Collection[str], in_pods: bool, host: Host, made: Made
) -> Iterator[tuple[str, str]]:
    """Yield (who, fix) for each that has the port and is none of the units, nor a pod where that is ours."""
    told = set()
    tunnels = tunnels_of(host)
    # Such a socket is for all tunnels of a port, and one whose port is not known has another then.
    ours = {port for name, _, port in tunnels if made.carried_by(name) is not None}
    for user in users:
        if not user.process:
            # One of the kernel's, mostly of a tunnel. Which of several it is cannot be seen, nor has to be.
            possible = (user.port,) if user.port in ours else (user.port, None)
            for name, kind, port in tunnels:
                if made.carried_by(name) is None and port in possible and user.protocol == "udp":
                    told.add(
                        (f"the {kind} interface {name}", f"remove it with `ip link delete {name}` or move it")
                    )
        elif not (in_pods and user.unit == _PODS) and not _is_of(user, units):
            unit = "a pod" if user.unit == _PODS else user.unit
            named = f"{user.process} ({unit})" if unit else user.process
            told.add((named, "stop it there, or give it another port"))
    yield from sorted(told)


def _is_of(user: Socket, units: Collection[str]) -> bool:
    if user.unit:
        return user.unit.removesuffix(".service") in units
    return user.process in {unit[:_COMM] for unit in units}
