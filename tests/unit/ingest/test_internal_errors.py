"""An error of our own code is held against no file: it is counted by its class, and the next run tries again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from pydicom.uid import RLELossless

from mcp_cxr.images import _read
from mcp_cxr.images.workers import _worker_pool
from mcp_cxr.ingest import _write
from tests.support.archives import ingested, rows
from tests.support.image_files import dicom, truncated
from tests.support.toy import ToyEmbedder
from tests.unit.images.making import dicom_image, phantom, saved

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.ingest._stage_items import EmbeddedFile

REASON = "internal error (TypeError)"
FAULTY_WORKER = """
from mcp_cxr.images import _read
from mcp_cxr.images.workers import _process_main
def render_gray(*_, **__):
    raise TypeError("PATIENT" + "^NAME")  # apart, because a traceback quotes this line
_read.render_gray = render_gray
_process_main.main()
"""


def broken(*_: Any, **__: Any) -> Any:
    raise TypeError("PATIENT" + "^NAME")  # apart, because a traceback quotes this line


async def assert_all_are_added_by_the_next_run(data: Path, folder: Path, count: int) -> None:
    assert rows(data, "SELECT path FROM files") == []
    summary = await ingested(data, folder)
    assert (summary.added, summary.errors, summary.skipped) == (count, 0, 0)


async def test_an_error_of_the_renderer_is_held_against_no_file(
    data: Path, image_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        dicom(image_dir / f"{number}.dcm", number + 1)
    with monkeypatch.context() as patched:
        patched.setattr(_read, "render_gray", broken)
        summary = await ingested(data, image_dir)
    assert (summary.added, summary.errors_by_reason, summary.next) == (0, {REASON: 3}, None)
    assert "test_internal_errors.py" in caplog.text
    assert "PATIENT^NAME" not in caplog.text
    await assert_all_are_added_by_the_next_run(data, image_dir, 3)


async def test_an_error_in_a_worker_is_held_against_no_file(
    data: Path, image_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    facts = dicom_image(phantom(300, 280))
    facts.compress(RLELossless, generate_instance_uid=False)
    saved(facts, image_dir / "a.dcm")
    with monkeypatch.context() as patched:
        defaults = _worker_pool.WorkerPool.__init__.__kwdefaults__
        assert defaults is not None
        patched.setitem(defaults, "command", (sys.executable, "-P", "-c", FAULTY_WORKER))
        summary = await ingested(data, image_dir)
    assert (summary.added, summary.errors_by_reason) == (0, {REASON: 1})
    assert "in render_gray" in caplog.text
    assert "PATIENT^NAME" not in caplog.text
    await assert_all_are_added_by_the_next_run(data, image_dir, 1)


async def test_an_error_of_the_writer_at_one_file_leaves_the_rest_of_its_batch_written(
    data: Path, image_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        dicom(image_dir / f"{number:02}.dcm", number + 1)
    write = _write.WriteStage._write_batch

    async def faulty(stage: _write.WriteStage, batch: list[EmbeddedFile]) -> _write.WrittenBatch:
        return broken() if any(item.new.file.path.name == "07.dcm" for item in batch) else await write(stage, batch)

    with monkeypatch.context() as patched:
        patched.setattr(_write.WriteStage, "_write_batch", faulty)
        summary = await ingested(data, image_dir)
    assert (summary.added, summary.errors_by_reason, summary.next) == (29, {REASON: 1}, None)
    assert (await ingested(data, image_dir)).added == 1


async def test_an_error_of_the_embedder_is_held_against_no_file(data: Path, image_dir: Path) -> None:
    class Broken(ToyEmbedder):
        async def embed_images(self, pictures: Any) -> Any:
            return broken(pictures)

    for number in range(3):
        dicom(image_dir / f"{number}.dcm", number + 1)
    assert (await ingested(data, image_dir, Broken())).errors_by_reason == {REASON: 3}
    await assert_all_are_added_by_the_next_run(data, image_dir, 3)


@pytest.mark.parametrize("stage", ["render_gray", "write"])
async def test_many_internal_errors_in_a_row_end_the_run(
    data: Path, image_dir: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    for number in range(60):
        dicom(image_dir / f"{number:02}.dcm", number + 1)
    with monkeypatch.context() as patched:
        if stage == "write":
            patched.setattr(_write.WriteStage, "_write_batch", broken)
        else:
            patched.setattr(_read, "render_gray", broken)
        summary = await ingested(data, image_dir)
    assert summary.next is not None
    assert "20 files in a row" in summary.next
    assert 20 <= summary.errors < 60
    assert summary.remaining == 60 - summary.errors
    await assert_all_are_added_by_the_next_run(data, image_dir, 60)


async def test_damaged_files_are_no_internal_errors(data: Path, image_dir: Path) -> None:
    for number in range(25):
        truncated(image_dir / f"{number:02}.dcm", number + 1)
    summary = await ingested(data, image_dir)
    assert (summary.errors_by_reason, summary.next) == ({"truncated pixel data": 25}, None)


async def test_a_file_that_another_version_refused_is_tried_again_by_itself(data: Path, image_dir: Path) -> None:
    dicom(image_dir / "good.dcm", 1)
    truncated(image_dir / "short.dcm", 2)
    await ingested(data, image_dir)
    assert (await ingested(data, image_dir)).recorded_bad == 1
    rows(
        data, "UPDATE files SET reason = 'truncated pixel data' WHERE reason IS NOT NULL"
    )  # as older versions wrote it
    again = await ingested(data, image_dir)
    assert (again.recorded_bad, again.errors, again.skipped) == (0, 1, 1)
    assert (await ingested(data, image_dir)).recorded_bad == 1
