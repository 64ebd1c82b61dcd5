"""The driver's errors translated into those of `mcp_cxr.errors`; no other module does it.

The driver's own text is left out of messages and of the chain of causes: it may quote stored values.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import iris.dbapi as driver  # pyright: ignore[reportMissingTypeStubs]  # has none; wrapped in `_connection`

from mcp_cxr.errors import ConfigError, CxrError, DimensionMismatch, StoreError, StoreUnavailable
from mcp_cxr.stores._shared import store_missing

if TYPE_CHECKING:
    from collections.abc import Generator

DRIVER_ERRORS = (driver.Error, RuntimeError)
"""What the driver raises; `close` and `rollback` on a lost connection raise RuntimeError."""

NO_SUCH_TABLE = 30
NO_PRIVILEGE = 99
DUPLICATE_KEY = 119
TABLE_EXISTS = 201
COLUMN_EXISTS = 306
INDEX_EXISTS = 324

_LONGEST_MESSAGE = 200
_SQLCODE = re.compile(r"\[SQLCODE: <(-?\d+)>")
_MESSAGE = re.compile(r"\[%msg: <(.*?)>\]", re.DOTALL)
_CONNECTION_LOST = re.compile(r"COMMUNICATION LINK|<LIST ERROR>|Message out of order")

_UNREACHABLE = "Cannot reach IRIS at {location}. Check IRIS_HOST and IRIS_PORT, and that the server is up."
_REFUSED = "IRIS refused the login at {location}. Check IRIS_USERNAME, IRIS_PASSWORD and IRIS_NAMESPACE."
_FIRST_LOGIN = (
    "IRIS at {location} wants the password of IRIS_USERNAME changed first. Change it on the server, then set"
    " IRIS_PASSWORD to the new one (docs/iris.md)."
)
_OTHER_COLUMNS = (
    "The table at {location} lacks columns of mcp-cxr (SQLCODE -29): another program made it. Set IRIS_TABLE to another"
    " table."
)
_MUST_CHANGE = "Password change required"
_TLS = (
    "Cannot make a TLS connection to IRIS at {location}. Check ISC_SSLconfigurations, IRIS_SSL_CONFIG, the CAfile that"
    " signed the server's certificate, and that the server's port uses TLS."
)
_NO_LICENSE_LEFT = (
    "IRIS at {location} has no license unit left. Lower IRIS_POOL_SIZE, close other clients, or try again later."
)
_LOST = "The connection to IRIS at {location} was lost. Check that the server is up, then try again."
_LACKS_PRIVILEGES = (
    "The IRIS user lacks privileges at {location}. Grant SELECT, INSERT, UPDATE and DELETE on its tables, and those"
    " that docs/iris.md lists."
)
_STATEMENT = (
    "IRIS at {location} rejects a statement of mcp-cxr (SQLCODE -{code}). Vectors need IRIS 2024.1 or newer;"
    " if you have that, please report this."
)
_LENGTH = (
    "The Vector column at {location} has a different length from this embedder's vectors. Use the embedder the table"
    " was made with, or set IRIS_TABLE to another table."
)
_MISFIT = (
    "A value does not fit its column at {location}: the Vector column has a different length, or another program made"
    " the table with shorter text columns. Set IRIS_TABLE to another table."
)


class PrivilegeMissing(StoreError):
    """The user may not run the statement, or not with its keywords."""


_MEANINGS: dict[int, tuple[type[CxrError], str]] = {
    417: (ConfigError, _REFUSED),
    NO_PRIVILEGE: (PrivilegeMissing, _LACKS_PRIVILEGES),
    110: (StoreUnavailable, "Another program has locked rows of {location}. Try again when it has finished."),
    104: (StoreError, _MISFIT),
    257: (DimensionMismatch, _LENGTH),
    259: (DimensionMismatch, _LENGTH),
    260: (DimensionMismatch, _LENGTH),
    29: (StoreError, _OTHER_COLUMNS),
}
_FATAL = 400
_REFUSED_FORMS = frozenset({*range(1, 29), _FATAL})
"""SQLCODEs of statements that the server does not understand (-1 to -28), and of a failure in one."""
_INTERNAL = "IRIS at {location} failed (SQLCODE -{code}). See messages.log on the IRIS server."


class StatementRefused(StoreError):
    """The server cannot compile or run a statement of this form; another form of it may succeed."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code
        """The positive SQLCODE."""


class ConnectionLost(StoreUnavailable):
    """The connection was lost during a call, which may succeed on a new one."""


def tls_unavailable(location: str) -> StoreUnavailable:
    """Return the error for a missing or wrong TLS configuration."""
    return StoreUnavailable(_TLS.format(location=location))


def call_timed_out(location: str, seconds: float) -> StoreUnavailable:
    """Return the error for a call that was stopped at its deadline."""
    return StoreUnavailable(
        f"IRIS at {location} did not answer within {seconds:g} s. Try again, or check the server's load."
    )


def sqlcode(exc: BaseException) -> int | None:
    """Return the positive SQLCODE of an error; None if the server gave none."""
    found = _SQLCODE.search(str(exc))
    return abs(int(found[1])) if found else None


def server_message(exc: BaseException) -> str:
    """Return the server's own words about an error, on one line; empty if it gave none."""
    found = _MESSAGE.search(str(exc))
    return " ".join(found[1].split())[:_LONGEST_MESSAGE] if found else ""


def error_for_sqlcode(code: int, location: str) -> CxrError:
    """Return the error for a positive SQLCODE."""
    if code == NO_SUCH_TABLE:
        return store_missing(location)
    if code in _REFUSED_FORMS:
        message = _INTERNAL if code == _FATAL else _STATEMENT
        return StatementRefused(message.format(location=location, code=code), code)
    kind, message = _MEANINGS.get(code, (StoreError, _INTERNAL))
    return kind(message.format(location=location, code=code))


@contextmanager
def translating_errors(location: str) -> Generator[None]:
    """Raise what the driver raises inside as a `CxrError` that says what to do."""
    try:
        yield
    except DRIVER_ERRORS as exc:
        raise _error_for(exc, location) from None


def _error_for(exc: Exception, location: str) -> CxrError:
    text = str(exc)
    if "LICENSE LIMIT" in text.upper():
        return StoreUnavailable(_NO_LICENSE_LEFT.format(location=location))
    if "Access Denied" in text or _MUST_CHANGE in text:
        return ConfigError((_FIRST_LOGIN if _MUST_CHANGE in text else _REFUSED).format(location=location))
    if "Failed to connect" in text:
        return StoreUnavailable((_TLS if "SSL" in text else _UNREACHABLE).format(location=location))
    if _CONNECTION_LOST.search(text) or isinstance(exc, RuntimeError):
        return ConnectionLost(_LOST.format(location=location))
    code = sqlcode(exc)
    if code is None:
        return StoreError(f"The IRIS driver failed at {location} ({type(exc).__name__}). Please report this.")
    return error_for_sqlcode(code, location)
