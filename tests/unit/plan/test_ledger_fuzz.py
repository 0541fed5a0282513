"""Whatever is in the allocations file: it is read, or refused in words; and the quick reader reads right."""

from random import Random

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flatnet.errors import FlatnetError
from flatnet.plan import Allocations, parse_ledger
from flatnet.plan.ledger_diff import edits_diff
from flatnet.plan.ledger_lines import read_lines
from flatnet.plan.ledger_splice import splice, spliced
from flatnet.plan.ledger_text import HEADER, _TextLoader, ledger_text, read_ledger

THOUSANDS = settings(max_examples=1500)
HUNDREDS = settings(max_examples=500)
RANDOMS = st.randoms(use_true_random=True)
NAMES = ["a", "node-1", "b.example.com", "on", "no", "y", "null", "1e3", "0x10", "2001-01-01", "1.5", "true"]
CLUSTERS = ["", "kubernetes", "Prod_1.eu", "on", "1e3", "7"]
# Text that looks much like a ledger, with everything in it that YAML knows.
PIECES = [
    *["---", "...", "nodes:", "removed:", "pins:", "cluster:", "  a:", "  'on':", " [", "]", "{", "}", ": "],
    *["10.200.0.0/24", "'2001:db8::/64'", "10.200.0.1/24", "&x ", "*x", "!!map", "!!binary", "|", ">", "- "],
    *[
        "\n",
        "\n",
        "\n  ",
        "\t",
        "'",
        '"',
        ",",
        "a",
        "0",
        "\x00",
        "\x85",
        "\u2028",
        "é",
        "%YAML 1.2",
        "=",
        "~",
    ],
    *["?", "#", "<<", "\\", "\ud800", "\r"],
]
TEXTS = st.text() | st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def made_up(random: Random) -> Allocations:
    """Return allocations of a few nodes, all of which could be written by a run."""

    def entries() -> dict[str, list[str]]:
        return {
            name: [
                *([f"10.{random.randrange(256)}.{random.randrange(256)}.0/24"] * random.randrange(2)),
                *([f"2001:db8:{random.randrange(1, 9999):x}::/64"] * random.randrange(2)),
            ]
            for name in random.sample(NAMES, random.randrange(6))
        }

    nodes, removed = entries(), entries()
    return Allocations.from_mapping(
        {
            "cluster": random.choice(CLUSTERS),
            "nodes": nodes,
            "pins": entries(),
            "removed": {name: entry for name, entry in removed.items() if name not in nodes},
        }
    )


def changed(text: str, random: Random) -> str:
    """Return the text with one thing done to it below its head."""
    head = len(HEADER) if text.startswith(HEADER) else 0
    at, piece = random.randrange(head, len(text)), random.choice(PIECES)
    return random.choice(
        [
            text[:at] + piece + text[at:],
            text[:at] + piece + text[at + len(piece) :],
            text[:at] + text[at + random.randrange(8) :],
            text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :],
            text[:at] + text[max(head, at - 30) : at] + text[at:],
        ]
    )


COMMENTS = ["#", "# rack 2", "# node-1: [10.9.9.0/24]", "# nodes:", "# …", "#--- '\"", "# [", "#\t..."]
BETWEEN = ["", "", "  ", "# between", "  # between", "      # deep", "#...", "#---"]


def laid_out(ledger: Allocations, random: Random) -> str:
    """Return a text with the allocations as somebody could have written it, one node a line."""

    def rest() -> str:
        return random.choice(
            ["", "", "", " ", f" {random.choice(COMMENTS)}", f"   {random.choice(COMMENTS)}"]
        )

    def between() -> list[str]:
        return random.choices(BETWEEN, k=random.choice([0, 0, 0, 1, 3]))

    def quoted(name: str) -> str:
        return random.choice(["{}", "'{}'", '"{}"']).format(name)

    def item(network: str) -> str:
        return random.choice(["'{}'", '"{}"'] if ":" in network else ["{}", "'{}'", '"{}"']).format(network)

    sections: list[list[str]] = []
    if ledger.cluster:
        sections.append([f"cluster: {quoted(ledger.cluster)}{rest()}"])
    for key, entries in ledger.sections().items():
        if not entries and random.random() < 0.3:
            continue
        indent = " " * random.choice([1, 2, 2, 4])
        lines = [f"{key}:{' {}' if not entries and random.random() < 0.5 else ''}{rest()}"]
        for name, entry in random.sample(list(entries.items()), len(entries)):
            networks = random.choice([",", ", ", " , "]).join(
                item(str(network)) for network in entry.values()
            )
            space = random.choice(["", "", " "])
            lines += [*between(), f"{indent}{quoted(name)}: [{space}{networks}{space}]{rest()}"]
        sections.append(lines)
    if not sections:
        sections.append(["nodes:"])
    random.shuffle(sections)
    body = [line for section in sections for line in (*between(), *section)]
    head = random.choice([[], [*between(), "---"], HEADER.splitlines()])
    foot = ["...", *between()] if head[1:2] == HEADER.splitlines()[1:2] else random.choice([[], ["..."]])
    return "\n".join([*head, *body, *between(), *foot]) + random.choice(["", "\n", "\n\n"])


