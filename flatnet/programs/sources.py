"""Which file on the controller a host gets for a program or an image: the source that the inventory chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from flatnet.errors import FlatnetError
from flatnet.programs import release
from flatnet.programs.catalog import ARCHITECTURES, SOURCES, Catalog, Upstream
from flatnet.programs.directory import find_in_directory
from flatnet.programs.file_sets import DIRECTORY as FILES
from flatnet.programs.file_sets import FOLDER, recorded_files
from flatnet.programs.gomod import find_build
from flatnet.programs.images import ImageSpec, image_store, stored_image
from flatnet.programs.missing import MissingProgramError
from flatnet.programs.store import DigestCache, Store, read_sums
from flatnet.programs.toolchain import Toolchain, find_go

IMAGE_DIRECTORY = "/var/lib/flatnet/images"


@dataclass(frozen=True)
class Choice:
    """Where programs come from: one source, and exceptions by the name of a program or an upstream."""

    source: str = "gomod"
    exceptions: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    architecture: str = "amd64"

    def check(self, catalog: Catalog) -> None:
        """Raise FlatnetError naming the value that is unknown or missing."""
        for name, source in {"cluster_programs_source": self.source, **self.exceptions}.items():
            if source not in SOURCES:
                raise FlatnetError(f"{name}: {source!r} is not a source; choose one of {', '.join(SOURCES)}")
            if source == "directory" and self.directory is None:
                raise FlatnetError(f"{name} is `directory`: set cluster_programs_directory to the folder")
        if self.architecture not in ARCHITECTURES:
            known = ", ".join(ARCHITECTURES)
            raise FlatnetError(f"node_programs_architecture: {self.architecture!r} is not one of {known}")
        for name in self.exceptions:
            catalog.select([name])

    def source_of(self, upstream: Upstream, program: str) -> str:
        """Return the source of `program`.

        Under `release`, what upstream does not publish comes from the folder if one is set, else
        from Go modules; an exception is taken literally.
        """
        for name in (program, upstream.name):
            if name in self.exceptions:
                return self.exceptions[name]
        if self.source == "release" and upstream.published(program, self.architecture) is None:
            return "directory" if self.directory is not None else "gomod"
        return self.source


@dataclass(frozen=True)
class FoundProgram:
    """A program on the controller (`file`), and where hosts have it (`path`)."""

    name: str
    version: str
    source: str
    file: Path
    sha256: str
    path: str


@dataclass(frozen=True)
class FoundFile:
    """A file of a set on the controller (`file`), and where hosts have it (`path`)."""

    file: Path
    sha256: str
    path: str


@dataclass(frozen=True)
class FoundFiles:
    """A set of upstream's files, and the folder (`path`) where hosts have them."""

    name: str
    version: str
    path: str
    files: tuple[FoundFile, ...]


@dataclass(frozen=True)
class FoundImage:
    """An image tar on the controller (`file`), and where hosts have it (`path`)."""

    name: str
    version: str
    file: Path
    sha256: str
    path: str
    reference: str


class Finder:
    """Looks programs and images up for one choice of sources; cheap when nothing has changed."""

    def __init__(self, catalog: Catalog, choice: Choice, store: Store) -> None:
        """Raise FlatnetError when the choice names something unknown."""
        choice.check(catalog)
        self._catalog = catalog
        self._choice = choice
        self._store = store
        self._digests = DigestCache()

    @cached_property
    def _go(self) -> Toolchain | None:
        return find_go()

    def program(self, name: str) -> FoundProgram:
        """Return where `name` is; MissingProgramError when it is not on the controller or is damaged."""
        upstream = self._catalog.upstream_of(name)
        source = self._choice.source_of(upstream, name)
        path = f"{upstream.install_directory}/{name}"
        if source == "directory" and self._choice.directory is not None:
            try:
                found = find_in_directory(
                    self._choice.directory, name, self._choice.architecture, self._digests
                )
            except FlatnetError as problem:
                raise MissingProgramError(name, str(problem)) from problem
            return FoundProgram(name, found.version, source, found.file, found.sha256, path)
        version, entry = self._entry(upstream, name, source)
        recorded = read_sums(entry).get(name, "")
        actual = self._digests.sha256(entry / name)
        if actual != recorded:
            reason = (
                f"{entry / name} has sha256 {actual}, and was made with {recorded}; remove {entry} and repeat"
            )
            raise MissingProgramError(
                name,
                reason,
                "download" if source == "release" else "build",
                self._choice.architecture,
                self._catalog.releases if source == "release" else None,
            )
        return FoundProgram(name, version, source, entry / name, actual, path)

    def files(self, name: str) -> FoundFiles:
        """Return the set of files; MissingProgramError when it is not on the controller or is damaged."""
        upstream = self._catalog.upstream_of(name)
        if name not in upstream.file_sets:
            known = ", ".join(self._catalog.file_sets) or "there is none"
            raise FlatnetError(f"no set of files is called {name!r}; known sets: {known}")
        source = self._choice.source_of(upstream, name)
        folder, version = self._choice.directory, upstream.version
        if source != "directory" or folder is None:
            version, folder = self._entry(upstream, name, source)
        recorded = recorded_files(read_sums(folder), name)
        if not recorded:
            raise MissingProgramError(name, f"{folder} has no files of it; export it there")
        base = f"{FILES}/{name}"
        found = []
        for path, digest in sorted(recorded.items()):
            file = folder / FOLDER / name / path
            if not file.is_file() or self._digests.sha256(file) != digest:
                reason = f"{file} is not what was recorded of it; remove {folder} and repeat"
                raise MissingProgramError(
                    name, reason, "" if source == "directory" else "build", self._choice.architecture
                )
            found.append(FoundFile(file, digest, f"{base}/{path}"))
        return FoundFiles(name, version, base, tuple(found))

    def image(self, name: str) -> FoundImage:
        """Return where the image `name` is, made now if need be; MissingProgramError without its program."""
        pin = self._catalog.image(name)
        program = self.program(pin.program)
        spec = ImageSpec(
            name=name,
            version=program.version,
            program=pin.program,
            architecture=self._choice.architecture,
            arguments=pin.arguments,
            user=pin.user,
            tag=pin.tag,
        )
        image = stored_image(spec, program.file, program.sha256, image_store())
        path = f"{IMAGE_DIRECTORY}/{image.path.name}"
        return FoundImage(name, program.version, image.path, image.sha256, path, image.reference)

    def _entry(self, upstream: Upstream, program: str, source: str) -> tuple[str, Path]:
        if source == "release":
            version = release.require_published(upstream, program, self._choice.architecture).version
            entry = release.find_download(self._store, upstream, self._choice.architecture)
            if entry is None:
                reason = f"{upstream.name} {version} is not downloaded yet"
                raise MissingProgramError(
                    program, reason, "download", self._choice.architecture, self._catalog.releases
                )
            return version, entry
        if upstream.gomod is None:
            raise MissingProgramError(
                program, f"{upstream.name} has no Go module pin; use another source for it"
            )
        entry = find_build(self._store, upstream, self._choice.architecture, self._go)
        if entry is None:
            wanted = f"{self._choice.architecture}{f' by Go {self._go.version}' if self._go else ''}"
            reason = f"{upstream.name} {upstream.version} is not built yet for {wanted}"
            raise MissingProgramError(program, reason, "build", self._choice.architecture)
        return upstream.version, entry
