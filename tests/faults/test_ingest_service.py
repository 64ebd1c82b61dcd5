"""The ingest command while the embedding service fails or is replaced."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import numpy as np
import pytest

from mcp_cxr.cli import main
from mcp_cxr.embeddings.nvclip import RequestPolicy
from mcp_cxr.images import read_image
from mcp_cxr.ingest import IngestCallbacks
from mcp_cxr.records import ImageSpec
from tests.standins.nvclip import StandIn, digest
from tests.standins.nvclip._state import State
from tests.standins.nvclip._vectors import vector
from tests.support.archives import BAD_FILES, balanced, contents, is_made, opened, rows
from tests.support.image_files import mimic
from tests.support.nvclip_clients import embedder_for
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from mcp_cxr.demo import DemoDataSet
    from mcp_cxr.ingest import IngestProgress
    from mcp_cxr.records import Rejection, Rendering, Vector

    Command = Callable[..., tuple[int, str, str]]

IMAGES = 12
KEY = "nvapi-not-to-be-seen"


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as started:
        yield started


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def image_dir(tmp_path: Path) -> Path:
    for number in range(IMAGES):
        mimic(tmp_path / "images", number)
    return tmp_path / "images"


@pytest.fixture
def mcp_cxr(
    standin: StandIn, data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    """Return a function that runs a command against the simulated server and returns exit code, stdout and stderr."""
    monkeypatch.setenv("MCP_CXR_DATA_DIR", str(data))
    monkeypatch.setenv("NVCLIP_BASE_URL", standin.base_url)
    monkeypatch.setenv("NVIDIA_API_KEY", KEY)
    hurry = partial(RequestPolicy, backoff_s=0.01, images_deadline_s=2, texts_deadline_s=1)
    monkeypatch.setattr("mcp_cxr.embeddings.nvclip._embedder.RequestPolicy", hurry)

    def run(*argv: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main([str(word) for word in argv])
        captured = capfd.readouterr()
        assert KEY not in captured.out + captured.err
        return code, captured.out, captured.err

    return run


def sent(image_dir: Path, size: int) -> dict[str, bytes]:
    """Return the JPEG sent for each image, by image id, in path order."""
    spec = ImageSpec(size=size, mode="RGB", jpeg_quality=95)
    return {path.stem: read_image(path, spec).rendering.jpeg or b"" for path in sorted(image_dir.rglob("*.dcm"))}


def assert_each_row_has_the_vector_of_its_pixels(data: Path, jpegs: dict[str, bytes], *, count: int) -> None:
    """Compare the stored vectors with the simulated server's vector of each JPEG."""
    state = State(models=(), dimension=1024)
    found = rows(data, "SELECT image_id, vector FROM images JOIN vectors USING (slot)")
    assert len(found) == count
    for image_id, blob in found:
        own = vector(jpegs[image_id], is_image=True, state=state)
        np.testing.assert_allclose(np.frombuffer(blob, "<f4"), own, atol=1e-6)


def once_added(act: Callable[[], Any]) -> IngestCallbacks:
    """Return callbacks that act on the service once the first images are written."""
    acts = [act]

    async def on_progress(progress: IngestProgress) -> None:
        if progress.added and acts:
            await anyio.to_thread.run_sync(acts.pop())

    return IngestCallbacks(on_progress=on_progress)


@pytest.mark.parametrize("status", [401, 429, 500])
def test_a_command_interrupted_by_a_failing_service_finishes_when_run_again(
    standin: StandIn, data: Path, demo: DemoDataSet, mcp_cxr: Command, status: int
) -> None:
    jpegs = sent(demo.folder, 224)
    total, size = len(jpegs), 4
    standin.configure(bad=[digest(list(jpegs.values())[2 * size])], bad_status=status)
    code, out, err = mcp_cxr("ingest", demo.folder, "--batch-size", size)
    assert code == 1
    lines = out.splitlines()
    reached = rows(data, "SELECT count(*) FROM images")[0][0]
    assert size <= reached <= total - size
    for line in (f"  Successfully added: {reached}", "  Errors: 0", f"  Remaining: {total - reached}"):
        assert line in lines
    (error,) = [line for line in err.splitlines() if line.startswith("Error: ")]
    assert f"The embedding service at {standin.base_url} answers {status}" in error
    assert err.endswith(error + "\n")
    assert rows(data, BAD_FILES) == []
    assert_each_row_has_the_vector_of_its_pixels(data, jpegs, count=reached)
    standin.configure(bad=[])
    code, out, _ = mcp_cxr("ingest", demo.folder)
    assert code == 0
    assert out.startswith("Ingestion Complete!")
    assert f"  Skipped (already exist): {reached}\n  Successfully added: {total - reached}\n  Errors: 0\n" in out
    assert_each_row_has_the_vector_of_its_pixels(data, jpegs, count=total)


