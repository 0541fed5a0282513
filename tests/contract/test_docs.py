"""What is generated is up to date, and links between documents lead somewhere."""

import re
from pathlib import Path

import pytest
from plugin_loader import load_plugin

from flatnet.check.matrix import CLASSES, OTHER_CLASSES
from tests.docs import contract
from tests.docs.filters import TARGET, examples, filters_markdown, main

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
SIDECAR = """
DOCUMENTATION:
  name: double
  short_description: Twice C(it)
  description: [Doubles a | b., See O(factor).]
  options:
    _input: {description: What., type: int, required: true}
    factor: {description: [How, often.], type: int, default: 2}
    names: {description: Which., type: list, elements: str}
EXAMPLES: |
  - expression: "2 | double"
    result: 4
  - expression: "'x' | double(3)"
    error: |-
      no number
      at all
RETURN:
  _value: {description: The double., type: int}
"""


def filter_names() -> set[str]:
    """Return every filter of the project, from the plugins themselves."""
    names: set[str] = set()
    for path in [*ROOT.glob("filter_plugins/*.py"), *ROOT.glob("roles/*/filter_plugins/*.py")]:
        module = load_plugin(path)
        names |= set(module.FilterModule().filters())
    return names


def test_the_page_about_filters_is_up_to_date() -> None:
    assert (ROOT / TARGET).read_text() == filters_markdown(), "run: python -m tests.docs.filters"


def test_the_page_about_contracts_is_up_to_date() -> None:
    assert (ROOT / contract.TARGET).read_text() == contract.page("", ROOT), "run: make docs"


def test_every_filter_is_in_the_page() -> None:
    text = (ROOT / TARGET).read_text()
    assert set(re.findall(r"^## (.*)$", text, re.MULTILINE)) == filter_names()
    assert set(re.findall(r"^\| \[`(.*?)`\]\(#", text, re.MULTILINE)) == filter_names()


def test_a_filter_is_shown_with_its_arguments_its_result_and_its_examples(tmp_path: Path) -> None:
    (tmp_path / "filter_plugins").mkdir()
    (tmp_path / "filter_plugins/double.yml").write_text(SIDECAR)
    text = filters_markdown(tmp_path)
    assert text[text.index("\n| Filter") :] == (
        "\n| Filter | Result |\n| --- | --- |\n| [`double`](#double) | Twice `it` |\n"
        "\n## double\n\n"
        "Doubles a \\| b. See `factor`.\n\n"
        "```jinja\ninput | double([factor], [names])\n```\n\n"
        "| Argument | Type | Default | Meaning |\n| --- | --- | --- | --- |\n"
        "| input | int | required | What. |\n"
        "| `factor` | int | `2` | How often. |\n"
        "| `names` | list of str | none | Which. |\n\n"
        "Returns (int): The double.\n\n"
        "```jinja\n{{ 2 | double }}\n=> 4\n```\n\n"
        "```jinja\n{{ 'x' | double(3) }}\nrefused: no number\nat all\n```\n"
    )


def test_examples_may_be_comments_or_tasks() -> None:
    assert examples("# 2 | double\n# => 4\n")[0][:2] == ("2 | double", "4")
    assert examples("- name: Do\n  debug: {msg: x}\n")[0].task == "- name: Do\n  debug:\n    msg: x"


def test_checking_writes_nothing_and_says_what_is_old(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "filter_plugins").mkdir()
    (tmp_path / "filter_plugins/double.yml").write_text(SIDECAR)
    assert main(["--check", "--root", str(tmp_path)]) == 1
    assert "+## double" in capsys.readouterr().err
    assert not (tmp_path / TARGET).exists()
    assert main(["--root", str(tmp_path)]) == 0
    assert main(["--check", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "double.yml cannot be read: "),
        ("", "double.yml cannot be read: "),
        ("DOCUMENTATION: {}", "double.yml lacks EXAMPLES, RETURN; add it"),
    ],
)
def test_unusable_documentation_is_told(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "filter_plugins").mkdir()
    (tmp_path / "filter_plugins/double.yml").write_text(text)
    assert main(["--root", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("document", DOCUMENTS, ids=[path.name for path in DOCUMENTS])
def test_links_inside_the_project_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|mailto:)([^)#\s]+)", document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("page", ["docs/verify.md", "roles/network_check/README.md"])
def test_every_class_of_checks_is_explained_and_no_other(page: str) -> None:
    rows = [line.split("|")[1] for line in (ROOT / page).read_text().splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == {*CLASSES, *OTHER_CLASSES}
