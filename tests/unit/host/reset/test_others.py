"""Containers of other runtimes in the same containerd outlive a reset, and so does what they need."""

from pathlib import Path

import pytest
from node_reset_host import (
    OURS,
    RUNTIME_REQUEST,
    THEIRS,
    UNIT,
    ClusterHost,
    provision_runtime,
    reset_with_a_kill,
)
from node_state_host import Json, Killed, Ran, StateError, tree

from flatnet.host.reset.run import reset

CONTENT = "var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db"
TASKS = "run/containerd/io.containerd.runtime.v2.task"


class SharedHost(ClusterHost):
    """A host with a containerd that tells what is in its namespaces as long as it runs."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.contents: dict[str, dict[str, list[str]]] = {"k8s.io": {"images": ["pause"]}}

    def run(self, arguments: list[str], text: str | None = None, changes: bool = True) -> Ran:
        program, words = arguments[0], [word for word in arguments[1:] if not word.startswith("-")]
        if not program.endswith("ctr") or "ls" not in words:
            return super().run(arguments, text, changes)
        assert not changes
        if program != "ctr" and not (self.root / program.lstrip("/")).exists():
            return Ran(127, "", f"{program} is not installed on this host")
        if UNIT not in self.systemd.running:
            return Ran(1, "", "ctr: cannot access socket")
        if words[0] == "namespaces":
            return Ran(0, "\n".join(self.contents), "")
        namespace = next(word for word in arguments if word.startswith("--namespace=")).partition("=")[2]
        return Ran(0, "\n".join(self.contents[namespace].get(words[0], [])), "")


@pytest.fixture(name="host")
def make_host(tmp_path: Path) -> SharedHost:
    """Return a host that flatnet has not come to yet."""
    return SharedHost(tmp_path / "host")


def provision(host: SharedHost) -> None:
    """Let flatnet come."""
    provision_runtime(host)
    host.put(CONTENT, "images and containers")
    host.put("run/containerd/containerd.sock", "")
    host.steps.clear()


@pytest.fixture(name="alone")
def provision_alone(host: SharedHost) -> SharedHost:
    """Return a node whose containerd is flatnet's, and which an operator uses with nerdctl."""
    provision(host)
    host.contents["default"] = {"containers": ["web"], "images": ["nginx"]}
    return host


@pytest.fixture(name="docker")
def provision_beside_docker(host: SharedHost) -> SharedHost:
    """Return a node that had Docker, with the distribution's containerd, before flatnet came."""
    host.put(f"usr/lib/systemd/system/{UNIT}", THEIRS)
    host.systemd.run(["enable", UNIT])
    host.systemd.run(["start", UNIT])
    host.contents["moby"] = {"containers": ["web"]}
    provision(host)
    return host


def changes(outcome: Json) -> list[tuple[str, str, str]]:
    """Return the changes as check mode and a reset tell them."""
    return [(change["kind"], change["item"], change["action"]) for change in outcome["changes"]]


def runs(host: SharedHost, unit: str = UNIT) -> str | None:
    """Return the file with which a unit runs, None if it does not."""
    return host.systemd.read[unit] if unit in host.systemd.running else None


def complaint(host: SharedHost, check: bool = False) -> str:
    """Return what a reset complains of."""
    with pytest.raises(StateError) as raised:
        reset(host, RUNTIME_REQUEST, check=check)
    return str(raised.value)


@pytest.mark.parametrize(
    "content", [{"containers": ["web"]}, {"images": ["nginx"]}], ids=["containers", "images"]
)
def test_containerd_stays_for_what_others_have_in_it(content: dict[str, list[str]], host: SharedHost) -> None:
    provision(host)
    host.contents["default"] = content
    host.contents["empty"] = {}
    said = complaint(host)
    assert (
        "containerd has containers or images of others in its namespaces default: it stays, with its" in said
    )
    assert "a reset again takes the rest" in said
    assert (host.root / CONTENT).exists()
    assert (host.root / "run/containerd/containerd.sock").exists()
    # Without a containerd and its ctr nobody could remove them.
    assert runs(host) == OURS
    assert (host.root / "usr/local/bin/ctr").exists()
    # What is not containerd's goes.
    assert runs(host, "kubelet.service") is None
    assert not (host.root / "var/lib/kubelet").exists()


def test_a_reset_after_the_containers_of_others_have_gone_takes_the_rest(alone: SharedHost) -> None:
    complaint(alone)
    alone.contents["default"] = {}
    reset(alone, RUNTIME_REQUEST)
    assert runs(alone) is None
    left = ("run/containerd", "var/lib/containerd", "usr/local/bin/ctr", "var/lib/flatnet")
    assert [path for path in left if (alone.root / path).exists()] == []


@pytest.mark.parametrize("place", ["run", "var/lib"])
def test_tasks_of_others_are_seen_where_containerd_does_not_run(place: str, host: SharedHost) -> None:
    provision(host)
    host.put(f"{place}/containerd/io.containerd.runtime.v2.task/moby/web/init.pid", "123")
    (host.root / TASKS / "default").mkdir(parents=True)
    (host.root / TASKS / "buildkit/.removed").mkdir(parents=True)
    host.systemd.run(["stop", UNIT])
    assert "in its namespaces moby: it stays" in complaint(host)
    assert (host.root / CONTENT).exists()


