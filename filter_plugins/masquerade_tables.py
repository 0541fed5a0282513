"""The filter masquerade_tables; thin adapter over flatnet.masquerade."""

from collections.abc import Callable, Sequence

from ansible.errors import AnsibleFilterError

try:
    from flatnet import masquerade
    from flatnet.errors import FlatnetError
except ImportError as error:
    raise AnsibleFilterError(
        f"flatnet cannot be imported ({error}): install it for the Python that runs Ansible, with"
        " `pip install -e .` in the checkout"
    ) from error


def masquerade_tables(pod_cidrs: Sequence[str], not_to: Sequence[str]) -> list[dict[str, str]]:
    """Return tables of nftables; AnsibleFilterError carries the message of a FlatnetError."""
    try:
        return masquerade.masquerade_tables(pod_cidrs, not_to)
    except FlatnetError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """The filters, by name."""

    def filters(self) -> dict[str, Callable[..., list[dict[str, str]]]]:
        """Return the filters by name."""
        return {"masquerade_tables": masquerade_tables}
