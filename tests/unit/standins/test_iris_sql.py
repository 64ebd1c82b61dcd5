"""The SQL of the simulated IRIS server: what it answers, and what it refuses because nobody documents it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import iris.dbapi as driver
import pytest

from tests.standins.iris import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator

MAKE = (
    "CREATE TABLE Room.Films (ID_ VARCHAR(600) %EXACT PRIMARY KEY, Place VARCHAR(10), Size INTEGER,"
    " Weight DOUBLE, Vector VECTOR(DOUBLE, 3))"
)
PUT = "INSERT INTO Room.Films (ID_, Place, Size, Weight, Vector) VALUES (?, ?, ?, ?, TO_VECTOR(?, DOUBLE))"
IMAGES = [
    ["a", "PA", 1, 0.5, "1,0,0"],
    ["A", "pa", 3, 1.5, "0,1,0"],
    ["b", "AP", None, -2.0, "1,1,0"],
    ["c", "", 5, None, None],
]


class Room:
    """A connection with a table of four images."""

    def __init__(self, server: StandIn) -> None:
        self.server = server
        self.connection = driver.connect(**server.connection)
        self.cursor = self.connection.cursor()

    def __call__(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        self.cursor.execute(sql, list(values)) if values else self.cursor.execute(sql)
        return [tuple(row) for row in self.cursor.fetchall()] if sql.startswith("SELECT") else []

    def refuses(self, code: int, kind: type[Exception], sql: str, *values: Any) -> str:
        """The text of the error that `sql` ends in."""
        with pytest.raises(kind, match=rf"\[SQLCODE: <{code}>") as caught:
            self(sql, *values)
        return str(caught.value)


@pytest.fixture(scope="module")
def server() -> Iterator[StandIn]:
    with StandIn() as server:
        yield server


@pytest.fixture
def room(server: StandIn) -> Iterator[Room]:
    room = Room(server)
    room(MAKE)
    room.cursor.executemany(PUT, IMAGES)
    room.connection.commit()
    yield room
    room.connection.rollback()
    room("DROP TABLE IF EXISTS Room.Films")
    room.connection.close()
    server.configure(hnsw=True)


ANSWERS: dict[str, list[tuple[Any, ...]]] = {
    "SELECT TOP 2 ID_ FROM Room.Films ORDER BY ID_": [("A",), ("a",)],
    "SELECT DISTINCT TOP 1 Weight FROM Room.Films WHERE Weight > 1": [(1.5,)],
    "SELECT f.ID_ FROM Room.Films f WHERE f.Place = 'Pa' ORDER BY f.ID_": [("A",), ("a",)],
    "SELECT Films.ID_ FROM Room.Films WHERE %EXACT(Place) = 'PA'": [("a",)],
    "SELECT ID_ FROM Room.Films WHERE ID_ IN ('A', 'B')": [("A",)],
    "SELECT ID_ FROM Room.Films WHERE ID_ %STARTSWITH 'a'": [("a",)],
    "SELECT ID_ FROM Room.Films WHERE Place %STARTSWITH 'p' ORDER BY ID_": [("A",), ("a",)],
    "SELECT ID_ FROM Room.Films WHERE Size IS NULL AND Place LIKE 'A%'": [("b",)],
    "SELECT ID_ FROM Room.Films WHERE Place = ''": [("c",)],
    "SELECT COUNT(*), COUNT(Size), COUNT(DISTINCT Place) FROM Room.Films": [(4, 3, 3)],
    "SELECT MIN(Size), MAX(Weight), AVG(Size), SUM(Size), SUM(Weight) FROM Room.Films": [(1, 1.5, 3.0, 9, 0.0)],
    "SELECT DISTINCT Place FROM Room.Films WHERE Size = 3": [("PA",)],  # stored as `pa`
    "SELECT Place, COUNT(*) FROM Room.Films WHERE Size = 3 GROUP BY Place": [("PA", 1)],
    "SELECT MAX(Place), MIN(f.Place), MAX(ID_) FROM Room.Films f WHERE f.Size = 3": [("PA", "PA", "A")],
    "SELECT DISTINCT %EXACT(Place) FROM Room.Films WHERE Size = 3": [("pa",)],
    "SELECT MAX(%EXACT(Place)), COUNT(DISTINCT %EXACT(Place)) FROM Room.Films WHERE Size < 4": [("pa", 2)],
    "SELECT COUNT(*) AS n FROM Room.Films GROUP BY Place HAVING COUNT(*) > 1": [(2,)],
    "SELECT 5 / 2, 7 # 4, MOD(7, 4), 2 + 3 * 4": [(2.5, 3, 3, 14)],
    "SELECT LN(1), POWER(2, 10), ABS(-2), SQRT(9.0), GREATEST(2, 3)": [(0.0, 1024.0, 2, 3.0, 3)],
    "SELECT UPPER('straße'), LOWER('É'), 'a' || 'b', SUBSTRING('films', 2, 3)": [("STRASSE", "é", "ab", "ilm")],
    "SELECT COALESCE(Size, -1), NULLIF(Size, 1) FROM Room.Films WHERE ID_ < 'c' ORDER BY ID_": [
        (3, 3),
        (1, None),
        (-1, None),
    ],
    "SELECT CASE WHEN Size > 2 THEN 'large' ELSE 'small' END FROM Room.Films WHERE ID_ = 'A'": [("large",)],
    "SELECT CAST('12' AS INTEGER), CAST(3 AS VARCHAR(5)), CAST(1 AS DOUBLE)": [(12, "3", 1.0)],
    """SELECT t.ID_, t.twice FROM (SELECT ID_, Weight * 2 AS twice FROM Room.Films) t
       WHERE t.twice > 2""": [("A", 3.0)],
    """SELECT f.ID_, g.n FROM Room.Films f
       LEFT JOIN (SELECT Place AS p, COUNT(*) AS n FROM Room.Films GROUP BY Place) g ON g.p = f.Place AND g.n > 1
       ORDER BY f.ID_""": [("A", 2), ("a", 2), ("b", None), ("c", None)],
    """SELECT ID_ FROM Room.Films f WHERE EXISTS (SELECT 1 FROM Room.Films g WHERE g.Size > f.Size + 1)
       ORDER BY ID_""": [("A",), ("a",)],
    """SELECT ID_ FROM Room.Films WHERE Size = 1
       UNION ALL SELECT ID_ FROM Room.Films WHERE Size = 5""": [("a",), ("c",)],
    "SELECT ID_ FROM Room.Films ORDER BY ID_ LIMIT 1": [("A",)],
    "SELECT ID_ FROM Room.Films WHERE ID_ %INLIST $LISTFROMSTRING('a|B|c', '|') ORDER BY ID_": [("a",), ("c",)],
    "SELECT ID_ FROM Room.Films WHERE NOT (Place %INLIST $LISTFROMSTRING('pA,', ','))": [("b",)],
    'SELECT ID_ AS "Date" FROM Room.Films WHERE NOT Size BETWEEN 1 AND 4': [("c",)],
}


@pytest.mark.parametrize("sql", ANSWERS)
def test_documented_sql_is_accepted(room: Room, sql: str) -> None:
    assert room(sql) == ANSWERS[sql]


def test_a_long_list_is_searched_quickly(room: Room) -> None:
    room.cursor.executemany("INSERT INTO Room.Films (ID_) VALUES (?)", [[f"film{n}"] for n in range(2000)])
    listed = "\x1f".join(f"film{n}" for n in range(0, 80_000, 2))
    sql = "SELECT COUNT(*) FROM Room.Films WHERE ID_ %INLIST $LISTFROMSTRING(?, ?)"
    assert room(sql, listed, "\x1f") == [(1000,)]


def test_top_takes_a_parameter(room: Room) -> None:
    assert room("SELECT TOP ? ID_ FROM Room.Films WHERE Place <> ? ORDER BY ID_ DESC", 2, "ap") == [("c",), ("a",)]


@pytest.mark.parametrize(
    ("code", "sql"),
    [
        (-1, "SELECT TO_VECTOR('1,2', 'DOUBLE')"),
        (-1, "SELECT TO_VECTOR('1,2', DOUBLE, 2)"),
        (-386, "SELECT TOP 1 ID_ FROM Room.Films LIMIT 1"),
        (-1, "SELECT ID_ FROM (SELECT ID_ FROM Room.Films ORDER BY ID_ LIMIT 1)"),
        (-1, "SELECT ID_ FROM (SELECT ID_ FROM Room.Films ORDER BY ID_) f"),
        (-1, "CREATE INDEX IF NOT EXISTS x ON TABLE Room.Films (Place)"),
        (-1, "CREATE INDEX x ON TABLE Room.Films (Vector) AS HNSW(Distance='Manhattan')"),
        (-1, "CREATE INDEX x ON TABLE Room.Films (Vector)"),
        (-1, "CREATE TABLE Room.Bad (a %EXACT VARCHAR(3))"),
        (-1, "CREATE TABLE Room.Bad (a INTEGER %EXACT)"),
        (-1, "CREATE TABLE Room.Bad (Date VARCHAR(3))"),
        (-1, "CREATE TABLE Room.Bad (a TEXT)"),
        (-1, "INSERT OR REPLACE INTO Room.Films (ID_) VALUES ('x')"),
        (-25, "INSERT INTO Room.Films (ID_) VALUES ('x') ON CONFLICT DO NOTHING"),
        (-25, "INSERT INTO Room.Films (ID_) VALUES ('x') RETURNING ID_"),
        (-25, "INSERT INTO Room.Films (ID_) VALUES ('x'), ('y')"),
        (-359, "SELECT json_extract(Place, '$.a') FROM Room.Films"),
        (-359, "SELECT group_concat(Place) FROM Room.Films"),
        (-1, "SELECT TRUE"),
        (-25, "SELECT ID_ FROM Room.Films WHERE Place GLOB 'P*'"),
        (-25, "SELECT ID_ FROM Room.Films ORDER BY Size NULLS LAST"),
        (-1, "PRAGMA table_info(x)"),
        (-12, "SELECT FROM Room.Films"),
        (-29, "SELECT Nothing FROM Room.Films"),
        (-29, "INSERT INTO Room.Films (Nothing) VALUES (1)"),
        (-30, "SELECT 1 FROM Room.Nothing"),
        (-30, "DROP TABLE Room.Nothing"),
        (-30, "SELECT 1 FROM sqlite_master"),
    ],
)
def test_undocumented_sql_is_refused(room: Room, code: int, sql: str) -> None:
    with pytest.raises(driver.ProgrammingError if code != -386 else driver.Error, match=rf"<{code}>"):
        room(sql)


class TestVectors:
    NEAREST = (
        "SELECT TOP ? ID_, VECTOR_COSINE(Vector, TO_VECTOR(?, DOUBLE)) AS score FROM Room.Films"
        " WHERE Vector IS NOT NULL ORDER BY score DESC, ID_"
    )

    def test_rows_are_ordered_by_cosine(self, room: Room) -> None:
        assert room(self.NEAREST, 3, "2,0,0") == [("a", 1.0), ("b", pytest.approx(0.5**0.5)), ("A", 0.0)]

    def test_the_dot_product_is_not_normalised(self, room: Room) -> None:
        sql = "SELECT VECTOR_DOT_PRODUCT(Vector, TO_VECTOR('2,3,4', DOUBLE)) FROM Room.Films WHERE ID_ = 'b'"
        assert room(sql) == [(5.0,)]

    def test_a_vector_is_returned_as_text_with_all_digits(self, room: Room) -> None:
        values = [0.1, -0.25, 1e-300]
        room("UPDATE Room.Films SET Vector = TO_VECTOR(?, DOUBLE) WHERE ID_ = 'c'", ",".join(map(repr, values)))
        ((text,),) = room("SELECT Vector FROM Room.Films WHERE ID_ = 'c'")
        assert text.startswith(".1,-.25,")
        assert [float(part) for part in text.split(",")] == values

    @pytest.mark.parametrize("text", ["1,2", "1,2,3,4", "1,2,x", "1,2,nan", ""])
    def test_a_vector_that_does_not_fit_its_column_is_refused(self, room: Room, text: str) -> None:
        room.refuses(-104, driver.DataError, PUT, "new", "PA", 1, 1.0, text)

    def test_text_is_not_accepted_as_a_vector(self, room: Room) -> None:
        room.refuses(-104, driver.DataError, "INSERT INTO Room.Films (ID_, Vector) VALUES ('new', '1,2,3')")

    def test_vectors_of_different_lengths_are_not_compared(self, room: Room) -> None:
        room.refuses(-257, driver.DatabaseError, self.NEAREST, 3, "1,0")


class TestChanges:
    def test_a_second_row_with_the_same_key_is_refused(self, room: Room) -> None:
        room.refuses(-119, driver.IntegrityError, "INSERT INTO Room.Films (ID_) VALUES ('a')")

    def test_keys_without_exact_ignore_case(self, room: Room) -> None:
        room("CREATE TABLE Room.Loose (Name VARCHAR(9) UNIQUE, Size INTEGER)")
        try:
            room("INSERT INTO Room.Loose (Name, Size) VALUES ('éa', 1)")
            room.refuses(-119, driver.IntegrityError, "INSERT INTO Room.Loose (Name, Size) VALUES ('ÉA', 2)")
            room("INSERT OR UPDATE INTO Room.Loose (Name, Size) VALUES ('ÉA', 3)")
            room("INSERT INTO Room.Loose (Name, Size) VALUES ('B', 4)")
            assert room("SELECT Name, Size FROM Room.Loose ORDER BY Name") == [("B", 4), ("ÉA", 3)]
        finally:
            room("DROP TABLE Room.Loose")

    def test_insert_or_update_keeps_unnamed_columns(self, room: Room) -> None:
        room("INSERT OR UPDATE %NOLOCK INTO Room.Films (ID_, Size) VALUES (?, ?)", "a", 9)
        assert room("SELECT ID_, Place, Size FROM Room.Films WHERE ID_ = 'a'") == [("a", "PA", 9)]

    def test_rows_can_come_from_a_query(self, room: Room) -> None:
        room("INSERT OR UPDATE Room.Films (ID_, Size) SELECT ID_, Size + 10 FROM Room.Films WHERE Size > 1")
        assert room("SELECT ID_, Size FROM Room.Films WHERE Size > 9 ORDER BY ID_") == [("A", 13), ("c", 15)]

    def test_a_division_by_zero_fails(self, room: Room) -> None:
        room.refuses(-400, driver.DatabaseError, "SELECT Weight / COUNT(*) FROM Room.Films WHERE Size = 99")

    def test_changes_are_counted(self, room: Room) -> None:
        room("UPDATE Room.Films SET Size = Size + 1, Place = 'XX' WHERE Size > 1")
        assert room.cursor.rowcount == 2
        room("DELETE %NOLOCK FROM Room.Films WHERE Place = 'xx'")
        assert room.cursor.rowcount == 2

    @pytest.mark.parametrize(("column", "value"), [("Place", "x" * 11), ("Size", "many"), ("Weight", "heavy")])
    def test_a_value_that_does_not_fit_its_column_is_refused(self, room: Room, column: str, value: str) -> None:
        sql = f"INSERT INTO Room.Films (ID_, {column}) VALUES ('new', ?)"  # noqa: S608  # of this test
        room.refuses(-104, driver.DataError, sql, value)

    def test_a_missing_required_field_is_refused(self, room: Room) -> None:
        room.refuses(-108, driver.Error, "INSERT INTO Room.Films (Size) VALUES (1)")

    def test_an_indexed_entry_longer_than_a_subscript_is_refused(self, room: Room) -> None:
        sql = "INSERT INTO Room.Films (ID_) VALUES (?)"
        room(sql, "x" * 511)
        assert "SUBSCRIPT" in room.refuses(-400, driver.DatabaseError, sql, "x" * 512)

    def test_rows_before_a_refused_one_stay_in_the_transaction(self, room: Room) -> None:
        with pytest.raises(driver.IntegrityError):
            room.cursor.executemany("INSERT INTO Room.Films (ID_, Size) VALUES (?, ?)", [["x", 1], ["a", 1], ["y", 1]])
        assert len(room.server.rows("Room.Films")) == 5
        room.connection.rollback()
        assert len(room.server.rows("Room.Films")) == 4


class TestDdl:
    def test_creating_a_table_twice_is_refused(self, room: Room) -> None:
        room.refuses(-201, driver.ProgrammingError, MAKE.upper())
        room(MAKE.replace("TABLE", "TABLE IF NOT EXISTS"))

    def test_creating_an_index_twice_is_refused(self, room: Room) -> None:
        room("CREATE INDEX ByPlace ON TABLE Room.Films (Place)")
        room.refuses(-324, driver.ProgrammingError, "CREATE INDEX byplace ON Room.Films (Size)")
        room("DROP INDEX ByPlace ON TABLE Room.Films")
        room("CREATE INDEX ByPlace ON TABLE Room.Films (Place)")

    def test_an_older_server_refuses_hnsw(self, room: Room) -> None:
        sql = "CREATE INDEX Near ON TABLE Room.Films (Vector) AS HNSW(Distance='Cosine', M=16, efConstruction=100)"
        room.server.configure(hnsw=False)
        room.refuses(-1, driver.ProgrammingError, sql)
        room.server.configure(hnsw=True)
        room(sql)
        assert [index["name"] for index in room.server.tables["Room.Films"] if index["hnsw"]] == ["Near"]

    def test_drop_if_exists_is_harmless(self, room: Room) -> None:
        room("DROP TABLE Room.Films")
        room("DROP TABLE IF EXISTS Room.Films")
        room.refuses(-30, driver.ProgrammingError, "SELECT ID_ FROM Room.Films")

    def test_tune_and_truncate_are_accepted(self, room: Room) -> None:
        room("TUNE TABLE Room.Films")
        room("TRUNCATE TABLE Room.Films")
        assert room("SELECT COUNT(*) FROM Room.Films") == [(0,)]

    def test_the_catalog_lists_tables_and_columns(self, room: Room) -> None:
        assert room("SELECT TABLE_SCHEMA, TABLE_NAME FROM INFORMATION_SCHEMA.TABLES") == [("Room", "Films")]
        columns = "SELECT DATA_TYPE, CHARACTER_MAXIMUM_LENGTH FROM INFORMATION_SCHEMA.COLUMNS"
        sql = columns + " WHERE TABLE_NAME = ? AND COLUMN_NAME = ?"
        assert room(sql, "films", "id_") == [("varchar", 600)]
        assert room(sql, "Films", "Vector") == [("varchar", None)]
        sql = "SELECT Type, Parameters FROM %Dictionary.CompiledProperty WHERE parent = ? AND Name = ?"
        assert room(sql, "Room.Films", "Vector") == [("%Library.Vector", "DATATYPE=DOUBLE,LEN=3")]

    def test_a_table_without_a_schema_is_in_the_default_one(self, room: Room) -> None:
        room("CREATE TABLE Plain (a INTEGER, b TIMESTAMP DEFAULT CURRENT_TIMESTAMP, c VARCHAR(3) DEFAULT 'x')")
        try:
            room("INSERT INTO SQLUser.Plain (a) VALUES (1)")
            assert room("SELECT a, LENGTH(b), c FROM Plain") == [(1, 19, "x")]
        finally:
            room("DROP TABLE Plain")
