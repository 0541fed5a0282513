"""Times switches of the network of three container hosts, beside a reset and a provision of the same network.

Prints figures and the machine they were measured on; judges nothing, and is no test. Each network is reached
from the one before it, and then again by a reset and a provision: the ratio of the two can be compared
between machines. The interruption is what the switch tells of itself.
"""

import re
import sys
from pathlib import Path

from provision import ROOT, Run, machine, measure
from rich.console import Console
from rich.table import Table

INVENTORIES = [
    f"--inventory={ROOT / path}" for path in ("inventories/container_hosts", "molecule/tour/inventory")
]
# Backend, kube-proxy's mode: what needs no interface of its own on the hosts.
NETWORKS = (
    ("kubenet", "iptables"),
    ("flannel", "iptables"),
    ("flannel", "nftables"),
    ("kubenet", "nftables"),
)
CONFIRMED = [f"--extra-vars=cluster_{verb}_confirmed=container-hosts" for verb in ("switch", "reset")]


def playbook(name: str, network: tuple[str, str]) -> Run:
    """Run a playbook for a network."""
    backend, proxy = network
    settings = f"--extra-vars=cluster_network_backend={backend} cluster_kube_proxy_mode={proxy}"
    binary = Path(sys.executable).parent / "ansible-playbook"
    return measure(binary, *INVENTORIES, ROOT / f"playbooks/{name}_network.yml", settings, *CONFIRMED)


def main() -> None:
    """Make hosts, measure, print, and remove the hosts."""
    hosts = [sys.executable, "-m", "tests.container_hosts"]
    measure(*hosts, "destroy", *INVENTORIES)
    measure(*hosts, "create", *INVENTORIES)
    table = Table(
        "from", "to", "switch", "reset + provision", "ratio", "interruption", title="Three container hosts"
    )
    try:
        playbook("provision", NETWORKS[0])
        for old, new in zip(NETWORKS, [*NETWORKS[1:], NETWORKS[0]], strict=True):
            switched = playbook("switch", new)
            anew = playbook("reset", new).seconds + playbook("provision", new).seconds
            told = re.findall(r"NodePort (\S+ s|not measured), .*node (\S+ s|not measured)", switched.output)
            table.add_row(
                " ".join(old),
                " ".join(new),
                f"{switched.seconds:.1f} s",
                f"{anew:.1f} s",
                f"{switched.seconds / anew:.2f}",
                " / ".join(told[0]) if told else "not told",
            )
    finally:
        measure(*hosts, "destroy", *INVENTORIES)
    console = Console()
    console.print(table)
    console.print(machine())


if __name__ == "__main__":
    main()
