"""Look up programs and images on the controller; thin adapter over flatnet.programs."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

try:
    from flatnet.errors import FlatnetError
    from flatnet.programs.catalog import ARCHITECTURES, SOURCES
    from flatnet.programs.missing import MissingProgramError, missing_message
    from flatnet.programs.overrides import site_catalog
    from flatnet.programs.release import download
    from flatnet.programs.sources import Choice, Finder, FoundFile, FoundFiles, FoundImage, FoundProgram
    from flatnet.programs.store import program_store
    from flatnet.remote.roles import roles_paths
except ImportError as error:
    raise AnsibleActionFail(
        f"flatnet cannot be imported ({error}): install it for the Python that runs Ansible, with "
        "`pip install -e .` in the checkout"
    ) from error

_NAMES = {"type": "list", "elements": "str", "default": []}
# What is read of each host; where the inventory says nothing, the role's default holds.
_PREFIX = "node_programs_"
INPUTS = {
    "names": _NAMES,
    "images": _NAMES,
    "files": _NAMES,
    "source": {"type": "str", "choices": list(SOURCES), "default": "release"},
    "exceptions": {"type": "dict", "default": {}},
    "directory": {"type": "str", "default": ""},
    "releases": {"type": "str", "default": ""},
    "architecture": {"type": "str", "choices": list(ARCHITECTURES), "default": "amd64"},
}
Json: TypeAlias = dict[str, Any]
Found = TypeVar("Found", FoundProgram, FoundImage, FoundFiles)


class ActionModule(ActionBase):
    """Answers from the controller alone, for all hosts at once: a thousand want the same few programs."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: Json | None = None) -> Json:
        """Return `hosts`: name -> `programs`, `images`, `files` and `transfers` (entries for node_state)."""
        result: Json = super().run(tmp, task_vars)
        validate: Callable[..., tuple[object, Json]] = self.validate_argument_spec
        _, arguments = validate(
            argument_spec={
                "hosts": {"type": "list", "elements": "str", "required": True},
                "inputs": {"type": "dict", "required": True},
                "download": {"type": "bool", "default": True},
            }
        )
        variables = task_vars or {}
        hostvars = variables["hostvars"]
        try:
            requests = {host: request(host, hostvars[host]) for host in arguments["hosts"]}
            own = variables["inventory_hostname"]
            check_scope(own, requests.get(own), checked(own, arguments["inputs"]))
            return {
                **result,
                "hosts": look_up(requests, roles_paths(self._loader), download=arguments["download"]),
                "changed": False,
            }
        except FlatnetError as problem:
            raise AnsibleActionFail(str(problem)) from None


def request(host: str, variables: Mapping[str, Any]) -> Json:
    """Return what this host asks for, by the names in INPUTS. Raises FlatnetError for a wrong value."""
    return checked(host, {name: variables.get(_PREFIX + name) for name in INPUTS})


def checked(host: str, given: Mapping[str, Any]) -> Json:
    """Return the inputs with defaults and types. Raises FlatnetError for a wrong value."""
    outcome = ArgumentSpecValidator(INPUTS).validate({k: v for k, v in given.items() if v is not None})
    if outcome.error_messages:
        told = "; ".join(outcome.error_messages)
        raise FlatnetError(
            f"host {host}: node_programs inputs: {told}; see ansible-doc -t role node_programs"
        )
    return dict(outcome.validated_parameters)


def check_scope(host: str, seen: Json | None, own: Json) -> None:
    """Refuse inputs that only a play or role has: no host sees another's, so nobody could answer for all."""
    if seen is None or seen == own:
        return
    names = ", ".join(_PREFIX + name for name in INPUTS if seen[name] != own[name])
    raise FlatnetError(
        f"host {host}: {names} is set for the play or the role alone; "
        "set it in the inventory, or with include_vars"
    )


class _Display:
    """Shows the progress of downloads between the tasks of Ansible."""

    def say(self, message: str) -> None:
        Display().display(message)

    @contextmanager
    def step(self, label: str, position: int, total: int) -> Iterator[None]:
        self.say(f"[{position}/{total}] {label}")
        yield


def look_up(
    requests: Mapping[str, Json], roles: Sequence[Path] | None = None, *, download: bool
) -> dict[str, Json]:
    """Return host -> its answer; hosts that ask for the same share one.

    roles: where roles are that bring upstreams of their own; left out, flatnet's.
    FlatnetError lists everything missing for any host, after what can be downloaded was, if that is wanted.
    """
    keys = {host: json.dumps(asked, sort_keys=True) for host, asked in requests.items()}
    distinct = {keys[host]: asked for host, asked in requests.items()}
    missing: list[MissingProgramError] = []
    answers = {key: _answer(asked, roles, missing) for key, asked in distinct.items()}
    # Not before everything else is there: whoever is refused has not waited for a download first.
    if missing and download and all(problem.verb == "download" for problem in missing):
        _download(missing, roles)
        missing = []
        answers = {key: _answer(asked, roles, missing) for key, asked in distinct.items()}
    if missing:
        raise FlatnetError(missing_message(missing))
    return {host: answers[key] for host, key in keys.items()}


def _answer(asked: Json, roles: Sequence[Path] | None, missing: list[MissingProgramError]) -> Json:
    choice = Choice(
        source=asked["source"],
        exceptions={str(name): str(source) for name, source in asked["exceptions"].items()},
        directory=_path(asked["directory"]),
        architecture=asked["architecture"],
    )
    finder = Finder(site_catalog(_path(asked["releases"]), roles), choice, program_store())
    programs = _find(finder.program, asked["names"], missing)
    images = _find(finder.image, asked["images"], missing)
    files = _find(finder.files, asked["files"], missing)
    return {
        "programs": {p.name: {"path": p.path, "sha256": p.sha256, "version": p.version} for p in programs},
        "images": {i.name: {"path": i.path, "sha256": i.sha256, "reference": i.reference} for i in images},
        "files": {f.name: {"path": f.path, "version": f.version} for f in files},
        "transfers": [
            *(_transfer(program, "0755") for program in programs),
            *(_transfer(image, "0644") for image in images),
            *(_transfer(file, "0644") for one in files for file in one.files),
        ],
    }


def _path(value: str) -> Path | None:
    return Path(value).expanduser() if value else None


def _find(find: Callable[[str], Found], names: list[str], missing: list[MissingProgramError]) -> list[Found]:
    found = []
    for name in names:
        try:
            found.append(find(name))
        except MissingProgramError as problem:
            missing.append(problem)
    return found


def _download(missing: list[MissingProgramError], roles: Sequence[Path] | None) -> None:
    wanted: dict[tuple[Path | None, str], list[str]] = {}
    for problem in missing:
        wanted.setdefault((problem.releases, problem.architecture), []).append(problem.program)
    for (releases, architecture), names in wanted.items():
        download(site_catalog(releases, roles).select(names), program_store(), _Display(), architecture)


def _transfer(found: FoundProgram | FoundImage | FoundFile, mode: str) -> dict[str, str]:
    return {"path": found.path, "source": str(found.file), "sha256": found.sha256, "mode": mode}
