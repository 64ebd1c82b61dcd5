"""The wire protocol of one client: messages by their two-letter codes, and the replies to them."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.standins.iris._database import visible_value
from tests.standins.iris._ddl import is_definition, parse_ddl
from tests.standins.iris._errors import SqlError
from tests.standins.iris._lists import Reader, item, items
from tests.standins.iris._privileges import check_privileges
from tests.standins.iris._system import SystemQuery, system_query
from tests.standins.iris._translate import Statement, translate

if TYPE_CHECKING:
    from tests.standins.iris._database import Database
    from tests.standins.iris._ddl import Definition
    from tests.standins.iris._lists import Value
    from tests.standins.iris._state import State

PROTOCOL_VERSION = 69
NO_MORE_ROWS = 100
MAX_CHARACTERS = 3_641_144
NO_REPLY = frozenset({"AF", "AN", "DC"})
_CONSTANT_KINDS = {4: "text", 10: "integer", 11: "double"}
"""Kinds that the driver reports for the literals it replaced by parameters."""
_CONNECT_ERRORS = (-417, -460)
"""Errors whose text is in the reply; for others the client sends OE."""
_SQL_TYPES = {"text": 12, "integer": -5, "double": 8}
"""VARCHAR, BIGINT, DOUBLE."""
_NUMERIC = 2


class Reply(NamedTuple):
    status: int
    body: bytes


@dataclass
class Prepared:
    text: str
    constants: dict[int, str]
    """Kinds of the parameters that were literals, by number."""
    parameters: int
    run: Statement | Definition | SystemQuery

    @property
    def kinds(self) -> list[str] | None:
        """Of the result's columns; None if it has none."""
        columns = self.run.columns if isinstance(self.run, Statement | SystemQuery) else None
        return None if columns is None else [kind for _, kind in columns]


