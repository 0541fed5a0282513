"""Kernel modules and sysctls: as they are now, and as they are to be after a boot."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from .host import Host, StateError
from .plan import Change, Phase, Plan, Undo
from .record import Record
from .wanted import Wanted, WantedFile, generated_file

# What shows that a kernel has a feature although it lists no such module: it was built in without parameters.
EVIDENCE = {
    "br_netfilter": "/proc/sys/net/bridge",
    "ip_tables": "/proc/net/ip_tables_names",
    "ip6_tables": "/proc/net/ip6_tables_names",
    "ip_vs": "/proc/net/ip_vs",
    "nf_conntrack": "/proc/sys/net/netfilter/nf_conntrack_max",
    "tun": "/sys/class/misc/tun",
}
# Links that can be made without another one, to see if the kernel knows their kind: module -> ip's words.
LINK_KINDS = {
    "bridge": "bridge",
    "dummy": "dummy",
    "geneve": "geneve id 1 remote 127.0.0.1",
    "ip_gre": "gre local 127.0.0.1 remote 127.0.0.2",
    "ipip": "ipip local 127.0.0.1 remote 127.0.0.2",
    "veth": "veth peer name flatnet1",
    "vxlan": "vxlan id 1 dstport 4789",
    "wireguard": "wireguard",
}


class Modules(NamedTuple):
    """found: name -> loaded, builtin or probed; to_load: those that modprobe knows."""

    found: dict[str, str]
    to_load: list[str]

    def to_persist(self) -> list[str]:
        """Return those that have to be loaded again after a boot."""
        return sorted([*(name for name, how in self.found.items() if how == "loaded"), *self.to_load])


def boot_id(host: Host) -> str:
    """Return what identifies this boot of the host."""
    return host.text("/proc/sys/kernel/random/boot_id") or ""


def find_modules(host: Host, names: list[str], old: Record) -> Modules:
    """Return how each module is there, or can be. Raises StateError naming one that cannot."""
    modules = Modules({}, [])
    if not names:
        return modules
    loaded = {line.split(" ", 1)[0] for line in (host.text("/proc/modules") or "").splitlines()}
    known = old.kernel_modules if old.boot == boot_id(host) else {}
    for name in names:
        plain = name.replace("-", "_")
        if plain in loaded:
            modules.found[name] = "loaded"
        elif host.stat(f"/sys/module/{plain}") is not None or _is_builtin(host, plain):
            modules.found[name] = "builtin"
        elif known.get(name) == "probed" or _shows(host, plain):
            modules.found[name] = "probed"
        elif host.run(["modprobe", "-n", "-q", name], changes=False).status == 0:
            modules.to_load.append(name)
        elif _link_can_be_made(host, plain):
            modules.found[name] = "probed"
        else:
            raise StateError(
                f"kernel module {name} is neither loaded nor built in, and modprobe does not find it; "
                "install the kernel's full set of modules, or boot a kernel that has it"
            )
    return modules


def plan_modules(host: Host, modules: Modules, plan: Plan) -> None:
    """Plan to load what is not there.

    A module stays loaded when the apply fails or its owner goes: others may have come to use it.
    """
    for name in modules.to_load:
        change = Change("kernel module", name, "load", "not loaded")
        plan.add(Phase.MODULES, [change], partial(_load, host, name))


def module_files(name: str, modules: Modules) -> list[WantedFile]:
    """Return the file that loads the modules after a boot (modules-load.d(5))."""
    names = modules.to_persist()
    if not names:
        return []
    return [
        generated_file(f"/etc/modules-load.d/flatnet-{name}.conf", "".join(f"{entry}\n" for entry in names))
    ]


def sysctl_files(name: str, sysctls: dict[str, str]) -> list[WantedFile]:
    """Return the file that sets the values after a boot (sysctl.d(5))."""
    if not sysctls:
        return []
    text = "".join(f"{key} = {value}\n" for key, value in sorted(sysctls.items()))
    # Behind 99-sysctl.conf, by which Debian reads /etc/sysctl.conf: what holds now has to hold after a boot.
    return [generated_file(f"/etc/sysctl.d/99-zz-flatnet-{name}.conf", text)]


def sysctl_path(key: str) -> str:
    """Return the file of a key: the first separator tells which of `.` and `/` separates (sysctl.d(5))."""
    first = next((character for character in key if character in "./"), "/")
    return "/proc/sys/" + (key if first == "/" else key.translate(str.maketrans("./", "/.")))


class Sysctls:
    """Compares values with the running kernel and plans to set them."""

    def __init__(self, host: Host, plan: Plan, modules: Modules) -> None:
        """Take what is going to be loaded: it may bring keys that are not there yet."""
        self._host = host
        self._plan = plan
        self._modules = modules

    def plan(self, wanted: Wanted, old: Record, others: list[Record]) -> dict[str, dict[str, Any]]:
        """Add the steps, and return what the record is to say of the values."""
        for key in sorted(old.sysctls):
            if key not in wanted.sysctls and not any(key in other.sysctls for other in others):
                self._release(key, old.sysctls[key])
        return {key: self._want(key, value, [old, *others]) for key, value in sorted(wanted.sysctls.items())}

    def _want(self, key: str, value: str, records: list[Record]) -> dict[str, Any]:
        live = self._live(key)
        if live is None and not self._modules.to_load:
            raise StateError(
                f"sysctl {key}: this kernel has no such key; "
                "check its spelling, or load the module that brings it"
            )
        if live != value:
            reason = f"is {'not there yet' if live is None else live}, wanted {value}"
            self._plan.add(
                Phase.SYSCTLS, [Change("sysctl", key, "set", reason)], partial(self._set, key, value, live)
            )
        known = next((record.sysctls[key] for record in records if key in record.sysctls), None)
        return {"previous": known["previous"] if known else live, "given": [value]}

    def _release(self, key: str, entry: dict[str, Any]) -> None:
        live, previous = self._live(key), entry["previous"]
        if live is None or previous is None or live == previous or live not in entry["given"]:
            return
        change = Change("sysctl", key, "restore", f"is {live}, was {previous} before")
        self._plan.add(Phase.SYSCTLS, [change], partial(self._set, key, previous, live))

    def _live(self, key: str) -> str | None:
        text = self._host.text(sysctl_path(key))
        return None if text is None else " ".join(text.split())

    def _set(self, key: str, value: str, live: str | None, undo: Undo) -> None:
        path = sysctl_path(key)
        try:
            self._host.set_value(path, value)
        except OSError as error:
            raise StateError(
                f"sysctl {key} is {live} and cannot be set to {value} here ({error.strerror}); "
                "in a container, set it on the machine below"
            ) from None
        if live is not None:
            undo.back(f"sysctl {key}", lambda: self._host.set_value(path, live))


def _is_builtin(host: Host, name: str) -> bool:
    release = host.text("/proc/sys/kernel/osrelease")
    listed = host.text(f"/lib/modules/{release}/modules.builtin") or ""
    return f"/{name}.ko\n" in listed.replace("-", "_") + "\n"


def _shows(host: Host, name: str) -> bool:
    if name in EVIDENCE:
        return host.stat(EVIDENCE[name]) is not None
    filesystems = (host.text("/proc/filesystems") or "").split()
    return name in filesystems


def _link_can_be_made(host: Host, name: str) -> bool:
    if name not in LINK_KINDS:
        return False
    words = ["unshare", "--net", "ip", "link", "add", "flatnet0", "type", *LINK_KINDS[name].split()]
    return host.run(words, changes=False).status == 0


def _load(host: Host, name: str, undo: Undo) -> None:
    del undo
    ran = host.run(["modprobe", name])
    if ran.status != 0:
        raise StateError(f"kernel module {name} cannot be loaded: {ran.complaint}")
