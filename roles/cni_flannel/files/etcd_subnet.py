"""Keeps the subnet of this node in etcd as it is planned, for flanneld's etcd subnet manager.

Runs beside flanneld's unit with the Python of the host: standard library, Python 3.9. Speaks to etcd by its
JSON gateway (etcd's Documentation, "Why gRPC gateway"), where keys and values are base64.

flanneld takes the subnet whose key has the node's address, whatever else is free, and makes a key without a
lease into one of a day (pkg/subnet/etcd/local_manager.go of v0.28.9). So a key that is there before flanneld
starts decides what it takes, and a second one with the same address may not be there.
"""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import sys
import time
import urllib.request
from typing import Any, Callable

Ask = Callable[[str, "dict[str, Any]"], "dict[str, Any]"]

# Of one request; another endpoint is asked then.
REQUEST_SECONDS = 5
# etcd of a host that boots comes up after its nodes.
RESERVE_SECONDS, RELEASE_SECONDS = 60, 10


class EtcdError(Exception):
    """What went wrong, in words."""


def encoded(text: str) -> str:
    """Return a key or a value as the gateway takes it."""
    return base64.b64encode(text.encode()).decode()


def decoded(text: str) -> str:
    """Return a key or a value of the gateway."""
    return base64.b64decode(text).decode(errors="replace")


def read(ask: Ask, key: str, with_all_below: bool = False) -> dict[str, str]:
    """Return the values by their keys: of the key, or of all that begin with it."""
    end = {"range_end": encoded(key[:-1] + chr(ord(key[-1]) + 1))} if with_all_below else {}
    answer = ask("range", {"key": encoded(key), **end})
    return {decoded(one["key"]): decoded(one.get("value", "")) for one in answer.get("kvs", [])}


def address_of(value: str) -> str:
    """Return the node's address that the value of a subnet says; "" where it says none."""
    try:
        found = json.loads(value)
    except ValueError:
        return ""
    return str(found.get("PublicIP", "")) if isinstance(found, dict) else ""


def reserve(ask: Ask, plan: dict[str, Any]) -> list[str]:
    """Make etcd say of this node and of the network what is planned; return what was done.

    A key of the subnet that another node has goes to this one: the plan gives a subnet to one node.
    """
    done = []
    config, subnets = f"{plan['prefix']}/config", f"{plan['prefix']}/subnets/"
    own = subnets + plan["subnet"]
    if read(ask, config).get(config) != plan["network"]:
        ask("put", {"key": encoded(config), "value": encoded(plan["network"])})
        done.append(f"wrote {config}")
    found = read(ask, subnets, with_all_below=True)
    for key, value in sorted(found.items()):
        if key != own and address_of(value) == plan["address"]:
            ask("deleterange", {"key": encoded(key)})
            done.append(f"removed {key}")
    if address_of(found.get(own, "")) != plan["address"]:
        ask("put", {"key": encoded(own), "value": encoded(json.dumps({"PublicIP": plan["address"]}))})
        done.append(f"reserved {own}")
    return done


def release(ask: Ask, plan: dict[str, Any]) -> list[str]:
    """Remove what etcd says of this node, and after the last node of the network; return what was done."""
    done = []
    config, subnets = f"{plan['prefix']}/config", f"{plan['prefix']}/subnets/"
    found = read(ask, subnets, with_all_below=True)
    own = sorted(key for key, value in found.items() if address_of(value) == plan["address"])
    for key in own:
        ask("deleterange", {"key": encoded(key)})
        done.append(f"removed {key}")
    if not set(found) - set(own) and read(ask, config):
        ask("deleterange", {"key": encoded(config)})
        done.append(f"removed {config}")
    return done


def check(subnet_file: str, plan: dict[str, Any]) -> list[str]:
    """Raise EtcdError when flanneld took another subnet than the planned one."""
    with open(subnet_file, encoding="utf-8") as file:
        found = dict(line.strip().split("=", 1) for line in file if "=" in line)
    taken = {name: found.get(name, "none") for name in plan["taken"]}
    if taken != plan["taken"]:
        raise EtcdError(f"flanneld took {taken}, and planned is {plan['taken']}")
    return []


def asker(plan: dict[str, Any], directory: str) -> Ask:
    """Return what sends a request to the first of etcd's members that answers."""
    context = ssl.create_default_context(cafile=f"{directory}/etcd-ca.crt")
    context.load_cert_chain(f"{directory}/etcd-client.crt", f"{directory}/etcd-client.key")

    def ask(what: str, question: dict[str, Any]) -> dict[str, Any]:
        complaints = []
        for endpoint in plan["endpoints"]:
            request = urllib.request.Request(  # noqa: S310 - the endpoints are https, of the plan
                f"{endpoint}/v3/kv/{what}",
                data=json.dumps(question).encode(),
                headers={"Content-Type": "application/json"},
            )
            try:
                opened = urllib.request.urlopen(request, timeout=REQUEST_SECONDS, context=context)  # noqa: S310
                with opened as answer:
                    found: dict[str, Any] = json.load(answer)
                    return found
            except (OSError, ValueError) as error:
                complaints.append(f"{endpoint}: {error}")
        raise EtcdError("; ".join(complaints))

    return ask


def patiently(what: Callable[[], list[str]], seconds: float) -> list[str]:
    """Do it until it succeeds. Raises the last EtcdError when the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(EtcdError):
            return what()
        time.sleep(1)
    return what()


def main(arguments: list[str]) -> int:
    """`reserve DIRECTORY`, `check DIRECTORY SUBNET_FILE` or `release DIRECTORY`."""
    verb, directory = arguments[:2]
    try:
        with open(f"{directory}/etcd.json", encoding="utf-8") as file:
            plan = json.load(file)
        if verb == "check":
            done = check(arguments[2], plan)
        else:
            ask = asker(plan, directory)
            how, seconds = {"reserve": (reserve, RESERVE_SECONDS), "release": (release, RELEASE_SECONDS)}[
                verb
            ]
            done = patiently(lambda: how(ask, plan), seconds)
    except (EtcdError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in done))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
