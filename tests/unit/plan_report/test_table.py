"""The difference as a table, and the units that it names."""

from pathlib import Path

import pytest
from plan_report_cases import difference, plan

from flatnet.plan import Settings
from flatnet.plan_report import difference_table
from flatnet.plan_report.changes import UNITS

ROOT = Path(__file__).resolve().parents[3]


def declared_units(role: str) -> set[str]:
    text = "\n".join(
        path.read_text() for path in (ROOT / "roles" / role).rglob("*") if path.suffix in {".yml", ".j2"}
    )
    names = {
        word.removesuffix(".service")
        for word in text.replace("{{ name }}.service", "").split()
        if word.endswith(".service")
    }
    return names | {name for name in UNITS["kube_control_plane"] if f"daemon('{name}'" in text}


@pytest.mark.parametrize(
    ("role", "units"),
    [
        ("etcd", UNITS["etcd"]),
        ("kube_control_plane", UNITS["kube_control_plane"]),
        ("container_runtime", ("containerd",)),
        ("kube_node", ("kubelet",)),
        ("kube_proxy", ("kube-proxy",)),
    ],
)
def test_the_units_are_those_that_the_roles_run(role: str, units: tuple[str, ...]) -> None:
    assert set(units) <= declared_units(role)


def test_the_table_shows_what_happens_and_what_restarts() -> None:
    found = difference(plan(), plan(Settings(extra_apiserver_sans=("api.example.com",))))
    assert difference_table(found, 90).splitlines() == [
        "  What changes                    What happens                    What restarts",
        " ────────────────────────────────────────────────────────────────────────────────────────",
        "  The API server's certificate    The certificate apiserver is    kube-apiserver on",
        "  gains api.example.com.          issued again, by the same CA:   control-plane-1",
        "                                  clients go on trusting it.",
        "",
        "1 change; 1 unit restarts, on 1 host.",
    ]


def test_the_table_says_when_nothing_changes() -> None:
    assert difference_table(difference(plan(), plan())) == "Nothing changes: this plan is what is deployed."


def test_the_table_says_what_is_refused() -> None:
    text = difference_table(difference(plan(), plan(Settings(dns_domain="example.com"))))
    assert "REFUSED: a pod that runs looks" in text
    assert "To get there: keep what is deployed; or provision, and" in " ".join(text.split())
