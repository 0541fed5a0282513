"""Adding a node changes its line of the allocations file, and no other byte."""

import difflib
from pathlib import Path

import pytest

from flatnet.plan import Allocations, open_ledger, parse_ledger
from flatnet.plan.ledger_diff import edits_diff
from flatnet.plan.ledger_lines import Edit, Layout, read_lines
from flatnet.plan.ledger_splice import splice, spliced
from flatnet.plan.ledger_text import HEADER, ledger_text

TEXT = """\
# Berlin. Ask the network team before you touch it.
---
cluster: berlin  # not the one in Paris

nodes:
  # --- rack 1 ---
  node-b: [10.200.1.0/24]
  node-d: [ 10.200.3.0/24 , "2001:db8:200:3::/64" ]   # the big one

  # --- rack 2 ---
  'node-m': [10.200.7.0/24]
# nobody is below
removed: {}  # nobody yet
...
# the end
"""


def after(text: str, **sections: dict[str, list[str] | None]) -> Allocations:
    """Return the allocations of the text with other entries; None takes one away."""
    plain = parse_ledger(text).to_mapping()
    for key, entries in sections.items():
        known = plain.setdefault(key, {}) | entries
        plain[key] = {name: entry for name, entry in known.items() if entry is not None}
    return Allocations.from_mapping(plain)


def changed(text: str, wanted: Allocations) -> str:
    found = read_lines(text)
    assert found is not None
    result = spliced(found[1], splice(found[1], parse_ledger(text), wanted))
    assert parse_ledger(result) == wanted
    return result


def changes(text: str, wanted: Allocations) -> list[str]:
    """Return the removed and added lines, and the unchanged line before each run of them."""
    lines: list[str] = []
    last = ""
    for line in difflib.ndiff(text.splitlines(), changed(text, wanted).splitlines()):
        if line[0] in "+-":
            lines += [*([last] if last[:1] == " " else []), line]
        if line[0] != "?":
            last = line
    return lines


def test_a_new_node_comes_where_its_name_belongs_above_the_comments_of_its_successor() -> None:
    assert changes(TEXT, after(TEXT, nodes={"node-a": ["10.200.0.0/24"]})) == [
        "  nodes:",
        "+   node-a: [10.200.0.0/24]",
    ]
    assert changes(TEXT, after(TEXT, nodes={"node-c": ["10.200.2.0/24"]})) == [
        "    node-b: [10.200.1.0/24]",
        "+   node-c: [10.200.2.0/24]",
    ]
    assert changes(TEXT, after(TEXT, nodes={"node-k": ["10.200.2.0/24"], "node-e": ["10.200.4.0/24"]})) == [
        '    node-d: [ 10.200.3.0/24 , "2001:db8:200:3::/64" ]   # the big one',
        "+   node-e: [10.200.4.0/24]",
        "+   node-k: [10.200.2.0/24]",
    ]
    assert changes(TEXT, after(TEXT, nodes={"node-z": ["10.200.9.0/24"]})) == [
        "    'node-m': [10.200.7.0/24]",
        "+   node-z: [10.200.9.0/24]",
    ]


def test_other_networks_leave_the_name_and_the_comment_as_they_are() -> None:
    assert changes(TEXT, after(TEXT, nodes={"node-d": ["10.200.9.0/24"]})) == [
        "    node-b: [10.200.1.0/24]",
        '-   node-d: [ 10.200.3.0/24 , "2001:db8:200:3::/64" ]   # the big one',
        "+   node-d: [10.200.9.0/24]   # the big one",
    ]


def test_the_comment_on_its_line_goes_with_a_node_that_leaves_and_comes_back_with_it() -> None:
    entry = ["10.200.3.0/24", "2001:db8:200:3::/64"]
    left = changed(TEXT, after(TEXT, nodes={"node-d": None}, removed={"node-d": entry}))
    moved = "  node-d: [10.200.3.0/24, '2001:db8:200:3::/64']   # the big one\n"
    assert f"removed:  # nobody yet\n{moved}...\n" in left
    assert "  node-b: [10.200.1.0/24]\n\n  # --- rack 2 ---\n" in left
    back = changed(left, after(left, nodes={"node-d": entry}, removed={"node-d": None}))
    assert f"  node-b: [10.200.1.0/24]\n{moved}\n  # --- rack 2 ---\n" in back
    assert "removed: {}  # nobody yet\n" in back


