"""What a contract is in each of its modes."""

import jsonschema
import pytest
from contract_cases import BACKEND, COMPONENT, TWO_MODES

from flatnet.contract import Contract, json_schema
from flatnet.contract.schema import Interface, Port
from flatnet.errors import FlatnetError

MODES = Contract.from_mapping(TWO_MODES, "example.yml")


def test_the_first_mode_is_the_default() -> None:
    assert MODES.modes == ("vxlan", "direct")
    assert MODES.in_mode() is MODES.in_mode("vxlan")
    assert MODES.in_mode().title == "backend example in mode vxlan"


def test_a_contract_without_modes_has_one_that_nobody_is_shown() -> None:
    contract = Contract.from_mapping(BACKEND, "example.yml")
    assert contract.modes == ("default",)
    assert not contract.has_modes
    assert contract.in_mode().title == "backend example"
    assert contract.in_mode().mode == "default"


@pytest.mark.parametrize(
    ("contract", "message"),
    [
        (TWO_MODES, "backend example has no mode 'vxlam'; do you mean vxlan? (vxlan, direct)"),
        (BACKEND, "backend example has no mode 'vxlam'; it has none; leave the mode out"),
    ],
)
def test_an_unknown_mode_is_refused_with_the_known_ones(contract: dict[str, object], message: str) -> None:
    with pytest.raises(FlatnetError) as caught:
        Contract.from_mapping(contract, "example.yml").in_mode("vxlam")
    assert str(caught.value) == message


def test_single_values_of_a_mode_take_the_place_of_those_above() -> None:
    assert [MODES.in_mode(mode).routes for mode in MODES.modes] == ["backend", "plan"]
    assert [MODES.in_mode(mode).description for mode in MODES.modes] == [
        "A tunnel",
        "A bridge and static routes",
    ]
    assert [MODES.in_mode(mode).families for mode in MODES.modes] == [("ipv4",), ("ipv4", "ipv6")]


def test_overhead_and_check_of_a_mode_take_the_place_key_by_key() -> None:
    tunnel = MODES.in_mode("vxlan")
    assert (tunnel.overhead.ipv4, tunnel.overhead.ipv6) == (50, 0)
    assert tunnel.check.node_to_remote_pod == ("tunnel_address", "device:ex.1")
    assert tunnel.check.hairpin == ("pod_gateway",)
    assert tunnel.data["check"] == {
        "node_to_local_pod": "pod_gateway",
        "node_to_remote_pod": ["tunnel_address", "device:ex.1"],
        "hairpin": "pod_gateway",
    }


def test_lists_of_a_mode_are_added_to_those_above() -> None:
    tunnel, direct = MODES.in_mode("vxlan"), MODES.in_mode("direct")
    bgp = Port(protocol="tcp", port=179, purpose="BGP between the nodes")
    assert tunnel.ports == (bgp, Port(protocol="udp", port=4789, purpose="VXLAN between the nodes"))
    assert direct.ports == (bgp,)
    assert tunnel.needs.kernel_features == ("bridge", "vxlan")
    assert tunnel.needs.programs["kube_node"] == ("bridge", "tunneld")
    assert tunnel.needs.commands["ip"].redhat == "iproute"
    assert tunnel.makes.interfaces == {
        "bridge": Interface(name="ex0", carries="own_pods"),
        "tunnel": Interface(name="ex.*", carries="all_pods"),
    }
    assert direct.makes.chains == ("EXAMPLE-*", "EXD-*")


def test_what_is_made_in_any_mode_is_known() -> None:
    makes = MODES.all_makes()
    assert makes.chains == ("EXAMPLE-*", "EXD-*")
    assert set(makes.interfaces) == {"bridge", "tunnel"}
    assert makes.virtual_servers is False


def test_what_is_made_under_one_label_in_two_modes_is_known_by_both_names() -> None:
    modes = {
        mode: {"makes": {"interfaces": {"tunnel": {"name": name, "carries": "all_pods"}}}}
        for mode, name in (("a", "ex.1"), ("b", "ex.2"), ("c", "ex.1"))
    }
    makes = Contract.from_mapping(BACKEND | {"modes": modes}, "example.yml").all_makes()
    assert {one.name for one in makes.interfaces.values()} == {"ex.1", "ex.2"}


def test_virtual_servers_of_one_mode_are_known() -> None:
    modes = {"a": {"makes": {"virtual_servers": True, "cleanup": "example --cleanup"}}, "b": {}}
    assert Contract.from_mapping(COMPONENT | {"modes": modes}, "example.yml").all_makes().virtual_servers


def test_defaults_are_filled_in_so_that_a_role_can_read_every_key() -> None:
    data = Contract.from_mapping(COMPONENT, "example.yml").in_mode().data
    assert data["role"] == "example"
    assert data["needs"] == {
        "commands": {},
        "kernel_features": [],
        "optional_kernel_features": [],
        "programs": {"etcd": [], "kube_control_plane": [], "kube_node": []},
        "images": {"etcd": [], "kube_control_plane": [], "kube_node": []},
        "files": {"etcd": [], "kube_control_plane": [], "kube_node": []},
    }
    assert "ipam" not in data


def test_a_contract_does_not_share_anything_with_its_giver() -> None:
    given = BACKEND | {"units": ["exampled"]}
    contract = Contract.from_mapping(given, "example.yml")
    given["units"].append("another")
    assert contract.in_mode().units == ("exampled",)
    assert contract.in_mode().data["units"] == ["exampled"]


@pytest.mark.parametrize("mode", MODES.modes)
def test_a_resolved_contract_is_what_the_json_schema_describes(mode: str) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(MODES.in_mode(mode).data, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**MODES.in_mode(mode).data, "more": 1}, schema)


def test_a_component_is_what_its_json_schema_describes() -> None:
    data = Contract.from_mapping(COMPONENT, "example.yml").in_mode().data
    jsonschema.validate(data, json_schema("component"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, json_schema("backend"))
