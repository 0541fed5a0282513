"""Python's garbage collection, paused while a plan is made."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Pause the search for cycles: a plan is a million objects without one, searched over and over."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if not gc.get_freeze_count():
                # Old from the start: otherwise all are walked at once as soon as the search goes on.
                gc.freeze()
                gc.unfreeze()
            gc.enable()
