import pytest

from flatnet.errors import FlatnetError
from flatnet.pki.host_files import pki_files


def test_keys_are_for_root_alone_and_never_shown() -> None:
    certificate, key = pki_files(["admin.crt", "admin.key"], "/srv/team: #2/pki", "/etc/kubernetes/pki")
    assert certificate == {
        "path": "/etc/kubernetes/pki/admin.crt",
        "source": "/srv/team: #2/pki/admin.crt",
        "mode": "0644",
    }
    assert (key["mode"], key["sensitive"]) == ("0600", True)


def test_a_file_may_be_called_otherwise_on_the_controller() -> None:
    [file] = pki_files({"server.key": "etcd-server-node-a.key"}, "/srv/pki", "/etc/etcd/pki")
    assert (file["path"], file["source"]) == ("/etc/etcd/pki/server.key", "/srv/pki/etcd-server-node-a.key")


@pytest.mark.parametrize("name", ["", "../ca.crt", "/etc/shadow"])
def test_a_name_that_is_a_path_is_refused(name: str) -> None:
    for names in ([name], {"ca.crt": name}, {name: "ca.crt"}):
        with pytest.raises(FlatnetError, match="not a file name"):
            pki_files(names, "/srv/pki", "/etc/pki")


def test_a_directory_on_the_host_that_is_not_absolute_is_refused() -> None:
    with pytest.raises(FlatnetError, match="'pki' is not an absolute path"):
        pki_files(["ca.crt"], "/srv/pki", "pki")
