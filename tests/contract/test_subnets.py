"""Clusters of tests run beside each other: the networks of their hosts are each one's own."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_NETWORK = re.compile(r"\b10\.211\.\d+\b|\bfd00:211:\d+(?=:)")


def test_no_two_sets_of_hosts_have_one_network() -> None:
    sources = [
        ROOT / "inventories/container_hosts/hosts.yml",
        *ROOT.glob("molecule/*/inventory/*.yml"),
        *ROOT.glob("tests/integration/*.py"),
        *ROOT.glob("tests/outside/inventory/*.yml"),
    ]
    users: dict[str, set[Path]] = {}
    for source in sources:
        for network in _NETWORK.findall(source.read_text()):
            users.setdefault(network, set()).add(source.relative_to(ROOT))
    assert len(users) > 10
    assert {network: paths for network, paths in users.items() if len(paths) > 1} == {}
