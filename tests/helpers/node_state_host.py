"""A host in a directory: real files, models of systemd, ip, nft and modprobe; for tests of node_state."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flatnet.host.state.apply import converge
from flatnet.host.state.host import Host, Ran, StateError
from flatnet.host.state.wanted import Wanted, from_wire
from flatnet.state.desired import parse
from flatnet.state.wire import Package, to_wire

__all__ = ["FakeHost", "Killed", "Ran", "StateError", "apply", "converge", "received", "tree", "unit_text"]

Json = dict[str, Any]
UNIT_DIRECTORIES = ("etc/systemd/system", "usr/lib/systemd/system")


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


class FakeSystemd:
    """Units as systemd sees them: it knows the files it has read, not those on the disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.read: dict[str, str] = {}
        self.enabled: set[str] = set()
        self.running: dict[str, dict[str, bytes]] = {}
        self.failed: set[str] = set()
        self.calls: list[list[str]] = []
        self.refuse: Callable[[str, str], bool] = lambda _name, _text: False

    def file(self, name: str) -> str | None:
        """Return the text of a unit's file on the disk."""
        for directory in UNIT_DIRECTORIES:
            path = self.root / directory / name
            if path.is_file():
                return path.read_text()
        return None

    def run(self, arguments: list[str]) -> Ran:
        self.calls.append(arguments)
        verb, names = arguments[0], [word for word in arguments[1:] if not word.startswith("-")]
        if verb == "show":
            return Ran(0, "\n\n".join(self._show(name) for name in names) + "\n", "")
        if verb == "daemon-reload":
            self.read = {name: text for name in self.read if (text := self.file(name)) is not None}
            return Ran(0, "", "")
        outcomes = [getattr(self, f"_{verb.replace('-', '_')}")(name) for name in names]
        return next((outcome for outcome in outcomes if outcome is not None), Ran(0, "", ""))

    def _load(self, name: str) -> str | None:
        if name not in self.read and (text := self.file(name)) is not None:
            self.read[name] = text
        return self.read.get(name)

    def _show(self, name: str) -> str:
        text, on_disk = self._load(name), self.file(name)
        if on_disk is None:
            state = ""
        elif name in self.enabled:
            state = "enabled"
        else:
            state = "disabled" if "[Install]" in on_disk else "static"
        active = "active" if name in self.running else "failed" if name in self.failed else "inactive"
        values = {
            "Id": name,
            "LoadState": "not-found" if text is None else "loaded",
            "ActiveState": active,
            "SubState": {"active": "running", "failed": "failed", "inactive": "dead"}[active],
            "UnitFileState": state,
            "NeedDaemonReload": "yes" if text is not None and text != on_disk else "no",
            "Result": "exit-code" if name in self.failed else "success",
            "Type": "notify",
        }
        return "\n".join(f"{key}={value}" for key, value in values.items())

    def _enable(self, name: str) -> Ran | None:
        if self.file(name) is None:
            return Ran(1, "", f"Failed to enable unit: Unit file {name} does not exist.")
        self.enabled.add(name)
        return None

    _reenable = _enable

    def _disable(self, name: str) -> Ran | None:
        if self.file(name) is None:
            return Ran(1, "", f"Failed to disable unit: Unit file {name} does not exist.")
        self.enabled.discard(name)
        return None

    def _restart(self, name: str) -> Ran | None:
        text = self._load(name)
        self.running.pop(name, None)
        if text is None:
            return Ran(5, "", f"Failed to restart {name}: Unit {name} not found.")
        if self.refuse(name, text):
            self.failed.add(name)
            return Ran(1, "", f"Job for {name} failed because the control process exited with error code.")
        self.failed.discard(name)
        self.running[name] = {f"/etc/systemd/system/{name}": text.encode(), **tree(self.root)}
        return None

    _start = _restart

    def _stop(self, name: str) -> Ran | None:
        self.running.pop(name, None)
        self.failed.discard(name)
        return None

    def _reset_failed(self, name: str) -> Ran | None:
        self.failed.discard(name)
        return None


