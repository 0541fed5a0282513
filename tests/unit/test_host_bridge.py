from typing import Any

import pytest

from flatnet.host_bridge import bridge_refusals

PODS = ["10.200.1.0/24", "2001:db8:200:1::/64"]


def refusals(*addresses: str, kind: str = "bridge", pods: list[str] = PODS) -> list[str]:
    bridge: dict[str, Any] = {"name": "cbr0", "kind": kind, "addresses": list(addresses)}
    return bridge_refusals({"interfaces": [{"name": "eth0"}, bridge]}, "cbr0", pods)


@pytest.mark.parametrize(
    "addresses",
    [
        [],
        ["10.200.1.1/24"],
        ["10.200.1.1/24", "2001:db8:200:1::1/64"],
        # The plugin minds another network of IPv6 no more than the kernel does.
        ["10.200.1.1/24", "2001:db8:999:1::1/64"],
    ],
)
def test_a_bridge_that_pods_were_plugged_into_is_taken(addresses: list[str]) -> None:
    assert refusals(*addresses) == []


def test_a_bridge_that_is_not_there_is_made_by_the_first_pod() -> None:
    assert bridge_refusals({"interfaces": [{"name": "eth0"}]}, "cbr0", PODS) == []


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("10.9.0.1/24", "10.200.1.1/24"),
        ("10.200.1.1/16", "10.200.1.1/24"),
        ("10.200.1.2/24", "10.200.1.1/24"),
        ("2001:db8:200::1/48", "2001:db8:200:1::1/64"),
    ],
)
def test_a_bridge_with_an_address_of_another_network_is_refused(address: str, wanted: str) -> None:
    assert refusals(address) == [
        f"the host's cbr0 has the address {address}, and that of this node's pods is {wanted}: no pod could "
        "start. Fix: remove what is left of another network with `ip link delete cbr0`."
    ]


def test_an_address_of_a_family_that_pods_do_not_have_is_nobodys_business() -> None:
    assert refusals("10.9.0.1/24", pods=PODS[1:]) == []


def test_something_else_of_that_name_is_refused() -> None:
    [message] = refusals(kind="dummy")
    assert message.startswith("the host's cbr0 is not a bridge but of the kind dummy")