def test_the_last_node_comes_below_indented_comments_so_that_one_that_returns_finds_its_heading() -> None:
    left = changed(TEXT, after(TEXT, nodes={"node-m": None}, removed={"node-m": ["10.200.7.0/24"]}))
    assert "\n  # --- rack 2 ---\n# nobody is below\nremoved:" in left
    back = changed(left, after(left, nodes={"node-m": ["10.200.7.0/24"]}, removed={"node-m": None}))
    assert back == TEXT.replace("'node-m'", "node-m")


def test_sections_appear_and_go_as_in_a_file_that_is_written_anew() -> None:
    pinned = changed(TEXT, after(TEXT, pins={"node-b": ["10.200.1.0/24"]}))
    assert "  'node-m': [10.200.7.0/24]\npins:\n  node-b: [10.200.1.0/24]\n# nobody is below\n" in pinned
    assert changed(pinned, after(pinned, pins={"node-b": None})) == TEXT
    noted = pinned.replace("pins:\n", "pins:  # by hand\n")
    assert "pins: {}  # by hand\n" in changed(noted, after(noted, pins={"node-b": None}))
    nobody = changed(TEXT, after(TEXT, nodes={"node-b": None, "node-d": None, "node-m": None}))
    assert "\nnodes: {}\n  # --- rack 1 ---\n\n  # --- rack 2 ---\n# nobody is below\n" in nobody


def test_another_name_of_the_cluster_is_written_in_its_place() -> None:
    wanted = Allocations.from_mapping(parse_ledger(TEXT).to_mapping() | {"cluster": "on"})
    assert changes(TEXT, wanted) == [
        "  ---",
        "- cluster: berlin  # not the one in Paris",
        "+ cluster: 'on'  # not the one in Paris",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# mine\nnodes:\n  a: []\n", "# mine\ncluster: x\nnodes:\n  a: []\n"),
        ("# mine\n\n# all\nnodes:\n  a: []", "# mine\n\ncluster: x\n# all\nnodes:\n  a: []"),
        (f"{HEADER}nodes: {{}}\n", f"{HEADER}cluster: x\nnodes: {{}}\n"),
        ("removed:\n   a: []", "cluster: x\nremoved:\n   a: []"),
    ],
)
def test_a_file_that_named_no_cluster_names_it_below_what_is_said_of_the_whole_file(
    text: str, expected: str
) -> None:
    footer = "...\n" if text.startswith(HEADER) else ""
    wanted = Allocations.from_mapping(parse_ledger(text + footer).to_mapping() | {"cluster": "x"})
    assert changed(text + footer, wanted) == expected + footer


def test_sections_in_another_order_and_names_out_of_order_are_left_like_that() -> None:
    text = "removed: {}\nnodes:\n    z: [10.200.0.0/24]\n    b: [10.200.1.0/24]"
    wanted = after(text, nodes={"c": ["10.200.2.0/24"]}, pins={"c": ["10.200.2.0/24"]}, removed={"a": []})
    assert changed(text, wanted) == (
        "removed:\n  a: []\nnodes:\n    c: [10.200.2.0/24]\n    z: [10.200.0.0/24]\n    b: [10.200.1.0/24]\n"
        "pins:\n  c: [10.200.2.0/24]"
    )


@pytest.mark.parametrize(
    "text",
    [
        "nodes: {node-a: [10.200.0.0/24]}\n",
        "nodes:\n  node-a:\n    - 10.200.0.0/24\n",
        "nodes:\n  node-a: [10.200.0.0/24,\n    '2001:db8::/64']\n",
        "nodes:\n  node-a: &a [10.200.0.0/24]\nremoved:\n  node-b: []\n",
        "nodes:\n  ? node-a\n  : [10.200.0.0/24]\n",
        '"nodes":\n  node-a: [10.200.0.0/24]\n',
    ],
)
def test_a_file_of_another_shape_is_written_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "allocations.yml"
    path.write_text(text)
    wanted = after(text, nodes={"node-c": ["10.200.2.0/24"]})
    with open_ledger(path) as opened:
        assert opened.text_after(opened.allocations) == text
        assert opened.diff(opened.allocations) == ""
        assert opened.text_after(wanted) == ledger_text(wanted)
        assert "\n+  node-c: [10.200.2.0/24]\n" in opened.diff(wanted)


