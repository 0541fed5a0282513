"""Failures whose messages are written for the person who runs the play."""

from __future__ import annotations

from typing import Any


class ObjectsError(Exception):
    """Something the user can put right; the message names the object, the reason and the fix."""


class UnreachableError(ObjectsError):
    """The API server does not answer (yet)."""


class MissingCredentialsError(ObjectsError):
    """A file of the credentials cannot be read, as before the first run."""


class ApiError(ObjectsError):
    """The API server answered with a failure: its HTTP status and, where it sent one, its Status object."""

    def __init__(self, message: str, code: int, status: dict[str, Any]) -> None:
        """Keep what callers decide by."""
        super().__init__(message)
        self.code = code
        self.status = status

    @property
    def missing_namespace(self) -> bool:
        """Tell whether the object's namespace, rather than the object, does not exist."""
        return self.code == 404 and self.status.get("details", {}).get("kind") == "namespaces"
