import pytest
from check_example import SETTINGS

from flatnet.check.model import Json, Settings
from flatnet.check.objects import probe_objects


def _named(
    kind: str, settings: Settings = SETTINGS, families: tuple[str, ...] = ("ipv4",)
) -> dict[str, Json]:
    return {
        item["metadata"]["name"]: item for item in probe_objects(settings, families) if item["kind"] == kind
    }


def _pod(role: str, settings: Settings = SETTINGS) -> Json:
    spec: Json = _named("DaemonSet", settings)[role]["spec"]["template"]["spec"]
    return spec


def test_everything_lives_in_one_namespace_that_allows_host_ports() -> None:
    objects = probe_objects(SETTINGS, ["ipv4"])
    assert objects[0]["kind"] == "Namespace"
    assert objects[0]["metadata"] == {
        "name": "flatnet-check",
        "labels": {"pod-security.kubernetes.io/enforce": "privileged"},
    }
    assert {item["metadata"]["namespace"] for item in objects[1:]} == {"flatnet-check"}


def test_services_and_the_account_come_before_the_pods_that_need_them() -> None:
    kinds = [item["kind"] for item in probe_objects(SETTINGS, ["ipv4"])]
    assert kinds == ["Namespace", "ServiceAccount", *["Service"] * 5, *["DaemonSet"] * 3]


def test_each_check_asks_for_a_name_that_no_resolver_remembers() -> None:
    first, second = (
        {item["metadata"]["name"] for item in probe_objects(Settings.of({"run": run}), ["ipv4"])}
        for run in ("00000a", "00000b")
    )
    assert (first - second, second - first) == ({"named-00000a"}, {"named-00000b"})


@pytest.mark.parametrize("role", ["server", "client", "host"])
def test_a_probe_runs_on_every_node_and_is_gone_at_once(role: str) -> None:
    pod = _pod(role)
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert pod["terminationGracePeriodSeconds"] == 0
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("probe", False)
    assert pod["containers"][0]["image"] == "registry.example/agnhost:1"
    assert pod["containers"][0]["command"] == ["/agnhost", "netexec"]


def test_only_the_host_probe_uses_the_nodes_network_and_only_the_server_a_host_port() -> None:
    assert {role: _pod(role)["hostNetwork"] for role in ("server", "client", "host")} == {
        "server": False,
        "client": False,
        "host": True,
    }
    ports = {
        role: _pod(role)["containers"][0]["ports"][0].get("hostPort") for role in ("server", "client", "host")
    }
    assert ports == {"server": 8989, "client": None, "host": 18080}


def test_the_services_differ_in_what_they_promise() -> None:
    specs = {name: service["spec"] for name, service in _named("Service").items()}
    assert {spec["selector"]["flatnet/probe"] for spec in specs.values()} == {"server"}
    assert specs["server"]["type"] == "ClusterIP"
    assert specs["server-local"]["internalTrafficPolicy"] == "Local"
    policies = [specs[name]["externalTrafficPolicy"] for name in ("server-nodeport", "server-nodeport-local")]
    assert policies == ["Cluster", "Local"]


@pytest.mark.parametrize(
    ("families", "policy", "named"),
    [
        (("ipv4",), "SingleStack", ["IPv4"]),
        (("ipv6",), "SingleStack", ["IPv6"]),
        (("ipv6", "ipv4"), "RequireDualStack", ["IPv6", "IPv4"]),
    ],
)
def test_services_have_the_families_of_the_plan(
    families: tuple[str, ...], policy: str, named: list[str]
) -> None:
    for service in _named("Service", families=families).values():
        assert (service["spec"]["ipFamilyPolicy"], service["spec"]["ipFamilies"]) == (policy, named)


def test_ports_and_names_are_what_the_settings_say() -> None:
    settings = Settings.of(
        {
            "namespace": "probe",
            "http_port": 9080,
            "udp_port": 9081,
            "host_port": 9082,
            "node_probe_port": 9083,
            "classes": ["hairpin"],
        }
    )
    assert settings.classes == ("hairpin",)
    assert _pod("client", settings)["containers"][0]["args"] == ["--http-port=9080", "--udp-port=9081"]
    assert _pod("host", settings)["containers"][0]["args"] == ["--http-port=9083", "--udp-port=-1"]
    assert probe_objects(settings, ["ipv4"])[0]["metadata"]["name"] == "probe"
