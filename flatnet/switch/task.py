"""What one run of a switch does, from what is asked: the plan for people, and data for the plays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from flatnet.errors import FlatnetError
from flatnet.switch.ends import End, staying
from flatnet.switch.outline import Cluster, Run, outline, refusals
from flatnet.switch.probe import LABEL, NAMESPACE, probe_namespace, probe_objects
from flatnet.switch.progress import REMOVING, WAITING, Progress, progress_towards

_PROBE_SECONDS = 60


@dataclass(frozen=True)
class Asked:
    """What is asked of a run. deployed: None where nothing is on record. found: a switch that has not ended.

    hosts: the inventory names that the run is for. image: of the pods to measure on, empty for none.
    """

    plan: Mapping[str, Any]
    deployed: End | None
    found: Progress | None
    hosts: Sequence[str]
    batch: int = 0
    ignored_budgets: Sequence[str] = ()
    image: str = ""


class SwitchTask(NamedTuple):
    """The plan of the switch for people, and what the plays go by, as plain data.

    is_needed: whether there is anything to do, be it that an earlier run ended before its last step. to_do:
    hosts that get the new network. removing: those of them that lose the old one. owners: the roles that are
    removed there. gone: those that nothing is left of in the API. pods: those of before, to be waited for;
    None where nobody is. nodes: inventory name -> node name. closed: names of other nodes that a run which
    was killed has closed to new pods. batch: hosts at once. left_out: hosts that are for a later run. note:
    the switch as begun. probe: objects to measure on, how to wait for them, and the address to ask; no
    objects where nothing is measured. made: what has to be removed again of what a measurement makes.
    """

    text: str
    data: dict[str, Any]


def switch_task(asked: Asked, cluster: Cluster) -> SwitchTask:
    """Return what to do. Raises FlatnetError with every reason why the switch cannot begin."""
    if asked.deployed is None:
        raise FlatnetError(
            "nothing is recorded as deployed, so there is nothing to switch from; "
            "run playbooks/provision_network.yml"
        )
    plan, wanted = asked.plan, End.of_plan(asked.plan)
    name = str(plan["cluster_name"])
    progress = progress_towards(asked.found, name, asked.deployed, wanted, [*plan["nodes"]])
    if progress is None:
        return SwitchTask(f"Nothing to switch: cluster {name} has {wanted}.", _data(asked, None, cluster))
    if asked.found is None:
        unready = sorted(str(pod["name"]) for pod in cluster.pods if not pod["ready"])
        progress = replace(progress, unready=tuple(unready))
    run = _run(asked, progress)
    reasons = refusals(run, cluster)
    if reasons:
        raise FlatnetError("\n".join(["the switch cannot begin:", *(f"- {reason}" for reason in reasons)]))
    return SwitchTask(outline(run, cluster, _addresses(plan)), _data(asked, run, cluster))


def _run(asked: Asked, progress: Progress) -> Run:
    nodes = asked.plan["nodes"].items()
    names = {host: str(node["name"]) for host, node in nodes if "kube_node" in node["groups"]}
    return Run(progress, asked.hosts, names, asked.batch, asked.ignored_budgets)


def _addresses(plan: Mapping[str, Any]) -> str:
    if plan["backend"]["ipam"] == "plan":
        return "pods get others of their node's network; services, nodes and networks keep theirs"
    return f"pods get others of {', '.join(plan['pod_cidrs'])}; services and nodes keep theirs"


def _data(asked: Asked, run: Run | None, cluster: Cluster) -> dict[str, Any]:
    if run is None:
        return {"is_needed": False, "to_do": [], "batch": len(asked.hosts)}
    progress, is_fresh = run.progress, asked.found is None
    probe = _probe(asked, run, cluster) if is_fresh else {"objects": []}
    return {
        "is_needed": True,
        "to_do": run.to_do,
        "removing": [host for host in run.to_do if progress.hosts[host] in (WAITING, REMOVING)],
        "left_out": run.left_out,
        "owners": list(progress.owners),
        "gone": [owner for owner in progress.owners if owner not in staying(progress.after)],
        "pods": run.pods(cluster) if run.moves_pods else None,
        "nodes": run.names,
        "closed": _closed(run, cluster),
        "batch": min(asked.batch, len(asked.hosts)) or len(asked.hosts),
        "note": progress.text,
        "probe": probe,
        # A run that was killed may have left it.
        "made": [probe_namespace()] if probe["objects"] or not is_fresh else [],
    }


def _closed(run: Run, cluster: Cluster) -> list[str]:
    to_do = {run.names.get(host) for host in run.to_do}
    return sorted(str(node["name"]) for node in cluster.nodes if node["closed"] and node["name"] not in to_do)


def _probe(asked: Asked, run: Run, cluster: Cluster) -> dict[str, Any]:
    """Return what is measured on: pods of nodes that are ready, beside each other where there are two."""
    ready = {str(node["name"]) for node in cluster.nodes if not node["reason"]}
    hosts = [host for host in run.to_do if run.names.get(host) in ready]
    if not asked.image or not hosts:
        return {"objects": []}
    # A node that is nothing else comes first: what happens to the control plane is another matter.
    hosts.sort(key=lambda host: (len(asked.plan["nodes"][host]["groups"]), host))
    objects = probe_objects([run.names[host] for host in hosts], asked.image)
    pods = sum(one["kind"] == "Pod" for one in objects)
    wait = {"namespace": NAMESPACE, "label_selector": LABEL, "count": pods, "seconds": _PROBE_SECONDS}
    return {"objects": objects, "wait": wait, "address": asked.plan["nodes"][hosts[0]]["addresses"][0]}
