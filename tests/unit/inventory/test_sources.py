import re
from configparser import ConfigParser
from pathlib import Path

from flatnet.inventory.sources import OURS, source_findings

ROOT = Path(__file__).resolve().parents[3]


def nothing(_name: str) -> bool:
    return False


def test_the_configuration_of_the_project_ignores_what_is_kept_beside_an_inventory() -> None:
    configuration = ConfigParser(interpolation=None)
    configuration.read(ROOT / "ansible.cfg")
    patterns = configuration["inventory"]["ignore_patterns"].split(", ")
    assert sorted(name for name in OURS if any(re.search(pattern, name) for pattern in patterns)) == sorted(
        OURS
    )
    assert len(patterns) == len(OURS)


def test_a_file_of_ours_that_was_read_as_an_inventory_is_named_with_the_way_out(tmp_path: Path) -> None:
    read = [str(tmp_path / "hosts.yml"), str(tmp_path / "network_allocations.yml"), None]
    for path in read[:2]:
        Path(str(path)).write_text("")
    warning = "[WARNING]: Skipping 'cluster' as this is not a valid group definition\n"
    findings = source_findings([str(tmp_path)], read, nothing, [warning])
    assert len(findings) == 1
    assert findings[0].startswith(
        f"{read[1]} is no inventory and was read as one; have ansible.cfg ignore it"
    )


def test_of_a_warning_the_first_line_and_the_place_are_told() -> None:
    warning = "[WARNING]: Found duplicate mapping key 'x'.\nOrigin: /a/hosts.yml:3:1\n\n2 x: 1\n3 x: 2\n"
    words = "a part of the inventory was left out: Found duplicate mapping key 'x' (/a/hosts.yml:3:1)"
    assert source_findings([], [], nothing, [warning, "[WARNING]: something else\n"]) == [words]


def test_what_ansible_reads_by_default_need_not_exist_and_a_list_of_hosts_is_no_file() -> None:
    assert source_findings(["/etc/ansible/no-hosts"], [], nothing, []) == [
        "there is no inventory /etc/ansible/no-hosts; name one that exists"
    ]
    if not Path("/etc/ansible/hosts").exists():
        assert source_findings(["/etc/ansible/hosts"], [], nothing, []) == []
    assert source_findings(["node-1,node-2"], ["node-1,node-2"], nothing, []) == []
