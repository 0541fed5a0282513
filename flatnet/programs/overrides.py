"""A site's own choice of published files, in the place of those that `build/programs.yml` pins.

For another patch release, or for files on a server of the site's own. The file that lists them has the shape
of `build/programs.yml`, with `version` and `release` alone::

    upstreams:
      etcd:
        version: "3.6.14"
        release:
          - url: https://files.example.org/etcd-v{version}-linux-{architecture}.tar.gz
            members: {etcd: "etcd-v{version}-linux-{architecture}/etcd"}
            digests: {amd64: "sha256:..."}

An upstream that it names has these files and no others; every other upstream keeps what is pinned.
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from flatnet.errors import FlatnetError
from flatnet.programs.catalog import ARCHITECTURES, Catalog, ReleaseFile, Upstream, load_catalog, release_file

_PLACEHOLDERS = {"version", "architecture"}
_UPSTREAM_KEYS = {"version", "release"}
_FILE_KEYS = {"url", "version", "program", "members", "digests"}


def site_catalog(releases: Path | None, roles_paths: Iterable[Path] | None = None) -> Catalog:
    """Return the pins, with the files of `releases` in the place of those of the upstreams it names.

    roles_paths: as for load_catalog. Raises FlatnetError naming the file and the value that cannot be used.
    """
    catalog = load_catalog(roles_paths=roles_paths)
    return with_releases(catalog, releases) if releases else catalog


def with_releases(catalog: Catalog, path: Path) -> Catalog:
    """Return `catalog` with the published files that `path` lists; FlatnetError as in site_catalog."""
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as problem:
        raise FlatnetError(
            f"{path} cannot be read ({problem}); correct cluster_programs_releases, or leave it out to use "
            "what build/programs.yml pins"
        ) from problem
    except yaml.YAMLError as problem:
        raise FlatnetError(f"{path} is not valid YAML: {' '.join(str(problem).split())}") from problem
    try:
        chosen = _chosen(catalog, data)
    except FlatnetError as problem:
        raise FlatnetError(f"{path}: {problem}") from problem
    upstreams = tuple(
        replace(upstream, release=chosen[upstream.name]) if upstream.name in chosen else upstream
        for upstream in catalog.upstreams
    )
    return replace(catalog, upstreams=upstreams, releases=path)


def _chosen(catalog: Catalog, data: object) -> dict[str, tuple[ReleaseFile, ...]]:
    entries = _mapping("the file", data, {"upstreams"})
    known = {upstream.name: upstream for upstream in catalog.upstreams}
    chosen = {}
    for name, entry in _mapping("upstreams", entries.get("upstreams"), set(known)).items():
        where = f"upstreams.{name}"
        settings = _mapping(where, entry, _UPSTREAM_KEYS)
        files = settings.get("release")
        if not isinstance(files, list) or not files:
            raise FlatnetError(f"{where}.release must be a list of at least one file, not {files!r}")
        chosen[name] = tuple(
            _file(f"{where}.release[{number}]", file, known[name], settings.get("version"))
            for number, file in enumerate(files)
        )
        _check_once(where, chosen[name])
    return chosen


def _check_once(where: str, files: Iterable[ReleaseFile]) -> None:
    seen: set[tuple[str, str]] = set()
    for file in files:
        for held in itertools.product(file.members, file.digests):
            if held in seen:
                program, architecture = held
                raise FlatnetError(f"{where}.release: two files hold {program} for {architecture}; keep one")
            seen.add(held)


def _file(where: str, data: object, upstream: Upstream, version: object) -> ReleaseFile:
    file = _mapping(where, data, _FILE_KEYS)
    stated = file.get("version", version)
    # YAML reads 2.10 as the number 2.1, which would be another version.
    if not isinstance(stated, str):
        raise FlatnetError(f"{where} needs a `version` in quotes (or its upstream does), not {stated!r}")
    url = _pattern(f"{where}.url", file.get("url"))
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise FlatnetError(f"{where}.url: {url!r} is not a URL of the form https://host/path")
    _check_programs(where, file, upstream)
    digests = _mapping(f"{where}.digests", file.get("digests"), set(ARCHITECTURES))
    if not digests or not all(isinstance(digest, str) for digest in digests.values()):
        raise FlatnetError(f"{where}.digests must be a digest in quotes by architecture, not {digests!r}")
    return release_file(upstream.name, file, stated)


def _check_programs(where: str, file: Mapping[str, Any], upstream: Upstream) -> None:
    if ("program" in file) == ("members" in file):
        raise FlatnetError(
            f"{where} needs either `program` (the file is the program) or `members` (program: name in the "
            "archive)"
        )
    if "program" in file:
        programs: Mapping[str, Any] = {str(file["program"]): ""}
    else:
        programs = _mapping(f"{where}.members", file["members"])
        for program, member in programs.items():
            _pattern(f"{where}.members.{program}", member)
    for program in programs:
        if program not in upstream.programs:
            raise FlatnetError(
                f"{where}: {upstream.name} has no program {program!r}; it has {', '.join(upstream.programs)}"
            )


def _pattern(where: str, value: object) -> str:
    """Return `value`, a text in which only {version} and {architecture} are filled in."""
    if not isinstance(value, str) or not value:
        raise FlatnetError(f"{where} must be a string, not {value!r}")
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(value) if name is not None}
    except ValueError as problem:
        raise FlatnetError(
            f"{where}: {value!r} has an unmatched brace; only {{version}} and {{architecture}} are filled in"
        ) from problem
    if unknown := names - _PLACEHOLDERS:
        raise FlatnetError(
            f"{where}: {value!r} has {{{min(unknown)}}}; only {{version}} and {{architecture}} are filled in"
        )
    return value


def _mapping(where: str, value: object, known: set[str] | None = None) -> Mapping[str, Any]:
    """Return `value`, a mapping whose keys are all among `known` (None: any)."""
    if not isinstance(value, Mapping):
        raise FlatnetError(f"{where} must be a mapping, not {value!r}")
    for key in value:
        if known is not None and key not in known:
            raise FlatnetError(f"{where} has the unknown entry {key!r}; known: {', '.join(sorted(known))}")
    return value
