"""How far a switch has come: from every step of every host there is a way to either end."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatnet.errors import FlatnetError
from flatnet.switch.ends import End, leaving, moves_pods, staying
from flatnet.switch.progress import (
    DONE,
    INSTALLING,
    REMOVING,
    STEPS,
    WAITING,
    Progress,
    forget_progress,
    parse_progress,
    progress_towards,
    read_progress,
    save_progress,
)

KUBENET = End("kubenet", "default", "cni_kubenet", "iptables", "none", "")
FLANNEL = End("flannel", "vxlan", "cni_flannel", "iptables", "none", "")
HOST_GW = replace(FLANNEL, mode="host-gw")
VNI = replace(FLANNEL, options="vni 2")
NFTABLES = replace(KUBENET, kube_proxy_mode="nftables")
NO_PROXY = End("cilium", "default", "cni_cilium", "none", "backend", "")
SIEVE = replace(KUBENET, policy_engine="sieve", policy_role="policy_sieve")
ENDS = [KUBENET, FLANNEL, VNI, HOST_GW, NFTABLES, NO_PROXY, SIEVE]
HOSTS = ["node-1", "node-2", "node-3"]


@pytest.mark.parametrize(
    ("before", "after", "roles"),
    [
        (KUBENET, FLANNEL, ("cni_kubenet",)),
        (FLANNEL, HOST_GW, ("cni_flannel",)),
        (FLANNEL, VNI, ("cni_flannel",)),
        (KUBENET, NFTABLES, ("kube_proxy",)),
        (NFTABLES, NO_PROXY, ("cni_kubenet", "kube_proxy")),
        (NO_PROXY, KUBENET, ("cni_cilium",)),
        (SIEVE, KUBENET, ("policy_sieve",)),
        (KUBENET, SIEVE, ()),
        (SIEVE, NO_PROXY, ("cni_kubenet", "kube_proxy", "policy_sieve")),
    ],
)
def test_what_is_not_wanted_as_it_is_goes(before: End, after: End, roles: tuple[str, ...]) -> None:
    assert leaving(before, after) == roles


def test_pods_hang_on_the_backend_and_its_mode_alone() -> None:
    moved = [pair for pair in itertools.product(ENDS, ENDS) if moves_pods(*pair)]
    assert (KUBENET, NFTABLES) not in moved
    assert (SIEVE, KUBENET) not in moved
    assert (FLANNEL, HOST_GW) in moved
    assert (FLANNEL, VNI) in moved


def test_an_end_has_the_roles_that_carry_it() -> None:
    assert staying(SIEVE) == {"cni_kubenet", "kube_proxy", "policy_sieve"}
    assert staying(NO_PROXY) == {"cni_cilium"}


def test_an_end_in_words() -> None:
    assert [str(end) for end in (KUBENET, VNI, HOST_GW, NO_PROXY, SIEVE)] == [
        "kubenet with kube-proxy in mode iptables",
        "flannel in mode vxlan (vni 2) with kube-proxy in mode iptables",
        "flannel in mode host-gw with kube-proxy in mode iptables",
        "cilium with cilium in place of kube-proxy, policies by cilium",
        "kubenet with kube-proxy in mode iptables, policies by sieve",
    ]


def begun(before: End = KUBENET, after: End = FLANNEL, **hosts: str) -> Progress:
    progress = progress_towards(None, "example", before, after, HOSTS)
    assert progress is not None
    return replace(progress, hosts={**progress.hosts, **{k.replace("_", "-"): v for k, v in hosts.items()}})


def test_what_is_deployed_is_nothing_to_switch_to() -> None:
    assert progress_towards(None, "example", KUBENET, KUBENET, HOSTS) is None


def test_a_switch_begins_with_every_host_waiting() -> None:
    progress = begun()
    assert progress.hosts == dict.fromkeys(HOSTS, WAITING)
    assert progress.owners == ("cni_kubenet",)
    assert not progress.is_whole


def test_a_killed_switch_goes_on_where_it_was() -> None:
    found = begun(node_1=DONE, node_2=REMOVING)
    assert progress_towards(found, "example", KUBENET, FLANNEL, HOSTS) == found


def test_one_that_was_killed_before_its_end_was_noted_is_ended() -> None:
    found = begun(node_1=DONE, node_2=DONE, node_3=DONE)
    again = progress_towards(found, "example", FLANNEL, FLANNEL, HOSTS)
    assert again is not None
    assert again.is_whole


def test_going_back_removes_what_had_begun_to_come() -> None:
    back = progress_towards(begun(node_1=DONE, node_2=INSTALLING), "example", KUBENET, KUBENET, HOSTS)
    assert back is not None
    assert (back.before, back.after) == (FLANNEL, KUBENET)
    assert set(back.owners) == {"cni_kubenet", "cni_flannel"}
    assert back.hosts == {"node-1": REMOVING, "node-2": REMOVING, "node-3": DONE}


def test_a_third_network_is_refused_with_where_every_host_stands_and_both_ways_out() -> None:
    with pytest.raises(FlatnetError) as caught:
        progress_towards(begun(node_1=DONE, node_2=INSTALLING), "example", KUBENET, HOST_GW, HOSTS)
    assert str(caught.value) == (
        "the inventory wants flannel in mode host-gw with kube-proxy in mode iptables, but the network of "
        "cluster "
        "example is being switched from kubenet with kube-proxy in mode iptables to flannel in mode vxlan "
        "with "
        "kube-proxy in mode iptables:\n"
        "- node-3 still has kubenet with kube-proxy in mode iptables\n"
        "- node-2 has lost kubenet with kube-proxy in mode iptables, and gets flannel in mode vxlan with "
        "kube-proxy in mode iptables\n"
        "- node-1 has flannel in mode vxlan with kube-proxy in mode iptables\n"
        "To finish it, run playbooks/switch_network.yml for flannel in mode vxlan with kube-proxy in mode "
        "iptables; "
        "to go back, write kubenet with kube-proxy in mode iptables into the inventory and run the same; "
        "switch "
        "to flannel in mode host-gw with kube-proxy in mode iptables after that"
    )


def test_the_note_of_another_cluster_is_refused() -> None:
    with pytest.raises(
        FlatnetError, match="about cluster example, not other; see that cluster_state_directory"
    ):
        progress_towards(begun(), "other", KUBENET, FLANNEL, HOSTS)


def test_hosts_come_and_leave_while_a_switch_is_under_way() -> None:
    found = begun(node_1=DONE)
    again = progress_towards(found, "example", KUBENET, FLANNEL, ["node-1", "node-9"])
    assert again is not None
    assert again.hosts == {"node-1": DONE, "node-9": WAITING}


def test_a_host_only_moves_forward() -> None:
    progress = begun().moved(["node-1"], INSTALLING)
    assert progress.at(INSTALLING) == ["node-1"]
    with pytest.raises(FlatnetError, match="it cannot go back to removing"):
        progress.moved(["node-1"], REMOVING)
    with pytest.raises(FlatnetError, match="node-9 is no host of the switch; those are"):
        progress.moved(["node-9"], DONE)


@given(
    st.lists(st.sampled_from(ENDS), min_size=2, max_size=2, unique=True),
    st.lists(st.tuples(st.sampled_from(HOSTS), st.integers(0, 3), st.booleans()), max_size=30),
)
def test_whenever_it_is_killed_and_turned_round_a_host_that_is_done_has_the_wanted_network_alone(
    ends: list[End], events: list[tuple[str, int, bool]]
) -> None:
    """Play the steps of hosts; of a host the set of roles that have something on it is kept beside."""
    deployed, goal = ends
    has = {host: set(staying(deployed)) for host in HOSTS}
    found = progress_towards(None, "example", deployed, goal, HOSTS)
    for host, wanted_step, turns in events:
        assert found is not None
        if turns:
            goal = found.before if goal == found.after else found.after
        found = progress_towards(found, "example", deployed, goal, HOSTS)
        assert found is not None
        order = list(STEPS)
        for step in order[order.index(found.hosts[host]) + 1 : wanted_step + 1] or (
            [found.hosts[host]] if found.hosts[host] == REMOVING else []
        ):
            if step in (REMOVING, INSTALLING):
                has[host] -= set(found.owners)
            if step == INSTALLING:
                # Cut short, it has something of all that comes.
                has[host] |= set(staying(found.after))
            found = found.moved([host], step)
        found = parse_progress(json.loads(found.text))
        for name in found.at(DONE):
            assert has[name] == set(staying(found.after))


def test_the_note_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "network_switch.json"
    assert read_progress(path) is None
    assert save_progress(path, begun(node_2=REMOVING))
    assert read_progress(path) == begun(node_2=REMOVING)
    assert forget_progress(path)
    assert not forget_progress(path)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", '{"schema_version": 2}', "{" * 100000],
    ids=["empty", "a list", "nothing", "null", "another version", "deep"],
)
def test_a_damaged_note_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "network_switch.json"
    path.write_text(text)
    with pytest.raises(
        FlatnetError, match=f"the note of a switch in {path} is damaged .*; restore it, or delete"
    ):
        read_progress(path)


@pytest.mark.parametrize(
    "change",
    [{"hosts": {"a": "flying"}}, {"before": {}}, {"after": "flannel"}, {"owners": 5}, {"hosts": []}],
)
def test_a_note_with_a_wrong_part_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "network_switch.json"
    path.write_text(json.dumps({**json.loads(begun().text), **change}))
    with pytest.raises(FlatnetError, match="is damaged"):
        read_progress(path)
