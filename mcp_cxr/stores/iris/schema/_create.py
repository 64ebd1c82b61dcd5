"""Creates and drops the tables step by step, so that an interrupted run can be repeated.

DDL is not part of a transaction in IRIS. The entry `schema` is written last when tables are created, and deleted first
when they are dropped: if it exists, all tables do.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, cast

from mcp_cxr.errors import FingerprintMismatch, StoreError, StoreMissing
from mcp_cxr.stores._shared import check_fingerprint, check_key, require_fingerprint
from mcp_cxr.stores.iris.driver import (
    COLUMN_EXISTS,
    DUPLICATE_KEY,
    INDEX_EXISTS,
    NO_SUCH_TABLE,
    TABLE_EXISTS,
    to_path_cell,
)
from mcp_cxr.stores.iris.schema._archive_info import (
    ANY_IMAGE,
    CREATED_HERE,
    HNSW,
    HNSW_EXISTS,
    SCHEMA_VERSION,
    delete_entry,
    fingerprint_text,
    insert_entry,
    read_any_entries,
    read_entries,
    record_report_reader,
    root_entry,
    set_entry,
)

if TYPE_CHECKING:
    from typing import LiteralString

    from mcp_cxr.records import Fingerprint
    from mcp_cxr.stores.iris.driver import Statements
    from mcp_cxr.stores.iris.schema._archive_info import Entries

_DEFAULT_DIMENSION = 1024
"""NV-CLIP's; for a table created before the embedder is known, and recreated, empty, if that has another dimension."""

_CREATE_COLLECTION = """
CREATE TABLE {table}Collection (
    EntryName VARCHAR(64) %EXACT PRIMARY KEY,
    EntryText VARCHAR(32000) %EXACT NOT NULL,
    EntryNumber INTEGER NOT NULL
)"""
# The original program's table, with ids compared exactly. The dimension is inserted as digits: it cannot be bound.
_CREATE_IMAGES = """
CREATE TABLE {table} (
    ImageID VARCHAR(255) %EXACT PRIMARY KEY,
    StudyID VARCHAR(255) %EXACT,
    SubjectID VARCHAR(255) %EXACT,
    ViewPosition VARCHAR(50) %EXACT,
    ImagePath VARCHAR(32000) %EXACT,
    Vector VECTOR(DOUBLE, {dimension}),
    Metadata VARCHAR(1000000) %EXACT,
    CreatedAt TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    UpdatedAt TIMESTAMP DEFAULT CURRENT_TIMESTAMP
)"""
_IMAGE_INDEXES: tuple[LiteralString, ...] = (
    "CREATE INDEX ByStudy ON TABLE {table} (StudyID)",
    "CREATE INDEX BySubject ON TABLE {table} (SubjectID)",
    "CREATE INDEX ByView ON TABLE {table} (ViewPosition)",
)
_CREATE_HNSW = """
CREATE INDEX ByVector ON TABLE {table} (Vector) AS HNSW(Distance='Cosine', M=16, efConstruction=100)"""

_LONGEST_INDEXING_S = 24 * 3600.0
_LATER_COLUMNS: tuple[LiteralString, ...] = (
    "ALTER TABLE {table}Studies ADD COLUMN LabelsBy VARCHAR(32) %EXACT",
    "ALTER TABLE {table}Studies ADD COLUMN PositivesOnly INTEGER",
    "ALTER TABLE {table}Studies ADD COLUMN Sex VARCHAR(8) %EXACT",
    "ALTER TABLE {table}Studies ADD COLUMN Age INTEGER",
    "ALTER TABLE {table}Studies ADD COLUMN ReportLanguage VARCHAR(8) %EXACT",
)

_ANY_VECTOR = "SELECT TOP 1 Vector FROM {table} WHERE Vector IS NOT NULL"
_DROP_TABLE = "DROP TABLE {table}"
_DROP_ALL: tuple[LiteralString, ...] = (
    _DROP_TABLE,
    "DROP TABLE {table}Studies",
    "DROP TABLE {table}Labels",
    "DROP TABLE {table}Terms",
    "DROP TABLE {table}Sample",
    "DROP TABLE {table}Files",
    "DROP TABLE {table}Collection",
)


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
    _drop_all(statements)


def create_vector_index(statements: Statements, location: str) -> None:
    """Create the HNSW index of the vectors, and record it, or why the server refuses it; harmless if it exists.

    Raises:
        StoreError: It is refused. A server before 2025.1 has none.
    """
    code = statements.try_execute(_CREATE_HNSW, limit_s=_LONGEST_INDEXING_S)
    statements.connection.commit()
    is_refused = code not in (0, INDEX_EXISTS)
    refusal = f"SQLCODE -{code}: {statements.connection.refusal}"
    set_entry(statements, HNSW, refusal if is_refused else HNSW_EXISTS)
    statements.connection.commit()
    if is_refused:
        raise StoreError(
            f"IRIS refused an HNSW index for {location} ({refusal}). Searches work without it, by a scan; IRIS has such"
            " indexes since 2025.1."
        )


def add_later_columns(statements: Statements) -> None:
    """Add the columns that the table of studies of an older version lacks; harmless if they exist."""
    for statement in _LATER_COLUMNS:
        _run_ddl(statements, statement)
    statements.has_later_columns = True


