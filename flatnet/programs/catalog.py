"""The pins: which upstreams, versions, packages and published files flatnet knows.

The data is `build/programs.yml`, and `meta/programs.yml` of each role that brings an upstream of its own;
this module gives it types and refuses what cannot work (a program named by two upstreams, a package whose
program Go would call otherwise, a digest of the wrong length).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from flatnet.errors import FlatnetError

ARCHITECTURES = ("amd64", "arm64")
SOURCES = ("release", "gomod", "directory")
# Where messages send people to whom a published file is not what it should be.
PINS = "build/programs.yml (or your own file of releases)"
DEFAULT_INSTALL_DIRECTORY = "/usr/local/bin"
ROLE_FILE = "meta/programs.yml"
_MAJOR_VERSION_ELEMENT = re.compile(r"v[0-9]+")
_DIGEST_LENGTHS = {"sha256": 64, "sha512": 128}


@dataclass(frozen=True)
class GomodPin:
    """How the programs of one upstream are built from Go modules.

    directory: folder that holds go.mod and go.sum; packages: program name -> Go package; variables: linker
    variable (`package.name`) -> value; cgo_architectures: where C is linked in (statically); disk_mib: MiB
    that a first build writes, caches of Go included; files: name -> files of a module that are copied; slow:
    whether a first build takes many minutes, so that one who only needs the others leaves it out.
    """

    directory: Path
    packages: Mapping[str, str]
    tags: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    cgo_architectures: tuple[str, ...] = ()
    disk_mib: int = 500
    files: Mapping[str, FileSet] = field(default_factory=dict)
    slow: bool = False


@dataclass(frozen=True)
class FileSet:
    """Files that an upstream's module holds besides programs: CRDs, BPF sources, templates.

    module: the path of a module that the go.mod requires; paths: files, directories and patterns in it
    (pathlib's). They keep their paths below FILES/<name> on hosts.
    """

    module: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class ReleaseFile:
    """One published file: an archive with members, or one bare program.

    url and members hold `{version}` and `{architecture}`; version: the upstream's, or the nearest one
    whose digest is known; digests: architecture -> `sha256:<hex>` or `sha512:<hex>` of the file; members:
    program name -> member of the archive, or None where the file itself is the program.
    """

    url: str
    version: str
    digests: Mapping[str, str]
    members: Mapping[str, str | None]

    def address(self, architecture: str) -> str:
        """Return the URL of the file for `architecture`."""
        return self.url.format(version=self.version, architecture=architecture)

    def member_names(self, architecture: str) -> dict[str, str | None]:
        """Return program name -> name in the archive for `architecture`, None for a bare program."""
        return {
            program: member and member.format(version=self.version, architecture=architecture)
            for program, member in self.members.items()
        }


@dataclass(frozen=True)
class Upstream:
    """One upstream project at one version, and the programs of it that flatnet can install."""

    name: str
    version: str
    programs: tuple[str, ...]
    install_directory: str
    gomod: GomodPin | None
    release: tuple[ReleaseFile, ...]

    @property
    def file_sets(self) -> tuple[str, ...]:
        """Return the names of the sets of files that come out of its modules."""
        return tuple(self.gomod.files) if self.gomod else ()

    @property
    def is_slow(self) -> bool:
        """Whether it is made from Go modules in many minutes."""
        return self.gomod is not None and self.gomod.slow

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all that can be asked of it: programs and sets of files."""
        return self.programs + self.file_sets

    def published(self, program: str, architecture: str) -> ReleaseFile | None:
        """Return the pinned file that holds `program` for `architecture`, None when there is none."""
        for file in self.release:
            if program in file.members and architecture in file.digests:
                return file
        return None

    def files(self, architecture: str) -> list[ReleaseFile]:
        """Return every pinned file for `architecture`."""
        return [file for file in self.release if architecture in file.digests]


@dataclass(frozen=True)
class ImagePin:
    """One image made from one program; `user` is `uid:gid` or empty for root, `tag` empty for the version."""

    name: str
    program: str
    arguments: tuple[str, ...] = ()
    user: str = ""
    tag: str = ""


@dataclass(frozen=True)
class Catalog:
    """Every upstream in build order, and every image.

    releases: the site's file that replaced published files, None where all are as pinned.
    """

    upstreams: tuple[Upstream, ...]
    images: Mapping[str, ImagePin]
    releases: Path | None = None

    @property
    def programs(self) -> tuple[str, ...]:
        """Return the name of every program, in build order."""
        return tuple(program for upstream in self.upstreams for program in upstream.programs)

    @property
    def file_sets(self) -> tuple[str, ...]:
        """Return the name of every set of files, in build order."""
        return tuple(name for upstream in self.upstreams for name in upstream.file_sets)

    def upstream_of(self, name: str) -> Upstream:
        """Return the upstream that a program or a set of files belongs to; FlatnetError when none has it."""
        for upstream in self.upstreams:
            if name in upstream.names:
                return upstream
        known = ", ".join(sorted((*self.programs, *self.file_sets)))
        raise FlatnetError(f"no program is called {name!r}; known programs: {known}")

    def image(self, name: str) -> ImagePin:
        """Return the image called `name`; FlatnetError when there is none."""
        if name not in self.images:
            raise FlatnetError(f"no image is called {name!r}; known images: {', '.join(sorted(self.images))}")
        return self.images[name]

    def select(self, names: Iterable[str]) -> list[Upstream]:
        """Return the upstreams that `names` (upstreams, programs) mean, in build order; for none, all."""
        wanted = list(names)
        if not wanted:
            return list(self.upstreams)
        known = {upstream.name: upstream for upstream in self.upstreams}
        chosen = {(known.get(name) or self.upstream_of(name)).name for name in wanted}
        return [upstream for upstream in self.upstreams if upstream.name in chosen]


def build_directory() -> Path:
    """Return the `build/` folder of the checkout; FlatnetError when flatnet was installed without one."""
    directory = Path(__file__).resolve().parents[2] / "build"
    if not (directory / "programs.yml").is_file():
        raise FlatnetError(
            f"{directory} holds no programs.yml: flatnet was installed apart from its checkout. "
            "Install it with `pip install -e .` in the checkout"
        )
    return directory


def our_roles() -> Path:
    """Return the folder of flatnet's own roles."""
    return build_directory().parent / "roles"


def load_catalog(path: Path | None = None, roles_paths: Iterable[Path] | None = None) -> Catalog:
    """Read the pins from `path` (default: `build/programs.yml` of the checkout) and of roles that have any.

    roles_paths: folders of roles, the first one with a role counts; default: flatnet's own, none for a
    `path`.
    Raises FlatnetError naming the file and the entry when the data cannot work.
    """
    if roles_paths is None:
        roles_paths = [] if path else [our_roles()]
    sources = [path or build_directory() / "programs.yml", *_role_files(roles_paths)]
    upstreams: list[Upstream] = []
    images: dict[str, ImagePin] = {}
    for source in sources:
        data = _read(source)
        try:
            found = [_upstream(name, entry, source.parent) for name, entry in data["upstreams"].items()]
            made = {name: _image(name, entry) for name, entry in data.get("images", {}).items()}
        except KeyError as missing:
            raise FlatnetError(f"{source}: an entry lacks the key {missing}") from missing
        except FlatnetError as problem:
            raise FlatnetError(f"{source}: {problem}") from problem
        taken = {one.name for one in upstreams} & {one.name for one in found} | images.keys() & made.keys()
        if taken:
            raise FlatnetError(f"{source}: another file has {', '.join(sorted(taken))} too; use another name")
        upstreams = upstreams + found if source == sources[0] else _placed(upstreams, found)
        images |= made
        _check_names(Catalog(tuple(upstreams), images), source)
    return Catalog(tuple(upstreams), images)


def _role_files(roles_paths: Iterable[Path]) -> list[Path]:
    found: dict[str, Path] = {}
    for directory in roles_paths:
        for path in directory.glob(f"*/{ROLE_FILE}"):
            found.setdefault(path.parents[1].name, path)
    return [path for _, path in sorted(found.items())]


def _read(source: Path) -> dict[str, Any]:
    # libyaml is several times quicker, and the catalog is read once per host and play.
    try:
        loader = (yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)(source.read_text())
        data = loader.get_single_data()
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        told = " ".join(str(problem).split())
        raise FlatnetError(f"{source} cannot be read: {told}; correct the file") from problem
    if not isinstance(data, dict) or not isinstance(data.get("upstreams"), dict):
        raise FlatnetError(f"{source} has no mapping `upstreams`; see build/programs.yml")
    return data


def _placed(upstreams: list[Upstream], found: Iterable[Upstream]) -> list[Upstream]:
    """Return the upstreams with those of a role among them, each before the first that is larger."""
    for one in found:
        size = one.gomod.disk_mib if one.gomod else 0
        larger = (i for i, other in enumerate(upstreams) if other.gomod and other.gomod.disk_mib > size)
        place = next(larger, len(upstreams))
        upstreams = [*upstreams[:place], one, *upstreams[place:]]
    return upstreams


def _upstream(name: str, entry: dict[str, Any], directory: Path) -> Upstream:
    gomod = _gomod(name, entry["gomod"], directory) if "gomod" in entry else None
    release = tuple(release_file(name, file, str(entry["version"])) for file in entry.get("release", ()))
    programs = list(gomod.packages if gomod else ())
    for published in release:
        programs += [program for program in published.members if program not in programs]
    return Upstream(
        name=name,
        version=str(entry["version"]),
        programs=tuple(programs),
        install_directory=entry.get("install_directory", DEFAULT_INSTALL_DIRECTORY),
        gomod=gomod,
        release=release,
    )


def _gomod(name: str, entry: dict[str, Any], directory: Path) -> GomodPin:
    packages: dict[str, str] = entry.get("packages", {})
    files = {key: _file_set(name, key, one) for key, one in entry.get("files", {}).items()}
    if not packages and not files:
        raise FlatnetError(f"upstream {name}: gomod has neither packages nor files; give it what to make")
    for program, package in packages.items():
        # `go build -o directory/` with several packages names each program itself.
        if len(packages) > 1 and default_program_name(package) != program:
            raise FlatnetError(
                f"upstream {name}: Go calls the program of {package} {default_program_name(package)!r}, "
                f"not {program!r}; give it an upstream entry of its own"
            )
    return GomodPin(
        directory=directory / entry["directory"],
        packages=packages,
        tags=tuple(entry.get("tags", ())),
        variables=entry.get("variables", {}),
        cgo_architectures=tuple(entry.get("cgo_architectures", ())),
        disk_mib=entry.get("disk_mib", 500),
        files=files,
        slow=bool(entry.get("slow", False)),
    )


def _file_set(upstream: str, name: str, entry: dict[str, Any]) -> FileSet:
    paths = tuple(entry["paths"])
    outside = [path for path in paths if Path(path).is_absolute() or ".." in Path(path).parts]
    if outside or not paths:
        what = f"{outside[0]!r} is not inside the module" if outside else "it has no paths"
        raise FlatnetError(f"upstream {upstream}, files {name}: {what}; list paths below the module's folder")
    return FileSet(entry["module"], paths)


def default_program_name(package: str) -> str:
    """Return what `go build` calls the program of `package`: its last element that is not `v2`, `v3`..."""
    elements = package.split("/")
    if len(elements) > 1 and _MAJOR_VERSION_ELEMENT.fullmatch(elements[-1]):
        return elements[-2]
    return elements[-1]


def release_file(name: str, entry: Mapping[str, Any], version: str) -> ReleaseFile:
    """Return the published file that `entry` describes; `version` holds where it states none.

    Raises FlatnetError for a digest of the wrong form, KeyError for a missing key.
    """
    for architecture, digest in entry["digests"].items():
        _check_digest(f"upstream {name}, {entry['url']}, {architecture}", digest)
    members = entry["members"] if "members" in entry else {entry["program"]: None}
    return ReleaseFile(entry["url"], str(entry.get("version", version)), entry["digests"], members)


def _check_digest(where: str, digest: str) -> None:
    algorithm, _, figure = digest.partition(":")
    if len(figure) != _DIGEST_LENGTHS.get(algorithm) or not re.fullmatch(r"[0-9a-f]+", figure):
        raise FlatnetError(
            f"{where}: {digest!r} is not a digest of the form sha256:<64 hex> or sha512:<128 hex>"
        )


def _image(name: str, entry: dict[str, Any]) -> ImagePin:
    arguments = tuple(entry.get("arguments", ()))
    return ImagePin(name, entry["program"], arguments, entry.get("user", ""), entry.get("tag", ""))


def _check_names(catalog: Catalog, source: Path) -> None:
    owners: dict[str, str] = {}
    for upstream in catalog.upstreams:
        for name in upstream.names:
            if name in owners:
                what = "a program" if name in upstream.programs else "files"
                raise FlatnetError(f"{source}: {owners[name]} and {upstream.name} both have {what} {name!r}")
            owners[name] = upstream.name
    for image in catalog.images.values():
        if image.program not in owners:
            raise FlatnetError(
                f"{source}: image {image.name} is made from {image.program!r}, which no upstream has"
            )
