"""Fixes that findings give: a value that is to be written is one that the next plan takes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from plan_cases import ALL_GROUPS, FLANNEL, KUBENET, contracts_of, host

from flatnet.plan import Finding, PlanError, Settings, prepare_plan
from flatnet.plan.addresses import WIDTH, Network, parse_network

CONTRACTS = contracts_of(KUBENET, FLANNEL, KUBENET | {"name": "narrow", "kube_proxy_modes": ["ipvs"]})
POOLS = st.sampled_from(
    [
        ("10.200.0.0/16",),
        ("10.200.0.0/21",),
        ("10.200.0.0/22",),
        ("10.200.0.0/24",),
        ("10.200.0.0/28",),
        ("10.200.0.0/20", "2001:db8:200::/56"),
        ("2001:db8:200::/63",),
    ]
)


class Input(NamedTuple):
    """What is planned."""

    settings: Settings
    nodes: int


@st.composite
def inputs(draw: st.DrawFn) -> Input:
    """Return settings of which most break something that a number can mend."""
    pods = draw(POOLS)
    families = [":" in text for text in pods]
    services = {
        False: draw(
            st.sampled_from(["10.32.0.0/24", "10.32.0.0/28", "10.32.0.0/30", "64.0.0.0/1", "10.32.0.0/31"])
        ),
        True: draw(st.sampled_from(["2001:db8:32::/112", "2001:db8:32::/127", "2001:db8:32::/48"])),
    }
    prefixes = [draw(st.integers(40, 128) if six else st.integers(8, 32)) for six in families]
    first = draw(st.integers(1, 65000))
    return Input(
        Settings(
            pod_cidrs=pods,
            service_cidrs=tuple(services[six] for six in families),
            node_prefixes=draw(st.just(()) | st.just(tuple(prefixes))),
            max_pods=draw(st.sampled_from([1, 5, 110, 250, 253, 254, 1000, 100000])),
            node_port_range=draw(
                st.sampled_from(["30000-32767", "x", "1-65535", "10240-10260"])
                | st.integers(first, 65535).map(lambda last: f"{first}-{last}")
            ),
            api_port=draw(
                st.sampled_from([6443, 30000, 31000, 32767, 10250, 8472, 2379, 10248]) | st.integers(1, 65535)
            ),
            dns_addresses=draw(
                st.just(()) | st.sampled_from([("10.32.0.0",), ("10.32.0.1",), ("10.32.0.255",)])
            )
            if families == [False]
            else (),
            network_backend=draw(st.sampled_from(["kubenet", "narrow"])),
            kube_proxy_mode=draw(st.sampled_from(["iptables", "nftables", "ipvs", "none"])),
        ),
        draw(st.integers(1, 9)),
    )


def refusals(given: Input) -> list[Finding]:
    some = [
        host(
            f"n{i}", f"192.0.2.{i + 1}", f"2001:db8::{i + 1}", groups=ALL_GROUPS if i == 0 else ["kube_node"]
        )
        for i in range(given.nodes)
    ]
    try:
        prepare_plan(given.settings, some, CONTRACTS)
    except PlanError as error:
        return list(error.findings)
    return []


def changed(given: Input, **values: object) -> Input:
    return given._replace(settings=replace(given.settings, **values))  # type: ignore[arg-type]


def split(given: Input, finding: Finding, match: re.Match[str]) -> list[Input]:
    six = ":" in finding.reason
    families = [":" in text for text in given.settings.pod_cidrs]
    own = list(given.settings.node_prefixes or [64 if family else 24 for family in families])
    found = []
    for number in {int(match[1]), int(match[2])}:
        own[families.index(six)] = number
        found.append(changed(given, node_prefixes=tuple(own)))
    return found


def resized(given: Input, finding: Finding, match: re.Match[str]) -> list[Input]:
    # At the other end of the range there is room for nothing else.
    text, number = finding.value.partition(" ")[2], int(match[2])
    new = around(text, number)
    listed = tuple(new if one == text else one for one in given.settings.service_cidrs)
    return [changed(given, service_cidrs=listed)]


def around(text: str, prefix: int) -> str:
    """Return the network of the prefix length around the network, or its first part."""
    old = parse_network(text)
    bits = WIDTH[old.family] - prefix
    return str(Network(old.family, old.first >> bits << bits, prefix))


def prefixes(given: Input, _finding: Finding, match: re.Match[str]) -> list[Input]:
    values: dict[str, Any] = {"node_prefixes": tuple(map(int, re.findall(r"\d+", match[1])))}
    return [changed(given, **values | ({"max_pods": int(match[2])} if match[2] else {}))]


def widened(given: Input, finding: Finding, match: re.Match[str]) -> list[Input]:
    text = finding.value.rpartition(" ")[2]
    listed = tuple(around(text, int(match[1])) if one == text else one for one in given.settings.pod_cidrs)
    return [changed(given, pod_cidrs=listed)]


Mend = Callable[[Input, Finding, re.Match[str]], list[Input]]
MENDS: list[tuple[str, str, Mend]] = [
    ("node-prefix", r"use a prefix length from (\d+) to (\d+)", split),
    ("service-network-size", r"use a prefix length from (\d+) to (\d+)", resized),
    (
        "max-pods",
        r"lower cluster_max_pods to (\d+)",
        lambda given, _, match: [changed(given, max_pods=int(match[1]))],
    ),
    (
        "max-pods pod-network-full",
        r"(?:set cluster_node_prefixes to|, or to) (\d+|\[[\d, ]+\])"
        r"(?: and cluster_max_pods to at most (\d+))?",
        prefixes,
    ),
    ("pod-network-full", r"widen cluster_pod_cidrs to a /(\d+)", widened),
    (
        "node-port-range",
        r"like (\d+-\d+)$",
        lambda given, _, match: [changed(given, node_port_range=match[1])],
    ),
    ("api-port", r"use (\d+)$", lambda given, _, match: [changed(given, api_port=int(match[1]))]),
    (
        "dns-address",
        r"use (\d[\d.]+)$",
        lambda given, _, match: [changed(given, dns_addresses=(match[1],))],
    ),
    (
        "kube-proxy-mode",
        r"use (?:one of )?([a-z, ]+)$",
        lambda given, _, match: [changed(given, kube_proxy_mode=mode) for mode in match[1].split(", ")],
    ),
]


def mended(given: Input, finding: Finding) -> list[Input]:
    """Return the input with each value that the finding says to write, if it names one."""
    return [
        after
        for rules, pattern, mend in MENDS
        if finding.rule in rules.split()
        for match in re.finditer(pattern, finding.fix)
        for after in mend(given, finding, match)
    ]


def broken(some: list[Finding]) -> Mapping[str, int]:
    """Return rule -> how many findings break it, of those that are about values and not of each other."""
    counts: dict[str, int] = {}
    for one in some:
        counts[one.rule] = counts.get(one.rule, 0) + 1
    return counts


# While one of these is broken nothing is allocated, so that a full pool of another family is told afterwards.
HIDING = {"node-prefix", "network-overlap"}


@settings(max_examples=150, deadline=None)
@given(inputs())
def test_what_a_finding_says_to_write_is_taken_by_the_next_plan(given: Input) -> None:
    before = refusals(given)
    hidden = {finding.rule for finding in before} & HIDING and given.settings.pod_cidrs[1:]
    for finding in before:
        for after in mended(given, finding):
            left = refusals(after)
            assert broken(left).get(finding.rule, 0) < broken(before)[finding.rule], (finding, after, left)
            new = broken(left).keys() - broken(before).keys()
            assert new <= ({"pod-network-full"} if hidden else set()), (finding, after, left)


def test_a_range_of_ports_that_is_advised_leaves_out_the_port_of_the_api_server() -> None:
    found = refusals(Input(Settings(api_port=31000), 1))
    assert [finding.fix for finding in found] == ["use a range without it like 31001-32767"]
    assert refusals(Input(Settings(api_port=31000, node_port_range="31001-32767"), 1)) == []


def test_a_port_that_is_advised_is_no_node_port() -> None:
    found = refusals(Input(Settings(api_port=2379, node_port_range="6000-7000"), 1))
    assert [finding.fix for finding in found] == ["use 7001"]
