"""What `make test` tells about the time it took and about what failed."""

import io

from tests.pipeline import output


def test_a_step_of_molecule_lasts_until_the_next_one_begins() -> None:
    times = output.Times()
    reader = output.StepReader(times)
    for now, line in [
        (
            10.0,
            "INFO \x1b[32mdefault\x1b[0m ➜ \x1b[33mcreate\x1b[0m: \x1b[36mExecuting\x1b[0m\n",
        ),
        (11.0, "TASK [Start the container hosts and wait for SSH]\n"),
        (14.5, "INFO     default ➜ converge: Executing\n"),
    ]:
        reader.read(line, now)
    reader.end(40.0)
    assert times.steps == [("default create", 4.5), ("default converge", 25.5)]


def test_the_slowest_tests_of_pytest_are_steps_too() -> None:
    times = output.Times()
    reader = output.StepReader(times)
    reader.read("3.10s call     tests/unit/test_x.py::test_a_thing[a b]\n", 1.0)
    reader.read("9 passed in 14.14s\n", 2.0)
    reader.end(3.0)
    assert times.steps == [("tests/unit/test_x.py::test_a_thing[a b]", 3.1)]


def test_the_summary_shows_tiers_in_order_and_steps_slowest_first() -> None:
    times = output.Times(tiers=[("lint", 20.04), ("molecule default", 90.0)])
    times.steps = [("default create", 2.0), ("default converge", 30.0)]
    shown = io.StringIO()
    times.show(shown)
    assert [line.split() for line in shown.getvalue().splitlines() if line] == [
        ["tier", "seconds"],
        ["lint", "20.0"],
        ["molecule", "default", "90.0"],
        ["slowest", "steps", "seconds"],
        ["default", "converge", "30.0"],
        ["default", "create", "2.0"],
    ]


FAILED_TASK = """\
TASK [Wait] ********************************************************************
fatal: [node-1]: FAILED! =>
    msg: an attempt that is rescued
TASK [Compare the host with its snapshot] ***************************************
ok: [node-2]
\x1b[0;31m[ERROR]: Task failed: left behind: process shim\x1b[0m
fatal: [node-1]: FAILED! =>
    stdout: 0123456789
TASK [Remove the hosts] ********************************************************
changed: [localhost]
"""


def test_where_it_failed_is_said_in_few_short_lines() -> None:
    cause = output.CauseReader()
    for line in FAILED_TASK.replace("0123456789", "0123456789" * 100).splitlines():
        cause.read(line + "\n")
    shown = io.StringIO()
    cause.show(shown)
    assert shown.getvalue().splitlines() == [
        "",
        "where it failed",
        "TASK [Compare the host with its snapshot]",
        "[ERROR]: Task failed: left behind: process shim",
        "fatal: [node-1]: FAILED! =>",
        ("    stdout: " + "0123456789" * 100)[:240] + " ...",
    ]


def test_what_was_not_run_is_named_once_with_its_reason() -> None:
    reader, shown = output.LeftOutReader(), io.StringIO()
    reader.show(shown)
    assert shown.getvalue() == ""
    for line in (
        "    - 'not run on this machine: backend gre: lacks the kernel feature ip_gre'\n",
        "\x1b[0mnot run on this machine: backend gre: lacks the kernel feature ip_gre\n",
        "passed\n",
    ):
        reader.read(line)
    reader.show(shown)
    assert shown.getvalue().splitlines() == [
        "",
        "not run on this machine",
        "backend gre: lacks the kernel feature ip_gre",
    ]


def test_tests_that_failed_are_named_and_a_run_without_failures_says_nothing() -> None:
    cause, shown = output.CauseReader(), io.StringIO()
    cause.read("TASK [Converge] ****\n")
    cause.read("ok: [node-1]\n")
    cause.show(shown)
    assert shown.getvalue() == ""
    for number in range(20):
        cause.read(f"FAILED tests/unit/test_x.py::test_{number} - assert 1 == 2\n")
    cause.show(shown)
    assert shown.getvalue().splitlines()[2] == "FAILED tests/unit/test_x.py::test_0 - assert 1 == 2"
    assert len(shown.getvalue().splitlines()) == 18
