"""`python -m flatnet.programs`: provide programs on this machine, and say what is there."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from flatnet.errors import FlatnetError
from flatnet.programs import gomod, release
from flatnet.programs.catalog import ARCHITECTURES, Catalog, Upstream, our_roles
from flatnet.programs.directory import DirectoryProgram, export_programs
from flatnet.programs.file_sets import FOLDER
from flatnet.programs.missing import MissingProgramError, missing_message
from flatnet.programs.overrides import site_catalog
from flatnet.programs.progress import Progress, for_stream
from flatnet.programs.sources import Choice, Finder
from flatnet.programs.store import program_store
from flatnet.programs.toolchain import machine_architecture


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the exit status: 0 done, 1 refused with a message, 130 interrupted."""
    options = _parser().parse_args(arguments)
    # Without this a plain `kill` would leave the compilers running and the unfinished folder behind.
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        options.run(options, site_catalog(options.releases, _roles_paths()))
    except FlatnetError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was finished stays, the next run goes on from there\n")
        return 130
    finally:
        signal.signal(signal.SIGTERM, previous)
    return 0


def _roles_paths() -> list[Path]:
    """Return where roles with upstreams of their own are: as Ansible is told by its environment, and ours."""
    configured = os.environ.get("ANSIBLE_ROLES_PATH", "")
    return [*(Path(folder).expanduser() for folder in configured.split(":") if folder), our_roles()]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flatnet.programs", description=__doc__)
    # What is built has no published files to replace.
    parser.set_defaults(releases=None)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--architecture", choices=ARCHITECTURES, help="of the hosts; default: the one of this machine"
    )
    named = argparse.ArgumentParser(add_help=False, parents=[shared])
    named.add_argument("names", nargs="*", help="upstreams or programs; default: all")
    published = argparse.ArgumentParser(add_help=False)
    published.add_argument(
        "--releases", type=Path, metavar="FILE", help="published files in the place of pinned ones"
    )
    chosen = argparse.ArgumentParser(add_help=False, parents=[shared, published])
    chosen.add_argument("--source", choices=("gomod", "release"), default="gomod")

    build = commands.add_parser("build", parents=[named], help="build from Go modules what is not built yet")
    build.add_argument("--quick", action="store_true", help="leave out what takes many minutes to build")
    build.set_defaults(run=_build)
    download = commands.add_parser(
        "download", parents=[named, published], help="download what upstream publishes"
    )
    download.set_defaults(run=_download)
    listing = commands.add_parser(
        "list", parents=[shared, published], help="show every program and where it is"
    )
    listing.set_defaults(run=_list)
    path = commands.add_parser("path", parents=[chosen], help="print the file of one program")
    path.add_argument("name")
    path.set_defaults(run=_path)
    export = commands.add_parser(
        "export", parents=[chosen], help="copy programs into a folder for another site"
    )
    export.add_argument("directory", type=Path)
    export.add_argument("names", nargs="*", help="upstreams or programs; default: all")
    export.set_defaults(run=_export)
    return parser


def _build(options: argparse.Namespace, catalog: Catalog) -> None:
    chosen = catalog.select(options.names)
    slow = [upstream.name for upstream in chosen if options.quick and upstream.is_slow]
    if slow:
        sys.stdout.write(f"left out, as building them takes many minutes: {', '.join(slow)}\n")
    wanted = [upstream for upstream in chosen if upstream.name not in slow]
    built = gomod.build(wanted, program_store(), _progress(), _architecture(options))
    for name, entry in built.items():
        sys.stdout.write(f"{name}: {entry}\n")


def _download(options: argparse.Namespace, catalog: Catalog) -> None:
    architecture = _architecture(options)
    upstreams = catalog.select(options.names)
    for name in options.names:
        # Without names, whatever is published is meant; a name must be.
        for upstream in catalog.select([name]):
            program = name if name in upstream.programs else upstream.names[0]
            release.require_published(upstream, program, architecture)
    fetched = release.download(upstreams, program_store(), _progress(), architecture)
    for name, entry in fetched.items():
        sys.stdout.write(f"{name}: {entry}\n")


def _list(options: argparse.Namespace, catalog: Catalog) -> None:
    architecture = _architecture(options)
    finders = {
        source: Finder(catalog, Choice(source, architecture=architecture), program_store())
        for source in ("gomod", "release")
    }
    table = Table("program", "upstream", "gomod", "release", box=None, pad_edge=False)
    for upstream in catalog.upstreams:
        for program in upstream.programs:
            table_row = [_state(finder, upstream, program, source) for source, finder in finders.items()]
            table.add_row(program, upstream.name, *table_row)
    Console().print(table)


def _state(finder: Finder, upstream: Upstream, program: str, source: str) -> str:
    """Return the version that `source` has of `program`, and whether it is on this machine."""
    try:
        found = finder.program(program)
    except MissingProgramError as missing:
        if not missing.verb:
            return "none"
        file = upstream.published(program, missing.architecture) if source == "release" else None
        return f"{file.version if file else upstream.version}, to {missing.verb}"
    return f"{found.version} ready" if found.source == source else f"(from {found.source})"


def _path(options: argparse.Namespace, catalog: Catalog) -> None:
    finder = Finder(catalog, Choice(options.source, architecture=_architecture(options)), program_store())
    try:
        sys.stdout.write(f"{finder.program(options.name).file}\n")
    except MissingProgramError as missing:
        raise FlatnetError(missing_message([missing])) from missing


def _export(options: argparse.Namespace, catalog: Catalog) -> None:
    architecture = _architecture(options)
    finder = Finder(catalog, Choice(options.source, architecture=architecture), program_store())
    wanted = [
        name
        for upstream in catalog.select(options.names)
        for name in upstream.names
        if not options.names or upstream.name in options.names or name in options.names
    ]
    found: dict[str, DirectoryProgram] = {}
    missing = []
    for name in wanted:
        try:
            if name in catalog.file_sets:
                files = finder.files(name)
                found |= {
                    f"{FOLDER}/{name}/{Path(one.path).relative_to(files.path)}": DirectoryProgram(
                        one.file, one.sha256, files.version
                    )
                    for one in files.files
                }
                continue
            program = finder.program(name)
            found[name] = DirectoryProgram(program.file, program.sha256, program.version)
        except MissingProgramError as problem:
            # Without names, whatever the source has is meant; a name must be.
            if problem.verb or options.names:
                missing.append(problem)
    if missing:
        raise FlatnetError(missing_message(missing))
    export_programs(found, options.directory)
    sys.stdout.write(f"{options.directory}: {', '.join(_told(found))} for {architecture}\n")


def _told(found: Iterable[str]) -> list[str]:
    """Return the names of programs and sets, each set once."""
    return list(dict.fromkeys(name.split("/")[1] if "/" in name else name for name in found))


def _architecture(options: argparse.Namespace) -> str:
    return str(options.architecture or machine_architecture())


def _progress() -> Progress:
    return for_stream(sys.stderr)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
