"""Ingests that are stopped, cancelled, killed, fail or run concurrently: the next run completes the archive.

Each test compares the whole archive with that of one undisturbed run over the same files.
"""

from __future__ import annotations

import itertools
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anyio
import pytest
from anyio import to_thread

from mcp_cxr.errors import EmbeddingUnavailable, StoreUnavailable
from mcp_cxr.ingest import IngestCallbacks, StopSignal
from mcp_cxr.stores import EmbeddedStore
from tests.support import companions
from tests.support.archives import balanced, contents, ingested, is_made, opened, rows
from tests.support.image_files import dicom, mimic, report, truncated
from tests.support.toy import OUTAGE, ToyEmbedder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_cxr.ingest import IngestProgress

CHECKOUT = Path(__file__).parents[2]
FILES, IMAGES = 12, 10

# Ingests in batches of two; says a line before each batch is embedded, and waits for one.
INGEST = """
import sys, anyio
from pathlib import Path
from tests.support.archives import ingested
from tests.support.toy import ToyEmbedder

async def wait(batch):
    print(batch, flush=True)
    await anyio.to_thread.run_sync(sys.stdin.readline)

anyio.run(lambda: ingested(Path(sys.argv[1]), Path(sys.argv[2]), ToyEmbedder(before_images=wait), batch_size=2))
print("done", flush=True)
"""


@pytest.fixture
def image_dir(tmp_path: Path) -> Path:
    """Return images in MIMIC's layout with reports and labels, other images, one of them twice, and a bad file."""
    folder = tmp_path / "images"
    for number in range(5):
        image = mimic(folder, number, study=number // 2, subject=number // 2)
        report(image, f"IMPRESSION: Study {number // 2} shows edema.")
    companions.labels(folder, (10000000, 50000000, "1.0", ""))
    for number in range(5, 10):
        dicom(folder / "other" / f"{number}.dcm", number, StudyDate="21800506")
    truncated(folder / "other" / "bad.dcm", 99)
    shutil.copy(folder / "other" / "5.dcm", folder / "other" / "copy of 5.dcm")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def assert_whole(data: Path, image_dir: Path) -> None:
    """Compare the archive with that of an undisturbed run with the same key."""
    reference = data.with_name("reference")
    reference.mkdir()
    shutil.copy(data / "id.key", reference)
    await ingested(reference, image_dir)
    assert contents(data) == contents(reference)
    assert rows(data, "SELECT count(*) FROM images") == [(IMAGES,)]


async def finish(data: Path, image_dir: Path) -> None:
    """Ingest again, and check that nothing is missing and nothing remains."""
    summary = await ingested(data, image_dir)
    assert (summary.found, summary.remaining, summary.total_in_store) == (FILES, 0, IMAGES)
    await assert_whole(data, image_dir)


def once_added(act: Callable[[], None]) -> IngestCallbacks:
    """Return callbacks that act once the first images are written."""

    async def listen(progress: IngestProgress) -> None:
        if progress.added:
            act()

    return IngestCallbacks(on_progress=listen)


async def test_a_stopped_run_writes_its_current_batch_and_the_next_run_continues(data: Path, image_dir: Path) -> None:
    stop_signal = StopSignal()
    async with opened(data) as archive:
        callbacks = once_added(lambda: stop_signal.stop("Enough for now."))
        summary = balanced(await archive.ingest(image_dir, batch_size=2, stop_signal=stop_signal, callbacks=callbacks))
    assert summary.next == "Enough for now."
    assert 2 <= summary.added == summary.total_in_store < IMAGES
    await finish(data, image_dir)


async def test_a_run_stopped_before_it_begins_adds_nothing(data: Path, image_dir: Path) -> None:
    stop_signal = StopSignal()
    stop_signal.stop("Never mind.")
    async with opened(data) as archive:
        summary = balanced(await archive.ingest(image_dir, stop_signal=stop_signal))
    assert (summary.processed, summary.next) == (0, "Never mind.")
    await finish(data, image_dir)


async def test_a_dry_run_can_be_stopped(data: Path, image_dir: Path) -> None:
    stop_signal = StopSignal()
    listed: list[str] = []

    async def listen(image_id: str, _: str) -> None:
        listed.append(image_id)
        stop_signal.stop("Enough seen.")

    async with opened(data) as archive:
        callbacks = IngestCallbacks(on_would_add=listen)
        summary = balanced(await archive.ingest(image_dir, dry_run=True, stop_signal=stop_signal, callbacks=callbacks))
    assert (len(listed), summary.would_add, summary.next) == (1, 1, "Enough seen.")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("step", "nth"), [("outcomes", 1), ("known_ids", 2), ("put_studies", 2), ("put", 2), ("record_outcomes", 2)]
)
async def test_a_cancelled_run_leaves_no_partial_writes(
    data: Path, image_dir: Path, monkeypatch: pytest.MonkeyPatch, step: str, nth: int, when: str
) -> None:
    original: Callable[..., Awaitable[Any]] = getattr(EmbeddedStore, step)
    with anyio.CancelScope() as scope:
        calls = itertools.count(1)

        async def cut(store: EmbeddedStore, *args: Any) -> Any:
            is_it = next(calls) == nth
            if is_it and when == "before":
                scope.cancel()
            result = await original(store, *args)
            if is_it:
                scope.cancel()
            return result

        with monkeypatch.context() as patched:
            patched.setattr(EmbeddedStore, step, cut)
            await ingested(data, image_dir, batch_size=2)
    assert scope.cancelled_caught
    await finish(data, image_dir)


