"""Where the rounds of `kills` keep their archive: what differs between a file and a server."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import iris.dbapi

from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.stores.iris import IrisConfig, IrisStore

if TYPE_CHECKING:
    from mcp_cxr.stores import Store
    from tests.standins.iris import StandIn

TABLE = "VectorSearch.MIMICCXRImages"

# Each finds nothing in an archive that is whole.
_BROKEN = {
    "an image without its study": """
        SELECT i.ImageID FROM {table} AS i LEFT JOIN {table}Studies AS s ON s.StudyID = i.StudyID
        WHERE s.StudyID IS NULL""",
    "an image that is not drawn": """
        SELECT i.ImageID FROM {table} AS i LEFT JOIN {table}Sample AS k ON k.ImageID = i.ImageID
        WHERE k.ImageID IS NULL""",
    "what is drawn and gone": """
        SELECT k.ImageID FROM {table}Sample AS k LEFT JOIN {table} AS i ON i.ImageID = k.ImageID
        WHERE i.ImageID IS NULL""",
    "a document that is not its postings": """
        SELECT s.StudyID FROM {table}Studies AS s LEFT JOIN (
            SELECT p.StudyID AS StudyID, SUM(p.Occurrences) AS Terms FROM {table}Terms AS p GROUP BY p.StudyID
        ) AS held ON held.StudyID = s.StudyID
        WHERE COALESCE(s.DocLength, 0) <> COALESCE(held.Terms, 0)""",
    "postings of no study": """
        SELECT p.StudyID FROM {table}Terms AS p LEFT JOIN {table}Studies AS s ON s.StudyID = p.StudyID
        WHERE s.StudyID IS NULL""",
}


class Place(Protocol):
    """A place for one archive; a child process is given `told`, and makes it again with `place_of`."""

    tolerance: float
    """Of its cosines: those of float32, as numpy has them."""
    batches: int
    """That lie there before the first round."""

    @property
    def told(self) -> str: ...

    def store(self) -> Store: ...

    def harm(self) -> None:
        """Do what any process may do at any time."""

    def wait_for_the_dead(self) -> None:
        """Return once nothing of a killed process is under way any more; one reader is still there."""

    def require_whole(self) -> None:
        """Raise `AssertionError` where the database is not."""


class Folder:
    tolerance = 0.0
    batches = 20  # enough for a copy

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def told(self) -> str:
        return json.dumps({"folder": str(self._folder)})

    def store(self) -> EmbeddedStore:
        return EmbeddedStore(self._folder)

    def harm(self) -> None:
        (self._folder / "archive.int8").unlink(missing_ok=True)

    def wait_for_the_dead(self) -> None:
        """The system has taken back its locks."""

    def require_whole(self) -> None:
        with closing(sqlite3.connect(self._folder / "archive.sqlite3")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


class Server:
    """A table on a stand-in for IRIS.

    Args:
        server: None in a child process, which only asks.
    """

    tolerance = 1e-6
    batches = 5

    def __init__(self, port: int, server: StandIn | None = None) -> None:
        self._port = port
        self._server = server

    @classmethod
    def on(cls, server: StandIn) -> Server:
        return cls(server.port, server)

    @property
    def told(self) -> str:
        return json.dumps({"port": self._port})

    def store(self) -> IrisStore:
        return IrisStore(IrisConfig(port=self._port, username="_SYSTEM", password="SYS", table=TABLE))  # noqa: S106  # of nothing

    def harm(self) -> None:
        """There is no copy to delete."""

    def wait_for_the_dead(self) -> None:
        """The server takes back what was not committed once it has met the end of the connection."""
        assert self._server
        self._server.wait_until(open=1, timeout_s=60)

    def require_whole(self) -> None:
        assert self._server
        with closing(iris.dbapi.connect(**self._server.connection)) as connection, connection.cursor() as cursor:
            for what, statement in _BROKEN.items():
                cursor.execute(statement.replace("{table}", TABLE))
                assert not cursor.fetchall(), what
        self._server.wait_until(open=1, timeout_s=60)


def place_of(told: str) -> Place:
    """Return the place that a process was told of."""
    named = json.loads(told)
    return Folder(Path(named["folder"])) if "folder" in named else Server(named["port"])