def patched(text: str, diff: str) -> str:
    """Return the text with a unified diff applied."""
    lines, result, place = text.split("\n"), [], 0
    for line in diff.splitlines()[2:]:
        if line.startswith("@@"):
            start, _, length = line.split()[1].removeprefix("-").partition(",")
            at = int(start) - (length != "0")
            result += lines[place:at]
            place = at
        elif line[0] == "+":
            result.append(line[1:])
        else:
            assert lines[place] == line[1:]
            if line[0] == " ":
                result.append(lines[place])
            place += 1
    return "\n".join(result + lines[place:])


@HUNDREDS
@given(RANDOMS)
def test_a_change_of_a_written_file_gives_the_bytes_of_a_file_that_is_written_anew(random: Random) -> None:
    before, after = made_up(random), made_up(random)
    text = ledger_text(before)
    read, layout = read_ledger(text, "x")
    assert layout is not None
    edits = splice(layout, read, after)
    assert spliced(layout, edits) == ledger_text(after)
    assert patched(text, edits_diff(layout.lines, edits, "x")) == ledger_text(after)


@HUNDREDS
@given(RANDOMS)
def test_a_change_of_any_file_is_the_wanted_one_and_keeps_all_else(random: Random) -> None:
    text = laid_out(made_up(random), random)
    if random.random() < 0.3:
        text = changed(text, random)
    after = made_up(random)
    try:
        before, layout = read_ledger(text, "x")
    except FlatnetError:
        return
    if layout is None:
        return
    edits = splice(layout, before, after)
    result = spliced(layout, edits)
    assert parse_ledger(result) == after
    assert patched(text, edits_diff(layout.lines, edits, "x")) == result
    # Lines that are no entry and no key, and those of entries that stay, are all there in their order.
    stay = {
        section.place_of[name]
        for key, section in layout.sections.items()
        for name in section.names
        if after.sections()[key].get(name) == before.sections()[key][name]
    }
    places = {place for section in layout.sections.values() for place in (section.head, *section.places)}
    kept = [line for place, line in enumerate(layout.lines) if place not in places or place in stay]
    left = iter(result.split("\n"))
    assert all(line in left for line in kept)


@given(RANDOMS)
def test_a_node_that_leaves_and_comes_back_leaves_a_written_file_as_it_was(random: Random) -> None:
    ledger = made_up(random)
    text = ledger_text(ledger)
    for name in ledger.nodes:
        nodes = {other: entry for other, entry in ledger.nodes.items() if other != name}
        without = Allocations(
            nodes, {**ledger.removed, name: ledger.nodes[name]}, ledger.pins, ledger.cluster
        )
        _, layout = read_ledger(text, "x")
        assert layout is not None
        gone = spliced(layout, splice(layout, ledger, without))
        _, layout = read_ledger(gone, "x")
        assert layout is not None
        assert spliced(layout, splice(layout, without, ledger)) == text


@THOUSANDS
@given(TEXTS)
@example("[" * 1200)
@example("nodes: &a\n  b: *a\n")
@example("&a [*a]")
@example("nodes:\n  ? [a]\n  : []\n")
def test_arbitrary_text_raises_nothing_but_the_error_for_users(text: str) -> None:
    try:
        read = parse_ledger(text)
    except FlatnetError:
        return
    assert parse_ledger(ledger_text(read)) == read


@THOUSANDS
@given(RANDOMS)
def test_a_ledger_that_somebody_changed_raises_nothing_but_the_error_for_users(random: Random) -> None:
    try:
        read = parse_ledger(changed(ledger_text(made_up(random)), random))
    except FlatnetError:
        return
    assert parse_ledger(ledger_text(read)) == read


@given(RANDOMS)
def test_what_is_written_is_read_back_by_us_and_by_any_reader_of_yaml(random: Random) -> None:
    ledger = made_up(random)
    text = ledger_text(ledger)
    assert parse_ledger(text) == ledger
    assert read_lines(text) is not None
    plain = yaml.safe_load(text)
    assert {"cluster": "", "pins": {}} | plain == {"cluster": "", "pins": {}} | ledger.to_mapping()


@THOUSANDS
@given(RANDOMS)
def test_the_quick_reader_reads_what_the_parser_reads_or_leaves_it_to_it(random: Random) -> None:
    text = changed(ledger_text(made_up(random)), random)
    is_same_for_the_parser(text)


@HUNDREDS
@given(RANDOMS)
def test_the_quick_reader_reads_what_somebody_laid_out_in_another_way(random: Random) -> None:
    text = laid_out(made_up(random), random)
    assert is_same_for_the_parser(text)
    is_same_for_the_parser(changed(text, random))


def is_same_for_the_parser(text: str) -> bool:
    """Tell whether the quick reader reads the text, and assert that the parser reads the same."""
    quick = read_lines(text)
    if quick is None:
        return False
    loader = _TextLoader(text)
    try:
        read = loader.get_single_data()
    finally:
        loader.dispose()
    # A key without entries is empty text for the parser.
    assert {key: value or {} for key, value in read.items()} == quick[0]
    return True


@given(RANDOMS)
def test_the_same_content_gives_the_same_bytes(random: Random) -> None:
    ledger = made_up(random)
    nodes, removed, pins = (
        dict(random.sample(list(entries.items()), len(entries)))
        for entries in (ledger.nodes, ledger.removed, ledger.pins)
    )
    assert ledger_text(Allocations(nodes, removed, pins, ledger.cluster)) == ledger_text(ledger)
