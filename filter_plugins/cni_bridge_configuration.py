"""The filter cni_bridge_configuration: the CNI configuration of a bridge network."""

from collections.abc import Callable

from flatnet.cni import bridge_configuration


class FilterModule:
    """Adapter of flatnet.cni."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"cni_bridge_configuration": bridge_configuration}
