"""Make the certificates on disk the wanted ones: issue again exactly those that differ, and say why."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from flatnet.errors import FlatnetError
from flatnet.pki.admin import FILE as ADMIN_FILE
from flatnet.pki.admin import AdminAccess, reconcile_admin
from flatnet.pki.authority import ensure_authority
from flatnet.pki.compare import certificate_differences, load_certificates
from flatnet.pki.describe import certificate_text, spec_text
from flatnet.pki.issue import Authority, certificate_pem, issue
from flatnet.pki.keys import describe_key, generate_key, key_pem, load_key, public_pem
from flatnet.pki.spec import CertificateSpec, KeyPairSpec
from flatnet.pki.store import DIRECTORY_MODE, KEY_MODE, PUBLIC_MODE, Store, StoredFile, open_store


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was (or in a check would be) done, why, and its description before and after."""

    name: str
    reason: str
    before: str = ""
    after: str = ""


@dataclass(slots=True)
class Reconciled:
    """What a run did: what was issued, modes repaired, certificates that nobody wants any more, warnings."""

    issued: list[Change] = field(default_factory=list)
    repaired: list[Change] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Tell whether anything was done."""
        return bool(self.issued or self.repaired)


def reconcile(
    directory: Path,
    specs: Sequence[CertificateSpec],
    now: datetime,
    *,
    key_pairs: Sequence[KeyPairSpec] = (),
    renew: Sequence[str] = (),
    admin: AdminAccess | None = None,
    check: bool = False,
    preview: Path | None = None,
    lock_seconds: float = 60,
) -> Reconciled:
    """Make the directory hold the wanted certificates and key pairs, and return what that took.

    A certificate is issued again only when its content, its issuer, its key or its remaining life is not the
    wanted one; its private key stays unless the key itself is wrong. renew holds name patterns (`kubelet-*`)
    of certificates to replace together with their keys. admin asks for the administrator's kubeconfig beside
    them. A CA keeps its key for ever: see `ensure_authority`.
    With check nothing is written there; preview, an empty directory of the user's alone, then gets what would
    be in it: new files for what would be issued, links to the rest. now is in UTC. Cost grows linearly with
    the number of specs. Raises FlatnetError, in particular before anything is written for names used twice
    and for patterns that fit nothing.
    """
    now = now.replace(microsecond=0)
    renewed = _renewed_names(specs, renew)
    _check_names(specs, key_pairs)
    with open_store(directory, check=check, lock_seconds=lock_seconds, preview=preview) as store:
        result = Reconciled()
        _repair_directory(store, result)
        authorities = {
            spec.name: _reconcile_authority(spec, specs, store, now, result) for spec in specs if spec.is_ca
        }
        for spec in specs:
            if not spec.is_ca:
                _reconcile_leaf(spec, authorities[spec.ca], store, now, result, new_key=spec.name in renewed)
        for pair in key_pairs:
            _reconcile_key_pair(pair, store, result)
        if admin:
            _repair_mode(ADMIN_FILE, store.read(ADMIN_FILE), store, result)
            if reason := reconcile_admin(admin, store, [change.name for change in result.issued]):
                result.issued.append(Change(ADMIN_FILE, reason))
        wanted = {spec.name for spec in specs}
        result.unused = [name for name in store.names(".crt") if name not in wanted]
        store.complete_preview()
    return result


def _check_names(specs: Sequence[CertificateSpec], key_pairs: Sequence[KeyPairSpec]) -> None:
    seen: set[str] = set()
    for name in [spec.name for spec in specs] + [pair.name for pair in key_pairs]:
        if name in seen:
            raise FlatnetError(f"two certificates are called {name!r}: rename one of them")
        seen.add(name)
    authorities = {spec.name for spec in specs if spec.is_ca}
    for spec in specs:
        if spec.ca not in authorities:
            raise FlatnetError(
                f"certificate {spec.name}: its CA {spec.ca!r} is not among the certificates: add it"
            )


def _renewed_names(specs: Sequence[CertificateSpec], patterns: Sequence[str]) -> set[str]:
    leaves = [spec.name for spec in specs if not spec.is_ca]
    renewed: set[str] = set()
    for pattern in patterns:
        matching = {name for name in leaves if fnmatchcase(name, pattern)}
        if not matching:
            raise FlatnetError(
                f"renew: {pattern!r} matches no certificate: choose among {', '.join(sorted(leaves))};"
                " the key of a CA is only replaced by removing its files"
            )
        renewed |= matching
    return renewed


def _repair_directory(store: Store, result: Reconciled) -> None:
    mode = store.mode()
    if mode is not None and mode & 0o077:
        store.set_mode(".", DIRECTORY_MODE)
        result.repaired.append(
            Change(str(store.directory), f"mode is {mode:04o}, wanted is {DIRECTORY_MODE:04o}")
        )


def _repair_mode(file_name: str, found: StoredFile | None, store: Store, result: Reconciled) -> None:
    if found is not None and found.mode & 0o077:
        store.set_mode(file_name, KEY_MODE)
        result.repaired.append(Change(file_name, f"mode is {found.mode:04o}, wanted is {KEY_MODE:04o}"))


def _reconcile_authority(
    spec: CertificateSpec, specs: Sequence[CertificateSpec], store: Store, now: datetime, result: Reconciled
) -> Authority:
    key_file, certificate_file = store.read(f"{spec.name}.key"), store.read(f"{spec.name}.crt")
    signed = [leaf.name for leaf in specs if leaf.ca == spec.name and leaf is not spec]
    # Only where the key is missing does it matter whether the CA is at work already.
    issued = [] if key_file else [name for name in signed if store.path(f"{name}.crt").exists()]
    state = ensure_authority(spec, key_file, certificate_file, issued, store.directory, now)
    if state.reason:
        if key_file is None:
            store.write(f"{spec.name}.key", key_pem(state.authority.key), KEY_MODE, durable=True)
        store.write(f"{spec.name}.crt", state.authority.pem, PUBLIC_MODE, durable=True)
        before = certificate_text(load_certificates(certificate_file.content)) if certificate_file else ""
        after = certificate_text(load_certificates(state.authority.pem))
        result.issued.append(Change(spec.name, state.reason, before, after))
    _repair_mode(f"{spec.name}.key", key_file, store, result)
    result.warnings += state.warnings
    return state.authority


def _reconcile_leaf(
    spec: CertificateSpec,
    issuer: Authority,
    store: Store,
    now: datetime,
    result: Reconciled,
    *,
    new_key: bool,
) -> None:
    key_file, certificate_file = store.read(f"{spec.name}.key"), store.read(f"{spec.name}.crt")
    key = load_key(key_file.content) if key_file else None
    reasons: list[str] = []
    if new_key:
        reasons.append("renewal asked for")
    elif key_file is None:
        reasons.append("key file is missing")
    elif key is None:
        reasons.append("key file cannot be read")
    elif describe_key(key) != spec.key_type:
        reasons.append(f"key is {describe_key(key)}, wanted is {spec.key_type}")
    kept_key = None if reasons else key
    certificates = load_certificates(certificate_file.content) if certificate_file else []
    if certificates:
        reasons += certificate_differences(spec, certificates[0], kept_key, issuer, now)
    else:
        reasons.append(
            "certificate file cannot be read" if certificate_file else "certificate file is missing"
        )
    if not reasons:
        _repair_mode(f"{spec.name}.key", key_file, store, result)
        return
    if kept_key is not None:
        _repair_mode(f"{spec.name}.key", key_file, store, result)
    if store.target is not None:
        used_key = kept_key or generate_key(spec.key_type)
        # The key first: a run killed between the two leaves a certificate for another key, which the next run
        # sees.
        if kept_key is None:
            store.write(f"{spec.name}.key", key_pem(used_key), KEY_MODE)
        store.write(f"{spec.name}.crt", certificate_pem(issue(spec, used_key, issuer, now)), PUBLIC_MODE)
    result.issued.append(
        Change(spec.name, "; ".join(reasons), certificate_text(certificates), spec_text(spec, issuer, now))
    )


def _reconcile_key_pair(pair: KeyPairSpec, store: Store, result: Reconciled) -> None:
    key_file, public_file = store.read(f"{pair.name}.key"), store.read(f"{pair.name}.pub")
    key = load_key(key_file.content) if key_file else None
    if key is None:
        if key_file or public_file:
            state = "cannot be read" if key_file else "is missing"
            raise FlatnetError(
                f"{store.path(pair.name)}.key {state} but the cluster uses it (every service account token"
                f" is signed with it): restore it from a backup, or remove {pair.name}.key and"
                f" {pair.name}.pub to start with a new one, which invalidates all tokens"
            )
        key = generate_key(pair.key_type)
        store.write(f"{pair.name}.key", key_pem(key), KEY_MODE, durable=True)
        reason = "there is no key pair yet"
    else:
        reason = "" if public_file else "public key file is missing"
        if public_file and public_file.content != public_pem(key):
            reason = "public key file belongs to another key"
    _repair_mode(f"{pair.name}.key", key_file, store, result)
    if reason:
        store.write(f"{pair.name}.pub", public_pem(key), PUBLIC_MODE)
        text = f"key pair {describe_key(key)}\n"
        result.issued.append(Change(pair.name, reason, text if key_file else "", text))
