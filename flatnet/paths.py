"""Where flatnet keeps what outlives a checkout."""

import os
from pathlib import Path


def cache_directory() -> Path:
    """Return the cache directory: FLATNET_CACHE, else the XDG cache home's `flatnet`.

    It is not created here; whoever writes into it does that.
    """
    explicit = os.environ.get("FLATNET_CACHE")
    if explicit:
        return Path(explicit)
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "flatnet"
