import pytest

from flatnet.errors import FlatnetError
from flatnet.plan import (
    apiserver_sans,
    daemon_flags,
    dns_address,
    first_service_address,
    is_overlapping,
    node_pod_cidr,
    pod_mtu,
)


def test_a_node_far_into_a_large_network_is_found_at_once() -> None:
    assert node_pod_cidr("10.0.0.0/8", 65535, 24) == "10.255.255.0/24"
    assert node_pod_cidr("2001:db8::/32", 2**32 - 1, 64) == "2001:db8:ffff:ffff::/64"


@pytest.mark.parametrize(
    ("cidr", "first", "dns"),
    [("10.32.0.0/24", "10.32.0.1", "10.32.0.10"), ("2001:db8::/108", "2001:db8::1", "2001:db8::a")],
)
def test_services_start_at_the_first_address_and_dns_is_the_tenth(cidr: str, first: str, dns: str) -> None:
    assert (first_service_address(cidr), dns_address(cidr)) == (first, dns)


def test_a_service_network_without_the_address_is_refused() -> None:
    with pytest.raises(
        FlatnetError, match=r"10\.32\.0\.0/32 is too small for the Service kubernetes at index 1"
    ):
        first_service_address("10.32.0.0/32")
    with pytest.raises(FlatnetError, match=r"10\.32\.0\.0/29 is too small for the DNS service at index 10"):
        dns_address("10.32.0.0/29")


@pytest.mark.parametrize(
    ("families", "mtu"),
    [(["ipv4"], 1450), (["ipv6"], 1430), (["ipv4", "ipv6"], 1430), (["ipv6", "ipv4"], 1430)],
)
def test_the_pod_mtu_leaves_room_for_the_larger_overhead_in_use(families: list[str], mtu: int) -> None:
    assert pod_mtu(1500, {"ipv4": 50, "ipv6": 70}, families) == mtu


@pytest.mark.parametrize(("families", "least"), [(["ipv4"], 576), (["ipv6"], 1280), (["ipv4", "ipv6"], 1280)])
def test_a_pod_mtu_below_what_the_family_demands_is_refused(families: list[str], least: int) -> None:
    overhead = {"ipv4": 50, "ipv6": 50}
    assert pod_mtu(least + 50, overhead, families) == least
    with pytest.raises(FlatnetError, match=f"raise the underlay MTU to {least + 50} or more"):
        pod_mtu(least + 49, overhead, families)


def test_an_mtu_for_a_family_without_an_overhead_is_refused() -> None:
    with pytest.raises(FlatnetError, match="no overhead is known for"):
        pod_mtu(1500, {"ipv4": 0}, ["ipv6"])
    with pytest.raises(FlatnetError, match="no overhead is known for no family"):
        pod_mtu(1500, {"ipv4": 0}, [])


def test_the_api_server_answers_to_its_service_names_itself_and_the_extra_ones() -> None:
    assert apiserver_sans(
        "example.test", ["10.32.0.0/24"], ["node-b", "node-a"], ["192.0.2.12"], ["api.example.com"]
    ) == {
        "dns": [
            "api.example.com",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.example.test",
            "localhost",
            "node-a",
            "node-b",
        ],
        "ip": ["10.32.0.1", "127.0.0.1", "192.0.2.12"],
    }


def test_ipv6_adds_its_loopback_and_addresses_become_canonical_and_unique() -> None:
    sans = apiserver_sans(
        "x", ["10.32.0.0/24", "2001:db8::/112"], [], ["2001:DB8:1::1"], ["2001:db8:1:0::1", "localhost"]
    )
    assert sans["ip"] == ["10.32.0.1", "127.0.0.1", "2001:db8:1::1", "2001:db8::1", "::1"]
    assert sans["dns"].count("localhost") == 1


def test_flags_become_sorted_arguments_with_lower_case_booleans() -> None:
    assert daemon_flags({"v": 2, "allow": True, "b": False, "name": "x y"}) == [
        "--allow=true",
        "--b=false",
        "--name=x y",
        "--v=2",
    ]


@pytest.mark.parametrize("value", [None, ["a"], {"a": "b"}])
def test_a_flag_that_is_no_scalar_is_refused_by_name(value: object) -> None:
    with pytest.raises(FlatnetError, match="flag --x has the value"):
        daemon_flags({"x": value})


def test_an_unreadable_network_is_not_hidden_by_an_overlapping_one() -> None:
    assert is_overlapping("10.0.0.0/8", "10.1.0.0/16")
    assert not is_overlapping("10.0.0.0/8", [])
    with pytest.raises(FlatnetError, match="'x' is not a network"):
        is_overlapping("10.0.0.0/8", ["10.1.0.0/16", "x"])
