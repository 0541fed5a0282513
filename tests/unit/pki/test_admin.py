import base64
import json
import subprocess
from pathlib import Path

import pytest
from pki_cases import NOW, cluster, contents, reasons

from flatnet.errors import FlatnetError
from flatnet.pki import Reconciled, cluster_certificates, reconcile
from flatnet.pki.admin import FILE, AdminAccess

ACCESS = AdminAccess("https://192.0.2.11:6443", "example")


def run(directory: Path, access: AdminAccess | None = ACCESS, **options: object) -> Reconciled:
    return reconcile(directory, cluster_certificates(cluster()), NOW, admin=access, **options)  # type: ignore[arg-type]


def test_the_administrator_gets_one_file_for_any_machine(tmp_path: Path) -> None:
    assert reasons(run(tmp_path / "pki"))[FILE] == "there is none yet"
    path = tmp_path / "pki" / FILE
    assert path.stat().st_mode & 0o777 == 0o600
    found = json.loads(path.read_text())
    server = found["clusters"][0]["cluster"]
    user = found["users"][0]["user"]
    assert found["clusters"][0]["name"] == "example"
    assert server["server"] == "https://192.0.2.11:6443"
    given = {
        "ca.crt": server["certificate-authority-data"],
        "admin.crt": user["client-certificate-data"],
        "admin.key": user["client-key-data"],
    }
    assert {name: base64.b64decode(text) for name, text in given.items()} == {
        name: (tmp_path / "pki" / name).read_bytes() for name in given
    }


def test_a_second_run_leaves_it_alone(tmp_path: Path) -> None:
    run(tmp_path / "pki")
    before = contents(tmp_path / "pki")
    assert not run(tmp_path / "pki").changed
    assert contents(tmp_path / "pki") == before


def test_without_an_address_there_is_none(tmp_path: Path) -> None:
    assert FILE not in reasons(run(tmp_path / "pki", None))
    assert not (tmp_path / "pki" / FILE).exists()


def test_another_address_is_named(tmp_path: Path) -> None:
    run(tmp_path / "pki")
    moved = ACCESS._replace(server="https://api.example.com:6443")
    assert reasons(run(tmp_path / "pki", moved)) == {
        FILE: "server is https://192.0.2.11:6443, wanted is https://api.example.com:6443"
    }


def test_new_keys_of_the_administrator_are_in_it(tmp_path: Path) -> None:
    run(tmp_path / "pki")
    done = run(tmp_path / "pki", renew=["admin"])
    assert reasons(done) == {"admin": "renewal asked for", FILE: "certificate issued again"}
    assert not run(tmp_path / "pki").changed


@pytest.mark.parametrize("content", ["", "{}", "nothing: [", '{"clusters": []}', "[]"])
def test_what_cannot_be_read_is_made_again(tmp_path: Path, content: str) -> None:
    run(tmp_path / "pki")
    (tmp_path / "pki" / FILE).write_text(content)
    assert reasons(run(tmp_path / "pki")) == {FILE: "it cannot be read"}


def test_one_that_others_can_read_is_closed(tmp_path: Path) -> None:
    run(tmp_path / "pki")
    (tmp_path / "pki" / FILE).chmod(0o644)
    done = run(tmp_path / "pki")
    assert [(change.name, change.reason) for change in done.repaired] == [
        (FILE, "mode is 0644, wanted is 0600")
    ]
    assert (tmp_path / "pki" / FILE).stat().st_mode & 0o777 == 0o600


def test_a_check_writes_none_and_says_the_same(tmp_path: Path) -> None:
    assert reasons(run(tmp_path / "pki", check=True))[FILE] == "there is none yet"
    run(tmp_path / "pki")
    before = contents(tmp_path / "pki")
    assert not run(tmp_path / "pki", check=True).changed
    done = run(tmp_path / "pki", renew=["admin"], check=True)
    assert reasons(done) == {"admin": "renewal asked for", FILE: "certificate issued again"}
    preview = tmp_path / "preview"
    preview.mkdir()
    done = run(tmp_path / "pki", renew=["admin"], check=True, preview=preview)
    assert reasons(done) == {"admin": "renewal asked for", FILE: "certificate issued again"}
    assert contents(tmp_path / "pki") == before


def test_it_stays_out_of_version_control(tmp_path: Path) -> None:
    run(tmp_path / "pki")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    status = subprocess.run(
        ["git", "-C", tmp_path, "status", "--short", "--untracked-files=all"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "pki/admin.crt" in status.stdout
    assert FILE not in status.stdout


def test_an_address_without_tls_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FlatnetError, match=r"server 'http://192.0.2.11' is not an https:// URL"):
        run(tmp_path / "pki", ACCESS._replace(server="http://192.0.2.11"))
