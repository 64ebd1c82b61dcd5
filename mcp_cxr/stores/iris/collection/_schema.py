"""Tables are made and dropped, step by step, so that what was interrupted can be done again.

DDL is no part of a transaction in IRIS. The entry `schema` of the collection is written last when tables are made, and
removed first when they are dropped: where it is, everything is.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, cast

from mcp_cxr.errors import FingerprintMismatch, StoreError, StoreMissing
from mcp_cxr.stores.iris.driver import INDEX_EXISTS, NO_TABLE, TABLE_EXISTS

if TYPE_CHECKING:
    from typing import LiteralString

    from mcp_cxr.stores.iris.driver import Statements

USUAL_DIMENSION = 1024
"""NV-CLIP's. A table made before the embedder could be asked has it, and is made anew, empty, for another one."""

MAKE_COLLECTION = """
CREATE TABLE {table}Collection (
    EntryName VARCHAR(64) %EXACT PRIMARY KEY,
    EntryText VARCHAR(32000) %EXACT NOT NULL,
    EntryNumber INTEGER NOT NULL
)"""
# The original's table, with ids that are compared exactly. The dimension is digits: it cannot be bound.
_MAKE_IMAGES = """
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
_MAKE_HNSW = """
CREATE INDEX ByVector ON TABLE {table} (Vector) AS HNSW(Distance='Cosine', M=16, efConstruction=100)"""

_PROBE = "SELECT TOP 1 ImageID FROM {table}"
_PROBE_VECTOR = "SELECT TOP 1 Vector FROM {table} WHERE Vector IS NOT NULL"
_DROP_IMAGES = "DROP TABLE {table}"
_DROPS: tuple[LiteralString, ...] = (
    _DROP_IMAGES,
    "DROP TABLE {table}Studies",
    "DROP TABLE {table}Labels",
    "DROP TABLE {table}Terms",
    "DROP TABLE {table}Sample",
    "DROP TABLE {table}Files",
    "DROP TABLE {table}Collection",
)


def make_side_tables(session: Statements) -> None:
    """Make those that are missing."""
    schema = resources.files("mcp_cxr.stores.iris.collection").joinpath("schema.sql").read_text(encoding="utf-8")
    for statement in schema.split(";\n"):
        define(session, cast("LiteralString", _without_comments(statement)))


def make_images(session: Statements, dimension: int) -> bool:
    """Make the table of images where it is missing; return whether the server has an HNSW index for it.

    One before 2025.1 does not know such an index, and answers with a syntax error: there every question is a scan.
    """
    define(session, cast("LiteralString", _MAKE_IMAGES.replace("{dimension}", str(int(dimension)))))
    for statement in _IMAGE_INDEXES:
        define(session, statement)
    has_hnsw = session.attempt(_MAKE_HNSW) in (0, INDEX_EXISTS)
    session.link.commit()
    return has_hnsw


def remake_images(session: Statements, dimension: int) -> bool:
    """Make the empty table of images anew for vectors of another length.

    Raises:
        FingerprintMismatch: It is not empty.
    """
    if session.rows(_PROBE):
        raise FingerprintMismatch(
            f"The table {session.table} holds rows of another program, and its vectors are not of {dimension} numbers."
            " Name another table in IRIS_TABLE, or use the embedder those rows were made with."
        )
    session.attempt(_DROP_IMAGES)
    session.link.commit()
    return make_images(session, dimension)


def has_images(session: Statements) -> bool:
    """Whether somebody has made the table of images."""
    try:
        session.rows(_PROBE)
    except StoreMissing:
        return False
    return True


def length_of_a_vector(session: Statements) -> int | None:
    """Return how many numbers a stored vector has; None where there is none."""
    rows = session.rows(_PROBE_VECTOR)
    return str(rows[0][0]).count(",") + 1 if rows else None


def drop(session: Statements) -> None:
    """Remove the table and its side tables; those that are not there are no reason to stop."""
    for statement in _DROPS:
        define(session, statement)


def define(session: Statements, statement: LiteralString) -> bool:
    """Run DDL and commit it; return whether anything was left to do.

    Raises:
        StoreError: The server refuses it.
    """
    code = session.attempt(statement)
    if code not in (0, TABLE_EXISTS, INDEX_EXISTS, NO_TABLE):
        raise StoreError(
            f"IRIS refused to make or drop a table of {session.table} (SQLCODE -{code}). The user needs %DB_USER or the"
            " privileges that docs/iris.md lists, and vectors need IRIS 2024.1 or newer."
        )
    session.link.commit()
    return code == 0


def _without_comments(statement: str) -> str:
    return "\n".join(line for line in statement.splitlines() if not line.startswith("--")).strip()
