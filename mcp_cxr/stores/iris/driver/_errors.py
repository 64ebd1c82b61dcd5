"""The driver's errors in this package's words: the one place where they are translated.

The driver's own text stays out of messages and of the chain of causes: it may quote what is stored.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import iris.dbapi as driver  # pyright: ignore[reportMissingTypeStubs]  # has none; wrapped in `_link`

from mcp_cxr.errors import ConfigError, CxrError, DimensionMismatch, StoreError, StoreUnavailable
from mcp_cxr.stores._claims import missing

if TYPE_CHECKING:
    from collections.abc import Generator

FAILURES = (driver.Error, RuntimeError)
"""What the driver raises: `close` and `rollback` on a dead connection give a RuntimeError."""

NO_TABLE = 30
DUPLICATE = 119
TABLE_EXISTS = 201
INDEX_EXISTS = 324

_SQLCODE = re.compile(r"\[SQLCODE: <(-?\d+)>")
_LINK_LOST = re.compile(r"COMMUNICATION LINK|<LIST ERROR>|Message out of order")
_NOT_CONNECTED = re.compile(r"Failed to connect")
_DENIED = re.compile(r"Access Denied")
_NO_LICENCE = re.compile(r"LICENSE LIMIT", re.IGNORECASE)
_BAD_TLS = re.compile(r"SSL")

_UNREACHABLE = "Cannot reach IRIS at {location}. Check IRIS_HOST and IRIS_PORT, and that the server is up."
_REFUSED = "IRIS refused the login at {location}. Check IRIS_USERNAME, IRIS_PASSWORD and IRIS_NAMESPACE."
_TLS = (
    "No TLS connection to IRIS at {location}. Check that ISC_SSLconfigurations names a file, that IRIS_SSL_CONFIG is a"
    " section of it, that its CAfile signed the server's certificate, and that the server's port speaks TLS."
)
_LICENCE = "IRIS at {location} has no licence unit left. Lower IRIS_POOL_SIZE, close other clients, or try again later."
_LOST = "The connection to IRIS at {location} was lost. Check that the server is up, then do the same again."
_STATEMENT = (
    "IRIS at {location} does not know a statement of ours (SQLCODE -{code}). Vectors need IRIS 2024.1 or newer;"
    " if yours is, please report this."
)
_LENGTH = (
    "The Vector column at {location} has another length than this embedder's vectors. Use the embedder that made the"
    " table, or name another table in IRIS_TABLE."
)
_MISFIT = (
    "A value does not fit its column at {location}: the Vector column has another length than this embedder's vectors,"
    " or another program made the table with shorter texts. Name another table in IRIS_TABLE."
)
_MEANINGS: dict[int, tuple[type[CxrError], str]] = {
    417: (ConfigError, _REFUSED),
    99: (
        StoreError,
        "The IRIS user may not do this at {location}. Have its privileges granted (docs/iris.md lists them).",
    ),
    110: (StoreUnavailable, "Another program holds rows of {location} locked. Try again when it has finished."),
    104: (StoreError, _MISFIT),
    257: (DimensionMismatch, _LENGTH),
    259: (DimensionMismatch, _LENGTH),
    260: (DimensionMismatch, _LENGTH),
    1: (StoreError, _STATEMENT),
    29: (StoreError, _STATEMENT),
}
_INTERNAL = "IRIS at {location} failed (SQLCODE -{code}). Its messages.log says why."


class LinkLost(StoreUnavailable):
    """The connection died under a call; on a fresh one it may succeed at once."""


def no_tls(location: str) -> StoreUnavailable:
    """Return what a missing or wrong configuration of TLS means."""
    return StoreUnavailable(_TLS.format(location=location))


def overdue(location: str, seconds: float) -> StoreUnavailable:
    """Return the error of a call that was stopped at its deadline."""
    return StoreUnavailable(
        f"IRIS at {location} did not answer within {seconds:g} s. The call was stopped; try again, or look at its load."
    )


def sqlcode(exc: BaseException) -> int | None:
    """Return the positive SQLCODE of a refusal; None where the server gave none."""
    found = _SQLCODE.search(str(exc))
    return abs(int(found[1])) if found else None


def meaning_of(code: int, location: str) -> CxrError:
    """Return the error for a positive SQLCODE."""
    if code == NO_TABLE:
        return missing(location)
    kind, message = _MEANINGS.get(code, (StoreError, _INTERNAL))
    return kind(message.format(location=location, code=code))


@contextmanager
def translated(location: str) -> Generator[None]:
    """Turn what the driver raises within into an error of ours that says what to do."""
    try:
        yield
    except FAILURES as exc:
        raise _meaning(exc, location) from None


def _meaning(exc: Exception, location: str) -> CxrError:
    text = str(exc)
    if _NO_LICENCE.search(text):
        return StoreUnavailable(_LICENCE.format(location=location))
    if _DENIED.search(text):
        return ConfigError(_REFUSED.format(location=location))
    if _NOT_CONNECTED.search(text):
        return StoreUnavailable((_TLS if _BAD_TLS.search(text) else _UNREACHABLE).format(location=location))
    if _LINK_LOST.search(text) or isinstance(exc, RuntimeError):
        return LinkLost(_LOST.format(location=location))
    code = sqlcode(exc)
    if code is None:
        return StoreError(f"The IRIS driver failed at {location} ({type(exc).__name__}). Please report this.")
    return meaning_of(code, location)
