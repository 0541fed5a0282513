"""Where the tour stops, and what it leaves out with a reason."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from plan_cases import FLANNEL, KUBENET, contracts_of

from flatnet.contract import find_contracts
from tests.tour.__main__ import fault_of
from tests.tour.hosts import TourError
from tests.tour.stops import Machine, Stop, Tour, machine_without, plan_tour

ROOT = Path(__file__).resolve().parents[3]
OURS = find_contracts([ROOT / "roles"])
EVERYTHING = machine_without(OURS, [])
ENGINE: dict[str, Any] = {
    "kind": "policy_engine",
    "name": "sieve",
    "description": "An engine",
    "families": ["ipv4"],
}
IPTABLES = OURS["kube_proxy"].in_mode("iptables").needs.kernel_features
PLAIN = Machine(
    ["bridge", "veth", "vxlan", "nftables", "nftables_services", *IPTABLES],
    EVERYTHING.commands,
    EVERYTHING.programs,
)


def names(tour: Tour) -> list[str]:
    return [stop.name for stop in tour.stops]


def test_every_backend_of_the_repository_in_every_mode_is_a_stop_where_everything_is_there() -> None:
    tour = plan_tour(OURS, EVERYTHING, "kubenet")
    wanted = {
        (backend.name, mode if backend.has_modes else "")
        for backend in OURS.values()
        for mode in (backend.modes if backend.kind == "backend" else ())
        if "ipv4" in backend.in_mode(mode).families and backend.in_mode(mode).routes != "network"
    }
    assert {(stop.backend, stop.mode) for stop in tour.stops} == wanted
    assert {stop.kube_proxy_mode for stop in tour.stops} >= {"iptables", "nftables", "ipvs"}
    assert tour.left_out == {
        "backend kubenet in mode network-routes": "its routes are on routers, which these hosts do not have"
    }


def test_it_begins_with_the_backend_that_is_there_and_ends_with_it() -> None:
    tour = plan_tour(OURS, EVERYTHING, "kubenet")
    assert tour.stops[0] == Stop("kubenet", "host-routes", "iptables")
    assert [old for old, _ in tour.legs] == tour.stops
    assert {new for _, new in tour.legs} == set(tour.stops)
    assert tour.legs[-1][1] == tour.stops[0]


def test_what_the_machine_lacks_is_left_out_by_name_with_all_reasons() -> None:
    contracts = contracts_of(KUBENET, FLANNEL)
    machine = Machine(["bridge", "veth"], [], ["bridge"])
    tour = plan_tour(contracts, machine, "kubenet")
    assert names(tour) == []
    assert tour.left_out["backend flannel"] == "lacks the kernel feature vxlan"
    assert (
        tour.left_out["kube-proxy nftables"]
        == "lacks the kernel feature nftables, nftables_services; lacks the command "
        "conntrack, nft; lacks the program kube-proxy"
    )
    assert (
        tour.left_out["backend kubenet"] == "it works with kube-proxy in mode iptables, nftables, ipvs only"
    )


def test_every_mode_of_kube_proxy_gets_a_stop_though_there_are_more_than_backends() -> None:
    tour = plan_tour(contracts_of(KUBENET), PLAIN, "kubenet")
    assert names(tour) == ["kubenet-iptables", "kubenet-nftables"]
    assert tour.left_out["kube-proxy ipvs"].startswith("lacks the kernel feature dummy, ip_vs")


def test_a_mode_of_kube_proxy_is_changed_alone() -> None:
    tour = plan_tour(contracts_of(KUBENET, FLANNEL), PLAIN, "kubenet")
    assert names(tour) == ["kubenet-iptables", "kubenet-nftables", "flannel-nftables"]


def test_a_machine_may_be_known_by_what_it_lacks() -> None:
    contracts = contracts_of(KUBENET, FLANNEL)
    machine = machine_without(contracts, ["vxlan", "ip_vs", "gre"])
    assert plan_tour(contracts, machine, "kubenet").left_out == {
        "backend flannel": "lacks the kernel feature vxlan",
        "kube-proxy ipvs": "lacks the kernel feature ip_vs",
    }


def test_an_engine_is_a_stop_on_a_backend_that_it_works_with() -> None:
    tour = plan_tour(contracts_of(KUBENET, ENGINE), PLAIN, "kubenet")
    # It comes with nothing else, and goes with another mode of kube-proxy.
    assert names(tour) == ["kubenet-iptables", "kubenet-iptables-sieve", "kubenet-nftables"]
    assert tour.stops[1].settings["cluster_network_policy_engine"] == "sieve"


def test_a_backend_that_enforces_policies_is_asked_to() -> None:
    tour = plan_tour(contracts_of(KUBENET | {"policy": "backend"}), PLAIN, "kubenet")
    assert {stop.policy_engine for stop in tour.stops} == {"backend"}


def test_a_backend_of_another_family_is_left_out() -> None:
    tour = plan_tour(contracts_of(KUBENET | {"families": ["ipv6"]}), PLAIN, "kubenet")
    assert tour.left_out["backend kubenet"] == "it carries ipv6, the tour ipv4"


def test_every_stop_has_a_fault_that_only_it_can_have() -> None:
    faults = yaml.safe_load((ROOT / "molecule/tour/vars/faults.yml").read_text())["faults"]
    stops = plan_tour(OURS, EVERYTHING, "kubenet").stops
    assert {frozenset(fault_of(faults, stop)) for stop in stops} == {
        frozenset({"host", "break", "restore", "cause"})
    }
    with pytest.raises(TourError, match="has no fault of pigeon; add one"):
        fault_of(faults, Stop("pigeon", "", "iptables"))
