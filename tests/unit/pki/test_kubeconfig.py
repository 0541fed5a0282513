import json
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible.plugins.loader import filter_loader

from flatnet.errors import FlatnetError
from flatnet.pki import kubeconfig

FILTERS = Path(__file__).parents[3] / "filter_plugins"


def test_a_kubeconfig_is_json_with_paths_instead_of_keys() -> None:
    text = kubeconfig(
        "https://192.0.2.11:6443", "/pki/ca.crt", "/pki/admin.crt", "/pki/admin.key", "admin", "example"
    )
    assert json.loads(text) == yaml.safe_load(text)
    assert json.loads(text) == {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "example",
                "cluster": {"server": "https://192.0.2.11:6443", "certificate-authority": "/pki/ca.crt"},
            }
        ],
        "users": [
            {
                "name": "admin",
                "user": {"client-certificate": "/pki/admin.crt", "client-key": "/pki/admin.key"},
            }
        ],
        "contexts": [{"name": "admin@example", "context": {"cluster": "example", "user": "admin"}}],
        "current-context": "admin@example",
    }
    assert text.endswith("}\n")


@pytest.mark.parametrize(
    ("server", "key", "message"),
    [
        (
            "http://192.0.2.11:8080",
            "/pki/admin.key",
            "kubeconfig of admin: server 'http://192.0.2.11:8080' is not an https:// URL: certificates need"
            " TLS",
        ),
        (
            "https://192.0.2.11:6443",
            "admin.key",
            "kubeconfig of admin: key 'admin.key' is not an absolute path on the host",
        ),
    ],
)
def test_a_kubeconfig_that_could_not_work_is_refused(server: str, key: str, message: str) -> None:
    with pytest.raises(FlatnetError) as refusal:
        kubeconfig(server, "/pki/ca.crt", "/pki/admin.crt", key, "admin", "example")
    assert str(refusal.value) == message


def test_the_filter_is_found_documented_and_passes_the_message_on() -> None:
    filter_loader.add_directory(str(FILTERS))
    plugin = filter_loader.get("kubeconfig").j2_function
    arguments = {"ca": "/ca", "certificate": "/crt", "key": "/key", "user": "admin", "cluster": "example"}
    assert plugin("https://192.0.2.11:6443", **arguments) == kubeconfig(
        "https://192.0.2.11:6443", **arguments
    )
    with pytest.raises(AnsibleFilterError, match=r"kubeconfig of admin: server 'x' is not an https:// URL"):
        plugin("x", **arguments)
    documentation = yaml.safe_load((FILTERS / "kubeconfig.yml").read_text())
    assert set(documentation["DOCUMENTATION"]["options"]) == {"_input", *arguments}
