from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from pki_cases import contents
from plugin_loader import load_plugin

from flatnet.pki import Identity, Per, Usage
from flatnet.pki.identities import Sans
from flatnet.pki.inputs import read_cluster

ROLE = Path(__file__).parents[3] / "roles" / "cluster_pki"
ARGUMENTS: dict[str, object] = {
    "nodes": [{"name": "node1", "addresses": ["192.0.2.11"]}, {"name": "node2", "addresses": ["192.0.2.12"]}],
    "control_plane_nodes": ["node1"],
    "etcd_nodes": ["node1"],
    "apiserver_sans": {"dns": ["kubernetes"], "ip": ["10.32.0.1"]},
    "service_account_key_type": "ecdsa-p256",
}


PLUGIN = load_plugin(ROLE / "action_plugins" / "cluster_certificates.py")


def act(
    directory: Path, changes: Mapping[str, object] = {}, *, check: bool = False, diff: bool = False
) -> dict[str, object]:
    """Run the action without a connection, which it must not need."""
    task = SimpleNamespace(
        args={"directory": str(directory), **ARGUMENTS, **changes},
        check_mode=check,
        diff=diff,
        async_val=0,
        action="cluster_certificates",
        environment=None,
    )
    no_connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
    plugin = PLUGIN.ActionModule(task, no_connection, SimpleNamespace(), None, None, None)
    result = plugin.run(task_vars={})
    assert isinstance(result, dict)
    return result


def modes(directory: Path) -> dict[str, int]:
    """Return file name -> permission bits, of what is no bookkeeping."""
    return {
        path.name: path.stat().st_mode & 0o777
        for path in directory.iterdir()
        if not path.name.startswith(".")
    }


def test_the_action_issues_once_and_is_unchanged_afterwards(tmp_path: Path) -> None:
    first = act(tmp_path / "pki")
    assert first["changed"] is True
    assert isinstance(first["issued"], list)
    assert first["issued"][0] == {"name": "ca", "reason": "there is no CA yet"}
    assert first["issued"][-1] == {"name": "sa", "reason": "there is no key pair yet"}
    assert act(tmp_path / "pki") == {
        "changed": False,
        "issued": [],
        "repaired": [],
        "unused": [],
        "directory": str(tmp_path / "pki"),
    }


def test_check_mode_predicts_the_run_and_writes_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "pki"
    act(directory)
    before = contents(directory)
    sans = {"dns": ["kubernetes"], "ip": ["10.32.0.1", "203.0.113.7"]}
    predicted = act(directory, {"apiserver_sans": sans}, check=True)
    assert contents(directory) == before
    preview = Path(str(predicted["directory"]))
    shown = {path.name: path.read_bytes() for path in preview.iterdir()}
    done = act(directory, {"apiserver_sans": sans})
    assert predicted == {**done, "directory": str(preview)}
    assert predicted["issued"] == [{"name": "apiserver", "reason": "SAN 203.0.113.7 added"}]
    # What the run would leave, with no second copy of any key.
    assert {name for name in shown if shown[name] != before[name]} == {"apiserver.crt"}
    assert sorted(shown) == [name for name in sorted(before) if not name.startswith(".")]
    assert [path.name for path in preview.iterdir() if not path.is_symlink()] == ["apiserver.crt"]


def test_check_mode_shows_what_a_first_run_would_issue(tmp_path: Path) -> None:
    predicted = act(tmp_path / "pki", check=True)
    assert not (tmp_path / "pki").exists()
    preview = Path(str(predicted["directory"]))
    assert preview.stat().st_mode & 0o777 == 0o700
    foreseen = modes(preview)
    act(tmp_path / "pki")
    assert foreseen == modes(tmp_path / "pki")
    assert foreseen["ca.key"] == 0o600


