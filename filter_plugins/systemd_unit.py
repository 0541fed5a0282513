"""The filter systemd_unit: a unit file from plain data."""

from collections.abc import Callable

from flatnet.systemd import unit_file


class FilterModule:
    """Adapter of flatnet.systemd."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"systemd_unit": unit_file}
