"""CPU seconds of hosts, by control groups of both versions."""

from pathlib import Path

from tests.tour.cost import Cost, of_hosts


def test_cpu_seconds_of_hosts_are_read_from_control_groups_of_either_version(tmp_path: Path) -> None:
    first = tmp_path / "cpuacct/flatnet.one/cpuacct.usage"
    second = tmp_path / "flatnet.two/cpu.stat"
    for path, text in ((first, "2500000000\n"), (second, "usage_usec 1500000\nuser_usec 1\n")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    assert [of_hosts(name, tmp_path) for name in ("one", "two", "none")] == [2.5, 1.5, 0.0]


def test_a_cost_is_what_has_come_since() -> None:
    assert str(Cost(12.0, 5.0, 9.0).since(Cost(2.0, 1.0, 3.0))) == "10.0 s (4.0 + 6.0 s of CPU)"
