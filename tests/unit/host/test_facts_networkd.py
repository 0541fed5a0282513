"""Whether systemd-networkd runs, and which links it takes."""

from pathlib import Path

import pytest

from flatnet.host.facts import networkd


def write(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


@pytest.mark.parametrize("path", networkd.NETWORKD)
def test_networkd_is_seen_where_it_runs(tmp_path: Path, path: str) -> None:
    assert not networkd.has_networkd(str(tmp_path))
    (tmp_path / path).mkdir(parents=True)
    assert networkd.has_networkd(str(tmp_path))


def test_files_are_in_the_order_of_their_names_and_the_first_folder_counts(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "usr/lib/systemd/network/80-all.network": "[Match]\nName=*\n[Link]\nUnmanaged=yes\n",
            "usr/lib/systemd/network/50-lan.network": "[Match]\nName=*\n",
            "etc/systemd/network/50-lan.network": "[Match]\nName=en* \\\n eth*\nName=ib0\n# Type=x\n",
            # Without a section Match it is none, and an empty one takes the place of another.
            "run/systemd/network/10-x.network": "[Network]\nDHCP=yes\n",
            "etc/systemd/network/20-y.link": "[Match]\nName=*\n",
        },
    )
    assert networkd.network_files(root) == [
        {
            "path": f"{root}/etc/systemd/network/50-lan.network",
            "match": {"Name": ["en*", "eth*", "ib0"]},
            "unmanaged": False,
        },
        {
            "path": f"{root}/usr/lib/systemd/network/80-all.network",
            "match": {"Name": ["*"]},
            "unmanaged": True,
        },
    ]
    assert networkd.network_files(str(tmp_path / "none")) == []


def test_an_empty_value_takes_back_those_before_it() -> None:
    assert networkd.parse("[Match]\nName=eth0\nName=\nName = eth1\n;x=y\n") == {"Match": {"Name": ["eth1"]}}
