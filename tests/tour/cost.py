"""What something costs: seconds of a clock, and of processors, which a busy machine does not make more of."""

import resource
import time
from pathlib import Path
from typing import NamedTuple

from tests.container_hosts.podman import CONTROL_GROUPS, control_group


class Cost(NamedTuple):
    """Seconds that passed, and that processors worked: for the playbooks, and for all hosts."""

    seconds: float
    controller: float
    hosts: float

    @classmethod
    def until_now(cls, prefix: str) -> "Cost":
        """Return what there was until now. prefix: of the hosts."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return cls(time.monotonic(), used.ru_utime + used.ru_stime, of_hosts(prefix))

    def since(self, before: "Cost") -> "Cost":
        """Return what has come since then."""
        return Cost(*(now - then for now, then in zip(self, before, strict=True)))

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.seconds:.1f} s ({self.controller:.1f} + {self.hosts:.1f} s of CPU)"


def of_hosts(prefix: str, root: Path = CONTROL_GROUPS) -> float:
    """Return the CPU seconds of a cluster's hosts, by control groups of version 1 or 2."""
    group = control_group(prefix)
    first = root / "cpuacct" / group / "cpuacct.usage"
    if first.exists():
        return int(first.read_text()) / 1e9
    second = root / group / "cpu.stat"
    if second.exists():
        return int(second.read_text().split()[1]) / 1e6
    return 0.0
