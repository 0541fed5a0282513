"""The table that drops second copies on a promiscuous bridge."""

import pytest

from flatnet.deduplication import deduplication_tables
from flatnet.errors import FlatnetError

DROP = "{0} saddr != @gateways_{0} {0} saddr @pods_{0} {0} daddr @pods_{0} drop"


def lines(*pod_cidrs: str) -> list[str]:
    [table] = deduplication_tables(pod_cidrs)
    assert (table["family"], table["table"]) == ("bridge", "flatnet_kubenet")
    return [line.strip() for line in table["content"].splitlines()]


def test_copies_between_pods_of_the_node_go_and_what_a_gateway_sends_stays() -> None:
    found = lines("10.200.1.0/24")
    assert "elements = { 10.200.1.0/24 }" in found
    assert "elements = { 10.200.1.1 }" in found
    assert found[-2] == DROP.format("ip")
    assert not [line for line in found if "ip6" in line]


def test_every_network_of_the_node_counts_in_either_family() -> None:
    found = lines("fd00:200::/64", "10.201.0.0/26", "10.200.1.0/24")
    assert "elements = { 10.201.0.0/26, 10.200.1.0/24 }" in found
    assert "elements = { 10.201.0.1, 10.200.1.1 }" in found
    assert found[-3:-1] == [DROP.format("ip"), DROP.format("ip6")]


def test_what_is_not_a_network_is_refused() -> None:
    with pytest.raises(FlatnetError):
        deduplication_tables(["10.200.1.1"])
