"""One-time codes that open the page, and the session secrets that they are exchanged for."""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_BYTES = 32


class SessionSecrets:
    """The sessions of one process.

    A code is used up by its first exchange, and the next one is made at once: the user can always open the page, and a
    code seen later opens nothing.

    Args:
        on_new_code: Called with each new code, to write it where only the user can read it.
    """

    def __init__(self, on_new_code: Callable[[str], None]) -> None:
        self._on_new_code = on_new_code
        self._secrets: list[str] = []
        self.code = self._new_code()

    def exchange(self, code: str) -> str | None:
        """Return the secret of a new session; None if this is not the current code."""
        if not _is_equal(code, self.code):
            return None
        self.code = self._new_code()
        self._secrets.append(secret := secrets.token_urlsafe(_BYTES))
        return secret

    def has(self, secret: str) -> bool:
        """Return whether this is the secret of a session."""
        return any(_is_equal(secret, known) for known in self._secrets)

    def _new_code(self) -> str:
        code = secrets.token_urlsafe(_BYTES)
        self._on_new_code(code)
        return code


def _is_equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
