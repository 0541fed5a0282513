"""The texts of a contract: names, and patterns of names that a later run recognises what was made by.

A pattern is one of fnmatch. It begins with letters of its own, because what it matches may be removed: a
pattern that could mean somebody else's things is refused here, before any host has one.
"""

import ipaddress
from fnmatch import fnmatchcase

from flatnet.contract.kinds import Text

_WILD = "*?["
_LEAST_LITERAL = 3

# iptables' own (iptables(8)), and what iptables-nft calls its tables of nftables.
_BUILTIN_CHAINS = ("INPUT", "OUTPUT", "FORWARD", "PREROUTING", "POSTROUTING")
IPTABLES_TABLES = ("filter", "nat", "mangle", "raw", "security")
# Directories of the file system hierarchy that no program has to itself.
_SHARED = frozenset(
    f"/{path}"
    for path in (
        "etc/cni",
        "etc/cni/net.d",
        "etc/kubernetes",
        "etc/ssh",
        "etc/systemd",
        "etc/systemd/system",
        "opt/cni",
        "opt/cni/bin",
        "run/lock",
        "run/netns",
        "run/systemd",
        "run/user",
        "usr/bin",
        "usr/lib",
        "usr/lib/systemd",
        "usr/lib/systemd/system",
        "usr/libexec",
        "usr/local",
        "usr/local/bin",
        "usr/local/lib",
        "usr/local/sbin",
        "usr/sbin",
        "usr/share",
        "var/cache",
        "var/lib",
        "var/lib/cni",
        "var/log",
        "var/run",
        "var/tmp",
    )
)
_KERNELS = ("/proc/", "/sys/", "/dev/")
BPF_FILE_SYSTEM = "/sys/fs/bpf/"


def _literal(text: str) -> str:
    """Return what a pattern begins with before it becomes one."""
    return text[: min((text.index(sign) for sign in _WILD if sign in text), default=len(text))]


def is_pattern(text: str) -> bool:
    """Tell whether a name is a pattern of names."""
    return _literal(text) != text


def _too_wide(text: str) -> str:
    if is_pattern(text) and len(_literal(text)) < _LEAST_LITERAL:
        return f"could match what is somebody else's; begin it with at least {_LEAST_LITERAL} letters"
    return ""


def _chain(text: str) -> str:
    taken = [chain for chain in _BUILTIN_CHAINS if fnmatchcase(chain, text)]
    return f"matches the built-in chain {taken[0]}; name chains of its own" if taken else _too_wide(text)


def _place(text: str) -> str:
    """Return why a path is not one that a contract may call its own."""
    path = text.rstrip("/")
    folder, _, last = path.rpartition("/")
    if "//" in text or {".", ".."} & set(text.split("/")):
        return "is not written plainly; leave out //, . and .."
    if text.startswith(_KERNELS):
        return "is a place of the kernel's; name a directory of its own"
    if is_pattern(folder):
        return "has a pattern before its last part; only the last part may be one"
    if path.count("/") < 2:
        return "is everybody's; name a directory of its own below it"
    # With a slash at its end it goes when nobody has anything in it.
    if path in _SHARED and not text.endswith("/"):
        return "is everybody's; name a directory of its own below it, or write a slash at its end"
    return "has a pattern with no beginning; begin it with letters" if not _literal(last) else ""


def _pin(text: str) -> str:
    if not text.startswith(BPF_FILE_SYSTEM):
        return f"is not a place of pinned objects; it begins with {BPF_FILE_SYSTEM}"
    folder, _, last = text.rpartition("/")
    if is_pattern(folder) or not _literal(last):
        return "has a pattern where no name begins; only the end of the last part may be one"
    return ""


def _interface_address(text: str) -> str:
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return "is not an address with a prefix length"
    return ""


def _unit(text: str) -> str:
    return "ends in .service; leave that out" if text.endswith(".service") else ""


def _unwrapped(text: str) -> str:
    return "ends in a full stop; leave it out" if text.endswith(".") else ""


SENTENCE = Text(r"\S.*", "a sentence", _unwrapped)
CONTRACT_NAME = Text(r"[a-z][a-z0-9_]*", "a name of small letters, digits and _")
MODE_NAME = Text(r"[a-z][a-z0-9-]*", "a name of small letters, digits and -")
LABEL = Text(r"[a-z][a-z0-9_]*", "a name of small letters, digits and _")
NAME = Text(r"[A-Za-z0-9][A-Za-z0-9._+-]*", "a name")
KERNEL_FEATURE = Text(r"[a-z0-9][a-z0-9_]*", "a kernel feature: small letters, digits and _")
PACKAGE = Text(r"[A-Za-z0-9][A-Za-z0-9._+-]*", "the name of a package")
USER = Text(r"\S.*", "the name of a user or a group")
UNIT = Text(r"[A-Za-z0-9:_.@\\-]+", "the name of a systemd unit", _unit)
# What Linux takes as a name (dev_valid_name in net/core/dev.c), or a pattern of such.
INTERFACE = Text(r"[^\s/:]{1,15}", "an interface's name of up to 15 characters, or a pattern", _too_wide)
CHAIN = Text(r"[A-Za-z0-9_.:*?\[\]-]{1,28}", "a chain's name of up to 28 characters, or a pattern", _chain)
SET = Text(r"[^\s/]{1,31}", "an ipset's name of up to 31 characters, or a pattern", _too_wide)
TABLE = Text(r"[A-Za-z][A-Za-z0-9_.*?\[\]-]*", "the name of an nftables table, or a pattern", _too_wide)
PLACE = Text(r"/\S+", "an absolute path", _place)
PATH = Text(r"/\S+", "an absolute path")
COMMAND = Text(r"[A-Za-z0-9][\w.-]*( [\w.=/-]+)*", "a program with its arguments")
PIN = Text(r"/\S+", "an absolute path", _pin)
INTERFACE_ADDRESS = Text(r"[0-9a-f.:/]+", "an address with a prefix length", _interface_address)
ROUTE_WORD = Text(r"[a-z][a-z0-9_-]*", "a number from 0 to 255 or a protocol's name")
TABLE_WORD = Text(r"[a-z][a-z0-9_-]*", "a number or a routing table's name")
API_VERSION = Text(r"([a-z0-9.-]+/)?v[a-z0-9]+", "an API version such as apps/v1")
API_KIND = Text(r"[A-Z][A-Za-z0-9]*", "a kind of object such as ClusterRole")
OBJECT_KEY = Text(
    r"[a-z0-9.-]+\.[a-z0-9-]+/\S+", "a key with a domain such as example.com/name, or a pattern"
)
EXPECTED_SOURCE = Text(
    r"pod_gateway|node_address|tunnel_address|device:[^\s/:]{1,15}",
    "pod_gateway, node_address, tunnel_address or device:NAME",
)
