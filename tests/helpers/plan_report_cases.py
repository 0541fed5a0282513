"""Plans that the tests of the report share."""

from dataclasses import replace
from typing import Any

from plan_cases import ALL_GROUPS, DUAL, FLANNEL, GROUPED, HOSTS, group, host, hosts, prepare

from flatnet.plan import Host, Settings
from flatnet.plan_report import Difference, plan_difference

THREE = [
    host("control-plane-1", "192.0.2.11", groups=ALL_GROUPS),
    host("node-1", "192.0.2.12"),
    host("node-2", "192.0.2.13"),
]
DUAL_HOSTS = [
    host(
        f"node-{i}",
        f"192.0.2.{10 + i}",
        f"2001:db8::{i:x}",
        groups=ALL_GROUPS if i == 1 else {"kube_node"},
    )
    for i in range(1, 6)
]
WIDE = Settings(pod_cidrs=("10.128.0.0/9",))


def plan(
    settings: Settings | None = None,
    some: list[Host] | None = None,
    contract: dict[str, Any] | None = None,
    **allocations: dict[str, list[str]],
) -> dict[str, Any]:
    return prepare(settings, some or THREE, contract, allocations or None).plan


def difference(deployed: dict[str, Any], wanted: dict[str, Any]) -> Difference:
    return plan_difference(deployed, wanted)


PLANS: dict[str, dict[str, Any]] = {
    "kubenet": plan(),
    "flannel": plan(contract=FLANNEL),
    "dual-stack": plan(DUAL, DUAL_HOSTS),
    "control-plane-alone": plan(
        some=[
            replace(HOSTS[0], groups=frozenset({"kube_node"})),
            *HOSTS[1:],
            host("master", "192.0.2.10", groups={"kube_control_plane"}),
            host("store", "192.0.2.9", groups={"etcd"}),
        ]
    ),
    "twenty": plan(some=hosts(20)),
    "hundred": plan(some=hosts(100)),
    "racks": plan(
        Settings(pod_topology=[group("rack-1", "control-plane-1"), group("rack-2", "node-1", "node-2")]),
        contract=GROUPED,
    ),
    "zones": plan(
        Settings(
            pod_topology=[
                {
                    "name": f"zone-{zone}",
                    "groups": [
                        group(
                            f"rack-{rack}", *(f"node-{i:04}" for i in range(40) if i % 4 == 2 * zone + rack)
                        )
                        for rack in (0, 1)
                    ],
                }
                for zone in (0, 1)
            ]
        ),
        hosts(40),
        GROUPED,
    ),
}
