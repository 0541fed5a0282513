"""The file with which a client of the API server finds it and proves who it is."""

import base64
import json
from typing import NamedTuple

from flatnet.errors import FlatnetError


def kubeconfig(server: str, ca: str, certificate: str, key: str, user: str, cluster: str) -> str:
    """Return a kubeconfig as JSON text, which is YAML too, with paths of files instead of embedded keys.

    With paths, the key stays in one file with one mode, and a renewed certificate needs no new kubeconfig:
    clients of Kubernetes read the files again. server is a URL, https://host:port; the other paths are
    absolute, since relative ones are resolved against the kubeconfig's own directory. Raises FlatnetError for
    a server without TLS and for relative paths.
    """
    _require_tls(server, user)
    for meaning, path in (("ca", ca), ("certificate", certificate), ("key", key)):
        if not path.startswith("/"):
            raise FlatnetError(
                f"kubeconfig of {user}: {meaning} {path!r} is not an absolute path on the host"
            )
    return _text(
        {"server": server, "certificate-authority": ca},
        {"client-certificate": certificate, "client-key": key},
        user,
        cluster,
    )


class Credentials(NamedTuple):
    """What proves who both sides are; each is PEM."""

    ca: bytes
    certificate: bytes
    key: bytes


def portable_kubeconfig(server: str, credentials: Credentials, user: str, cluster: str) -> str:
    """Return a kubeconfig as JSON text with everything in it, the private key too, for use on any machine.

    server is a URL, https://host:port. Raises FlatnetError for a server without TLS.
    """
    _require_tls(server, user)
    ca, certificate, key = (base64.b64encode(pem).decode() for pem in credentials)
    return _text(
        {"server": server, "certificate-authority-data": ca},
        {"client-certificate-data": certificate, "client-key-data": key},
        user,
        cluster,
    )


def _require_tls(server: str, user: str) -> None:
    if not server.startswith("https://"):
        raise FlatnetError(
            f"kubeconfig of {user}: server {server!r} is not an https:// URL: certificates need TLS"
        )


def _text(server: dict[str, str], credentials: dict[str, str], user: str, cluster: str) -> str:
    context = f"{user}@{cluster}"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": server}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
        "current-context": context,
    }
    return json.dumps(content, indent=2) + "\n"
