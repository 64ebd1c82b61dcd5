"""Creates and drops the tables, and checks an archive's fingerprint and key against those given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_cxr.errors import FingerprintMismatch, StoreMissing
from mcp_cxr.stores._checks import check_fingerprint, check_key, require_fingerprint
from mcp_cxr.stores.iris.driver import DUPLICATE_KEY, to_path_cell
from mcp_cxr.stores.iris.schema import _ddl as ddl
from mcp_cxr.stores.iris.schema._entries import (
    CREATED_HERE,
    SCHEMA_VERSION,
    delete_entry,
    fingerprint_text,
    insert_entry,
    read_any_entries,
    read_entries,
    root_entry,
    set_entry,
)

if TYPE_CHECKING:
    from mcp_cxr.records import Fingerprint
    from mcp_cxr.stores.iris.driver import Statements
    from mcp_cxr.stores.iris.schema._entries import Entries


@dataclass(frozen=True, slots=True)
class CreatedTables:
    """What `create_tables` created."""

    any: bool
    """Any table."""
    images: bool
    """The table of images, which another program may have created before."""


def create_tables(
    statements: Statements, location: str, fingerprint: Fingerprint | None, root: str | None, key_check: str | None
) -> CreatedTables:
    """Create the missing tables and add the given entries."""
    is_new = not _is_complete(statements, location)
    created = CreatedTables(any=is_new, images=is_new and _create_missing(statements, fingerprint))
    while not _add_entries(statements, location, fingerprint, root, key_check):
        statements.connection.rollback()  # another process added the same entry first; read again
    return created


def drop_tables(statements: Statements) -> None:
    """Drop all tables; harmless if there is no archive."""
    try:
        read_any_entries(statements)
    except StoreMissing:
        return
    set_entry(statements, "dropping", "1")
    delete_entry(statements, "schema")
    statements.connection.commit()
    ddl.drop_all(statements)


def replace_fingerprint(statements: Statements, entries: Entries, fingerprint: Fingerprint) -> None:
    """Replace the fingerprint by one of the same space: another service version or dialect."""
    check_fingerprint(require_fingerprint(entries.fingerprint), fingerprint)
    set_entry(statements, "fingerprint", fingerprint_text(fingerprint))


def _is_complete(statements: Statements, location: str) -> bool:
    try:
        read_entries(statements, location)
    except StoreMissing:
        return False
    return ddl.has_images(statements)


def _create_missing(statements: Statements, fingerprint: Fingerprint | None) -> bool:
    """Create the missing tables; return whether the table of images is one that mcp-cxr created.

    A drop that was interrupted is completed first: what it left belongs to another archive.
    """
    ddl.run_ddl(statements, ddl.CREATE_COLLECTION)
    if "dropping" in read_any_entries(statements).texts:
        ddl.drop_all(statements)
        ddl.run_ddl(statements, ddl.CREATE_COLLECTION)
    origin = "found" if ddl.has_images(statements) else CREATED_HERE
    insert_entry(statements, "images", origin)  # refused if the origin is recorded already
    statements.connection.commit()
    ddl.create_side_tables(statements)
    entries = read_any_entries(statements)
    made_with = entries.fingerprint or fingerprint
    if entries.created_images:
        dimension = made_with.dimension if made_with else ddl.DEFAULT_DIMENSION
        _set_vector_entries(statements, dimension, has_hnsw=ddl.create_images(statements, dimension))
    set_entry(statements, "schema", str(SCHEMA_VERSION))
    statements.connection.commit()
    return entries.created_images


def _set_vector_entries(statements: Statements, dimension: int, *, has_hnsw: bool) -> None:
    set_entry(statements, "dimension", str(dimension))
    set_entry(statements, "hnsw", "1" if has_hnsw else "0")
    statements.connection.commit()


def _add_entries(
    statements: Statements, location: str, fingerprint: Fingerprint | None, root: str | None, key_check: str | None
) -> bool:
    """Compare what is given with the entries, and add those missing; False if another process added one first."""
    entries = read_entries(statements, location)
    if fingerprint:
        check_fingerprint(entries.fingerprint, fingerprint)
    if key_check:
        check_key(entries.texts.get("key_check"), key_check)
    if fingerprint and not entries.fingerprint:
        _fit_dimension(statements, entries, fingerprint)
    given = {
        "fingerprint": fingerprint_text(fingerprint) if fingerprint else None,
        "key_check": key_check,
        (root_entry(root) if root else "root"): to_path_cell(root) if root else None,
    }
    for name, text in given.items():
        if text is not None and name not in entries.texts:
            code = insert_entry(statements, name, text, len(entries.texts))
            if code == DUPLICATE_KEY:
                return False
            statements.raise_for_sqlcode(code)
    statements.connection.commit()
    return True


def _fit_dimension(statements: Statements, entries: Entries, fingerprint: Fingerprint) -> None:
    """Make sure that the Vector column has the embedder's dimension.

    Raises:
        FingerprintMismatch: Another program has stored vectors of another dimension.
    """
    if entries.created_images:
        if entries.texts.get("dimension") != str(fingerprint.dimension):
            has_hnsw = ddl.recreate_images(statements, fingerprint.dimension)
            _set_vector_entries(statements, fingerprint.dimension, has_hnsw=has_hnsw)
        return
    dimension = ddl.stored_dimension(statements)
    if dimension not in (None, fingerprint.dimension):
        raise FingerprintMismatch(
            f"The vectors of another program in {statements.table} have {dimension} dimensions, this embedder's"
            f" {fingerprint.dimension}. Use the embedder they were made with, or set IRIS_TABLE to another table."
        )