def test_a_task_counts_whatever_containerd_says(host: SharedHost) -> None:
    provision(host)
    host.put(f"{TASKS}/moby/web/init.pid", "123")
    assert "in its namespaces moby" in complaint(host)


def test_a_namespace_that_does_not_say_what_is_in_it_is_not_empty(
    host: SharedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    provision(host)
    run = host.run

    def refuse(arguments: list[str], text: str | None = None, changes: bool = True) -> Ran:
        if "--namespace=default" in arguments:
            return Ran(1, "", "ctr: deadline exceeded")
        return run(arguments, text, changes)

    host.contents["default"] = {}
    monkeypatch.setattr(host, "run", refuse)
    assert "in its namespaces default" in complaint(host)


@pytest.mark.parametrize("node", ["alone", "docker"])
def test_check_mode_says_what_a_reset_says(node: str, request: pytest.FixtureRequest) -> None:
    host: SharedHost = request.getfixturevalue(node)
    before = tree(host.root)
    predicted = complaint(host, check=True)
    assert (tree(host.root), host.steps) == (before, [])
    said, _, rest = predicted.partition("\nThe rest would go:\n")
    assert said == complaint(host)
    assert "data /var/lib/kubelet: remove" in rest
    assert "data /var/lib/containerd" not in rest
    host.contents = {"k8s.io": {}}
    assert changes(reset(host, RUNTIME_REQUEST, check=True)) == changes(reset(host, RUNTIME_REQUEST))


def test_dockers_containers_get_their_containerd_back_with_its_data(docker: SharedHost) -> None:
    said = complaint(docker)
    assert "in its namespaces moby: its data stays; once they are removed" in said
    assert runs(docker) == THEIRS
    assert UNIT in docker.systemd.enabled
    assert (docker.root / CONTENT).exists()
    assert (docker.root / "run/containerd/containerd.sock").exists()
    assert not (docker.root / "usr/local").exists()


def test_the_distributions_containerd_rests_while_the_next_reset_takes_the_rest(docker: SharedHost) -> None:
    complaint(docker)
    docker.contents["moby"] = {}
    docker.steps.clear()
    outcome = reset(docker, RUNTIME_REQUEST)
    assert changes(outcome) == [
        ("unit", UNIT, "stop"),
        ("data", "/run/containerd", "remove"),
        ("data", "/var/lib/containerd", "remove"),
        ("unit", UNIT, "start"),
    ]
    assert f"/{CONTENT}" not in docker.systemd.running[UNIT]
    assert not (docker.root / "var/lib/flatnet").exists()
    assert docker.steps.index(f"systemctl stop {UNIT}") < docker.steps.index("discard /run/containerd")


def test_containers_that_stay_are_named_again_and_again(docker: SharedHost) -> None:
    assert complaint(docker) == complaint(docker) == complaint(docker)
    assert runs(docker) == THEIRS
    assert (docker.root / CONTENT).exists()


@pytest.mark.parametrize("node", ["alone", "docker"])
@pytest.mark.parametrize("moment", range(1, 40))
def test_after_a_kill_at_any_moment_what_others_have_is_still_there(
    node: str, moment: int, request: pytest.FixtureRequest
) -> None:
    host: SharedHost = request.getfixturevalue(node)
    host.kill_at = moment
    try:
        complaint(host)
    except Killed:
        host.kill_at = None
        complaint(host)
    host.kill_at = None
    assert (host.root / CONTENT).exists()
    assert runs(host) == (OURS if node == "alone" else THEIRS)
    host.contents = {"k8s.io": {}}
    reset(host, RUNTIME_REQUEST)
    assert runs(host) == (None if node == "alone" else THEIRS)
    assert not (host.root / "var/lib/containerd").exists()
    assert not (host.root / "var/lib/flatnet").exists()


@pytest.mark.parametrize("moment", range(1, 12))
def test_after_a_kill_while_the_rest_goes_the_distributions_containerd_runs(
    moment: int, docker: SharedHost
) -> None:
    complaint(docker)
    docker.contents["moby"] = {}
    docker.steps.clear()
    reset_with_a_kill(docker, RUNTIME_REQUEST, moment)
    assert runs(docker) == THEIRS
    assert not (docker.root / "var/lib/containerd").exists()
    assert not (docker.root / "var/lib/flatnet").exists()


def test_data_that_an_operator_removed_holds_nothing_back(docker: SharedHost) -> None:
    complaint(docker)
    docker.systemd.run(["stop", UNIT])
    (docker.root / CONTENT).unlink()
    reset(docker, RUNTIME_REQUEST)
    assert not (docker.root / "var/lib/containerd").exists()


@pytest.mark.parametrize("rest", [[], ["site"]])
def test_notes_of_objects_go_with_the_last_owner_and_those_of_others_stay(
    rest: list[str], host: SharedHost
) -> None:
    provision(host)
    for name in [RUNTIME_REQUEST.owners[0].name, *rest]:
        host.put(f"var/lib/flatnet/objects/{name}.json", "{}")
    host.put(
        "var/lib/flatnet/state/site.json", (host.root / "var/lib/flatnet/state" / _record(host)).read_text()
    )
    reset(host, RUNTIME_REQUEST)
    folder = host.root / "var/lib/flatnet/objects"
    assert sorted(path.name for path in folder.glob("*")) == [f"{name}.json" for name in rest]


def _record(host: SharedHost) -> str:
    return next(path.name for path in (host.root / "var/lib/flatnet/state").glob("*.json"))
