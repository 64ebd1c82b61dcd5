"""DDL: tables are created and dropped step by step, so that an interrupted run can be repeated.

DDL is not part of a transaction in IRIS. The entry `schema` is written last when tables are created, and deleted first
when they are dropped: if it exists, all tables do.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, cast

from mcp_cxr.errors import FingerprintMismatch, StoreError, StoreMissing
from mcp_cxr.stores.iris.driver import INDEX_EXISTS, NO_SUCH_TABLE, TABLE_EXISTS

if TYPE_CHECKING:
    from typing import LiteralString

    from mcp_cxr.stores.iris.driver import Statements

DEFAULT_DIMENSION = 1024
"""NV-CLIP's; for a table created before the embedder is known, and recreated, empty, if that has another dimension."""

CREATE_COLLECTION = """
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

_ANY_IMAGE = "SELECT TOP 1 ImageID FROM {table}"
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


def create_side_tables(statements: Statements) -> None:
    """Create the side tables that are missing."""
    schema = resources.files("mcp_cxr.stores.iris.schema").joinpath("schema.sql").read_text(encoding="utf-8")
    for statement in schema.split(";\n"):
        run_ddl(statements, cast("LiteralString", _without_comments(statement)))


def create_images(statements: Statements, dimension: int) -> bool:
    """Create the table of images if it is missing; return whether the server has an HNSW index for it.

    A server before 2025.1 refuses to create one with a syntax error; it scans all vectors for every query.
    """
    run_ddl(statements, cast("LiteralString", _CREATE_IMAGES.replace("{dimension}", str(int(dimension)))))
    for statement in _IMAGE_INDEXES:
        run_ddl(statements, statement)
    has_hnsw = statements.try_execute(_CREATE_HNSW) in (0, INDEX_EXISTS)
    statements.connection.commit()
    return has_hnsw


def recreate_images(statements: Statements, dimension: int) -> bool:
    """Create the table of images again, for vectors of another dimension.

    Raises:
        FingerprintMismatch: It is not empty.
    """
    if statements.fetch_all(_ANY_IMAGE):
        raise FingerprintMismatch(
            f"{statements.table} holds rows of another program, whose vectors do not have {dimension} dimensions. Use"
            " the embedder they were made with, or set IRIS_TABLE to another table."
        )
    statements.try_execute(_DROP_TABLE)
    statements.connection.commit()
    return create_images(statements, dimension)


def has_images(statements: Statements) -> bool:
    """Whether the table of images exists."""
    try:
        statements.fetch_all(_ANY_IMAGE)
    except StoreMissing:
        return False
    return True


def stored_dimension(statements: Statements) -> int | None:
    """Return the dimension of any stored vector; None if there is none."""
    rows = statements.fetch_all(_ANY_VECTOR)
    return str(rows[0][0]).count(",") + 1 if rows else None


def drop_all(statements: Statements) -> None:
    """Drop the table of images and its side tables, as far as they exist."""
    for statement in _DROP_ALL:
        run_ddl(statements, statement)


def run_ddl(statements: Statements, statement: LiteralString) -> bool:
    """Run DDL and commit it; return whether it changed anything.

    Raises:
        StoreError: The server refuses it.
    """
    code = statements.try_execute(statement)
    if code not in (0, TABLE_EXISTS, INDEX_EXISTS, NO_SUCH_TABLE):
        raise StoreError(
            f"IRIS refused to create or drop a table of {statements.table} (SQLCODE -{code}). The user needs %DB_USER"
            " or the privileges in docs/iris.md; vectors need IRIS 2024.1 or newer."
        )
    statements.connection.commit()
    return code == 0


def _without_comments(statement: str) -> str:
    return "\n".join(line for line in statement.splitlines() if not line.startswith("--")).strip()