def test_a_file_keeps_the_line_ends_that_it_has(tmp_path: Path) -> None:
    path = tmp_path / "allocations.yml"
    path.write_bytes(TEXT.replace("\n", "\r\n").encode())
    wanted = after(TEXT, nodes={"node-c": ["10.200.2.0/24"]})
    with open_ledger(path) as opened:
        assert opened.write(opened.text_after(wanted))
    assert path.read_bytes() == changed(TEXT, wanted).replace("\n", "\r\n").encode()


def test_a_diff_has_the_changed_lines_and_three_around_them(tmp_path: Path) -> None:
    path = tmp_path / "allocations.yml"
    many = {f"node-{number:05}": [f"10.{number >> 8}.{number & 255}.0/24"] for number in range(20_000)}
    path.write_text(ledger_text(Allocations.from_mapping({"cluster": "x", "nodes": many})))
    del many["node-10000"]
    wanted = Allocations.from_mapping(
        {
            "cluster": "x",
            "nodes": many | {"node-00001": ["10.99.0.0/24"], "zzz": ["10.100.0.0/24"]},
            "removed": {"node-10000": ["10.39.16.0/24"]},
        }
    )
    with open_ledger(path) as opened:
        assert opened.diff(wanted) == (
            f"--- before: {path}\n"
            f"+++ after: {path}\n"
            "@@ -6,7 +6,7 @@\n"
            " cluster: x\n"
            " nodes:\n"
            "   node-00000: [10.0.0.0/24]\n"
            "-  node-00001: [10.0.1.0/24]\n"
            "+  node-00001: [10.99.0.0/24]\n"
            "   node-00002: [10.0.2.0/24]\n"
            "   node-00003: [10.0.3.0/24]\n"
            "   node-00004: [10.0.4.0/24]\n"
            "@@ -10005,7 +10005,6 @@\n"
            "   node-09997: [10.39.13.0/24]\n"
            "   node-09998: [10.39.14.0/24]\n"
            "   node-09999: [10.39.15.0/24]\n"
            "-  node-10000: [10.39.16.0/24]\n"
            "   node-10001: [10.39.17.0/24]\n"
            "   node-10002: [10.39.18.0/24]\n"
            "   node-10003: [10.39.19.0/24]\n"
            "@@ -20005,5 +20004,7 @@\n"
            "   node-19997: [10.78.29.0/24]\n"
            "   node-19998: [10.78.30.0/24]\n"
            "   node-19999: [10.78.31.0/24]\n"
            "+  zzz: [10.100.0.0/24]\n"
            "-removed: {}\n"
            "+removed:\n"
            "+  node-10000: [10.39.16.0/24]\n"
            " ...\n"
        )
        opened.write(opened.text_after(wanted))
    assert parse_ledger(path.read_text()) == wanted


def test_a_diff_of_a_new_file_is_the_file(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "new.yml") as opened:
        lines = opened.diff(after(TEXT)).splitlines()
        assert lines[2] == f"@@ -0,0 +1,{len(lines) - 3} @@"
        assert "\n".join(line.removeprefix("+") for line in lines[3:]) + "\n" == opened.text_after(
            after(TEXT)
        )


def test_ranges_of_a_diff_count_as_everybody_elses() -> None:
    lines = [str(number) for number in range(9)]
    for edits in ([Edit(0, 9, [])], [Edit(4, 0, ["x"])], [Edit(0, 1, []), Edit(8, 1, ["x", "y"])]):
        text = spliced(Layout(lines, {}), edits)
        other = text.split("\n") if text else []
        expected = difflib.unified_diff(lines, other, "before: p", "after: p", lineterm="")
        assert edits_diff(lines, edits, "p").splitlines() == list(expected)
