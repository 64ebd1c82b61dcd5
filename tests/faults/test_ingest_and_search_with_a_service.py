"""A real archive with a real service process that dies, hangs, is unstable, returns a bad vector, or is replaced."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import numpy as np
import pytest

from mcp_cxr.errors import EmbeddingUnavailable, FingerprintMismatch
from mcp_cxr.images import read_image
from mcp_cxr.ingest import IngestCallbacks
from mcp_cxr.records import ImageId, ImageSpec
from tests.standins.nvclip import StandIn, digest
from tests.standins.nvclip._state import State
from tests.standins.nvclip._vectors import vector
from tests.support.archives import BAD_FILES, balanced, opened, rows
from tests.support.image_files import mimic, report
from tests.support.nvclip_clients import embedder_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcp_cxr.archive import Archive
    from mcp_cxr.ingest import IngestProgress

IMAGES = 10
SENT = ImageSpec(size=32, mode="RGB", jpeg_quality=95)


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
        report(mimic(tmp_path / "images", number), f"IMPRESSION: {'Edema' if number % 2 else 'Clear lungs'}.")
    return tmp_path / "images"


def jpegs(image_dir: Path) -> dict[str, bytes]:
    """Return the bytes sent for each image, by image id."""
    found = {path.stem: read_image(path, SENT).rendering.jpeg for path in image_dir.rglob("*.dcm")}
    return {image_id: jpeg for image_id, jpeg in found.items() if jpeg}


async def assert_each_row_has_the_vector_of_its_pixels(archive: Archive, image_dir: Path, *, count: int) -> None:
    state = State(models=(), dimension=1024)
    page = await archive.store.images_after(None, limit=100)
    assert len(page) == count
    sent = jpegs(image_dir)
    for stored in page:
        assert stored.vector is not None
        own = vector(sent[stored.image.image_id], is_image=True, state=state)
        assert float(stored.vector @ own) > 0.99999


class _After:
    """Acts on the service once, when the first images are written."""

    def __init__(self, act: Any) -> None:
        self._act = act

    async def progress(self, progress: IngestProgress) -> None:
        if progress.added and self._act:
            act, self._act = self._act, None
            await anyio.to_thread.run_sync(act)

    @property
    def callbacks(self) -> IngestCallbacks:
        return IngestCallbacks(on_progress=self.progress)


async def test_a_service_that_dies_during_a_run_causes_no_loss_and_no_errors(
    standin: StandIn, data: Path, image_dir: Path
) -> None:
    async with opened(data, embedder_for(standin, images_deadline_s=1)) as archive:
        first = balanced(await archive.ingest(image_dir, batch_size=2, callbacks=_After(standin.stop).callbacks))
        assert 2 <= first.added < IMAGES
        assert (first.errors, first.remaining) == (0, IMAGES - first.added)
        assert first.next
        assert "NVCLIP_BASE_URL" in first.next
        await assert_each_row_has_the_vector_of_its_pixels(archive, image_dir, count=first.added)
    assert rows(data, "SELECT count(*) FROM files WHERE reason IS NOT NULL") == [(0,)]
    standin.start()
    async with opened(data, embedder_for(standin)) as archive:
        second = balanced(await archive.ingest(image_dir, batch_size=2))
        assert (second.skipped, second.added, second.errors, second.remaining) == (first.added, first.remaining, 0, 0)
        await assert_each_row_has_the_vector_of_its_pixels(archive, image_dir, count=IMAGES)


async def test_a_service_that_hangs_ends_the_run_within_its_deadline(
    standin: StandIn, data: Path, image_dir: Path
) -> None:
    hang = _After(lambda: standin.fail("hang", times=1000))
    with anyio.fail_after(20):
        async with opened(data, embedder_for(standin, images_deadline_s=1)) as archive:
            summary = balanced(await archive.ingest(image_dir, batch_size=2, callbacks=hang.callbacks))
    assert 2 <= summary.added < IMAGES
    assert (summary.errors, summary.remaining) == (0, IMAGES - summary.added)


@pytest.mark.parametrize("status", [429, 503])
async def test_requests_to_an_unstable_service_are_retried_until_all_is_added(
    standin: StandIn, data: Path, image_dir: Path, status: int
) -> None:
    flap = _After(lambda: standin.fail("status", status=status, times=2))
    async with opened(data, embedder_for(standin)) as archive:
        summary = balanced(await archive.ingest(image_dir, batch_size=2, callbacks=flap.callbacks))
        assert (summary.added, summary.errors) == (IMAGES, 0)
        await assert_each_row_has_the_vector_of_its_pixels(archive, image_dir, count=IMAGES)


async def test_one_rejected_image_and_one_bad_vector_affect_no_other_image(
    standin: StandIn, data: Path, image_dir: Path
) -> None:
    sent = jpegs(image_dir)
    refused, spoilt = sorted(sent)[3:5]
    standin.configure(bad=[digest(sent[refused])], not_finite=[digest(sent[spoilt])])
    async with opened(data, embedder_for(standin)) as archive:
        summary = balanced(await archive.ingest(image_dir, batch_size=8))
        assert (summary.added, summary.errors, summary.remaining) == (IMAGES - 2, 2, 0)
        assert not await archive.store.known_ids([ImageId(refused), ImageId(spoilt)])
        await assert_each_row_has_the_vector_of_its_pixels(archive, image_dir, count=IMAGES - 2)
    bad = rows(data, BAD_FILES)
    assert [path.rsplit("/", 1)[1] for path, _ in bad] == [f"{refused}.dcm", f"{spoilt}.dcm"]


async def test_nothing_is_added_after_the_service_was_replaced_by_another_model(
    standin: StandIn, data: Path, image_dir: Path
) -> None:
    replaced = _After(lambda: standin.restart(version="3.0.0", vectors="labels", labels={}, noise=-1.0))
    async with opened(data, embedder_for(standin, down_s=0)) as archive:
        summary = balanced(await archive.ingest(image_dir, batch_size=2, callbacks=replaced.callbacks))
        assert 2 <= summary.added < IMAGES
        assert summary.errors == 0
        await assert_each_row_has_the_vector_of_its_pixels(archive, image_dir, count=summary.added)


async def test_queries_use_words_while_the_service_is_down_and_vectors_afterwards(
    standin: StandIn, data: Path, image_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with opened(data, embedder_for(standin, down_s=0)) as archive:
        await archive.ingest(image_dir)
        before = await archive.search("pneumonia seventeen")
        assert (before.search_mode, before.fallback_reason, before.cache_hit) == ("hybrid", None, False)
        assert (await archive.search("pneumonia seventeen")).cache_hit
        standin.stop()
        with anyio.fail_after(2):
            page = await archive.search("pulmonary edema")
        assert (page.search_mode, page.total_results) == ("keyword", IMAGES // 2)
        assert page.fallback_reason
        assert "NVCLIP_BASE_URL" in page.fallback_reason
        assert {hit.similarity_score for hit in page.images} == {None}
        with pytest.raises(EmbeddingUnavailable):
            await archive.search("pulmonary edema", mode="vector")
        standin.start()
        assert (await archive.search("pulmonary edema")).search_mode == "hybrid"
    assert not any(word in record.getMessage() for record in caplog.records for word in ("edema", "pneumonia"))


async def test_a_query_to_a_hung_service_returns_after_the_timeout(
    standin: StandIn, data: Path, image_dir: Path
) -> None:
    async with opened(data, embedder_for(standin, texts_deadline_s=1)) as archive:
        await archive.ingest(image_dir)
        standin.fail("hang", times=1000)
        with anyio.fail_after(20):
            assert (await archive.search("edema")).search_mode == "keyword"


async def test_a_long_query_brings_a_warning(standin: StandIn, data: Path, image_dir: Path) -> None:
    async with opened(data, embedder_for(standin)) as archive:
        await archive.ingest(image_dir)
        page = await archive.search(" ".join(f"word{number}" for number in range(60)))
        assert any("long" in warning for warning in page.warnings)
        repeated = await archive.search(" ".join(["edema"] * 60))
        assert (repeated.understood.embedded if repeated.understood else None) == "pulmonary edema"
        assert not any("long" in warning for warning in repeated.warnings)
        assert not any("long" in warning for warning in (await archive.search("edema")).warnings)


async def test_another_version_with_the_same_vectors_is_confirmed_and_recorded(
    standin: StandIn, data: Path, image_dir: Path
) -> None:
    async with opened(data, embedder_for(standin)) as archive:
        await archive.ingest(image_dir)
    standin.restart(version="2.1.0")
    async with opened(data, embedder_for(standin)) as archive:
        assert (await archive.search("edema")).search_mode == "hybrid"
        made_with = (await archive.store.info()).fingerprint
    assert made_with
    assert made_with.service
    assert made_with.service.startswith("2.1.0")


async def test_another_version_with_other_vectors_neither_ranks_nor_writes(
    standin: StandIn, data: Path, image_dir: Path
) -> None:
    async with opened(data, embedder_for(standin)) as archive:
        await archive.ingest(image_dir, limit=4)
    standin.restart(version="3.0.0", vectors="labels", labels={}, noise=-1.0)
    async with opened(data, embedder_for(standin)) as archive:
        with pytest.raises(FingerprintMismatch, match=r"2\.0\.0.* to .*3\.0\.0.*mode='words'"):
            await archive.search("edema")
        with pytest.raises(FingerprintMismatch):
            await archive.ingest(image_dir)
        assert (await archive.search("edema", mode="words")).total_results == 2
        assert (await archive.overview()).images == 4


async def test_another_version_is_refused_if_no_file_can_be_read(standin: StandIn, data: Path, image_dir: Path) -> None:
    async with opened(data, embedder_for(standin)) as archive:
        await archive.ingest(image_dir)
    image_dir.rename(image_dir.with_name("elsewhere"))  # noqa: ASYNC240  # a test may block
    standin.restart(version="2.1.0")
    async with opened(data, embedder_for(standin)) as archive:
        with pytest.raises(FingerprintMismatch, match="Mount the folder of the files"):
            await archive.search("edema")


@pytest.mark.parametrize("changed", [{"model": "nvidia/nvclip-other"}, {"preprocessing": "test-2"}])
async def test_another_fingerprint_is_refused_with_advice(
    standin: StandIn, data: Path, image_dir: Path, changed: dict[str, str]
) -> None:
    async with opened(data, embedder_for(standin)) as archive:
        await archive.ingest(image_dir, limit=2)
        made_with = (await archive.store.info()).fingerprint
    assert made_with
    async with opened(data, embedder_for(standin)) as archive:
        embedder: Any = archive.embedder
        own = replace(await embedder.fingerprint(), **changed)
        embedder._fingerprint = own
        with pytest.raises(
            FingerprintMismatch,
            match=r"This archive was made with .* use mode='words', or set MCP_CXR_DATA_DIR to a new folder",
        ):
            await archive.search("edema")
        with pytest.raises(FingerprintMismatch):
            await archive.ingest(image_dir)
        assert (await archive.search("edema", mode="words")).search_mode == "keyword"


async def test_facts_words_counts_and_drop_need_no_service(standin: StandIn, data: Path, image_dir: Path) -> None:
    async with opened(data, embedder_for(standin)) as archive:
        await archive.ingest(image_dir)
    standin.stop()
    async with opened(data, embedder_for(standin)) as archive:
        page = await archive.search("edema", mode="words")
        await archive.show(page.images[0].image_id)
        assert (await archive.overview()).images == IMAGES
        assert not any((await archive.verify()).problems.values())
        similar = await archive.search(like=[page.images[0].image_id])
        assert similar.search_mode == "similar"
        await archive.store.drop()


async def test_vectors_built_from_findings_rank_those_findings_first(
    standin: StandIn, data: Path, image_dir: Path
) -> None:
    """With only ten images, the test checks the order alone: every positive image before every other one."""
    sent = jpegs(image_dir)
    positive = sorted(sent)[1::2]
    standin.configure(vectors="labels", labels={digest(sent[one]): ["edema"] for one in positive}, noise=0.5)
    async with opened(data, embedder_for(standin)) as archive:
        await archive.ingest(image_dir)
        page = await archive.search("pulmonary edema", mode="vector", limit=IMAGES)
    assert page.search_mode == "semantic"
    assert sorted(hit.image_id for hit in page.images[: len(positive)]) == positive


def test_stand_in_vectors_differ_between_images(image_dir: Path) -> None:
    state = State(models=(), dimension=1024)
    drawn = np.stack([vector(jpeg, is_image=True, state=state) for jpeg in jpegs(image_dir).values()])
    assert np.abs(drawn @ drawn.T - np.eye(IMAGES)).max() < 0.2
