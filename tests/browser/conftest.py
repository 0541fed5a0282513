"""One browser for all tests of this folder, and the pages that they look at."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from webdriver import Browser, browser

from flatnet.contract import find_contracts
from flatnet.plan import Host, Settings, plan_network
from flatnet.plan_report import Surroundings, page_html, plan_difference

ROOT = Path(__file__).resolve().parents[2]
ALL_GROUPS = frozenset({"etcd", "kube_control_plane", "kube_node"})
WIDE = Settings(pod_cidrs=("10.128.0.0/9",))
DUAL = Settings(
    pod_cidrs=("10.200.0.0/16", "2001:db8:200::/56"), service_cidrs=("10.32.0.0/24", "2001:db8:32::/112")
)
WARNING = (
    "[etcd-even] group etcd, 2 hosts: 2 members survive the loss of 0, as many as 1 do. Fix: use 1 or 3."
)


def hosts(count: int) -> list[Host]:
    """Return count nodes with addresses of both families, the first with all parts."""
    return [
        Host(
            f"node-{i}",
            f"node-{i}",
            (f"198.18.{(i + 1) // 256}.{(i + 1) % 256}", f"2001:db8::{i + 1:x}"),
            ALL_GROUPS if i == 0 else frozenset({"kube_node"}),
        )
        for i in range(count)
    ]


def page(settings: Settings, count: int, backend: str = "kubenet", before: Settings | None = None) -> str:
    settings, before = (replace(one, network_backend=backend) for one in (settings, before or settings))
    contracts = find_contracts([ROOT / "roles"])
    wanted = plan_network(settings, hosts(count), contracts)
    deployed = plan_network(before, hosts(max(3, count - 1)), contracts)
    around = Surroundings(
        excluded=("172.16.0.0/12",), hosts=("198.18.0.0/21",), removed={"gone": ["10.200.7.0/24"]}
    )
    return page_html(wanted, plan_difference(deployed, wanted), [WARNING], around)


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the pages by name."""
    folder = tmp_path_factory.mktemp("pages")
    texts = {
        "three": page(Settings(), 3),
        "flannel": page(Settings(), 4, "flannel"),
        "dual": page(DUAL, 5),
        "twenty": page(Settings(), 20),
        "refused": page(Settings(dns_domain="example.com"), 4, before=Settings()),
        "thousand": page(WIDE, 1000),
    }
    found = {name: folder / f"{name}.html" for name in texts}
    for name, path in found.items():
        path.write_text(texts[name], encoding="utf-8")
    return found


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return the browser."""
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def window(session: Browser) -> Browser:
    """Return the browser as a light window of 1280 by 900 without earlier messages."""
    session.size(1280, 900)
    session.prefer("light")
    session.console()
    return session
