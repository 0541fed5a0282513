"""`python -m tests.pipeline`: runs the tests, and `make cluster`; programs are built meanwhile.

`test` does without programs that take many minutes to build and without some scenarios, `test-all` has all,
and `ci` is `test` with those programs that are built already. What a run left out is told in the end.
"""

import argparse
import shutil
import signal
import sys
import tempfile
from collections import deque

from flatnet.errors import FlatnetError
from tests.container_hosts.limits import check_inotify
from tests.pipeline.runner import BUILT, REPOSITORY, USED, Pipeline, TierFailedError

INVENTORY = "inventories/container_hosts"
SCENARIOS = tuple(path.parent.name for path in sorted(REPOSITORY.glob("molecule/*/molecule.yml")))
# Those of `make test`, the longest first, which decides how long two lanes take. What the others show
# beside the tour takes longer than there is time.
USUAL = ("tour", "broken_networks", "default", "dual_stack")
# Of the tour with a router, and of a cluster beside it; and of the largest of the other scenarios.
HOSTS_AT_ONCE, MORE_HOSTS_AT_ONCE = 7, 10


def molecule(pipeline: Pipeline, scenarios: deque[str]) -> None:
    """Run what is left of scenarios, each with molecule's own files in a folder that goes afterwards."""
    while scenarios:
        scenario = scenarios.popleft()
        folder = tempfile.mkdtemp(prefix="flatnet-molecule-")
        command = ["molecule", "--base-config", ".config/molecule/config.yml"]
        try:
            pipeline.run(
                f"molecule {scenario}",
                [*command, "test", "--no-command-borders", "--scenario-name", scenario],
                {"MOLECULE_EPHEMERAL_DIRECTORY": folder},
            )
        finally:
            # A folder that stays is no reason to hide how the scenario ended.
            shutil.rmtree(folder, ignore_errors=True)


def test(pipeline: Pipeline, scenarios: deque[str]) -> None:
    """Run every tier. Scenarios spend most of their time waiting for hosts, so the others run beside them."""

    def quick_ones_first() -> None:
        pipeline.run("lint", ["tests/lint"])
        pipeline.run("unit and contract tests", [sys.executable, "-m", "pytest", "-q"])
        pipeline.run("browser tests", [sys.executable, "-m", "pytest", "-q", "tests/browser"])
        pipeline.wait_for_programs()
        pipeline.run("integration tests", [sys.executable, "-m", "pytest", "-q", "tests/integration"])
        molecule(pipeline, scenarios)

    def clusters() -> None:
        pipeline.wait_for_programs()
        molecule(pipeline, scenarios)

    pipeline.begin_programs()
    pipeline.run("image of the hosts", [sys.executable, "-m", "tests.container_hosts", "image"])
    try:
        check_inotify(HOSTS_AT_ONCE if set(scenarios) <= set(USUAL) else MORE_HOSTS_AT_ONCE)
    except FlatnetError as error:
        sys.stdout.write(f"\n=== one tier after the other, which takes longer: {error}\n")
        quick_ones_first()
    else:
        pipeline.beside(quick_ones_first, clusters)


def cluster(pipeline: Pipeline, _: deque[str]) -> None:
    """Bring up a proven cluster and leave it running."""
    pipeline.begin_programs()
    hosts = [sys.executable, "-m", "tests.container_hosts", "create", "--inventory", INVENTORY]
    pipeline.run("hosts", hosts)
    pipeline.wait_for_programs()
    for verb in ("provision", "verify"):
        pipeline.run(verb, ["ansible-playbook", "--inventory", INVENTORY, f"playbooks/{verb}_network.yml"])


def scenarios_only(pipeline: Pipeline, scenarios: deque[str]) -> None:
    """Run molecule alone, with the programs built before."""
    pipeline.begin_programs()
    pipeline.wait_for_programs()
    molecule(pipeline, scenarios)


PIPELINES = {
    "test": (test, ""),
    "test-all": (test, BUILT),
    "ci": (test, USED),
    "cluster": (cluster, ""),
    "molecule": (scenarios_only, USED),
}


def main() -> int:
    """Run what the first argument names; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pipeline", choices=tuple(PIPELINES))
    every = (*USUAL, *(name for name in SCENARIOS if name not in USUAL))
    parser.add_argument("scenarios", nargs="*", help=f"default: {', '.join(USUAL)}; with test-all, all")
    options = parser.parse_args()
    run, slow = PIPELINES[options.pipeline]
    options.scenarios = options.scenarios or (every if slow == BUILT else USUAL)
    pipeline = Pipeline(slow)
    outcome = f"{options.pipeline}: passed"
    status = 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(pipeline, deque(options.scenarios))
    except TierFailedError as failure:
        outcome, status = f"{options.pipeline}: FAILED: {failure}", 1
    except KeyboardInterrupt:
        outcome, status = f"{options.pipeline}: interrupted", 130
    finally:
        pipeline.stop()
    pipeline.times.show(sys.stdout)
    pipeline.left_out.show(sys.stdout)
    if status == 1:
        pipeline.cause.show(sys.stdout)
    left = " ".join(name for name in SCENARIOS if name not in options.scenarios)
    if left and options.pipeline != "cluster":
        sys.stdout.write(f'\nscenarios that were not run: make molecule SCENARIOS="{left}"\n')
    sys.stdout.write(f"\n{outcome}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
