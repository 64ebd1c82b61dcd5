"""ingest_directory: adds a folder to the archive, over several calls if needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mcp import Client

from mcp_cxr.server import build_server
from tests.server.archives import environment, settings, small_dicom, write_small_images
from tests.server.conftest import Host, host_of
from tests.support.archives import open_memory_archive

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.settings import Settings

SUMMARY = (
    "found processed skipped recorded_bad other_file_same_id other_pixels_same_id added errors errors_by_reason "
    "would_add remaining studies_updated total_in_store seconds images_per_second stages slowest_stage next notes "
    "studies with companions unused warnings"
).split()
IMAGES = 20


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    write_small_images(folder, IMAGES)
    return folder


@pytest.fixture
def archive_settings(tmp_path: Path) -> Settings:
    return settings(environment(tmp_path / "data", roots=tmp_path))


async def test_a_folder_is_ingested_and_a_second_call_adds_none(host: Host, images: Path):
    first = await host.ask("ingest_directory", path=str(images))
    assert list(first) == SUMMARY
    assert (first["found"], first["added"], first["total_in_store"]) == (IMAGES, IMAGES, IMAGES)
    assert (first["remaining"], first["next"], first["would_add"]) == (0, None, None)
    second = await host.ask("ingest_directory", path=str(images))
    assert (second["added"], second["skipped"], second["total_in_store"]) == (0, IMAGES, IMAGES)


async def test_bad_files_are_counted_by_reason_and_nothing_is_lost(host: Host, images: Path):
    (images / "note.dcm").write_text("This is a letter.")
    whole = small_dicom(0)
    (images / "short.dcm").write_bytes(whole[: len(whole) // 2])
    summary = await host.ask("ingest_directory", path=str(images))
    assert (summary["added"], summary["errors"]) == (IMAGES, 2)
    assert sorted(summary["errors_by_reason"].values()) == [1, 1]
    assert summary["found"] == sum(summary[name] for name in ("skipped", "added", "errors", "remaining"))


async def test_a_dry_run_counts_and_writes_nothing(host: Host, images: Path):
    summary = await host.ask("ingest_directory", path=str(images), dry_run=True)
    assert (summary["would_add"], summary["added"], summary["total_in_store"]) == (IMAGES, 0, 0)
    overview = await host.ask("get_archive_overview")
    assert (overview["images"], overview["store"]["schema_version"]) == (0, None)


async def test_a_limit_reads_the_first_files_only(host: Host, images: Path):
    summary = await host.ask("ingest_directory", path=str(images), limit=3)
    assert (summary["found"], summary["added"]) == (3, 3)


async def test_progress_is_reported_until_the_end(host: Host, images: Path):
    heard: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    await host.client.call_tool("ingest_directory", {"path": str(images)}, progress_callback=hear)
    assert (IMAGES, IMAGES, f"added {IMAGES}, skipped 0, errors 0") in heard


async def test_a_folder_without_images_is_one_line(host: Host, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    line = await host.refused("ingest_directory", path=str(tmp_path / "empty"))
    assert line.startswith("No DICOM, PNG or JPEG files below")


async def test_a_folder_outside_the_roots_is_refused_also_through_a_link(
    host: Host, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
):
    outside = tmp_path_factory.mktemp("outside")
    write_small_images(outside, 1)
    (tmp_path / "link").symlink_to(outside)
    for path in (outside, tmp_path / "link", tmp_path / ".." / outside.name):
        assert "add its folder to MCP_CXR_ROOTS" in await host.refused("ingest_directory", path=str(path))


async def test_a_call_out_of_time_says_how_to_continue_and_the_next_one_finishes(
    images: Path, archive_settings: Settings
):
    """The first server's time is over at once; the second has the usual pace."""
    async with Client(build_server(lambda: open_memory_archive(archive_settings), ingest_time_limit_s=0)) as client:
        stopped = await (await host_of(client)).ask("ingest_directory", path=str(images))
    assert "call ingest_directory again" in stopped["next"]
    assert stopped["remaining"] is None or stopped["remaining"] > 0
    assert stopped["added"] < IMAGES
    async with Client(build_server(lambda: open_memory_archive(archive_settings))) as client:
        rest = await (await host_of(client)).ask("ingest_directory", path=str(images))
    assert rest["next"] is None
    assert rest["added"] + stopped["added"] == rest["total_in_store"] == IMAGES
