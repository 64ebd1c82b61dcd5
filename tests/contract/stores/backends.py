"""How the contract tests reach each store; a new store needs one class here."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Protocol
from unittest.mock import patch

import iris.dbapi
import numpy as np

from mcp_cxr.records import ImageId, ImageRecord, StudyId, SubjectId
from mcp_cxr.stores import EmbeddedStore, MemoryDatabase, MemoryStore, _base, memory
from mcp_cxr.stores.embedded.database import _archive_info as archive_info
from mcp_cxr.stores.embedded.fulltext import _postings, _search
from mcp_cxr.stores.embedded.vectors import _int8_copy
from mcp_cxr.stores.iris import IrisConfig, IrisStore, _store
from mcp_cxr.stores.iris.schema import _archive_info as iris_archive_info
from mcp_cxr.stores.iris.tables import _studies
from mcp_cxr.stores.memory import MemoryRow
from tests.standins.iris import CONFIG
from tests.support.iris import plain_server, tls_server

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from mcp_cxr.stores import Store
    from tests.standins.iris import StandIn


@contextmanager
def older_reader() -> Generator[None]:
    """Derive documents as a reader of version 1 would, which knows one word."""
    with ExitStack() as stack:
        for module in (archive_info, iris_archive_info, _store, memory, _base):
            stack.enter_context(patch.object(module, "READER_VERSION", 1))
        for module in (_search, _studies, memory):
            stack.enter_context(patch.object(module, "document_terms", lambda *_: ["old"]))
        yield


class Backend(Protocol):
    """The location of one archive."""

    walks: int
    """Runs of the state machine: a server is slower than a file, and TLS only changes the connection."""

    def __init__(self, folder: Path) -> None: ...

    def patched(self) -> AbstractContextManager[None]:
        """Return the context in which its stores are used."""
        ...

    def store(self) -> Store:
        """Return a new store of this location, not yet opened."""
        ...

    def put_external(self, image_id: str, study_id: str = "s1", subject_id: str = "p1", view: str = "PA") -> None:
        """Write an external row, as another program would."""
        ...


class EmbeddedBackend:
    walks = 25

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def patched(self) -> Generator[None]:
        yield

    def store(self) -> Store:
        return EmbeddedStore(self.folder)

    def put_external(self, image_id: str, study_id: str = "s1", subject_id: str = "p1", view: str = "PA") -> None:
        with closing(sqlite3.connect(self.folder / "archive.sqlite3")) as connection, connection:
            slot = connection.execute(
                "INSERT INTO images (image_id, study_id, subject_id, view_position, metadata) VALUES (?, ?, ?, ?, ?)",
                (image_id, study_id, subject_id, view, '["no", "object", "of ours"]'),
            ).lastrowid
            vector = np.ones(8, np.float32).tobytes()
            connection.execute("INSERT INTO vectors (slot, vector) VALUES (?, ?)", (slot, vector))


class LargeEmbeddedBackend(EmbeddedBackend):
    """As in a large archive: an int8 copy from the first image on, and index blocks of four documents."""

    @contextmanager
    def patched(self) -> Generator[None]:
        with (
            patch.object(_int8_copy, "MIN_IMAGES_FOR_COPY", 1),
            patch.object(_int8_copy, "MAX_LAG_SLOTS", 2),
            patch.object(_postings, "_SIZE", 4),
        ):
            yield


class MemoryBackend:
    walks = 25

    def __init__(self, folder: Path) -> None:  # nothing is on disk
        self.database = MemoryDatabase()

    @contextmanager
    def patched(self) -> Generator[None]:
        yield

    def store(self) -> Store:
        return MemoryStore(self.database)

    def put_external(self, image_id: str, study_id: str = "s1", subject_id: str = "p1", view: str = "PA") -> None:
        record = ImageRecord(ImageId(image_id), StudyId(study_id), SubjectId(subject_id), view, "none", "", "")
        assert self.database.tables
        self.database.tables.images[record.image_id] = MemoryRow(record, np.ones(8, np.float32), external=True)


class IrisBackend:
    """A table on a simulated server that speaks IRIS's protocol to the real driver."""

    walks = 12
    ssl_config: str | None = None

    def __init__(self, folder: Path) -> None:  # the server keeps no files
        server = self.server()
        self._connection = server.connection
        self.config = IrisConfig(
            host=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            ssl_config=self.ssl_config,
        )

    @contextmanager
    def patched(self) -> Generator[None]:
        yield

    def server(self) -> StandIn:
        return plain_server()

    def store(self) -> Store:
        return IrisStore(self.config)

    def put_external(self, image_id: str, study_id: str = "s1", subject_id: str = "p1", view: str = "PA") -> None:
        """Write as the program did that this table is named after, with its own format of metadata."""
        tls = {"sslconfig": self.ssl_config} if self.ssl_config else {}
        with closing(iris.dbapi.connect(**self._connection, **tls)) as connection:
            connection.cursor().execute(
                f"INSERT INTO {self.config.table} (ImageID, StudyID, SubjectID, ViewPosition, Metadata, Vector)"  # noqa: S608  # a table of the test's own
                " VALUES (?, ?, ?, ?, ?, TO_VECTOR(?, DOUBLE))",
                [image_id, study_id, subject_id, view, '["no", "object", "of ours"]', ",".join(["1"] * 8)],
            )
            connection.commit()


class IrisTlsBackend(IrisBackend):
    walks = 2
    ssl_config = CONFIG

    def server(self) -> StandIn:
        return tls_server()


BACKENDS: list[type[Backend]] = [MemoryBackend, EmbeddedBackend, IrisBackend, IrisTlsBackend]
RANKING_BACKENDS: list[type[Backend]] = [*BACKENDS, LargeEmbeddedBackend]
"""Backends that differ in how they rank and count."""
