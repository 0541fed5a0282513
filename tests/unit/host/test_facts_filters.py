"""What of a host's packet filters gets in the way."""

import json
from typing import Any

import pytest

from flatnet.host.facts import filters

NFT, LEGACY = "iptables v1.8.9 (nf_tables)", "iptables v1.8.9 (legacy)"


def base(table: str, name: str, hook: str, policy: str = "accept", family: str = "ip") -> dict[str, Any]:
    return {"family": family, "table": table, "name": name, "hook": hook, "policy": policy}


def answer(
    monkeypatch: pytest.MonkeyPatch,
    chains: list[dict[str, Any]],
    version: str = NFT,
    legacy: dict[str, str] | None = None,
    unreadable: tuple[str, ...] = (),
) -> dict[str, Any]:
    legacy = legacy or {}

    def run(arguments: list[str]) -> str:
        if arguments[0] == "nft":
            return json.dumps({"nftables": [{"metainfo": {}}, *({"chain": one} for one in chains)]})
        if arguments == ["iptables", "--version"]:
            return version
        if arguments[0] == "iptables-legacy":
            return legacy[arguments[arguments.index("-t") + 1]]
        assert arguments[:3] == ["iptables", "-w", "5"]
        return "" if arguments[-1] in unreadable else f"-P {arguments[-1]} ACCEPT\n"

    monkeypatch.setattr(filters, "run", run)
    monkeypatch.setattr(filters, "read", lambda _: "\n".join(legacy))
    return filters.answer()


def test_a_host_without_rules_has_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    expected: dict[str, Any] = {"forward_drops": [], "incompatible_chains": [], "other_chains": []}
    assert answer(monkeypatch, []) == expected
    monkeypatch.setattr(filters, "run", lambda _: "")
    assert filters.answer() == expected


def test_policies_that_drop_what_is_forwarded_are_told_of_every_filter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chains = [
        base("filter", "FORWARD", "forward", "drop"),
        base("site", "fwd", "forward", "drop", "inet"),
        base("filter", "INPUT", "input", "drop"),
        base("filter", "FORWARD", "forward", "drop", "bridge"),
        base("kube-proxy", "filter-forward", "forward"),
    ]
    legacy = {"filter": "-P INPUT DROP\n-P FORWARD DROP\n"}
    assert answer(monkeypatch, chains, legacy=legacy)["forward_drops"] == [
        "table ip filter, chain FORWARD",
        "table inet site, chain fwd",
        "iptables-legacy, table filter, chain FORWARD",
    ]


def test_chains_of_iptables_that_it_cannot_read_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    chains = [
        base("nat", "POSTROUTING", "postrouting"),
        base("nat", "OUTPUT", "output"),
        # iptables makes its own beside it.
        base("nat", "postrouting", "postrouting"),
        base("site", "POSTROUTING", "postrouting"),
        base("nat", "POSTROUTING", "postrouting", family="inet"),
    ]
    names = ("POSTROUTING", "postrouting")
    found = answer(monkeypatch, chains, unreadable=names)
    assert found["incompatible_chains"] == ["POSTROUTING of table ip nat"]
    assert answer(monkeypatch, chains, LEGACY, unreadable=names)["incompatible_chains"] == []


def test_chains_of_kubernetes_are_strangers_in_the_backend_that_is_not_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = {"family": "ip", "table": "nat", "name": "KUBE-SERVICES"}
    legacy = {"nat": "-P OUTPUT ACCEPT\n-N KUBE-NODEPORTS\n-N DOCKER\n", "filter": "-N KUBE-FORWARD\n"}
    of_legacy = ["KUBE-FORWARD", "KUBE-NODEPORTS"]
    assert answer(monkeypatch, [services], NFT, legacy)["other_chains"] == of_legacy
    assert answer(monkeypatch, [services], LEGACY, legacy)["other_chains"] == ["KUBE-SERVICES"]
    assert answer(monkeypatch, [services], NFT)["other_chains"] == []
