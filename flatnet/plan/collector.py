"""Python's search for cycles of objects, paused while a plan is made."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """Pause the search for cycles: a plan is a million objects without one, and walked over and over."""
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
