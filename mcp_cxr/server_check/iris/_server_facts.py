"""Reads the version, options, privileges and query plans of the server."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any, Final, get_args

from mcp_cxr.errors import CxrError, StoreError, StoreMissing
from mcp_cxr.server_check._allowed_values import TABLES, OptionName, TableName, VectorForm, cell_kind, power_of_ten
from mcp_cxr.server_check._operation_and_plan_codes import PLAN_WORDS, PLANNED
from mcp_cxr.server_check._record import OptionFacts, PlanFacts, PrivilegeFacts
from mcp_cxr.server_check.iris._store_calls import reads
from mcp_cxr.stores.iris.schema import read_entries
from mcp_cxr.stores.iris.tables import studies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import LiteralString

    from mcp_cxr.server_check._allowed_values import Privilege
    from mcp_cxr.server_check._record import Found
    from mcp_cxr.server_check.iris._recorded_statements import RecordedStatements
    from mcp_cxr.server_check.iris._store_calls import Inputs
    from mcp_cxr.stores.iris.driver import Row

_PING = "SELECT 1"
_VERSION: Final = "SELECT $ZVERSION"  # public programs run it on live servers
_OPTION: Final = "SELECT %SYSTEM_SQL.Util_GetOption(:option)"
_CONSTANTS: Final = "SELECT CAST(1 AS BIGINT) AS A, 0.5 AS B, CAST(0.5 AS DOUBLE) AS C, '' AS D, NULL AS E, '007' AS F"
_COUNT_IMAGES: Final = "SELECT COUNT(*) AS Number FROM {table}"
_ANY_VECTOR: Final = "SELECT TOP 1 Vector FROM {table} WHERE Vector IS NOT NULL"
_PINGS = 5
_MAX_OPTION = 10**9
_IRIS_VERSION = re.compile(r"\b(20[2-9]\d\.\d{1,2}(?:\.\d{1,2})?)\b")
_BUILD = re.compile(r"\(Build (\d{1,5})")
_NUMBER = r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_PLAIN_VECTOR = re.compile(rf"{_NUMBER}(,{_NUMBER})*")
_COST = re.compile(r"cost\D{0,12}(\d{1,18})", re.IGNORECASE)
_QUERY_IN_PLAN = re.compile(r"<sql>.*?</sql>", re.DOTALL | re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_MAX_WORDS = 400

_COLUMNS: dict[TableName, LiteralString] = {
    "images": "ImageID, ViewPosition",
    "Studies": "StudyID, DataSplit",
    "Labels": "StudyID, LabelName, LabelValue",
    "Terms": "Term, StudyID, Occurrences",
    "Sample": "ImageID, SampleKey, VectorMark",
    "Files": "PathKey, FilePath, FileSize, ModifiedNs",
    "Collection": "EntryName, EntryNumber, EntryText",
}
"""Those that are never NULL; the last is no key."""
# No row matches. Each is rolled back all the same.
_TRIES: dict[Privilege, LiteralString] = {
    "SELECT": "SELECT TOP 1 # FROM @",
    "INSERT": "INSERT INTO @ (#) SELECT # FROM @ WHERE 1 = 0",
    "UPDATE": "UPDATE @ SET ! = ! WHERE 1 = 0",
    "DELETE": "DELETE FROM @ WHERE 1 = 0",
}


def read_version(statements: RecordedStatements, found: Found) -> None:
    """Add version, build, round trip and the kinds of constants."""
    found["round_trip_ms"] = round(median(_ping_times(statements)), 3)
    text = str(_unless_refused(statements, _VERSION))
    if version := _IRIS_VERSION.search(text):
        found["version"] = version[1]
    if build := _BUILD.search(text):
        found["build"] = int(build[1])
    found["constants"] = tuple(cell_kind(cell) for row in _rows_unless_refused(statements, _CONSTANTS) for cell in row)


def read_options(statements: RecordedStatements) -> tuple[OptionFacts, ...]:
    """Return the options; one that is no number, or refused, is None."""
    return tuple(_option(statements, name) for name in get_args(OptionName))


def read_archive(statements: RecordedStatements, location: str, found: Found) -> None:
    """Add the size of the archive, whether it has an index, and the form of a vector; nothing if there is none."""
    try:
        found["has_index"] = read_entries(statements, location).has_hnsw
    except StoreMissing:
        return
    if rows := _rows_unless_refused(statements, _COUNT_IMAGES):
        found["images"] = power_of_ten(int(rows[0][0]))
    if rows := statements.fetch_all(_ANY_VECTOR):
        found["vector_form"] = vector_form(str(rows[0][0]))


def vector_form(text: str) -> VectorForm:
    """Return how a vector is written."""
    if _PLAIN_VECTOR.fullmatch(text):
        return "1,2"
    is_list = text.startswith("[") and text.endswith("]")
    return "[1,2]" if is_list and _PLAIN_VECTOR.fullmatch(text[1:-1]) else "another form"


def try_privileges(statements: RecordedStatements) -> Iterator[PrivilegeFacts]:
    """Yield each privilege on each table, tried by a statement that needs it and matches no row."""
    for table in TABLES:
        for privilege, statement in _TRIES.items():
            yield PrivilegeFacts(
                privilege=privilege, table=table, sqlcode=_sqlcode(statements, _tried(statement, table), privilege)
            )

    yield PrivilegeFacts(privilege="%NOLOCK", sqlcode=studies.try_nolock(statements))


def _tried(statement: LiteralString, table: TableName) -> LiteralString:
    suffix: LiteralString = "" if table == "images" else table
    columns = _COLUMNS[table]
    return statement.replace("@", "{table}" + suffix).replace("#", columns).replace("!", columns.rsplit(", ", 1)[1])


def _sqlcode(statements: RecordedStatements, statement: LiteralString, privilege: Privilege) -> int:
    if privilege != "SELECT":
        code = statements.try_execute(statement)
        statements.connection.rollback()
        return code
    _rows_unless_refused(statements, statement)
    return statements.connection.sqlcode


def explain(statements: RecordedStatements, given: Inputs) -> Iterator[PlanFacts]:
    """Yield the plan of each of the queries that matter, reduced to known words."""
    calls = dict(reads(replace(given, ids=())))  # no id of the archive is in a text
    for name in PLANNED:
        with suppress(CxrError):  # recorded with the statements
            calls[name](statements)
        plan = _plan(statements, *statements.last_query)
        yield PlanFacts(call=name, sqlcode=statements.connection.sqlcode, **reduce_plan(plan, statements.table))


def _plan(statements: RecordedStatements, text: str, values: list[str | int | None]) -> str:
    """Return the plan of a query; empty if the server refuses to explain it.

    EXPLAIN takes no bound values: the driver sends the whole query as one.
    """
    for value in values:
        literal = str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
        text = text.replace("?", literal, 1)
    try:
        rows = statements.connection.fetch_all("EXPLAIN " + text, ())
    except StoreError:
        if not statements.connection.sqlcode:
            raise
        return ""
    return "\n".join(str(cell) for row in rows for cell in row)


def reduce_plan(plan: str, table: str) -> dict[str, Any]:
    """Return the cost, as a power of ten, and the known words of a plan; our tables become T1 to T7."""
    text = _QUERY_IN_PLAN.sub(" ", plan)
    cost = _COST.search(text)
    for number, name in reversed(list(enumerate(TABLES, 1))):
        full = table + ("" if name == "images" else name)
        text = re.sub(rf"\b{re.escape(full)}\b", f" T{number} ", text, flags=re.IGNORECASE)
    known = (PLAN_WORDS.get(word.lower().rstrip("-")) for word in _WORD.findall(text))
    words = tuple(word for word in known if word)[:_MAX_WORDS]
    return {"cost": power_of_ten(int(cost[1])) if cost else None, "words": words}


def _option(statements: RecordedStatements, name: OptionName) -> OptionFacts:
    text = str(_unless_refused(statements, _OPTION, name))
    value = min(int(text), _MAX_OPTION) if text.isdecimal() else None
    return OptionFacts(option=name, value=value, sqlcode=statements.connection.sqlcode)


def _unless_refused(statements: RecordedStatements, statement: LiteralString, option: str | None = None) -> object:
    """Return the first cell; None if the server refuses the statement, or finds nothing."""
    rows = _rows_unless_refused(statements, statement, option)
    return rows[0][0] if rows else None


def _rows_unless_refused(
    statements: RecordedStatements, statement: LiteralString, option: str | None = None
) -> list[Row]:
    try:
        return statements.fetch_all(statement, {"option": option})
    except StoreError:
        if not statements.connection.sqlcode:
            raise
        return []


def _ping_times(statements: RecordedStatements) -> Iterator[float]:
    for _ in range(_PINGS):
        started = time.perf_counter()
        statements.fetch_all(_PING)
        yield (time.perf_counter() - started) * 1000
