"""Look up programs and images on the controller; thin adapter over flatnet.programs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

try:
    from flatnet.errors import FlatnetError
    from flatnet.programs.catalog import ARCHITECTURES, SOURCES, Catalog, load_catalog
    from flatnet.programs.missing import MissingProgramError, missing_message
    from flatnet.programs.release import download
    from flatnet.programs.sources import Choice, Finder, FoundImage, FoundProgram
    from flatnet.programs.store import program_store
except ImportError as error:
    raise AnsibleActionFail(
        f"flatnet cannot be imported ({error}): install it for the Python that runs Ansible, with "
        "`pip install -e .` in the checkout"
    ) from error

_NAMES = {"type": "list", "elements": "str", "default": []}
ARGUMENTS = {
    "names": _NAMES,
    "images": _NAMES,
    "source": {"type": "str", "choices": list(SOURCES), "default": "release"},
    "exceptions": {"type": "dict", "default": {}},
    "directory": {"type": "str", "default": ""},
    "architecture": {"type": "str", "choices": list(ARCHITECTURES), "default": "amd64"},
    "download": {"type": "bool", "default": True},
    # `report` hands back what is missing, for a task that takes the `reported` ones of all hosts together.
    "missing": {"type": "str", "choices": ["refuse", "report"], "default": "refuse"},
    "reported": {"type": "list", "elements": "dict", "default": []},
}
Found = TypeVar("Found", FoundProgram, FoundImage)


class ActionModule(ActionBase):
    """Answers from the controller alone: no connection is opened and no host is changed."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return `programs`, `images`, `transfers` (entries for node_state), `result` and `missing`."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        validate: Callable[..., tuple[object, dict[str, Any]]] = self.validate_argument_spec
        _, arguments = validate(argument_spec=ARGUMENTS)
        try:
            return {**result, **_look_up(arguments), "changed": False}
        except FlatnetError as problem:
            raise AnsibleActionFail(str(problem)) from None


class _Display:
    """Shows the progress of downloads between the tasks of Ansible."""

    def say(self, message: str) -> None:
        Display().display(message)

    @contextmanager
    def step(self, label: str, position: int, total: int) -> Iterator[None]:
        self.say(f"[{position}/{total}] {label}")
        yield


def _look_up(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the answer; FlatnetError listing everything missing when `missing` is `refuse`."""
    catalog = load_catalog()
    choice = Choice(
        source=arguments["source"],
        exceptions={str(name): str(source) for name, source in arguments["exceptions"].items()},
        directory=Path(arguments["directory"]).expanduser() if arguments["directory"] else None,
        architecture=arguments["architecture"],
    )
    finder = Finder(catalog, choice, program_store())
    missing = [MissingProgramError(**problem) for problem in arguments["reported"]]
    programs = _find(finder.program, arguments["names"], missing)
    images = _find(finder.image, arguments["images"], missing)
    # Not before everything else is there: whoever is refused has not waited for a download first.
    if missing and arguments["download"] and all(problem.verb == "download" for problem in missing):
        _download(catalog, missing)
        missing = []
        programs = _find(finder.program, arguments["names"], missing)
        images = _find(finder.image, arguments["images"], missing)
    if missing and arguments["missing"] == "refuse":
        raise FlatnetError(missing_message(missing))
    return {
        "programs": [_plain(program) for program in programs],
        "images": [_plain(image) for image in images],
        "transfers": [_transfer(p, "0755") for p in programs] + [_transfer(i, "0644") for i in images],
        "result": {
            "programs": {
                p.name: {"path": p.path, "sha256": p.sha256, "version": p.version} for p in programs
            },
            "images": {
                i.name: {"path": i.path, "sha256": i.sha256, "reference": i.reference} for i in images
            },
        },
        "missing": [vars(problem) for problem in missing],
    }


def _find(find: Callable[[str], Found], names: list[str], missing: list[MissingProgramError]) -> list[Found]:
    found = []
    for name in names:
        try:
            found.append(find(name))
        except MissingProgramError as problem:
            missing.append(problem)
    return found


def _download(catalog: Catalog, missing: list[MissingProgramError]) -> None:
    wanted: dict[str, list[str]] = {}
    for problem in missing:
        wanted.setdefault(problem.architecture, []).append(problem.program)
    for architecture, names in sorted(wanted.items()):
        download(catalog.select(names), program_store(), _Display(), architecture)


def _transfer(found: FoundProgram | FoundImage, mode: str) -> dict[str, str]:
    return {"path": found.path, "source": str(found.file), "sha256": found.sha256, "mode": mode}


def _plain(found: FoundProgram | FoundImage) -> dict[str, str]:
    """Return it in the words of the role: `source` is the file on the controller."""
    fields = {name: str(value) for name, value in asdict(found).items() if name not in ("file", "source")}
    return {**fields, "source": str(found.file)}