def replace_fingerprint(statements: Statements, entries: Entries, fingerprint: Fingerprint) -> None:
    """Replace the fingerprint by one of the same space: another service version or dialect."""
    check_fingerprint(require_fingerprint(entries.fingerprint), fingerprint)
    set_entry(statements, "fingerprint", fingerprint_text(fingerprint))


def _is_complete(statements: Statements, location: str) -> bool:
    try:
        read_entries(statements, location)
    except StoreMissing:
        return False
    return _has_images(statements)


def _create_missing(statements: Statements, fingerprint: Fingerprint | None) -> bool:
    """Create the missing tables; return whether the table of images is one that mcp-cxr created.

    A drop that was interrupted is completed first: what it left belongs to another archive.
    """
    _has_images(statements)  # first: nothing is created beside a table with other columns
    _run_ddl(statements, _CREATE_COLLECTION)
    if "dropping" in read_any_entries(statements).texts:
        _drop_all(statements)
        _run_ddl(statements, _CREATE_COLLECTION)
    origin = "found" if _has_images(statements) else CREATED_HERE
    insert_entry(statements, "images", origin)  # refused if the origin is recorded already
    statements.connection.commit()
    _create_side_tables(statements)
    entries = read_any_entries(statements)
    made_with = entries.fingerprint or fingerprint
    if entries.created_images:
        _create_images(statements, made_with.dimension if made_with else _DEFAULT_DIMENSION)
    if "schema" not in entries.texts:  # else there may be documents
        record_report_reader(statements)
    set_entry(statements, "schema", str(SCHEMA_VERSION))
    statements.connection.commit()
    return entries.created_images


def _add_entries(
    statements: Statements, location: str, fingerprint: Fingerprint | None, root: str | None, key_check: str | None
) -> bool:
    """Compare what is given with the entries, and add missing entries; False if another process added one first."""
    entries = read_entries(statements, location)
    check_fingerprint(entries.fingerprint, fingerprint)
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
            statements.connection.raise_for_sqlcode(code)
    statements.connection.commit()
    return True


def _fit_dimension(statements: Statements, entries: Entries, fingerprint: Fingerprint) -> None:
    """Make sure that the Vector column has the embedder's dimension.

    Raises:
        FingerprintMismatch: Another program has stored vectors of another dimension.
    """
    if entries.created_images:
        if entries.texts.get("dimension") != str(fingerprint.dimension):
            _recreate_images(statements, fingerprint.dimension)
        return
    dimension = _stored_dimension(statements)
    if dimension not in (None, fingerprint.dimension):
        raise FingerprintMismatch(
            f"The vectors of another program in {statements.table} have {dimension} dimensions, this embedder's"
            f" {fingerprint.dimension}. Use the embedder they were made with, or set IRIS_TABLE to another table."
        )


def _create_side_tables(statements: Statements) -> None:
    """Create the side tables that are missing."""
    schema = resources.files("mcp_cxr.stores.iris.schema").joinpath("schema.sql").read_text(encoding="utf-8")
    for statement in schema.split(";\n"):
        _run_ddl(statements, cast("LiteralString", _without_comments(statement)))


def _create_images(statements: Statements, dimension: int) -> None:
    """Create the table of images if it is missing, without an HNSW index; record its dimension."""
    _run_ddl(statements, cast("LiteralString", _CREATE_IMAGES.replace("{dimension}", str(int(dimension)))))
    for statement in _IMAGE_INDEXES:
        _run_ddl(statements, statement)
    set_entry(statements, "dimension", str(dimension))
    delete_entry(statements, HNSW)
    statements.connection.commit()


def _recreate_images(statements: Statements, dimension: int) -> None:
    """Create the table of images again, for vectors of another dimension.

    Raises:
        FingerprintMismatch: It is not empty.
    """
    if statements.fetch_all(ANY_IMAGE):
        raise FingerprintMismatch(
            f"{statements.table} holds rows of another program, whose vectors do not have {dimension} dimensions. Use"
            " the embedder they were made with, or set IRIS_TABLE to another table."
        )
    statements.try_execute(_DROP_TABLE)
    statements.connection.commit()
    _create_images(statements, dimension)


def _has_images(statements: Statements) -> bool:
    """Whether the table of images exists.

    Raises:
        StoreError: It lacks columns.
    """
    try:
        statements.fetch_all(ANY_IMAGE)
    except StoreMissing:
        return False
    return True


def _stored_dimension(statements: Statements) -> int | None:
    """Return the dimension of any stored vector; None if there is none."""
    rows = statements.fetch_all(_ANY_VECTOR)
    return str(rows[0][0]).count(",") + 1 if rows else None


def _drop_all(statements: Statements) -> None:
    """Drop the table of images and its side tables, as far as they exist."""
    for statement in _DROP_ALL:
        _run_ddl(statements, statement)


def _run_ddl(statements: Statements, statement: LiteralString) -> None:
    """Run DDL and commit it.

    Raises:
        StoreError: The server refuses it.
    """
    code = statements.try_execute(statement)
    if code not in (0, TABLE_EXISTS, COLUMN_EXISTS, INDEX_EXISTS, NO_SUCH_TABLE):
        raise StoreError(
            f"IRIS refused to create, change or drop a table of {statements.table} (SQLCODE -{code}). The user needs"
            " %DB_USER or the privileges in docs/iris.md; vectors need IRIS 2024.1 or newer."
        )
    statements.connection.commit()


def _without_comments(statement: str) -> str:
    return "\n".join(line for line in statement.splitlines() if not line.startswith("--")).strip()
