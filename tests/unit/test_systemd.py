import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatnet.systemd import command_line, unit_file


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["/bin/a", "--b=c"], "/bin/a \\\n  --b=c"),
        (["/bin/a", "two words"], '/bin/a \\\n  "two words"'),
        (["/bin/a", "100%", "$HOME"], "/bin/a \\\n  100%% \\\n  $$HOME"),
        (["/bin/a", 'say "hi"'], '/bin/a \\\n  "say \\"hi\\""'),
        (["/bin/a", ""], '/bin/a \\\n  ""'),
    ],
)
def test_arguments_reach_the_program_unchanged(arguments: list[str], line: str) -> None:
    assert command_line(arguments) == line


@given(st.lists(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])), min_size=1))
def test_every_printable_argument_survives_quoting(arguments: list[str]) -> None:
    line = command_line(arguments).replace("\\\n", "").replace("%%", "%").replace("$$", "$")
    assert shlex.split(line) == arguments


def test_sections_keep_their_order_and_lists_repeat_the_setting() -> None:
    text = unit_file(
        {
            "Unit": {"Description": "a daemon", "After": ["a.service", "b.service"]},
            "Service": {"Type": "notify", "RemainAfterExit": True, "ExecStart": ["/bin/a", "--b"]},
        }
    )
    assert text == (
        "[Unit]\nDescription=a daemon\nAfter=a.service\nAfter=b.service\n\n"
        "[Service]\nType=notify\nRemainAfterExit=yes\nExecStart=/bin/a \\\n  --b\n"
    )


def test_several_commands_of_a_oneshot_become_several_lines() -> None:
    text = unit_file({"Service": {"ExecStart": [["/bin/a", "1"], ["/bin/a", "2"]]}})
    assert text == "[Service]\nExecStart=/bin/a \\\n  1\nExecStart=/bin/a \\\n  2\n"
