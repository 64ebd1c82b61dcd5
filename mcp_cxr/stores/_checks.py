"""Checks and errors that every store shares, so that all refuse in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError, FingerprintMismatch, SchemaMismatch, StoreError, StoreMissing
from mcp_cxr.records import Filter

if TYPE_CHECKING:
    from mcp_cxr.records import Fingerprint


def check_fingerprint(stored: Fingerprint | None, given: Fingerprint) -> None:
    """Check that new vectors can be compared with the stored ones.

    Raises:
        FingerprintMismatch: They cannot.
    """
    if stored and not stored.same_space(given):
        raise FingerprintMismatch(
            f"This archive was made with {stored.description}; the embedder is {given.description}. Set the embedder it"
            " was made with, or run `mcp-cxr table drop --force` and ingest again."
        )


def check_key(stored: str | None, given: str) -> None:
    """Check that new ids are hashed with the key of the stored ones.

    Raises:
        ConfigError: They are not.
    """
    if stored and stored != given:
        raise ConfigError(
            "The collection's ids were hashed with another key. Set MCP_CXR_ID_KEY_FILE to the key it was made with."
        )


def check_not_empty(where: Filter) -> None:
    """Check that a filter for `Store.forget` names something.

    Raises:
        ValueError: It does not.
    """
    if where == Filter():
        raise ValueError("An empty filter would remove everything; use `drop` for that.")


def require_fingerprint(fingerprint: Fingerprint | None) -> Fingerprint:
    """Return the fingerprint of a collection that vectors are written to.

    Raises:
        FingerprintMismatch: It has none yet.
    """
    if fingerprint is None:
        raise FingerprintMismatch("The collection has no fingerprint yet. Call `create` with the embedder's.")
    return fingerprint


def store_missing(location: str) -> StoreMissing:
    """Return the error of a collection that does not exist."""
    return StoreMissing(f"Nothing has been stored in {location} yet. Run `mcp-cxr ingest PATH`.")


def schema_mismatch(location: str, *, found: object, wanted: int) -> SchemaMismatch:
    """Return the error of a collection that another version of this package made."""
    return SchemaMismatch(
        f"{location} has schema version {found}; this mcp-cxr reads and writes version {wanted}. Use the mcp-cxr that"
        " made it, or `mcp-cxr table drop --force` and ingest again."
    )


def damaged_vector_error() -> StoreError:
    """Return the error of a row whose vector is missing or has the wrong length."""
    return StoreError("A stored vector is missing or damaged. Run `mcp-cxr table verify`.")