async def test_a_run_cancelled_during_a_request_is_completed_by_the_next_run(data: Path, image_dir: Path) -> None:
    with anyio.CancelScope() as scope:

        async def cancel(batch: int) -> None:
            if batch == 3:
                scope.cancel()
                await anyio.sleep_forever()

        await ingested(data, image_dir, ToyEmbedder(before_images=cancel), batch_size=2)
    assert scope.cancelled_caught
    assert rows(data, "SELECT count(*) FROM images")[0][0] < IMAGES
    await finish(data, image_dir)


async def test_a_failing_embedder_ends_the_run_with_remaining_files_and_no_errors(data: Path, image_dir: Path) -> None:
    async def die(batch: int) -> None:
        if batch == 3:
            raise EmbeddingUnavailable(OUTAGE)

    summary = await ingested(data, image_dir, ToyEmbedder(before_images=die), batch_size=2)
    assert summary.next == OUTAGE
    assert summary.found == FILES
    assert 2 <= summary.added < IMAGES
    assert set(summary.errors_by_reason) <= {"truncated pixel data"}
    bad = rows(data, "SELECT path FROM files WHERE reason IS NOT NULL")
    assert {Path(path).name for (path,) in bad} <= {"bad.dcm"}
    await finish(data, image_dir)


async def test_an_embedder_down_from_the_start_creates_no_archive(data: Path, image_dir: Path) -> None:
    with pytest.raises(EmbeddingUnavailable, match="Cannot reach"):
        await ingested(data, image_dir, ToyEmbedder(down=True))
    assert not is_made(data)


@pytest.mark.parametrize("step", ["put_studies", "put", "record_outcomes"])
async def test_a_failing_store_is_an_error_and_the_next_run_continues(
    data: Path, image_dir: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    original: Callable[..., Awaitable[Any]] = getattr(EmbeddedStore, step)
    calls = itertools.count(1)

    async def fail(store: EmbeddedStore, *args: Any) -> Any:
        if next(calls) == 2:
            raise StoreUnavailable("No space is left.")
        return await original(store, *args)

    with monkeypatch.context() as patched:
        patched.setattr(EmbeddedStore, step, fail)
        with pytest.raises(StoreUnavailable, match="No space is left"):
            await ingested(data, image_dir, batch_size=2)
    await finish(data, image_dir)


async def test_two_concurrent_runs_duplicate_nothing(data: Path, image_dir: Path) -> None:
    met = anyio.Event()
    waiting: list[int] = []

    async def meet(batch: int) -> None:
        if batch == 1:
            waiting.append(batch)
            if len(waiting) == 2:
                met.set()
            await met.wait()

    async def run() -> None:
        await ingested(data, image_dir, ToyEmbedder(before_images=meet), batch_size=3)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            tasks.start_soon(run)
    await assert_whole(data, image_dir)


class Process:
    """An ingest in its own process."""

    def __init__(self, data: Path, image_dir: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", INGEST, str(data), str(image_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=CHECKOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def line(self) -> str:
        """Wait for the next line of its output."""
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def go_on(self) -> None:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def run_out(self) -> None:
        """Let it finish."""
        output, _ = self._process.communicate("\n" * FILES)
        assert output.endswith("done\n")

    def kill(self) -> None:
        self._process.kill()


async def test_a_killed_process_loses_nothing_it_has_written(data: Path, image_dir: Path) -> None:
    with Process(data, image_dir) as process:
        for batch in ("1", "2", "3"):
            assert await to_thread.run_sync(process.line) == batch
            if batch != "3":
                process.go_on()
        process.kill()
    await finish(data, image_dir)


async def test_processes_killed_repeatedly_at_random_lose_and_duplicate_nothing(data: Path, image_dir: Path) -> None:
    rng = random.Random(6)  # noqa: S311  # not a secret
    for _ in range(5):
        with Process(data, image_dir) as process:
            assert await to_thread.run_sync(process.line) in {"1", "done"}
            for _ in range(rng.randrange(4)):
                process.go_on()
            process.kill()
    await finish(data, image_dir)
    assert rows(data, "PRAGMA integrity_check") == [("ok",)]


async def test_two_concurrent_processes_duplicate_nothing_and_share_one_key(data: Path, image_dir: Path) -> None:
    with Process(data, image_dir) as one, Process(data, image_dir) as other:
        assert await to_thread.run_sync(one.line) == "1"
        assert await to_thread.run_sync(other.line) == "1"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(to_thread.run_sync, one.run_out)
            tasks.start_soon(to_thread.run_sync, other.run_out)
    await assert_whole(data, image_dir)
