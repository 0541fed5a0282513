"""Whatever is in the allocations file: it is read, or refused in words; and the quick reader reads right."""

from random import Random

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flatnet.errors import FlatnetError
from flatnet.plan import Allocations, parse_ledger
from flatnet.plan.ledger_text import HEADER, _read_written, _TextLoader, ledger_text

THOUSANDS = settings(max_examples=1500, deadline=None)
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
    at, piece = random.randrange(len(HEADER), len(text)), random.choice(PIECES)
    return random.choice(
        [
            text[:at] + piece + text[at:],
            text[:at] + piece + text[at + len(piece) :],
            text[:at] + text[at + random.randrange(8) :],
            text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :],
            text[:at] + text[max(len(HEADER), at - 30) : at] + text[at:],
        ]
    )


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
    assert _read_written(text) is not None
    plain = yaml.safe_load(text)
    assert {"cluster": "", "pins": {}} | plain == {"cluster": "", "pins": {}} | ledger.to_mapping()


@THOUSANDS
@given(RANDOMS)
def test_the_quick_reader_reads_what_the_parser_reads_or_leaves_it_to_it(random: Random) -> None:
    text = changed(ledger_text(made_up(random)), random)
    quick = _read_written(text)
    if quick is None:
        return
    loader = _TextLoader(text)
    try:
        read = loader.get_single_data()
    finally:
        loader.dispose()
    assert read == quick


@given(RANDOMS)
def test_the_same_content_gives_the_same_bytes(random: Random) -> None:
    ledger = made_up(random)
    nodes, removed, pins = (
        dict(random.sample(list(entries.items()), len(entries)))
        for entries in (ledger.nodes, ledger.removed, ledger.pins)
    )
    assert ledger_text(Allocations(nodes, removed, pins, ledger.cluster)) == ledger_text(ledger)
