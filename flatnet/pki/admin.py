"""The administrator's kubeconfig on the controller, made again when what it holds is not what is wanted."""

import json
from collections.abc import Collection
from typing import NamedTuple

from flatnet.pki.kubeconfig import Credentials, portable_kubeconfig
from flatnet.pki.store import KEY_MODE, Store

FILE = "admin.kubeconfig"
_USER, _AUTHORITY = "admin", "ca"


class AdminAccess(NamedTuple):
    """Where the administrator finds the API server: its URL, and the name that the cluster has for him."""

    server: str
    cluster: str


def reconcile_admin(access: AdminAccess, store: Store, issued: Collection[str]) -> str:
    """Write the kubeconfig where it differs, and return why, "" where it is as wanted.

    issued: names of the certificates that this run has issued, or would have in a check, which may have had
    no place for them. Raises FlatnetError for a server without TLS.
    """
    names = (f"{_AUTHORITY}.crt", f"{_USER}.crt", f"{_USER}.key")
    pems = [pem for name in names if (pem := store.latest(name)) is not None]
    found = store.read(FILE)
    if len(pems) < len(names):
        return "there is none yet" if found is None else "certificate issued again"
    text = portable_kubeconfig(access.server, Credentials(*pems), _USER, access.cluster)
    if found is not None and found.content == text.encode():
        return "certificate issued again" if {_AUTHORITY, _USER} & set(issued) else ""
    store.write(FILE, text.encode(), KEY_MODE)
    return _difference(found.content, json.loads(text)) if found else "there is none yet"


def _difference(before: bytes, wanted: dict[str, list[dict[str, dict[str, str]]]]) -> str:
    """Return in words, and without anything secret, what a kubeconfig has that is not wanted."""
    try:
        server = json.loads(before)["clusters"][0]["cluster"]["server"]
    except (ValueError, KeyError, IndexError, TypeError):
        return "it cannot be read"
    now = wanted["clusters"][0]["cluster"]["server"]
    return f"server is {server}, wanted is {now}" if server != now else "certificate issued again"
