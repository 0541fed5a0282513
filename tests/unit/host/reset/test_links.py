"""Interfaces that a reset may not take, or cannot."""

from pathlib import Path

import pytest

from flatnet.host.reset.links import remove_interfaces
from flatnet.host.reset.request import Outcome
from flatnet.host.state.host import Host, Ran


class Links(Host):
    """A host with interfaces, of which none lets itself be deleted."""

    def __init__(self, root: Path, masters: dict[str, str]) -> None:
        super().__init__(str(root))
        self.ran: list[str] = []
        for name, master in masters.items():
            folder = root / "sys/class/net" / name
            folder.mkdir(parents=True)
            if master:
                (folder / "master").symlink_to(f"../{master}")

    def run(self, arguments: list[str], text: str | None = None, changes: bool = True) -> Ran:
        del text, changes
        self.ran.append(" ".join(arguments))
        deleted = arguments[:3] == ["ip", "link", "delete"]
        return Ran(2, "", "RTNETLINK answers: Operation not supported") if deleted else Ran(0, "", "")


def test_a_tunnel_of_a_kernel_module_stays_and_is_set_down(tmp_path: Path) -> None:
    host, outcome = Links(tmp_path, {"tunl0": ""}), Outcome()
    remove_interfaces(host, ["tunl0"], outcome, False)
    assert outcome.problems == []
    assert host.ran[-1] == "ip link set dev tunl0 down"


def test_a_switch_that_its_daemon_holds_is_told_and_not_called_removed(tmp_path: Path) -> None:
    outcome = Outcome()
    remove_interfaces(Links(tmp_path, {"obr0": ""}), ["obr0"], outcome, False)
    assert outcome.problems == ["interface obr0: RTNETLINK answers: Operation not supported"]


@pytest.mark.parametrize("check", [True, False])
def test_tunnels_of_others_in_an_interface_of_open_vswitch_stay(tmp_path: Path, check: bool) -> None:
    host, outcome = Links(tmp_path, {"vxlan_sys_4790": "ovs-system"}), Outcome()
    remove_interfaces(host, ["vxlan_sys_4790"], outcome, check)
    assert (outcome.changes, outcome.problems, host.ran) == ([], [], [])
