"""Checks in which letter case texts are returned, and the SQLCODEs of wrong statements, on scratch tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from mcp_cxr.errors import StoreError
from mcp_cxr.records import Filter, ImageId
from mcp_cxr.server_check._record import CaseFacts, RefusalFacts
from mcp_cxr.server_check.iris._session import create
from mcp_cxr.server_check.iris._store_calls import drawn_fingerprint, drawn_vectors, made_images, made_studies
from mcp_cxr.stores.iris.tables import images, rankings_and_counts, studies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import LiteralString

    from mcp_cxr.records import Fingerprint
    from mcp_cxr.server_check._allowed_values import Case
    from mcp_cxr.server_check._record import Found
    from mcp_cxr.server_check.iris._recorded_statements import RecordedStatements
    from mcp_cxr.server_check.iris._session import Session

_MIXED = "aBc"
_CREATE: Final = "CREATE TABLE {table}Case (FoldedText VARCHAR(50), ExactText VARCHAR(50) %EXACT)"
_FILL: Final = "INSERT INTO {table}Case (FoldedText, ExactText) VALUES (?, ?)"
_QUERIES: dict[str, LiteralString] = {
    "SELECT": "SELECT # FROM {table}Case",
    "DISTINCT": "SELECT DISTINCT # FROM {table}Case",
    "GROUP BY": "SELECT #, COUNT(*) AS Number FROM {table}Case GROUP BY #",
    "MAX": "SELECT MAX(#) AS Highest FROM {table}Case",
    "UNION": "SELECT # FROM {table}Case UNION SELECT # FROM {table}Case",
    "ORDER BY": "SELECT # FROM {table}Case ORDER BY #",
}
# The statement of the original program, with ids that ignore case. The dimension is inserted as digits.
_CREATE_ORIGINAL: Final = """
CREATE TABLE {table}Original (ImageID VARCHAR(255) PRIMARY KEY, StudyID VARCHAR(255) NOT NULL,
    SubjectID VARCHAR(255) NOT NULL, ViewPosition VARCHAR(50), ImagePath VARCHAR(1000),
    Vector VECTOR(DOUBLE, #), Metadata VARCHAR(4000), CreatedAt TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    UpdatedAt TIMESTAMP DEFAULT CURRENT_TIMESTAMP)"""
_POSTING: Final = "INSERT INTO {table}Terms (Term, StudyID, Occurrences) VALUES ('edema', 's1', 1)"

_WRONG_UPDATES: dict[str, tuple[LiteralString, dict[str, str]]] = {
    "vector length in INSERT": (
        "INSERT INTO {table} (ImageID, StudyID, SubjectID, Vector) VALUES ('x', 's', 'p', TO_VECTOR(:vector, DOUBLE))",
        {"vector": "0.6,0.8"},
    ),
    "text for a number": (
        "INSERT INTO {table}Sample (ImageID, SampleKey, VectorMark) VALUES ('x', :text, 1)",
        {"text": "many"},
    ),
    "text too long": (
        "INSERT INTO {table} (ImageID, StudyID, SubjectID, ViewPosition) VALUES ('y', 's1', 'p1', :text)",
        {"text": "x" * 60},
    ),
    "second row of one key": (
        "INSERT INTO {table}Collection (EntryName, EntryText, EntryNumber) VALUES ('schema', 'x', 0)",
        {},
    ),
}
_WRONG_QUERIES: dict[str, tuple[LiteralString, dict[str, str]]] = {
    "vector length in a query": (
        "SELECT VECTOR_COSINE(Vector, TO_VECTOR(:vector, DOUBLE)) AS Score FROM {table}",
        {"vector": "0.6,0.8"},
    ),
    "no such table": ("SELECT 1 FROM {table}Nothing", {}),
    "no such column": ("SELECT Nothing FROM {table}", {}),
}


async def run(session: Session, dimension: int, found: Found) -> None:
    """Add the cases, then the refusals and what happens to a study, on a table of the original program."""
    found["cases"] = await session.run(lambda on: tuple(_cases(on)), may_write=True)
    table, session.table = session.table, session.table + "Original"
    fingerprint = drawn_fingerprint(dimension)
    try:
        await session.run(lambda on: _create_original(on, table, dimension), may_write=True)
        await create(session, fingerprint)
        found["words_without_documents"] = await session.run(_words_without_documents, may_write=True)
        found["forget_keeps_study"] = await session.run(lambda on: _forget_keeps_study(on, fingerprint), may_write=True)
        found["refusals"] = await session.run(lambda on: tuple(_refusals(on)), may_write=True)
    finally:
        session.table = table


def _cases(on: RecordedStatements) -> Iterator[CaseFacts]:
    on.connection.raise_for_sqlcode(on.try_execute(_CREATE))
    on.connection.commit()
    on.execute_many(_FILL, [(_MIXED, _MIXED)] * 2)
    on.connection.commit()
    for query, statement in _QUERIES.items():
        for column in ("FoldedText", "ExactText"):
            case = _case(on, statement.replace("#", column))
            yield CaseFacts(query=query, ignores_case=column == "FoldedText", comes_back=case)  # pyright: ignore[reportArgumentType]  # a key of the table above


def _case(on: RecordedStatements, statement: LiteralString) -> Case:
    try:
        rows = on.fetch_all(statement)
    except StoreError:
        if not on.connection.sqlcode:
            raise
        return "refused"
    texts = {str(row[0]).strip() for row in rows}
    if texts == {_MIXED}:
        return "as stored"
    return "capitals" if texts == {_MIXED.upper()} else "another case"


def _create_original(on: RecordedStatements, table: str, dimension: int) -> None:
    on.table = table
    statement = cast("LiteralString", _CREATE_ORIGINAL.replace("#", str(int(dimension))))
    on.connection.raise_for_sqlcode(on.try_execute(statement))
    on.connection.commit()


def _words_without_documents(on: RecordedStatements) -> bool:
    on.execute(_POSTING)
    try:
        return rankings_and_counts.match(on, ["edema"], Filter(), 9, by_presence=False) == []
    except StoreError:
        if not on.connection.sqlcode:
            raise
        return False
    finally:
        on.connection.rollback()


def _forget_keeps_study(on: RecordedStatements, fingerprint: Fingerprint) -> bool:
    """Forget one of two images of a study, and see whether the other one still has the report."""
    first, second = made_images(1, prefix="a")[0], made_images(1, prefix="b")[0]
    images.put(on, fingerprint, [first, second], drawn_vectors(2, fingerprint.dimension))
    studies.put_studies(on, made_studies(1))
    images.forget(on, Filter(image_id=ImageId(first.image_id)))
    on.connection.commit()
    left = images.get(on, [second.image_id], with_vectors=False)
    return left[second.image_id].study.report is not None


def _refusals(on: RecordedStatements) -> Iterator[RefusalFacts]:
    for wrong, (statement, values) in _WRONG_UPDATES.items():
        code = on.try_execute(statement, values)
        on.connection.rollback()
        yield RefusalFacts(wrong=wrong, sqlcode=code)  # pyright: ignore[reportArgumentType]  # a key of the table above
    for wrong, (statement, values) in _WRONG_QUERIES.items():
        try:
            on.fetch_all(statement, values)
        except StoreError:
            if not on.connection.sqlcode:
                raise
        yield RefusalFacts(wrong=wrong, sqlcode=on.connection.sqlcode)  # pyright: ignore[reportArgumentType]  # as above
