"""An archive that an older version wrote opens, and shows every fact as that version did."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import iris.dbapi
import pytest
from click.testing import CliRunner

from mcp_cxr.archive import open_archive
from mcp_cxr.cli import cli
from mcp_cxr.errors import ReaderMismatch
from mcp_cxr.ingest import IngestCallbacks
from mcp_cxr.language import READER_VERSION
from mcp_cxr.settings import Settings
from tests.support.image_files import mimic
from tests.support.iris import plain_server, variables

if TYPE_CHECKING:
    from tests.standins.iris import StandIn

HERE = Path(__file__).parent
SHOWN: dict[str, Any] = json.loads((HERE / "shown.json").read_text())
OLD_READER = "reports read by an older version"
RENAMED = {"grey_scale": "grayscale", "foreign": "external"}
"""JSON keys that have another name now: the old one, and the new one."""


@pytest.fixture
def embedded(tmp_path: Path) -> dict[str, str]:
    """The variables of the archive that `embedded.sql` holds."""
    with closing(sqlite3.connect(tmp_path / "archive.sqlite3")) as connection:
        connection.executescript((HERE / "embedded.sql").read_text())
    return {"MCP_CXR_DATA_DIR": str(tmp_path), "MCP_CXR_EMBEDDER": "offline"}


@pytest.fixture
def on_iris(tmp_path: Path) -> dict[str, str]:
    """The variables of the archive that `iris.json` holds."""
    server = plain_server()
    _restore(server, json.loads((HERE / "iris.json").read_text()))
    return variables(server, MCP_CXR_DATA_DIR=str(tmp_path), MCP_CXR_EMBEDDER="offline")


def _restore(server: StandIn, dump: dict[str, Any]) -> None:
    with closing(iris.dbapi.connect(**server.connection)) as connection, closing(connection.cursor()) as cursor:
        for statement in dump["definitions"]:
            cursor.execute(statement)
        for table, rows in dump["rows"].items():
            for row in rows:
                kept = {name: value for name, value in row.items() if value is not None}
                marks = ("TO_VECTOR(?, DOUBLE)" if name == "Vector" else "?" for name in kept)
                statement = f"INSERT INTO {table} ({', '.join(kept)}) VALUES ({', '.join(marks)})"  # noqa: S608  # ours
                cursor.execute(statement, list(kept.values()))
        connection.commit()


NEWER = ("labels_by", "sex", "age", "days_since_first_study")
"""Fields of `show --json` that the old writer did not know."""


@pytest.mark.parametrize("place", ["embedded", "on_iris"])
async def test_every_field_of_an_old_archive_is_shown_as_before(place: str, request: pytest.FixtureRequest):
    named = request.getfixturevalue(place)
    expected = {image_id: _renamed(shown) for image_id, shown in SHOWN[place.removeprefix("on_")].items()}
    async with open_archive(Settings.model_validate(named)) as archive:
        for _ in range(2):
            shown = {image_id: asdict(await archive.show(image_id)) for image_id in expected}
            newer = [one.pop(name) for one in shown.values() for name in NEWER]
            assert set(newer) == {None}
            paths = {image_id: one.pop("path") for image_id, one in shown.items()}
            assert all(paths[image_id].endswith(f"/{one['image_path']}") for image_id, one in shown.items())
            assert shown == expected
            labeled = await archive.search(labels_absent=["Fracture"], group="none")
            assert {hit.image_id for hit in labeled.images} == {
                image_id for image_id, one in expected.items() if one["labels"] and not one["labels"].get("Fracture")
            }
            await archive.store.rebuild_documents_if_older()


@pytest.mark.parametrize("place", ["embedded", "on_iris"])
async def test_an_old_archive_is_searched_by_words_and_by_example(place: str, request: pytest.FixtureRequest):
    named = request.getfixturevalue(place)
    async with open_archive(Settings.model_validate(named)) as archive:
        assert (await archive.store.info()).reader_version == 1
        with pytest.raises(ReaderMismatch, match="table verify --repair"):
            await archive.search("right pleural effusion")
        with pytest.raises(ReaderMismatch, match="table verify --repair"):
            await archive.evaluate()
        assert (await archive.search(view=["PA"])).images
        assert (await archive.verify()).problems[OLD_READER] == 3
        assert await archive.store.rebuild_documents_if_older() == 3
        assert await archive.store.rebuild_documents_if_older() is None
        assert (await archive.verify()).problems[OLD_READER] == 0
        by_words = await archive.search("right pleural effusion")
        assert by_words.images[0].study_id == "s57507500"
        by_example = await archive.search(like=[by_words.images[0].image_id], group="none")
        assert by_example.images
        assert all(hit.similarity_score for hit in by_example.images)
        overview = await archive.overview()
        assert (overview.images, overview.studies) == (6, 4)


def _renamed(shown: dict[str, Any]) -> dict[str, Any]:
    return {RENAMED.get(name, name): value for name, value in shown.items()}


@pytest.mark.parametrize("place", ["embedded", "on_iris"])
async def test_the_next_ingest_reads_an_old_archive_s_reports_again(
    place: str, request: pytest.FixtureRequest, tmp_path: Path
):
    named = request.getfixturevalue(place)
    mimic(tmp_path / "new", 1)
    reports_reread: list[int] = []

    async def on_reports_reread(studies: int) -> None:
        reports_reread.append(studies)

    async with open_archive(Settings.model_validate(named)) as archive:
        callbacks = IngestCallbacks(on_reports_reread=on_reports_reread)
        await archive.ingest(tmp_path / "new", dry_run=True, callbacks=callbacks)
        assert reports_reread == []
        for _ in range(2):
            await archive.ingest(tmp_path / "new", callbacks=callbacks)
        assert reports_reread == [3]
        assert (await archive.search("right pleural effusion")).images[0].study_id == "s57507500"


@pytest.mark.parametrize("place", ["embedded", "on_iris"])
async def test_repair_reads_an_old_archive_s_reports_again(place: str, request: pytest.FixtureRequest):
    named = request.getfixturevalue(place)
    async with open_archive(Settings.model_validate(named)) as archive:
        assert (await archive.repair()).repaired[OLD_READER] == 3
        assert (await archive.search("right pleural effusion")).images[0].study_id == "s57507500"


@pytest.mark.parametrize("arguments", [("table", "create"), ("table", "verify", "--repair")])
def test_a_command_says_that_it_read_reports_again(embedded: dict[str, str], arguments: tuple[str, ...]):
    first, again = (
        CliRunner().invoke(cli, arguments, env=embedded, help_option_names=["-h", "--help"]) for _ in range(2)
    )
    line = f"Read the reports of 3 studies again with reader version {READER_VERSION}; nothing was embedded."
    assert (line in first.stderr, line in again.stderr) == (True, False)
