import pytest

from flatnet.errors import FlatnetError
from flatnet.inventory.values import followed, is_template, value_findings


@pytest.mark.parametrize(
    "value", ["{{ x }}", ["a", "{{ x }}"], {"{{ x }}": 1}, {"a": ["{% if x %}"]}, "{# x #}"]
)
def test_what_ansible_may_render_is_a_template_wherever_it_stands(value: object) -> None:
    assert is_template(value)


@pytest.mark.parametrize("value", ["x", "{x}", 1, None, ["a", 1], {"a": {"b": "c"}}])
def test_plain_data_is_no_template(value: object) -> None:
    assert not is_template(value)


def test_a_name_in_braces_is_followed_to_what_is_no_name_any_more() -> None:
    variables = {
        "a": "{{ b }}",
        "b": "{{c}}",
        "c": [1],
        "d": "{{ b | upper }}",
        "e": "{{ e }}",
        "f": "{{ nowhere }}",
    }
    found = {name: followed(value, variables) for name, value in variables.items()}
    assert found == {
        "a": [1],
        "b": [1],
        "c": [1],
        "d": "{{ b | upper }}",
        "e": "{{ e }}",
        "f": "{{ nowhere }}",
    }


def _asked(hosts: dict[str, dict[str, object]]) -> tuple[list[str], list[str]]:
    """Return the findings about x, and for which hosts it was rendered."""
    asked = []

    def render(host: str, name: str) -> object:
        asked.append(host)
        return str(hosts[host][name]).replace("{{ y }}", str(hosts[host].get("y")))

    return value_findings(["x"], hosts, render), asked


def test_a_template_is_rendered_once_for_all_hosts_that_agree_in_what_it_names() -> None:
    hosts: dict[str, dict[str, object]] = {
        f"node-{number}": {"x": "{{ y }}", "y": 1, "z": number} for number in range(9)
    }
    assert _asked(hosts) == ([], ["node-0"])
    hosts["node-4"]["y"] = 2
    findings, asked = _asked(hosts)
    assert asked == ["node-0", "node-4"]
    assert findings == [
        "x is '2' for node-4 and '1' for node-[0:3], node-[5:8], and a cluster has one value of it; "
        "set it once, for the group k8s_cluster"
    ]


def test_what_reaches_other_hosts_is_rendered_for_each() -> None:
    hosts: dict[str, dict[str, object]] = {
        name: {"x": "{{ hostvars['a'].y }}", "inventory_hostname": name} for name in ("a", "b")
    }
    assert _asked(hosts) == ([], ["a", "b"])


def test_a_value_that_cannot_be_rendered_is_a_finding_and_the_others_are_looked_at() -> None:
    def render(host: str, name: str) -> object:
        raise FlatnetError(f"{name} of {host} cannot be rendered: no such variable")

    hosts: dict[str, dict[str, object]] = {"a": {"x": "{{ y }}", "z": 1}, "b": {"x": "{{ y }}"}}
    assert value_findings(["x", "z"], hosts, render) == [
        "x of a cannot be rendered: no such variable",
        "z is 1 for a and not set for b, and a cluster has one value of it; "
        "set it once, for the group k8s_cluster",
    ]
