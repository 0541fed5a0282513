"""Bring the certificates of the cluster to the wanted ones; thin adapter over flatnet.pki."""

import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from flatnet.errors import FlatnetError
    from flatnet.pki import Change, KeyType, cluster_certificates, reconcile
    from flatnet.pki.inputs import read_request
except ImportError as error:
    raise AnsibleActionFail(
        f"flatnet cannot be imported ({error}): install it for the Python that runs Ansible, with"
        " `pip install -e .` in the checkout"
    ) from error

_TEXTS = {"type": "list", "elements": "str"}
_KEY_TYPES = [key_type.value for key_type in KeyType]
ARGUMENTS = {
    "directory": {"type": "path", "required": True},
    "nodes": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "addresses": {**_TEXTS, "required": True},
        },
    },
    "control_plane_nodes": {**_TEXTS, "required": True},
    "etcd_nodes": {**_TEXTS, "required": True},
    "kubelet_nodes": _TEXTS,
    "apiserver_sans": {
        "type": "dict",
        "required": True,
        "options": {"dns": {**_TEXTS, "default": []}, "ip": {**_TEXTS, "default": []}},
    },
    "extra_identities": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "common_name": {"type": "str", "required": True},
            "organizations": {**_TEXTS, "default": []},
            "ca": {"type": "str", "default": "ca"},
            "usages": {**_TEXTS, "default": ["client"]},
            "per": {"type": "str", "default": "cluster"},
        },
    },
    "lifetime_days": {"type": "int", "default": 365},
    "ca_lifetime_days": {"type": "int", "default": 3650},
    "renew_before_days": {"type": "int", "default": 30},
    "key_type": {"type": "str", "choices": _KEY_TYPES, "default": KeyType.ECDSA_P256.value},
    "service_account_key_type": {"type": "str", "choices": _KEY_TYPES, "default": KeyType.RSA_2048.value},
    "renew": {**_TEXTS, "default": []},
    "api_server": {"type": "str", "default": ""},
    "cluster_name": {"type": "str", "default": "kubernetes"},
    "lock_seconds": {"type": "int", "default": 60},
}


class ActionModule(ActionBase):
    """Runs on the controller only: no connection, no remote call, once whatever the number of hosts."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, object] | None = None) -> dict[str, object]:
        """Return changed, issued, repaired, unused; a FlatnetError becomes an AnsibleActionFail.

        And directory: where the files are; in check mode where those are that would be.
        """
        result: dict[str, object] = super().run(tmp, task_vars)
        validate: Callable[..., tuple[object, dict[str, object]]] = self.validate_argument_spec
        _, values = validate(argument_spec=ARGUMENTS)
        check, diff = bool(self._task.check_mode), bool(self._task.diff)
        preview = _new_folder() if check else None
        try:
            request = read_request(values)
            done = reconcile(
                request.directory,
                cluster_certificates(request.cluster),
                datetime.now(UTC),
                key_pairs=request.key_pairs,
                renew=request.renew,
                admin=request.admin,
                check=check,
                preview=preview,
                lock_seconds=request.lock_seconds,
            )
        except FlatnetError as error:
            raise AnsibleActionFail(str(error)) from None
        result.update(
            changed=done.changed,
            issued=[{"name": change.name, "reason": change.reason} for change in done.issued],
            repaired=[{"name": change.name, "reason": change.reason} for change in done.repaired],
            unused=done.unused,
            directory=str(preview or request.directory),
        )
        if done.warnings:
            result["warnings"] = done.warnings
        if diff:
            result["diff"] = [_difference(change) for change in (*done.issued, *done.repaired)]
        return result


def _new_folder() -> Path:
    """Return a new folder of this user alone, which Ansible removes when it ends."""
    # Ansible gives itself this constant while it starts.
    return Path(tempfile.mkdtemp(prefix="pki-", dir=vars(constants)["DEFAULT_LOCAL_TMP"]))


def _difference(change: Change) -> Mapping[str, str]:
    return {
        "before_header": change.name,
        "after_header": f"{change.name} ({change.reason})",
        "before": change.before,
        "after": change.after,
    }
