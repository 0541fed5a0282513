from dataclasses import replace

import pytest
from plan_cases import ALL_GROUPS, HOSTS, hosts, prepare

from flatnet.errors import FlatnetError
from flatnet.plan import Settings
from flatnet.plan.endpoint import api_endpoint, parse_endpoint


def test_without_a_setting_it_is_the_address_of_the_host_of_the_control_plane() -> None:
    assert prepare(Settings(api_port=8443)).plan["api_endpoint"] == {
        "host": "node-a",
        "address": "192.0.2.11",
        "port": 8443,
        "url": "https://192.0.2.11:8443",
    }


@pytest.mark.parametrize(
    ("text", "address", "port", "url"),
    [
        ("api.example.com", "api.example.com", 8443, "https://api.example.com:8443"),
        ("api.example.com:443", "api.example.com", 443, "https://api.example.com:443"),
        ("203.0.113.5:443", "203.0.113.5", 443, "https://203.0.113.5:443"),
        ("2001:DB8::5", "2001:db8::5", 8443, "https://[2001:db8::5]:8443"),
        ("[2001:db8::5]", "2001:db8::5", 8443, "https://[2001:db8::5]:8443"),
        ("[2001:db8::5]:443", "2001:db8::5", 443, "https://[2001:db8::5]:443"),
    ],
)
def test_a_setting_is_in_front_of_the_host_and_on_its_certificate(
    text: str, address: str, port: int, url: str
) -> None:
    plan = prepare(Settings(api_port=8443, api_endpoint=text)).plan
    assert plan["api_endpoint"] == {"host": "node-a", "address": address, "port": port, "url": url}
    assert address in [*plan["apiserver_sans"]["dns"], *plan["apiserver_sans"]["ip"]]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("api:70000", "'api:70000' has port 70000; use one from 1 to 65535"),
        ("https://api", "'https://api' is neither an address nor a lower-case DNS name; use a name like"),
        ("Api", "'Api' is neither an address nor a lower-case DNS name; use a name like"),
        ("[api]:443x", "'[api]:443x' is neither an address nor a lower-case DNS name; use a name like"),
        (":443", "':443' is neither an address nor a lower-case DNS name; use a name like"),
    ],
)
def test_what_is_no_endpoint_is_refused(text: str, line: str) -> None:
    with pytest.raises(FlatnetError) as caught:
        parse_endpoint(text, 6443)
    assert str(caught.value).startswith(line)


def test_a_host_whose_name_sorts_before_the_deployed_one_moves_nobody() -> None:
    new = replace(hosts(1)[0], inventory_name="aaa", groups=ALL_GROUPS)
    both = [new, HOSTS[0]]
    texts = {"aaa": ["192.0.2.99"], "node-a": ["192.0.2.11"]}
    deployed = {"api_endpoint": {"host": "node-a"}}
    found = api_endpoint(Settings(), both, texts, deployed)
    assert found is not None
    assert (found.host, found.address) == ("node-a", "192.0.2.11")
    for other in (None, {}, {"api_endpoint": {"host": "gone"}}, {"api_endpoint": 5}):
        found = api_endpoint(Settings(), both, texts, other)
        assert found is not None
        assert found.host == "aaa"
