"""Hosts' addresses are read all at once; the result is that of reading each host alone."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from plan_cases import DUAL, KUBENET, contracts_of, host

from flatnet.plan import Host, Settings
from flatnet.plan.findings import Findings
from flatnet.plan.host_addresses import owned_within, resolve_addresses
from flatnet.plan.rules import Resolved, resolve_networks

ADDRESSES = st.sampled_from(
    ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:DB8:0::2", "::ffff:192.0.2.9", "::2", "x", "192.0.2.010"]
)
V6_FIRST = replace(DUAL, pod_cidrs=DUAL.pod_cidrs[::-1], service_cidrs=DUAL.service_cidrs[::-1])


def resolved_for(hosts: list[Host], settings: Settings) -> tuple[Resolved, Findings]:
    findings = Findings()
    resolved = resolve_networks(settings, contracts_of(KUBENET).backend("kubenet").in_mode(), findings)
    assert not findings.found
    resolve_addresses(hosts, resolved, findings)
    return resolved, findings


@given(st.lists(st.lists(ADDRESSES, max_size=3), max_size=4), st.sampled_from([Settings(), DUAL, V6_FIRST]))
def test_hosts_are_read_together_as_each_is_alone(rows: list[list[str]], settings: Settings) -> None:
    hosts = [host(f"n{number}", *row) for number, row in enumerate(rows)]
    together, findings = resolved_for(hosts, settings)
    alone = [resolved_for([one], settings) for one in hosts]
    assert together.texts == {name: texts for one, _ in alone for name, texts in one.texts.items()}
    for family, owned in together.addresses.items():
        assert owned == sorted(pair for one, _ in alone for pair in one.addresses[family])
    assert sorted(findings.found) == sorted(item for _, found in alone for item in found.found)
    assert sorted(findings.warned) == sorted(item for _, found in alone for item in found.warned)


@given(st.lists(st.integers(0, 9)), st.integers(0, 9), st.integers(0, 9))
def test_addresses_within_a_range_are_those_from_its_first_to_its_last(
    values: list[int], first: int, last: int
) -> None:
    owned = sorted((value, f"n{index}", "") for index, value in enumerate(values))
    expected = [pair for pair in owned if first <= pair[0] <= last]
    assert list(owned_within(owned, first, last)) == expected
