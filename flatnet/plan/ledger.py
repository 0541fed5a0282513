"""The allocations file beside the inventory: read, locked, written atomically; committed by the ops team."""

import fcntl
import os
import tempfile
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from flatnet.errors import FlatnetError
from flatnet.plan.allocations import Allocations

_HEADER = """---
# Which node has which pod network. Written when the network is planned; keep it under version control.
# An entry never moves. Entries of nodes that left stay under `removed`, so that a node that returns finds
# its old network; delete one there to free its network.
"""


class _TextLoader(yaml.SafeLoader):
    """Reads every scalar as text (a node may be called `on` or `1e3`) and refuses a key that occurs twice.

    Twice is what a careless merge of two branches leaves; plain YAML would silently drop one of the nodes.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = sorted({key for key in keys if keys.count(key) > 1}) if len(set(keys)) < len(keys) else []
        if twice:
            raise yaml.YAMLError(f"{', '.join(twice)} is there twice")
        return super().construct_mapping(node, deep=deep)


# Without resolvers every plain scalar is text.
_TextLoader.yaml_implicit_resolvers = {}


def parse_ledger(text: str, name: str = "network_allocations.yml") -> Allocations:
    """Return the allocations in the file's text. Raises only FlatnetError, for any other text."""
    advice = "restore it from version control, or put it right by hand"
    try:
        loader = _TextLoader(text)
        try:
            data = loader.get_single_data()
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise FlatnetError(f"the allocations file {name} cannot be read: {error}; {advice}") from error
    try:
        return Allocations.from_mapping(None if data == "" else data)
    except FlatnetError as error:
        raise FlatnetError(f"the allocations file {name} is wrong: {error}\n{advice}") from error


def ledger_text(allocations: Allocations) -> str:
    """Return the file's text: sorted, one node a line, the same bytes for the same allocations."""
    return _HEADER + yaml.safe_dump(allocations.to_mapping(), default_flow_style=None, width=1000)


class Ledger:
    """The file while its lock is held: what it held, and a way to replace that."""

    def __init__(self, path: Path) -> None:
        """Read the file; an absent one is an empty ledger."""
        self.path = path
        try:
            self.before = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            self.before = ""
        except (OSError, UnicodeDecodeError) as error:
            raise FlatnetError(
                f"the allocations file {path} cannot be read: {error}; make it readable"
            ) from error
        self.allocations = parse_ledger(self.before, str(path))

    def text_after(self, allocations: Allocations) -> str:
        """Return the text to write; unchanged allocations keep the text as it is, comments included."""
        if allocations.to_mapping() == self.allocations.to_mapping():
            return self.before
        return ledger_text(allocations)

    def write(self, text: str) -> bool:
        """Replace the file atomically, keeping its mode. Returns False if there was nothing to do."""
        if text == self.before:
            return False
        try:
            try:
                mode = self.path.stat().st_mode & 0o7777
            except FileNotFoundError:
                mode = 0o644
            descriptor, temporary = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                    stream.write(text)
                    stream.flush()
                    os.fchmod(stream.fileno(), mode)
                    os.fsync(stream.fileno())
                Path(temporary).replace(self.path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise FlatnetError(
                f"the allocations file {self.path} cannot be written: {error}; make its directory writable"
            ) from error
        return True


@contextmanager
def open_ledger(path: Path) -> Iterator[Ledger]:
    """Hold the lock and yield the ledger, so that two runs cannot give the same network to two nodes.

    The lock is on the directory: a write replaces the file itself, and a lock file would end up in commits.
    A symbolic link is followed, so that the link stays a link.
    """
    real = path.resolve()
    try:
        directory = os.open(real.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise FlatnetError(
            f"the directory of the allocations file {path} cannot be opened: {error}; create it"
        ) from error
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield Ledger(real)
    finally:
        os.close(directory)
