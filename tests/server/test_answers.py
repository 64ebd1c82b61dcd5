"""Results of the tools: their shape and their content."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mcp import Client

from mcp_cxr.records import LABELS, ImageId, ImageRecord, Study, StudyId, SubjectId
from mcp_cxr.server import build_server
from tests.server.archives import Ingested, environment, settings
from tests.server.conftest import Host, host_of, wire_bytes
from tests.support.archives import open_memory_archive

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from mcp_cxr.archive import Archive
    from mcp_cxr.settings import Settings

PAGE = (
    "note query search_mode fallback_reason embedder understood filters matched_results counts total_results "
    "results_count offset execution_time_ms cache_hit images"
).split()
HIT = (
    "rank image_id study_id subject_id study_date view_position matched labels labels_absent report_excerpt why".split()
)
OVERVIEW = "images studies subjects external by_view by_label embedder store roots next".split()
SHOWN = (
    "note image_id study_id subject_id view_position view_source image_path path study_date days_since_first_study "
    "split labels labels_by sex age tags grayscale report external other_images warnings"
).split()
MANY = 120
RESULT_LIMIT = 1_000_000


async def test_a_query_finds_the_labelled_studies(host: Host, demo: Ingested):
    page = await host.ask("search_medical_images", query="pneumothorax", labels=["Pneumothorax"])
    drawn = {
        image.study_id for image in demo.drawn.images if any(found.kind == "pneumothorax" for found in image.findings)
    }
    assert {hit["study_id"] for hit in page["images"]} == drawn
    assert list(page) == PAGE
    assert page["matched_results"] == page["counts"]["present"] == page["total_results"] == len(drawn)
    assert page["understood"] == {"findings": ["pneumothorax"]}
    assert page["query"] == "pneumothorax"
    assert page["filters"] == {"labels": ["Pneumothorax"]}
    assert (page["search_mode"], page["embedder"]) == ("keyword", "offline-sketch-1")
    assert "cannot embed text" in page["fallback_reason"]
    for hit in page["images"]:
        assert list(hit) == HIT
        assert hit["matched"] == "full"
        assert hit["labels"]["Pneumothorax"] == 1
        assert 0 not in hit["labels"].values()
        assert set(hit["labels_absent"]).isdisjoint(hit["labels"])
        assert "pneumothorax" in hit["report_excerpt"].lower()
        assert any(reason.startswith("report: ") and "pneumothorax" in reason for reason in hit["why"])


async def test_an_example_finds_others_with_scores(host: Host, demo: Ingested):
    example = demo.drawn.images[0]
    page = await host.ask("search_medical_images", like=[example.image_id], limit=100, group="none")
    assert page["search_mode"] == "similar"
    assert not {"fallback_reason", "query", "understood", "matched_results", "counts"} & page.keys()
    folded = [reason for hit in page["images"] for reason in hit["why"] if reason.startswith("near duplicate")]
    assert page["results_count"] + len(folded) == page["total_results"] == len(demo.drawn.images) - 1
    assert all(-1 <= hit["similarity_score"] <= 1 for hit in page["images"])
    assert example.image_id not in [hit["image_id"] for hit in page["images"]]
    assert all(0 <= hit["percentile"] <= 100 and hit["why"][0] == "pixels" for hit in page["images"])
    ranks = [hit["rank"] for hit in page["images"]]
    assert ranks == sorted(set(ranks))


async def test_pages_follow_each_other_without_a_gap(host: Host):
    whole = await host.ask("search_medical_images", query="effusion", limit=100)
    studies: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = await host.ask("search_medical_images", query="effusion", limit=5, offset=offset)
        assert page["total_results"] == whole["total_results"]
        studies += [hit["study_id"] for hit in page["images"]]
        offset = page.get("next_offset")
    assert studies == [hit["study_id"] for hit in whole["images"]]
    assert "next_offset" not in whole


@pytest.mark.parametrize("view", ["ap", ["AP"], '["AP"]'])
async def test_a_view_filter_accepts_a_string_and_lower_case(host: Host, view: object, demo: Ingested):
    page = await host.ask("search_medical_images", view=view, group="none", limit=100)
    assert {hit["image_id"] for hit in page["images"]} == {
        image.image_id for image in demo.drawn.images if image.view == "AP"
    }
    assert page["search_mode"] == "filter"
    assert page["filters"] == {"view": ["AP"]}


async def test_a_subject_is_found_without_its_letter(host: Host, demo: Ingested):
    subject = demo.drawn.images[0].subject_id
    page = await host.ask("search_medical_images", subject_id=subject[1:], group="none")
    assert {hit["subject_id"] for hit in page["images"]} == {subject}


async def test_metadata_returns_all_facts(host: Host, demo: Ingested):
    image = next(image for image in demo.drawn.images if image.view == "PA" and image.findings)
    shown = await host.ask("get_image_metadata", image_id=image.image_id)
    assert list(shown) == SHOWN
    assert (shown["image_id"], shown["study_id"], shown["subject_id"]) == (
        image.image_id,
        image.study_id,
        image.subject_id,
    )
    assert shown["view_position"] == "PA"
    assert shown["image_path"] == image.path.relative_to(demo.drawn.folder / "files").as_posix()
    assert shown["path"] is None
    assert shown["report"]["FINDINGS"]
    assert shown["tags"]["Modality"] == "DX"
    siblings = [other.image_id for other in demo.drawn.images if other.study_id == image.study_id]
    assert shown["other_images"] == sorted(set(siblings) - {image.image_id})
    assert shown["warnings"] == []


async def test_the_overview_counts_what_was_ingested(host: Host, demo: Ingested):
    overview = await host.ask("get_archive_overview")
    images = demo.drawn.images
    assert list(overview) == OVERVIEW
    assert overview["images"] == len(images) == sum(overview["by_view"].values())
    assert overview["studies"] == len({image.study_id for image in images})
    assert overview["subjects"] == len({image.subject_id for image in images})
    assert overview["external"] == 0
    assert overview["by_view"]["AP"] == sum(image.view == "AP" for image in images)
    assert overview["embedder"]["fingerprint"]["model"] == "offline-sketch-1"
    assert (overview["roots"], overview["next"]) == ([], None)


@pytest.mark.parametrize("is_created", [False, True])
@pytest.mark.parametrize("has_root", [False, True])
async def test_the_overview_of_an_empty_archive_is_zeros_the_roots_and_the_next_step(
    tmp_path: Path, is_created: bool, has_root: bool
):
    root = tmp_path / "images" if has_root else None
    async with open_memory_archive(settings(environment(tmp_path / "data", roots=root))) as archive:
        if is_created:
            await archive.store.create()

        @asynccontextmanager
        async def open_it() -> AsyncGenerator[Archive]:
            yield archive

        async with Client(build_server(open_it)) as client:
            overview = await (await host_of(client)).ask("get_archive_overview")
    assert {overview[name] for name in ("images", "studies", "subjects", "external")} == {0}
    assert (overview["by_view"], overview["by_label"], overview["embedder"]["fingerprint"]) == ({}, {}, None)
    assert overview["roots"] == ([str(root)] if root else [])
    assert ("ingest_directory with a folder of roots" if root else "set MCP_CXR_ROOTS") in overview["next"]
    assert "mcp-cxr ingest PATH" in overview["next"]


async def test_no_result_holds_a_local_path(host: Host, demo: Ingested):
    image_id = demo.drawn.images[0].image_id
    answers = [
        await host.ask("get_archive_overview"),
        await host.ask("get_image_metadata", image_id=image_id),
        await host.ask("search_medical_images", query="effusion"),
    ]
    assert str(demo.drawn.folder.parent) not in json.dumps(answers)


class TestLargestResults:
    """Results stay below the size limit of hosts, whatever the reports contain."""

    @pytest.fixture
    def archive_settings(self, tmp_path: Path) -> Settings:
        return settings(environment(tmp_path / "data"))

    async def test_a_hundred_long_hits_stay_below_the_limit(self, archive_settings: Settings):
        await fill(archive_settings, report='pleural "effusion" \\ \x01' * 40)
        async with connected(archive_settings) as client:
            arguments = {"query": "pleural effusion " * 100, "limit": 100}
            result = await client.call_tool("search_medical_images", arguments)
        assert result.structured_content
        assert len(result.structured_content["images"]) == 100
        assert RESULT_LIMIT / 10 < wire_bytes(result) < RESULT_LIMIT

    async def test_a_report_of_a_megabyte_is_truncated_with_a_warning(self, archive_settings: Settings):
        await fill(archive_settings, report='"\\\x01' * 350_000, images=1)
        async with connected(archive_settings) as client:
            result = await client.call_tool("get_image_metadata", {"image_id": "image-000"})
        assert result.structured_content
        assert result.structured_content["warnings"] == ["The report is truncated after 50000 characters."]
        assert RESULT_LIMIT / 10 < wire_bytes(result) < RESULT_LIMIT

    async def test_a_report_of_many_sections_is_truncated_too(self, archive_settings: Settings):
        titles = ["".join(chr(65 + int(digit)) for digit in f"{number:05}") for number in range(40_000)]
        await fill(archive_settings, report="\n".join(f"{title}: x" for title in titles), images=1)
        async with connected(archive_settings) as client:
            host = await host_of(client)
            shown = await host.ask("get_image_metadata", image_id="image-000")
            result = await client.call_tool("get_image_metadata", {"image_id": "image-000"})
        assert 0 < len(shown["report"]) < 10_000
        assert wire_bytes(result) < RESULT_LIMIT


def connected(archive_settings: Settings) -> Client:
    server = build_server(lambda: open_memory_archive(archive_settings), share=("reports", "images"))
    return Client(server)


async def fill(archive_settings: Settings, *, report: str, images: int = MANY) -> None:
    """Write images with long facts straight into the store."""
    random = np.random.default_rng(0)
    async with open_memory_archive(archive_settings) as archive:
        fingerprint = await archive.embedder.fingerprint()
        await archive.store.create(fingerprint)
        records = [record(number) for number in range(images)]
        vectors = random.normal(size=(images, fingerprint.dimension)).astype(np.float32)
        await archive.store.put(records, vectors)
        labels: dict[str, int] = dict.fromkeys(LABELS, 1)
        studies = [Study(one.study_id, one.subject_id, labels=labels, report=report) for one in records]
        await archive.store.put_studies(studies)


def record(number: int) -> ImageRecord:
    facts: dict[str, Any] = {"Manufacturer": "x" * 200, "StudyDescription": "effusion " * 20}
    return ImageRecord(
        image_id=ImageId(f"image-{number:03}"),
        study_id=StudyId(f"s{number}"),
        subject_id=SubjectId(f"p{number}"),
        view_position="PA",
        view_source="none",
        image_path="/".join(["folder" * 20] * 8),
        root="/nowhere",
        tags=facts,
    )
