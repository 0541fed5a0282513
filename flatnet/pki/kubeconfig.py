"""The file with which a client of the API server finds it and proves who it is."""

import json

from flatnet.errors import FlatnetError


def kubeconfig(server: str, ca: str, certificate: str, key: str, user: str, cluster: str) -> str:
    """Return a kubeconfig as JSON text, which is YAML too, with paths of files instead of embedded keys.

    With paths, the key stays in one file with one mode, and a renewed certificate needs no new kubeconfig:
    clients of Kubernetes read the files again. server is a URL, https://host:port; the other paths are
    absolute, since relative ones are resolved against the kubeconfig's own directory. Raises FlatnetError for
    a server without TLS and for relative paths.
    """
    if not server.startswith("https://"):
        raise FlatnetError(
            f"kubeconfig of {user}: server {server!r} is not a https:// URL: certificates need TLS"
        )
    for meaning, path in (("ca", ca), ("certificate", certificate), ("key", key)):
        if not path.startswith("/"):
            raise FlatnetError(
                f"kubeconfig of {user}: {meaning} {path!r} is not an absolute path on the host"
            )
    context = f"{user}@{cluster}"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {"server": server, "certificate-authority": ca}}],
        "users": [{"name": user, "user": {"client-certificate": certificate, "client-key": key}}],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
        "current-context": context,
    }
    return json.dumps(content, indent=2) + "\n"
