"""The filter deduplication_tables; thin adapter over flatnet.deduplication."""

from collections.abc import Callable, Sequence

from ansible.errors import AnsibleFilterError

try:
    from flatnet import deduplication
    from flatnet.errors import FlatnetError
except ImportError as error:
    raise AnsibleFilterError(
        f"flatnet cannot be imported ({error}): install it for the Python that runs Ansible, with"
        " `pip install -e .` in the checkout"
    ) from error


def deduplication_tables(pod_cidrs: Sequence[str]) -> list[dict[str, str]]:
    """Return tables of nftables; AnsibleFilterError carries the message of a FlatnetError."""
    try:
        return deduplication.deduplication_tables(pod_cidrs)
    except FlatnetError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """The filters, by name."""

    def filters(self) -> dict[str, Callable[..., list[dict[str, str]]]]:
        """Return the filters by name."""
        return {"deduplication_tables": deduplication_tables}
