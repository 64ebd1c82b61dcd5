"""How the tests reach each kind of store; one class here is all that another kind needs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mcp_cxr.stores import EmbeddedStore

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.stores import Store


class Backend(Protocol):
    """A place where one collection can be."""

    def __init__(self, folder: Path) -> None: ...

    def store(self) -> Store:
        """Return a new store of this place, not yet opened."""
        ...

    def plant_foreign(self, image_id: str, study_id: str = "s1", subject_id: str = "p1", view: str = "PA") -> None:
        """Write an image as another program would."""
        ...


class EmbeddedBackend:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def store(self) -> Store:
        return EmbeddedStore(self.folder)

    def plant_foreign(self, image_id: str, study_id: str = "s1", subject_id: str = "p1", view: str = "PA") -> None:
        with closing(sqlite3.connect(self.folder / "archive.sqlite3")) as connection, connection:
            slot = connection.execute(
                "INSERT INTO images (image_id, study_id, subject_id, view_position, metadata) VALUES (?, ?, ?, ?, ?)",
                (image_id, study_id, subject_id, view, '["no", "object", "of ours"]'),
            ).lastrowid
            vector = np.ones(8, np.float32).tobytes()
            connection.execute("INSERT INTO vectors (slot, vector) VALUES (?, ?)", (slot, vector))


BACKENDS: list[type[Backend]] = [EmbeddedBackend]