@dataclass(eq=False)
class ClientSession:
    state: State
    database: Database
    autocommit: bool = True
    _prepared: dict[int, Prepared] = field(default_factory=dict[int, Prepared])
    _pages: dict[int, list[bytes]] = field(default_factory=dict[int, list[bytes]])
    """Remaining pages of each statement's result."""
    _error: bytes = b""

    def statement(self, number: int, code: str, body: bytes) -> str:
        """The text that a message prepares or runs; '' if it concerns none."""
        if code in ("PP", "DQ", "DU"):
            return _statement_text(Reader(body))
        return self._prepared[number].text if number in self._prepared else ""

    def answer(self, code: str, number: int, body: bytes) -> list[Reply]:
        """Reply to a message."""
        try:
            return self._answer(code, number, body)
        except SqlError as exc:
            return [self.refusal(exc)]

    def refusal(self, error: SqlError, error_text: bytes | None = None) -> Reply:
        """Args: told: what is answered when the client asks for the text; the text itself where it is None."""
        text = error.text + self.state.canary
        self._error = item(text) if error_text is None else error_text
        return Reply(abs(error.code), item(text) if error.code in _CONNECT_ERRORS else b"")

    def end(self) -> None:
        """Roll back what the client did not commit before it disconnected."""
        self.database.rollback(self)

    def _answer(self, code: str, number: int, body: bytes) -> list[Reply]:
        reader = Reader(body)
        replies: list[Reply] = []
        match code:
            case "CN":
                replies.append(self._connect(reader))
            case "PP":
                replies.append(Reply(0, self._prepare(number, reader)))
            case "PQ":
                replies.append(self._query(number, reader))
            case "PU":
                replies.append(self._update(number, reader))
            case "DQ":
                replies.append(Reply(0, self._prepare(number, reader)))
                replies.append(self._query(number, reader))
            case "DU":
                described = self._prepare(number, reader)
                replies.append(Reply(0, described + self._update(number, reader).body))
            case "FD":
                replies.append(self._page(number))
            case _:
                replies.append(Reply(0, self._simple(code)))
        return replies

    def _simple(self, code: str) -> bytes:
        match code:
            case "HS":
                return struct.pack("<HH", PROTOCOL_VERSION, 1) + item("enuw")
            case "TC":
                self.database.commit(self)
            case "TR":
                self.database.rollback(self)
            case "AF" | "AN":
                self.autocommit = code == "AN"
            case "OE":
                return self._error
            case "DC":
                self.end()
            case _:
                raise SqlError(-400, f"unknown message {code}")
        return b""

    def _connect(self, reader: Reader) -> Reply:
        reader.item()
        username, password = (_unscramble(reader.item()) for _ in range(2))
        for _ in range(6):  # name and address of the client
            reader.item()
        self.autocommit = reader.number() == 1
        isolation = reader.number()
        if (username, password) != (self.state.username, self.state.password):
            raise SqlError(-417, "Access Denied")
        if self.state.password_expired:
            raise SqlError(-417, "Invalid Message received; Password change required / Access Denied")
        if self.state.is_full:
            raise SqlError(-460, "<LICENSE LIMIT EXCEEDED>")
        return Reply(0, items("Simulated InterSystems IRIS, no IRIS" + self.state.canary, 1, 0, isolation, "1", 0, 0))

    # Statements

    def _prepare(self, number: int, reader: Reader) -> bytes:
        text = _statement_text(reader)
        modes = [(reader.text(), reader.number()) for _ in range(reader.number())]
        constants = {at: _CONSTANT_KINDS.get(kind, "text") for at, (mode, kind) in enumerate(modes, 1) if mode == "c"}
        run = self._compile(text, constants, len(modes))
        check_privileges(run, self.state.grants, self.state.username, self.database.owners)
        if isinstance(run, Statement):
            self.state.counters.plans[text] = self.database.plan(run.sql, len(modes))
        prepared = self._prepared[number] = Prepared(text, constants, len(modes), run)
        described = b""
        if isinstance(run, Statement | SystemQuery) and run.columns is not None:
            described = _described(run.columns, self.state)
        parameters = b"".join(items(_SQL_TYPES["text"], 50, 0, 1) for _ in range(prepared.parameters))
        return described + item(prepared.parameters) + parameters + item(1)

    def _compile(self, text: str, constants: dict[int, str], parameters: int) -> Statement | Definition | SystemQuery:
        if query := system_query(text):
            return query
        if is_definition(text):
            return parse_ddl(text)
        statement = translate(text, self.database.catalogue, constants)
        self.database.check(statement.sql, parameters)
        if statement.columns and any(name == "*" or name.endswith(".*") for name, _ in statement.columns):
            names = self.database.column_names(statement.sql, parameters)
            return statement._replace(
                columns=tuple((name, self.database.catalogue.kind(name) or "text") for name in names)
            )
        return statement

    def _query(self, number: int, reader: Reader) -> Reply:
        prepared = self._prepared[number]
        reader.number()
        values = self._values(prepared, reader, reader.number())
        if isinstance(prepared.run, SystemQuery):
            rows = prepared.run.rows(values, self.state, self.database.catalogue)
            rows = [(None if cell is None else f"{cell} {self.state.canary}".strip(),) for (cell,) in rows]
        else:
            assert isinstance(prepared.run, Statement)
            rows = self.database.read(prepared.run.sql, values)
        self._pages[number] = self._paged(rows, prepared.kinds or [])
        return self._page(number)

    def _paged(self, rows: list[tuple[Any, ...]], kinds: list[str]) -> list[bytes]:
        pages: list[bytes] = []
        page: list[bytes] = []
        size = 0
        for row in rows:
            packed = b"".join(item(self._typed(value, kind)) for value, kind in zip(row, kinds, strict=True))
            if page and (len(page) >= self.state.page_rows or size + len(packed) > self.state.page_bytes):
                pages.append(b"".join(page))
                page, size = [], 0
            page.append(packed)
            size += len(packed)
        return [*pages, b"".join(page)]

    def _typed(self, value: Any, kind: str) -> Value:
        if isinstance(value, bytes) and self.state.vector_cell is not None:
            return self.state.vector_cell
        value = visible_value(value)
        if value is None:
            return None
        if kind == "integer" and self.state.numbers_as_text:
            return self.state.whole_numbers.format(value)
        if kind == "text" or self.state.numbers_as_text:
            return str(value) + (self.state.canary if self.state.canary_in_cells else "")
        return float(value) if kind == "double" else value

    def _page(self, number: int) -> Reply:
        pages = self._pages.get(number, [])
        page = pages.pop(0) if pages else b""
        return Reply(0 if pages else NO_MORE_ROWS, page)

    def _update(self, number: int, reader: Reader) -> Reply:
        prepared = self._prepared[number]
        reader.item()
        reader.item()
        sets, width = reader.number(), reader.number()
        assert not isinstance(prepared.run, SystemQuery)
        if not isinstance(prepared.run, Statement):
            self.database.define(self, prepared.run)
            return Reply(0, item(0))
        rows = [self._values(prepared, reader, width) for _ in range(sets)]
        locks = "%NOLOCK" not in prepared.run.needs
        counts = self.database.change(self, prepared.run.sql, rows, autocommit=self.autocommit, locks=locks)
        return Reply(0, b"".join(map(item, counts)))

    def _values(self, prepared: Prepared, reader: Reader, count: int) -> list[Value]:
        values = [reader.item() for _ in range(count)]
        for number, kind in prepared.constants.items():
            values[number - 1] = _constant(values[number - 1], kind)
        for value in values:
            if isinstance(value, str) and len(value) > MAX_CHARACTERS:
                raise SqlError(-400, f"<MAXSTRING> {len(value)} characters")
        return values


def _described(columns: tuple[tuple[str, str], ...], state: State) -> bytes:
    types = {**_SQL_TYPES, "integer": _NUMERIC, "double": _NUMERIC} if state.numbers_as_text else _SQL_TYPES
    more = state.canary
    each = [
        items(name + more, types[kind], 4096, 0, 1, name + more, more or None, more or None, "USER" + more, bytes(12))
        for name, kind in columns
    ]
    return item(len(columns)) + b"".join(each)


def _statement_text(reader: Reader) -> str:
    return "".join(reader.text() for _ in range(reader.number()))


def _constant(value: Value, kind: str) -> Value:
    """A literal as it was before the driver turned it into text."""
    if not isinstance(value, str):
        return value
    try:
        return {"integer": int, "double": float}.get(kind, str)(value)
    except ValueError:
        return value


def _unscramble(value: Value) -> str:
    """Undo `out[p] = rotl8(((x[n-1-p] ^ 0xa7) + p) & 255, 5)`."""
    scrambled = value.encode("latin-1") if isinstance(value, str) else b""
    turned = [((byte >> 5 | byte << 3) - place & 255) ^ 0xA7 for place, byte in enumerate(scrambled)]
    return bytes(reversed(turned)).decode("latin-1")
