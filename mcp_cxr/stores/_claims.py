"""What a collection is made with, compared with what is given: refused in the same words by every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError, FingerprintMismatch, SchemaMismatch, StoreError, StoreMissing

if TYPE_CHECKING:
    from mcp_cxr.records import Fingerprint


def check_space(stored: Fingerprint | None, given: Fingerprint) -> None:
    """Let vectors of one space into a collection; any, where it knows none yet.

    Raises:
        FingerprintMismatch: Its vectors are of another space.
    """
    if stored and not stored.same_space(given):
        raise FingerprintMismatch(
            f"This archive was made with {stored.description}; the embedder is {given.description}. Set the embedder it"
            " was made with, or run `mcp-cxr table drop --force` and ingest again."
        )


def check_key(stored: str | None, given: str) -> None:
    """Let ids of one key into a collection; any, where it knows none yet.

    Raises:
        ConfigError: Its ids were hashed with another key.
    """
    if stored and stored != given:
        raise ConfigError(
            "The collection's ids were hashed with another key. Set MCP_CXR_ID_KEY_FILE to the key it was made with."
        )


def known(fingerprint: Fingerprint | None) -> Fingerprint:
    """Return the fingerprint of a collection that vectors are written into.

    Raises:
        FingerprintMismatch: It has none yet.
    """
    if fingerprint is None:
        raise FingerprintMismatch("The collection knows no embedder yet. Call `create` with its fingerprint.")
    return fingerprint


def missing(location: str) -> StoreMissing:
    """Return the error of a collection that was never made."""
    return StoreMissing(f"Nothing has been stored in {location} yet. Run `mcp-cxr ingest PATH`.")


def other_schema(location: str, *, found: object, wanted: int) -> SchemaMismatch:
    """Return the error of a collection that another version of this package made."""
    return SchemaMismatch(
        f"{location} has schema version {found}; this mcp-cxr reads and writes version {wanted}. Use the mcp-cxr that"
        " made it, or `mcp-cxr table drop --force` and ingest again."
    )


def damaged_vector() -> StoreError:
    """Return the error of a row of ours whose vector is missing or has another length."""
    return StoreError("A stored vector is missing or damaged. Run `mcp-cxr table verify`.")
