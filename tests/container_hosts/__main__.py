"""Command line: `python -m tests.container_hosts {image,create,restart,destroy,list}`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from flatnet.errors import FlatnetError
from tests.container_hosts import hosts, state
from tests.container_hosts.image import ensure_image
from tests.container_hosts.podman import containers
from tests.container_hosts.spec import Cluster, check_prefix, make_cluster, read_inventory


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments ask for; return the exit status, 1 with one line on stderr for a FlatnetError."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except FlatnetError as problem:
        sys.stderr.write(f"container hosts: {problem}\n")
        return 1


def _image(_: argparse.Namespace) -> int:
    hosts.require_root()
    _say(ensure_image(_say))
    return 0


def _cluster(options: argparse.Namespace) -> Cluster:
    if options.inventory:
        return read_inventory(options.inventory)
    members: dict[str, list[str]] = {}
    for entry in options.host:
        name, _, addresses = entry.partition("=")
        members[name] = addresses.split(",")
    return make_cluster(options.prefix, options.subnet, members)


def _create(options: argparse.Namespace) -> int:
    cluster = _cluster(options)
    outcomes = hosts.create(cluster, _say)
    changed = sum(outcome != "unchanged" for outcome in outcomes.values())
    _say(f"{len(outcomes)} hosts ready, {changed} changed")
    _say(f"log in: ssh -F {state.state_directory(cluster.prefix) / 'ssh_config'} {cluster.hosts[0].name}")
    return 0


def _restart(options: argparse.Namespace) -> int:
    outcomes = hosts.restart(_cluster(options), _say)
    _say(f"{len(outcomes)} hosts restarted")
    return 0


def _destroy(options: argparse.Namespace) -> int:
    names = list(options.prefix)
    if options.inventory:
        names.append(read_inventory(options.inventory).prefix)
    if options.all:
        names += hosts.prefixes()
    if not names and not options.all:
        raise FlatnetError("say what to destroy: a prefix, --inventory or --all")
    if not names:
        _say("there are no container hosts")
    for name in dict.fromkeys(names):
        _say(f"{name}: {'removed' if hosts.destroy(check_prefix(name)) else 'not there'}")
    return 0


def _list(_: argparse.Namespace) -> int:
    for container in containers():
        status = "running" if container.running else "stopped"
        _say(f"{container.prefix:15} {container.host:20} {container.address:39} {status}")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.container_hosts", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    image = commands.add_parser("image", help="build the image that hosts boot, unless it is there")
    image.set_defaults(command=_image)
    create = commands.add_parser("create", help="make hosts answer over SSH; changes nothing where they do")
    create.set_defaults(command=_create)
    restart = commands.add_parser("restart", help="cut the power of hosts and start them again")
    restart.set_defaults(command=_restart)
    for command in (create, restart):
        command.add_argument(
            "--inventory", "-i", type=Path, action="append", help="hosts of group k8s_cluster there"
        )
        command.add_argument("--prefix", default="flatnet", help="without an inventory: name of the cluster")
        command.add_argument(
            "--subnet", action="append", default=[], help="network of the hosts, once per family"
        )
        command.add_argument("--host", action="append", default=[], metavar="NAME=ADDRESS[,ADDRESS]")
    destroy = commands.add_parser("destroy", help="remove hosts, their network and their keys")
    destroy.set_defaults(command=_destroy)
    destroy.add_argument("prefix", nargs="*", help="name of a cluster")
    destroy.add_argument(
        "--inventory", "-i", type=Path, action="append", help="the cluster of this inventory"
    )
    destroy.add_argument("--all", action="store_true", help="every cluster of this machine")
    listing = commands.add_parser("list", help="show the hosts of this machine")
    listing.set_defaults(command=_list)
    return parser


if __name__ == "__main__":
    sys.exit(main())
