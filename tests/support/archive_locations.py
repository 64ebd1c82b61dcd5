"""Where `kills` keeps its archives: what differs between a file and a server."""

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

# Each returns no row in a consistent archive.
_INCONSISTENCIES = {
    "an image without its study": """
        SELECT i.ImageID FROM {table} AS i LEFT JOIN {table}Studies AS s ON s.StudyID = i.StudyID
        WHERE s.StudyID IS NULL""",
    "an image without a sample key": """
        SELECT i.ImageID FROM {table} AS i LEFT JOIN {table}Sample AS k ON k.ImageID = i.ImageID
        WHERE k.ImageID IS NULL""",
    "a sample key without an image": """
        SELECT k.ImageID FROM {table}Sample AS k LEFT JOIN {table} AS i ON i.ImageID = k.ImageID
        WHERE i.ImageID IS NULL""",
    "a document length that differs from its postings": """
        SELECT s.StudyID FROM {table}Studies AS s LEFT JOIN (
            SELECT p.StudyID AS StudyID, SUM(p.Occurrences) AS Terms FROM {table}Terms AS p GROUP BY p.StudyID
        ) AS held ON held.StudyID = s.StudyID
        WHERE COALESCE(s.DocLength, 0) <> COALESCE(held.Terms, 0)""",
    "postings without a study": """
        SELECT p.StudyID FROM {table}Terms AS p LEFT JOIN {table}Studies AS s ON s.StudyID = p.StudyID
        WHERE s.StudyID IS NULL""",
}


class ArchiveLocation(Protocol):
    """The location of one archive; a child process gets `description`, and calls `archive_location` with it."""

    tolerance: float
    """Of its cosines, compared with float32 in numpy."""
    batches: int
    """Batches written before the first round."""
    commits_late: bool
    """Whether the last write of a killed process may take effect after it was looked for in vain."""

    @property
    def description(self) -> str: ...

    def store(self) -> Store: ...

    def delete_copy(self) -> None:
        """Delete the int8 copy, as any process may at any time."""

    def wait_for_rollback(self) -> None:
        """Return when the writes of a killed process are rolled back; one reader stays connected."""

    def assert_consistent(self) -> None:
        """Raise `AssertionError` if the database is inconsistent."""


class FolderLocation:
    tolerance = 0.0
    batches = 20  # enough for an int8 copy
    commits_late = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def description(self) -> str:
        return json.dumps({"folder": str(self._folder)})

    def store(self) -> EmbeddedStore:
        return EmbeddedStore(self._folder)

    def delete_copy(self) -> None:
        (self._folder / "archive.int8").unlink(missing_ok=True)

    def wait_for_rollback(self) -> None:
        """The system has already released the locks of the process."""

    def assert_consistent(self) -> None:
        with closing(sqlite3.connect(self._folder / "archive.sqlite3")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


class ServerLocation:
    """A table on a simulated IRIS server.

    Args:
        server: None in a child process, which only connects.
    """

    tolerance = 1e-6
    batches = 5
    commits_late = False

    def __init__(self, port: int, server: StandIn | None = None) -> None:
        self._port = port
        self._server = server

    @classmethod
    def on(cls, server: StandIn) -> ServerLocation:
        return cls(server.port, server)

    @property
    def description(self) -> str:
        return json.dumps({"port": self._port})

    def store(self) -> IrisStore:
        return IrisStore(IrisConfig(port=self._port, username="_SYSTEM", password="SYS", table=TABLE))  # noqa: S106  # of nothing

    def delete_copy(self) -> None:
        """Does nothing: a server has no int8 copy."""

    def wait_for_rollback(self) -> None:
        """The server rolls back when it detects the end of the connection."""
        assert self._server
        self._server.wait_until(open=1, timeout_s=60)

    def assert_consistent(self) -> None:
        assert self._server
        with closing(iris.dbapi.connect(**self._server.connection)) as connection, connection.cursor() as cursor:
            for what, statement in _INCONSISTENCIES.items():
                cursor.execute(statement.replace("{table}", TABLE))
                assert not cursor.fetchall(), what
        self._server.wait_until(open=1, timeout_s=60)


def archive_location(description: str) -> ArchiveLocation:
    """Return the location of a description."""
    named = json.loads(description)
    return FolderLocation(Path(named["folder"])) if "folder" in named else ServerLocation(named["port"])
