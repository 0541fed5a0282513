"""The one error that reaches a user as a message instead of a traceback."""


class FlatnetError(ValueError):
    """Something the user can put right; the message names the value, the reason and the fix."""