def test_a_command_without_its_service_prints_one_line_and_creates_nothing(
    standin: StandIn, data: Path, image_dir: Path, mcp_cxr: Command
) -> None:
    standin.stop()
    code, out, err = mcp_cxr("ingest", image_dir)
    assert (code, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith("Error: ")
    assert "check that it runs, your SSH tunnel if you use one, and NVCLIP_BASE_URL" in line
    assert not is_made(data)


def test_one_rejected_image_is_counted_by_reason_and_the_command_succeeds(
    standin: StandIn, data: Path, image_dir: Path, mcp_cxr: Command
) -> None:
    jpegs = sent(image_dir, 224)
    refused, spoilt = list(jpegs)[1], list(jpegs)[6]
    standin.configure(bad=[digest(jpegs[refused])], not_finite=[digest(jpegs[spoilt])])
    code, out, _ = mcp_cxr("ingest", image_dir)
    reasons = ["not accepted by the embedding service (422)", "without a usable vector from the embedding service"]
    assert code == 0
    for line in (f"  Successfully added: {IMAGES - 2}", "  Errors: 2"):
        assert line in out.splitlines()
    assert all(f"    {reason}: 1, for example /" in out for reason in reasons)
    found = [(path.rsplit("/", 1)[1], reason) for path, reason in rows(data, BAD_FILES)]
    assert found == [(f"{refused}.dcm", reasons[0]), (f"{spoilt}.dcm", reasons[1])]
    assert_each_row_has_the_vector_of_its_pixels(data, jpegs, count=IMAGES - 2)
    standin.configure(bad=[], not_finite=[])
    before = contents(data)
    assert f"  Skipped (already exist): {IMAGES - 2}" in mcp_cxr("ingest", image_dir)[1]
    assert contents(data) == before
    assert "  Successfully added: 2" in mcp_cxr("ingest", image_dir, "--retry-failed")[1]
    assert rows(data, BAD_FILES) == []
    assert_each_row_has_the_vector_of_its_pixels(data, jpegs, count=IMAGES)


async def test_the_run_after_a_hung_service_finishes(standin: StandIn, data: Path, image_dir: Path) -> None:
    hang = once_added(lambda: standin.fail("hang", times=1000))
    with anyio.fail_after(10):
        async with opened(data, embedder_for(standin, images_deadline_s=0.6)) as archive:
            first = balanced(await archive.ingest(image_dir, batch_size=2, callbacks=hang))
    assert 2 <= first.added < IMAGES
    standin.clear_fault()
    async with opened(data, embedder_for(standin)) as archive:
        second = balanced(await archive.ingest(image_dir, batch_size=2))
    assert (second.skipped, second.added, second.remaining) == (first.added, first.remaining, 0)
    assert rows(data, BAD_FILES) == []
    assert_each_row_has_the_vector_of_its_pixels(data, sent(image_dir, 32), count=IMAGES)


async def test_an_intermittent_service_needs_more_runs_but_loses_no_image(
    standin: StandIn, data: Path, image_dir: Path
) -> None:
    """In each run the service works for one batch and then disappears.

    While the first batch is reported, three more may have been embedded, but not the fifth.
    """
    added, runs = 0, 0
    with anyio.fail_after(20):
        while added < IMAGES:
            async with opened(data, embedder_for(standin, images_deadline_s=0.3)) as archive:
                summary = balanced(await archive.ingest(image_dir, batch_size=2, callbacks=once_added(standin.stop)))
            assert (summary.skipped, summary.errors) == (added, 0)
            assert summary.added > 0
            added, runs = added + summary.added, runs + 1
            standin.restart()
    assert runs > 1
    assert_each_row_has_the_vector_of_its_pixels(data, sent(image_dir, 32), count=IMAGES)


async def test_the_next_run_finishes_if_a_replaced_service_gives_the_same_vectors(
    standin: StandIn, data: Path, image_dir: Path
) -> None:
    replaced = once_added(lambda: standin.restart(version="2.1.0"))
    async with opened(data, embedder_for(standin, down_s=0)) as archive:
        first = balanced(await archive.ingest(image_dir, batch_size=2, callbacks=replaced))
        assert 2 <= first.added < IMAGES
        assert first.next
        second = balanced(await archive.ingest(image_dir, batch_size=2))
        made_with = (await archive.store.info()).fingerprint
    assert (second.added, second.errors) == (IMAGES - first.added, 0)
    assert made_with
    assert made_with.service == "2.1.0 nvclip-vit-h-14:fp16"
    assert_each_row_has_the_vector_of_its_pixels(data, sent(image_dir, 32), count=IMAGES)


async def test_vectors_of_a_service_that_was_not_confirmed_are_not_written(data: Path, image_dir: Path) -> None:
    """The time between the two is short, and another task may notice the change."""

    class Replaced(ToyEmbedder):
        """From the second batch on, another service with other vectors."""

        async def embed_images(self, pictures: Sequence[Rendering]) -> list[Vector | Rejection]:
            seen: list[Any] = await super().embed_images(pictures)
            if len(self.batches) == 1:
                return seen
            self._fingerprint = replace(self._fingerprint, service="another")
            return [-row for row in seen]

    async with opened(data, Replaced()) as archive:
        summary = balanced(await archive.ingest(image_dir, batch_size=2))
        assert summary.next == "The embedding service was replaced during the run; run the same command again."
        assert (summary.added, summary.errors, summary.remaining) == (2, 0, IMAGES - 2)
        assert (await archive.overview()).images == 2
    assert rows(data, BAD_FILES) == []
