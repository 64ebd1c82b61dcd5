"""Writes the dumps of this folder: one small archive in each store, as commit e085d44 wrote them.

Run it at that commit, from the top of the checkout: `python -m tests.old_archives.write_first`. It imports what stood
there then, so no checker reads it now.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import iris.dbapi

from mcp_cxr.archive import open_archive
from mcp_cxr.demo import write_archive
from mcp_cxr.settings import Settings
from mcp_cxr.stores.iris import _tables
from tests.standins.iris import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).parent
FOLDER = "/archive/images"
TABLE = "VectorSearch.MIMICCXRImages"
_EXTERNAL = "INSERT INTO images (image_id, study_id, subject_id, view_position) VALUES ('external-1', 's9', 'p9', 'PA')"
_EXTERNAL_ROW = (
    f"INSERT INTO {TABLE} (ImageID, StudyID, SubjectID, ViewPosition) VALUES ('external-1', 's9', 'p9', 'PA')"  # noqa: S608
)


def main() -> None:
    """Draw, ingest into each store, dump what was written and what `show` gives."""
    with tempfile.TemporaryDirectory() as name, StandIn() as server:
        images, data = Path(name) / "images", Path(name) / "data"
        write_archive(images, studies=3)
        (images / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM")
        variables = {
            "MCP_CXR_DATA_DIR": str(data),
            "MCP_CXR_EMBEDDER": "offline",
            "MCP_CXR_ID_KEY_FILE": str(data / "id.key"),
        }
        shown = {"embedded": anyio.run(_ingested, variables, images)}
        with closing(sqlite3.connect(data / "archive.sqlite3")) as connection:
            connection.execute(_EXTERNAL)
            connection.commit()
            dump = "\n".join(connection.iterdump())
        shown["iris"] = anyio.run(_ingested, variables | _iris(server), images)
        with closing(iris.dbapi.connect(**server.connection)) as link, closing(link.cursor()) as cursor:
            cursor.execute(_EXTERNAL_ROW)
            link.commit()
        tables = {table: server.rows(table) for table in server.tables}
        statements = _definitions(server.tables)
    version = "PRAGMA user_version = 3;\n"
    (HERE / "embedded.sql").write_text(version + dump.replace(str(images), FOLDER) + "\n")
    _write("iris.json", {"definitions": statements, "rows": tables}, images)
    _write("shown.json", shown, images)


def _definitions(tables: Iterable[str]) -> list[str]:
    """Return the statements that made the tables, as that commit had them."""
    schema = resources.files("mcp_cxr.stores.iris").joinpath("schema.sql").read_text(encoding="utf-8")
    texts = [
        _tables.MAKE_COLLECTION,
        *schema.split(";\n"),
        _tables._MAKE_IMAGES.replace("{dimension}", "672"),
        *_tables._IMAGE_INDEXES,
        _tables._MAKE_HNSW,
    ]
    assert TABLE in tables
    bare = ("\n".join(line for line in text.splitlines() if not line.startswith("--")).strip() for text in texts)
    return [text.replace("{table}", TABLE) for text in bare]


def _write(name: str, value: Any, images: Path) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False).replace(str(images), FOLDER)
    (HERE / name).write_text(text + "\n")


def _iris(server: StandIn) -> dict[str, str]:
    return {
        "MCP_CXR_STORE": "iris",
        "IRIS_PORT": str(server.port),
        "IRIS_USERNAME": server.username,
        "IRIS_PASSWORD": server.password,
    }


async def _ingested(variables: dict[str, str], images: Path) -> dict[str, Any]:
    async with open_archive(Settings.model_validate(variables)) as archive:
        await archive.ingest(images)
        ids = [stored.image.image_id for stored in await archive.store.page(None, limit=100)]
        return {image_id: asdict(await archive.show(image_id)) for image_id in ids}


if __name__ == "__main__":
    main()
