"""What can be wrong with the exchange between controller and host, in words for its user."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from flatnet.errors import FlatnetError
from flatnet.state.digest import file_digest


def require_sources(missing: Sequence[str], sources: Mapping[str, str]) -> None:
    """Raise FlatnetError when the controller has not got a blob that a host misses."""
    for sha256 in missing:
        source = sources[sha256]
        if not Path(source).is_file():
            raise FlatnetError(
                f"the host misses {source} (sha256 {sha256}), and it is not on the controller; "
                "build or download it"
            )


def explain_refusal(missing: Sequence[str], sources: Mapping[str, str]) -> None:
    """Raise FlatnetError when a host still misses blobs that have just been brought to it."""
    for sha256 in missing:
        source = sources[sha256]
        actual = file_digest(Path(source))
        if actual != sha256:
            raise FlatnetError(
                f"{source} has sha256 {actual}, but {sha256} is asked for; "
                "fetch the right file, or correct the sha256"
            )
        raise FlatnetError(f"{source} arrived damaged on the host; apply again")