def test_the_difference_shows_sans_and_no_key(tmp_path: Path) -> None:
    directory = tmp_path / "pki"
    act(directory)
    (directory / "controller-manager.key").unlink()
    sans = {"dns": ["kubernetes"], "ip": ["203.0.113.7"]}
    result = act(directory, {"apiserver_sans": sans}, check=True, diff=True)
    assert isinstance(result["diff"], list)
    apiserver, manager = result["diff"]
    assert apiserver["after_header"] == "apiserver (SAN 203.0.113.7 added; SAN 10.32.0.1 removed)"
    assert "SAN: 10.32.0.1\n" in apiserver["before"]
    assert "SAN: 203.0.113.7\n" in apiserver["after"]
    assert manager["after_header"] == "controller-manager (key file is missing)"
    assert "PRIVATE" not in str(result)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"etcd_nodes": ["x"]}, "etcd_nodes: 'x' is not among the nodes: add it to nodes with its addresses"),
        (
            {"nodes": [{"name": "node1", "addresses": ["192.0.2.11/24"]}]},
            "node node1: '192.0.2.11/24' is not an IP address: write it without a prefix length",
        ),
        (
            {"apiserver_sans": {"dns": [], "ip": ["fe80::1%eth0"]}},
            "apiserver_sans.ip: 'fe80::1%eth0' has a zone, which a certificate cannot hold: remove '%eth0'",
        ),
        (
            {"extra_identities": [{"name": "x", "common_name": "x", "per": "pod"}]},
            "identity x: per: 'pod' is unknown: choose among cluster, kubelet, etcd, control_plane",
        ),
        (
            {"extra_identities": [{"name": "x", "common_name": "x", "per": "kubelet"}]},
            "identity x: there is one per kubelet node, so the name has to contain '{node}'",
        ),
        (
            {"extra_identities": [{"name": "x", "common_name": "x", "usages": ["ca"]}]},
            "identity x: usages: 'ca' is unknown: choose among client, server",
        ),
    ],
)
def test_a_message_reaches_the_user_as_it_is(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(AnsibleActionFail) as refusal:
        act(tmp_path / "pki", changes)
    assert refusal.value.message == message
    assert not (tmp_path / "pki").exists()


def test_extra_identities_are_read_with_their_defaults() -> None:
    described = read_cluster(
        {
            **ARGUMENTS,
            "extra_identities": [
                {"name": "flannel", "common_name": "flannel", "organizations": []},
                {
                    "name": "mesh-{node}",
                    "common_name": "mesh:{node}",
                    "organizations": ["mesh"],
                    "usages": ["client", "server"],
                    "per": "kubelet",
                },
            ],
            "lifetime_days": 365,
            "ca_lifetime_days": 3650,
            "renew_before_days": 30,
            "key_type": "ecdsa-p256",
        }
    )
    assert list(described.extra_identities) == [
        Identity("flannel", "flannel", "ca", frozenset({Usage.CLIENT})),
        Identity(
            "mesh-{node}",
            "mesh:{node}",
            "ca",
            frozenset({Usage.CLIENT, Usage.SERVER}),
            frozenset({"mesh"}),
            Per.KUBELET,
            Sans.NODE,
        ),
    ]
    assert described.kubelet_nodes == ["node1", "node2"]


def test_documentation_defaults_and_role_name_the_same_options() -> None:
    module = load_plugin(ROLE / "library" / "cluster_certificates.py")
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    assert set(yaml.safe_load(module.RETURN)) == {"directory", "issued", "repaired", "unused"}
    assert yaml.safe_load(module.EXAMPLES)[0]["cluster_certificates"].keys() < documented.keys()
    implemented = PLUGIN.ARGUMENTS
    assert documented.keys() == implemented.keys()
    for name, option in implemented.items():
        for key in ("type", "required", "default", "elements", "choices"):
            assert documented[name].get(key) == option.get(key), (name, key)
    specification = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())
    options = specification["argument_specs"]["main"]["options"]
    assert {name.removeprefix("cluster_pki_") for name in options} == implemented.keys() - {"lock_seconds"}
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    assert defaults == {name: option["default"] for name, option in options.items() if "default" in option}
