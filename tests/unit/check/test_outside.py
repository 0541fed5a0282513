import urllib.request
from pathlib import Path
from types import ModuleType

import pytest
from check_example import SETTINGS, cluster
from plugin_loader import load_plugin

from flatnet.check.matrix import part
from flatnet.check.model import Settings

ACTION = Path(__file__).parents[3] / "roles/network_check/action_plugins/network_probe.py"


@pytest.fixture(scope="module")
def action() -> ModuleType:
    return load_plugin(ACTION)


def _checks(expected: str) -> list[dict[str, object]]:
    settings = Settings(image=SETTINGS.image, classes=("pod_to_outside",), outside_enabled=True)
    checks = part(cluster(), settings, "node-1")
    return [{**check, "expected": [expected]} for check in checks]


@pytest.mark.parametrize("caller", ["127.0.0.1", "::1"])
def test_the_controller_tells_each_caller_its_own_address(action: ModuleType, caller: str) -> None:
    checks = _checks(caller)
    with action._Outside(checks):
        how = checks[0]["how"]
        assert isinstance(how, dict)
        host = f"[{how['host']}]" if ":" in how["host"] else how["host"]
        with urllib.request.urlopen(f"http://{host}:{how['port']}/clientip", timeout=5) as answer:
            told = answer.read().decode()
    assert told.rpartition(":")[0].strip("[]") == caller
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://{host}:{how['port']}/clientip", timeout=5)


def test_nothing_listens_where_no_pod_calls(action: ModuleType) -> None:
    outside = action._Outside([])
    with outside:
        assert outside._server is None
