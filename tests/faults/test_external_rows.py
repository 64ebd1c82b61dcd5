"""External rows: vectors of sentences, zeros, no vector, and the original program's metadata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import numpy as np
import pytest
from mcp import Client

from mcp_cxr.cli import main
from mcp_cxr.embeddings import OfflineEmbedder
from mcp_cxr.errors import QueryError
from mcp_cxr.records import ImageId
from mcp_cxr.server import build_server
from mcp_cxr.stores import EmbeddedStore
from tests.support.archives import all_bytes, ingested, opened, rows
from tests.support.image_files import mimic, report

if TYPE_CHECKING:
    from pathlib import Path

RAW_PATIENT_ID = "SMITH^JOHN-19481231"
INSERT_EXTERNAL = """
INSERT INTO images (image_id, study_id, subject_id, view_position, image_path, metadata) VALUES (?, ?, ?, 'PA', ?, ?)"""


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for number in range(4):
        report(mimic(tmp_path / "films", number), "IMPRESSION: Edema.")
    return tmp_path / "films"


@pytest.fixture
async def data(tmp_path: Path, images: Path) -> Path:
    """An archive of one image, and external rows for three more: a vector of a sentence, zeros, no vector."""
    data, embedder = tmp_path / "data", OfflineEmbedder(preprocessing="1")
    await ingested(data, images, embedder, limit=1)
    length = (await embedder.fingerprint()).dimension
    sentence = np.random.default_rng(0).standard_normal(length).astype("<f4")
    vectors = [sentence.tobytes(), np.zeros(length, "<f4").tobytes(), None]
    for path, vector in zip(paths(images)[1:], vectors, strict=True):
        metadata = json.dumps({"PatientID": RAW_PATIENT_ID, "embedding_text": "Chest X-ray PA view"})
        study, subject = path.parent.name, path.parent.parent.name
        rows(data, INSERT_EXTERNAL, path.stem, study, subject, str(path), metadata)
        if vector is not None:
            rows(data, "INSERT INTO vectors SELECT slot, ? FROM images WHERE image_id = ?", vector, path.stem)
    return data


def paths(images: Path) -> list[Path]:
    return sorted(images.rglob("*.dcm"))


def external_ids(images: Path) -> list[ImageId]:
    return [ImageId(path.stem) for path in paths(images)[1:]]


async def test_external_rows_are_counted_everywhere(data: Path) -> None:
    async with opened(data, OfflineEmbedder(preprocessing="1")) as archive:
        overview = await archive.overview()
        assert (overview.images, overview.external) == (4, 3)
        assert (await archive.verify()).problems["external"] == 3
        advice = {finding.name: finding.advice for finding in await archive.doctor() if not finding.ok}
        assert advice == {"external rows": "Ingest their files again to make them searchable."}


async def test_external_rows_are_never_ranked_matched_listed_or_used_as_examples(data: Path, images: Path) -> None:
    async with opened(data, OfflineEmbedder(preprocessing="1")) as archive:
        own = paths(images)[0].stem
        queries: list[dict[str, Any]] = [{"query": "edema"}, {"view": ["PA", "UNKNOWN"]}, {"study_id": "s50000000"}]
        for query in queries:
            result = await archive.search(**query)
            assert [hit.image_id for hit in result.images] == [own]
            assert result.total_results == 1
            assert result.warnings[-1].startswith("3 images written by another program have no usable vector.")
        assert (await archive.search(like=[own])).total_results == 0
        with pytest.raises(QueryError, match="written by another program"):
            await archive.search(like=[external_ids(images)[0]])


async def test_external_rows_are_details_without_their_metadata(data: Path, images: Path) -> None:
    async with opened(data, OfflineEmbedder(preprocessing="1")) as archive:
        for image_id in external_ids(images):
            details = await archive.show(image_id)
            assert details.external
            assert RAW_PATIENT_ID not in str(details)


async def test_ingest_replaces_external_rows(data: Path, images: Path) -> None:
    assert RAW_PATIENT_ID.encode() in all_bytes(data)
    summary = await ingested(data, images, OfflineEmbedder(preprocessing="1"))
    assert (summary.added, summary.skipped, summary.errors) == (3, 1, 0)
    async with opened(data, OfflineEmbedder(preprocessing="1")) as archive:
        overview = await archive.overview()
        assert (overview.images, overview.external) == (4, 0)
        assert (await archive.search("edema")).total_results == 4
    assert rows(data, "SELECT count(*) FROM images WHERE metadata LIKE ?", f"%{RAW_PATIENT_ID}%") == [(0,)]


async def test_no_tool_or_command_shows_the_metadata_of_external_rows(
    data: Path, images: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    external = external_ids(images)[0]
    tools: dict[str, dict[str, Any]] = {
        "get_image_metadata": {"image_id": external},
        "search_medical_images": {"query": "edema smith john"},
        "get_archive_overview": {},
    }
    server = build_server(lambda: opened(data, OfflineEmbedder(preprocessing="1")), share=("reports", "images"))
    async with Client(server) as client:
        answers = {name: str(await client.call_tool(name, arguments)) for name, arguments in tools.items()}
    monkeypatch.setenv("MCP_CXR_DATA_DIR", str(data))
    monkeypatch.setenv("MCP_CXR_EMBEDDER", "offline")
    for command in (f"show {external}", f"show {external} --json", "table stats", "table verify", "doctor"):
        await anyio.to_thread.run_sync(main, command.split())
        answers[command] = "".join(capfd.readouterr())
    for name, answer in answers.items():
        assert RAW_PATIENT_ID not in answer, name
        assert "Chest X-ray PA view" not in answer, name
    assert "'external': True" in answers["get_image_metadata"]
    assert "'external': 3" in answers["get_archive_overview"]
    assert "3 images written by another program have no usable vector." in answers["table stats"]
    assert "image written by another program: 3" in answers["table verify"]
    assert "FAIL  external rows  3 of 4" in answers["doctor"]


async def test_no_metadata_of_replaced_rows_stays_in_the_database_file(data: Path, images: Path) -> None:
    await ingested(data, images, OfflineEmbedder(preprocessing="1"))
    assert RAW_PATIENT_ID.encode() not in all_bytes(data)


async def test_ingest_replaces_the_rows_of_an_archive_that_has_only_external_ones(tmp_path: Path, images: Path) -> None:
    """Such an archive has no fingerprint."""
    data = tmp_path / "external"
    async with EmbeddedStore(data) as store:
        await store.create()
    for path in paths(images):
        rows(data, INSERT_EXTERNAL, path.stem, "", "", "", json.dumps({"PatientID": RAW_PATIENT_ID}))
        rows(data, "INSERT INTO vectors SELECT slot, zeroblob(4096) FROM images WHERE image_id = ?", path.stem)
    async with opened(data) as archive:
        before = await archive.overview()
        assert (before.images, before.external, before.embedder["fingerprint"]) == (4, 4, None)
        for mode in ("auto", "vector", "words"):
            result = await archive.search("edema", mode=mode)
            assert (result.total_results, result.images) == (0, [])
        summary = await archive.ingest(images)
        assert (summary.added, summary.remaining) == (4, 0)
        after = await archive.overview()
        assert (after.images, after.external) == (4, 0)
        assert (await archive.search("edema", mode="vector")).total_results == 4
        assert not any((await archive.verify()).problems.values())