class FakeKernel:
    """Routes, tables and modules."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.routes: dict[tuple[str, int], Json] = {}
        self.tables: dict[str, str] = {}
        self.loadable: set[str] = set()
        self.link_kinds: set[str] = set()
        self.brings: dict[str, dict[str, str]] = {}
        self.fail: Callable[[str], str] = lambda _line: ""

    def ip(self, arguments: list[str], text: str | None) -> Ran:
        if "-batch" not in arguments:
            version = 6 if "-6" in arguments else 4
            shown = [route for (dst, _), route in self.routes.items() if (":" in dst) == (version == 6)]
            return Ran(0, json.dumps(shown), "")
        for number, line in enumerate((text or "").splitlines(), 1):
            reason = self.fail(line) or self._line(line)
            if reason and "-force" not in arguments:
                return Ran(1, "", f"RTNETLINK answers: {reason}\nCommand failed -:{number}\n")
        return Ran(0, "", "")

    def _line(self, line: str) -> str:
        words = line.split()
        assert words[0] == "route"
        kind = {"type": words.pop(2)} if words[2] == "unreachable" else {}
        options = dict(zip(words[3::2], words[4::2], strict=True))
        metric = int(options.get("metric", 1024 if ":" in words[2] else 0))
        key = (words[2], metric)
        if words[1] == "delete":
            return "" if self.routes.pop(key, None) else "No such process"
        network, _, prefix = words[2].partition("/")
        dst = network if prefix in ("32", "128") else words[2]
        names = {"via": "gateway", "dev": "dev", "src": "prefsrc", "proto": "protocol"}
        route = {
            **kind,
            "dst": dst,
            **{names[word]: value for word, value in options.items() if word in names},
        }
        # Of routes without a device IPv6 tells that of the kernel itself, IPv4 none.
        if not kind or ":" in dst:
            route.setdefault("dev", "lo" if kind else "eth0")
        self.routes[key] = {**route, **({"metric": metric} if metric else {}), "flags": []}
        return ""

    def nft(self, arguments: list[str], text: str | None) -> Ran:
        if arguments == ["list", "tables"]:
            return Ran(0, "".join(f"table {name}\n" for name in self.tables), "")
        if "list" in arguments:
            listed = self.tables.get(" ".join(arguments[-2:]))
            return Ran(1, "", "Error: No such file or directory") if listed is None else Ran(0, listed, "")
        if arguments[0] == "delete":
            del self.tables[" ".join(arguments[-2:])]
            return Ran(0, "", "")
        if arguments[-1] != "-":
            text = Path(arguments[-1]).read_text()
        script = text or ""
        if "broken" in script:
            return Ran(1, "", "Error: syntax error, unexpected string")
        if "-c" in arguments:
            return Ran(0, "", "")
        for item in re.findall(r"^delete table (\S+ \S+)$", script, re.MULTILINE):
            self.tables.pop(item, None)
        for definition in re.split(r"^(?=add table |table )", script, flags=re.MULTILINE):
            if definition.startswith("table "):
                self.tables[" ".join(definition.split()[1:3])] = definition
        return Ran(0, "", "")

    def modprobe(self, arguments: list[str]) -> Ran:
        name = arguments[-1]
        if name not in self.loadable:
            return Ran(1, "", f"modprobe: FATAL: Module {name} not found")
        if "-n" not in arguments:
            modules = self.root / "proc/modules"
            modules.write_text(modules.read_text() + f"{name} 16384 0 - Live 0x0\n")
            for key, value in self.brings.get(name, {}).items():
                path = self.root / "proc/sys" / key.replace(".", "/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(value + "\n")
        return Ran(0, "", "")


class FakeHost(Host):
    """A host whose / is a directory; `kill_at` ends it before its n-th change, `fail_at` fails one."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root))
        self.root = root
        self.systemd = FakeSystemd(root)
        self.kernel = FakeKernel(root)
        self.steps: list[str] = []
        self.kill_at: int | None = None
        self.fail_at: int | None = None
        self.commands: list[list[str]] = []
        self.users = {"root", "etcd"}
        self.read_only: set[str] = set()
        for directory in (
            "etc/systemd/system",
            "proc/sys/net/ipv4",
            "usr/lib/systemd/system",
            "proc/self",
            "var/lib",
        ):
            (root / directory).mkdir(parents=True)
        self.put("proc/sys/kernel/random/boot_id", "boot-1")
        self.put("proc/modules", "")
        self.put("proc/sys/net/ipv4/ip_forward", "0")

    def put(self, path: str, text: str) -> Path:
        """Write a file as somebody else would."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n" if path.startswith("proc/") and text else text)
        return file

    def step(self, what: str) -> None:
        self.steps.append(what)
        if self.kill_at is not None and len(self.steps) >= self.kill_at:
            raise Killed(what)
        if len(self.steps) == self.fail_at:
            raise OSError(28, "No space left on device", what)

    def set_value(self, path: str, value: str) -> None:
        if path in self.read_only:
            raise PermissionError(13, "Permission denied")
        super().set_value(path, value)

    def sync(self, descriptor: int) -> None:
        del descriptor

    def wait(self, seconds: float) -> None:
        del seconds

    def user_id(self, name: str) -> int:
        if name not in self.users:
            raise KeyError(name)
        return os.getuid()

    def group_id(self, name: str) -> int:
        if name not in self.users:
            raise KeyError(name)
        return os.getgid()

    def program(self, name: str) -> str:
        return f"/usr/sbin/{name}"

    def run(self, arguments: list[str], text: str | None = None, changes: bool = True) -> Ran:
        if changes:
            self.step(" ".join(arguments))
        self.commands.append(arguments)
        program, rest = arguments[0], arguments[1:]
        if program == "systemctl":
            return self.systemd.run(rest)
        if program == "journalctl":
            return Ran(0, "".join(f"line {number}\n" for number in range(1, 31)), "")
        if program == "ip":
            return self.kernel.ip(rest, text)
        if program == "nft":
            return self.kernel.nft(rest, text)
        if program == "modprobe":
            return self.kernel.modprobe(rest)
        if program == "unshare":
            return Ran(0 if rest[rest.index("type") + 1] in self.kernel.link_kinds else 2, "", "unknown type")
        if program == "restorecon":
            return Ran(0, "", "")
        if program == "validator":
            refused = "invalid" in Path(rest[-1]).read_text()
            return Ran(1, "", f"{Path(rest[-1]).read_text()} is not right") if refused else Ran(0, "", "")
        return Ran(127, "", f"{program} is not installed on this host")


def received(package: Package) -> Wanted:
    """Return the state as it arrives on the host."""
    return from_wire(json.loads(json.dumps(package.state)))


def apply(host: FakeHost, **arguments: object) -> Json:
    """Apply a state given as a task would give it; the blobs it needs are brought, as the action does.

    `check` and `diff` are the modes of Ansible.
    """
    check, diff = bool(arguments.pop("check", False)), bool(arguments.pop("diff", False))
    package = to_wire(parse({"name": "example", **arguments}))
    wanted = received(package)
    outcome = converge(host, wanted, check=check, with_diff=diff)
    if outcome["missing"] and not check:
        for sha256 in outcome["missing"]:
            staged = host.root / "var/lib/flatnet/staging" / sha256
            staged.write_bytes(Path(package.sources[sha256]).read_bytes())
        outcome = converge(host, wanted, with_diff=diff)
    return outcome


def tree(root: Path) -> dict[str, bytes]:
    """Return the bytes of all files, links and directories, but for /proc and flatnet's own records."""
    found: dict[str, bytes] = {}
    for directory, names, files in os.walk(root):
        here = Path(directory)
        for name in [*names, *files]:
            path = here / name
            place = f"/{path.relative_to(root)}"
            if place.startswith(("/proc", "/var/lib/flatnet")):
                continue
            if path.is_symlink():
                found[place] = b"-> " + str(path.readlink()).encode()
            else:
                found[place] = b"directory" if path.is_dir() else path.read_bytes()
    return found


def mode(path: Path) -> str:
    """Return the mode of a path, such as 0644."""
    return f"{path.lstat().st_mode & 0o7777:04o}"


def reasons(outcome: Json) -> list[str]:
    """Return the changes with their reasons, as a run shows them."""
    return [
        f"{change['kind']} {change['item']} {change['action']}: {change['reason']}"
        for change in outcome["changes"]
    ]


def unit_text(command: str = "/usr/bin/true") -> str:
    """Return a unit that can be enabled."""
    return f"[Service]\nType=notify\nExecStart={command}\n\n[Install]\nWantedBy=multi-user.target\n"
