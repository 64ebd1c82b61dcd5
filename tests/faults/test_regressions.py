"""Faults that a code review found, each reproduced."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from mcp import Client, StdioServerParameters

from mcp_cxr.embeddings import OfflineEmbedder
from mcp_cxr.errors import ConfigError, FingerprintMismatch, PathRefused
from mcp_cxr.ingest import StopSignal
from tests.support.archives import ingested, opened, opened_in_memory, rows
from tests.support.image_files import dicom, mimic, plain, report
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_UTF8 = os.fsdecode(b"\xff\xfe.dcm")


async def test_a_file_name_of_invalid_utf8_or_with_a_patient_name_is_safe_for_hosts(tmp_path: Path) -> None:
    dicom(tmp_path / "films" / "DOE^JOHN" / NOT_UTF8, 1)
    await ingested(tmp_path / "data", tmp_path / "films")
    async with opened(tmp_path / "data") as archive:
        (hit,) = (await archive.search(view=["UNKNOWN", "PA"])).images
        assert hit.image_path == "DOE^JOHN/\ufffd\ufffd.dcm"
    environment = {"MCP_CXR_DATA_DIR": str(tmp_path / "data"), "MCP_CXR_EMBEDDER": "offline"}
    server = StdioServerParameters(command=sys.executable, args=["-m", "mcp_cxr", "serve"], env=environment)
    async with Client(server) as client:
        with anyio.fail_after(20):
            answers = [
                await client.call_tool("search_medical_images", {"view": ["UNKNOWN", "PA"]}),
                await client.call_tool("get_image_metadata", {"image_id": hit.image_id}),
            ]
    for answer in answers:
        assert not answer.is_error
        assert hit.image_id in str(answer)
        assert "DOE" not in str(answer)


async def test_a_file_that_became_another_image_leaves_no_row_behind(tmp_path: Path) -> None:
    images, data = tmp_path / "films", tmp_path / "data"
    for number in range(2):
        plain(images / f"{number}.png", number)
    await ingested(data, images)
    plain(images / "0.png", 7)
    (images / "1.png").write_text("no image")  # a test may wait
    summary = await ingested(data, images)
    assert (summary.added, summary.errors, summary.total_in_store) == (1, 1, 1)
    async with opened(data) as archive:
        assert not any((await archive.verify()).problems.values())


@pytest.mark.parametrize(("first", "second"), [("hash", "keep"), ("keep", "hash")])
async def test_an_archive_holds_ids_of_one_kind(tmp_path: Path, first: str, second: str) -> None:
    dicom(tmp_path / "films" / "a.dcm", 1)
    dicom(tmp_path / "more" / "b.dcm", 2)
    async with opened(tmp_path / "data", MCP_CXR_IDS=first) as archive:
        await archive.ingest(tmp_path / "films")
    async with opened(tmp_path / "data", MCP_CXR_IDS=second) as archive:
        with pytest.raises(ConfigError, match="use another archive"):
            await archive.ingest(tmp_path / "more")
        mimic(tmp_path / "mimic", 3)
        assert (await archive.ingest(tmp_path / "mimic")).added == 1
    assert rows(tmp_path / "data", "SELECT count(*) FROM images") == [(2,)]


async def test_a_run_stops_waiting_for_a_hanging_service_at_its_deadline(tmp_path: Path) -> None:
    stop_signal = StopSignal()

    async def hang(_: int) -> None:
        stop_signal.stop("Not finished.")
        await anyio.sleep_forever()

    mimic(tmp_path / "films", 1)
    async with opened(tmp_path / "data", ToyEmbedder(before_images=hang)) as archive:
        stop_signal.deadline = anyio.current_time() + 0.5
        with anyio.fail_after(10):
            summary = await archive.ingest(tmp_path / "films", stop_signal=stop_signal)
    assert (summary.added, summary.errors, summary.next) == (0, 0, "Not finished.")


@pytest.fixture
def nested(tmp_path: Path) -> Iterator[Path]:
    """An image beside 1,200 nested folders, removed by `rm` because `shutil.rmtree` recurses too."""
    images, here = tmp_path / "films", Path.cwd()
    plain(images / "a.png", 1)
    try:
        os.chdir(images)
        for _ in range(1200):
            os.mkdir("d")  # noqa: PTH102  # a whole path of this length is refused
            os.chdir("d")
    finally:
        os.chdir(here)
    yield images
    subprocess.run(["rm", "-r", str(images)], check=True)  # noqa: S607  # from PATH


async def test_folders_may_be_nested_deeper_than_the_recursion_limit(nested: Path, tmp_path: Path) -> None:
    assert (await ingested(tmp_path / "data", nested)).added == 1


async def test_an_invalid_path_is_refused_in_one_short_line(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as archive:
        for path in ("~nobodyhere/x", "a\0b", "x" * 5000):
            with pytest.raises(PathRefused) as caught:
                await archive.ingest(path)
            assert len(str(caught.value)) < 300


async def test_control_characters_of_a_report_do_not_reach_a_terminal(tmp_path: Path) -> None:
    report(mimic(tmp_path / "films", 1), "IMPRESSION: \x1b[2J\x1b]0;pwned\x07 Edema.\x9b")
    await ingested(tmp_path / "data", tmp_path / "films")
    async with opened(tmp_path / "data") as archive:
        shown = await archive.show((await archive.search("edema", mode="words")).images[0].image_id)
    assert shown.report
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in str(shown.report["IMPRESSION"]))


async def test_a_blank_filter_is_ignored_and_a_query_that_no_embedder_reads_is_not_dropped(toy_data: Path) -> None:
    async with opened_in_memory(toy_data, ToyEmbedder()) as archive:
        page = await archive.search("effusion", subject_id=" ", study_id="\t", split=" ", exclude_subject_of=" ")
        assert page.filters == {}
        assert page.images
        example = page.images[0].image_id
    async with opened_in_memory(toy_data, OfflineEmbedder(preprocessing="1")) as archive:
        with pytest.raises(FingerprintMismatch, match="MCP_CXR_EMBEDDER"):
            await archive.search("effusion", like=[example], mode="vector")
