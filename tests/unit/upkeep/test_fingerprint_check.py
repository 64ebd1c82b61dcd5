"""An archive accepts only the service that made its vectors, or one that makes the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mcp_cxr.embeddings.nvclip._service import RejectedByStatus
from mcp_cxr.errors import EmbeddingUnavailable, FingerprintMismatch, NotFound
from mcp_cxr.records import Filter, Fingerprint, Rejection
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.upkeep import FingerprintCheck
from tests.support.archives import ingested, opened, rows
from tests.support.image_files import mimic
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mcp_cxr.records import ReferenceSample, Rendering, StoredImage, Vector

COMPARED = 8


class Service(ToyEmbedder):
    """The toy embedder behind a service with a version.

    Args:
        version: The version that the service reports.
        dialect: The dialect of its API.
        cosine: Between its vectors and those of the toy embedder.
    """

    def __init__(self, version: str, *, dialect: str = "nim", cosine: float = 1.0, **more: Any) -> None:
        super().__init__(**more)
        self.cosine = cosine
        self._fingerprint = replace(self._fingerprint, service=version, dialect=dialect)

    async def embed_images(self, pictures: Sequence[Rendering]) -> list[Vector | Rejection]:
        rows = await super().embed_images(pictures)
        return [row if isinstance(row, Rejection) else self._turned(row) for row in rows]

    def _turned(self, vector: Vector) -> Vector:
        other = np.roll(vector, 1)
        other = other - (other @ vector) * vector
        sine = np.sqrt(1 - self.cosine**2)
        return (self.cosine * vector + sine * other / np.linalg.norm(other)).astype(np.float32)


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return [mimic(tmp_path / "images", number) for number in range(COMPARED + 2)]


@pytest.fixture
async def data(tmp_path: Path, images: list[Path]) -> Path:
    """An archive of ten images, made with version 1 of the service."""
    await ingested(tmp_path / "data", tmp_path / "images", Service("1"))
    assert len(images) == COMPARED + 2
    return tmp_path / "data"


async def confirmed(data: Path, service: Service) -> Fingerprint:
    """Confirm, and check that the store has the fingerprint that is returned."""
    async with opened(data, service) as archive:
        fingerprint = await archive._fingerprint_check.check_fingerprint()
        assert (await archive.store.info()).fingerprint == fingerprint == await service.fingerprint()
    return fingerprint


async def refused(data: Path, service: ToyEmbedder) -> str:
    """Return the message of the refusal, and check that nothing was recorded."""
    async with opened(data, service) as archive:
        before = await archive.store.info()
        with pytest.raises(FingerprintMismatch) as caught:
            await archive._fingerprint_check.check_fingerprint()
        assert await archive.store.info() == before
    return str(caught.value)


async def test_the_same_service_embeds_nothing_again(data: Path) -> None:
    service = Service("1")
    await confirmed(data, service)
    assert service.batches == []


@pytest.mark.parametrize("changed", [Service("2"), Service("1", dialect="vllm"), Service("2", cosine=0.9992)])
async def test_a_changed_service_with_the_same_vectors_is_recorded_after_eight_images(
    data: Path, changed: Service
) -> None:
    assert await confirmed(data, changed) == await confirmed(data, changed)
    assert changed.batches == [COMPARED]


async def test_a_changed_service_with_other_vectors_is_refused_with_advice(data: Path) -> None:
    message = await refused(data, Service("2", cosine=0.998))
    assert "from nim 1 to nim 2" in message
    assert "go back to nim 1, use mode='words', or set MCP_CXR_DATA_DIR to a new folder and ingest" in message


async def test_one_changed_vector_is_enough_to_refuse(data: Path) -> None:
    rows(data, "UPDATE vectors SET vector = zeroblob(128) WHERE slot = (SELECT min(slot) FROM vectors)")
    async with opened(data, Service("2")) as archive:
        damaged = (await archive.store.reference_sample()).vectors.any(axis=1).argmin()
    assert damaged < COMPARED
    assert "its vectors changed" in await refused(data, Service("2"))


async def test_one_rejected_image_is_enough_to_refuse(data: Path) -> None:
    assert "its vectors changed" in await refused(data, Service("2", rejected={3}))


async def test_a_service_that_fails_during_the_comparison_is_neither_refused_nor_recorded(data: Path) -> None:
    async def fall(_: int) -> None:
        raise EmbeddingUnavailable("It broke off.")

    async with opened(data, Service("2", before_images=fall)) as archive:
        before = await archive.store.info()
        with pytest.raises(EmbeddingUnavailable):
            await archive._fingerprint_check.check_fingerprint()
        assert await archive.store.info() == before


async def test_unreadable_files_are_skipped(data: Path, images: list[Path]) -> None:
    for image in images[2:]:
        image.unlink()
    service = Service("2")
    await confirmed(data, service)
    assert service.batches == [2]


async def test_changed_files_are_not_compared(data: Path, images: list[Path]) -> None:
    for image in images[:5]:
        image.write_bytes(images[5].read_bytes() + b"\0")
    service = Service("2")
    await confirmed(data, service)
    assert service.batches == [5]


async def test_the_refusal_says_that_no_file_could_be_read(data: Path, images: list[Path]) -> None:
    for image in images:
        image.unlink()
    service = Service("2")
    assert "no stored image's file can be read" in await refused(data, service)
    assert service.batches == []


async def test_few_files_of_a_large_archive_are_tried_if_its_folder_is_missing(data: Path) -> None:
    """A query waits meanwhile: trying all 4,096 files of the sample would take long."""
    many = """
        WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 300)
        INSERT INTO images
            (image_id, study_id, subject_id, view_position, image_path, root, metadata, sample_key, made_by)
        SELECT 'gone-' || i, study_id, subject_id, 'PA', 'gone', root, metadata, -i, made_by
        FROM n, (SELECT * FROM images LIMIT 1)"""
    rows(data, many)
    rows(data, "INSERT OR IGNORE INTO vectors SELECT slot, (SELECT vector FROM vectors LIMIT 1) FROM images")
    tried: list[str] = []

    async def render(stored: StoredImage) -> Rendering:
        tried.append(stored.image.image_id)
        raise NotFound("The file is gone.")

    async with EmbeddedStore(data) as store:
        with pytest.raises(FingerprintMismatch):
            await FingerprintCheck(store, Service("2"), render).check_fingerprint()
    assert COMPARED <= len(tried) <= 100


async def test_an_image_forgotten_meanwhile_is_not_compared(data: Path) -> None:
    class Shared(EmbeddedStore):
        """A store in which another process forgets an image between two calls."""

        async def reference_sample(self) -> ReferenceSample:
            sample = await super().reference_sample()
            await self.forget(Filter(image_id=sample.ids[0]))
            return sample

    service = Service("2")
    async with opened(data, service) as archive, Shared(data) as store:
        await FingerprintCheck(store, service, archive._image_files.render_stored).check_fingerprint()
    assert service.batches == [COMPARED]


async def test_an_archive_without_images_accepts_any_version(tmp_path: Path) -> None:
    service = Service("2")
    async with EmbeddedStore(tmp_path) as store:
        await store.create(await Service("1").fingerprint())
    await confirmed(tmp_path, service)
    assert service.batches == []


@pytest.mark.parametrize("changed", [{"dimension": 33}, {"preprocessing": "test/448px"}])
async def test_another_dimension_or_preprocessing_is_refused(data: Path, changed: dict[str, Any]) -> None:
    other = Service("1")
    made_with = await other.fingerprint()
    other._fingerprint = replace(made_with, **changed)
    message = await refused(data, other)
    assert other.batches == []
    for fingerprint in (made_with, other._fingerprint):
        assert fingerprint.description in message
    assert "use mode='words', or set MCP_CXR_DATA_DIR to a new folder" in message


async def test_another_model_is_refused_with_its_variables_and_without_asking_the_embedder(data: Path) -> None:
    class Down(Service):
        async def fingerprint(self) -> Fingerprint:
            raise EmbeddingUnavailable("It is down.")

    other = Down("1")
    other.name = "offline-sketch-1"
    message = await refused(data, other)
    assert message == "This archive was made with toy-32: set MCP_CXR_EMBEDDER=nvclip and NVCLIP_MODEL=toy-32."


async def test_a_first_ingest_names_the_ways_without_a_service_and_keeps_the_error(tmp_path: Path) -> None:
    class Unauthorized(Service):
        async def fingerprint(self) -> Fingerprint:
            raise RejectedByStatus("It answers 401.", status=401)

    async with opened(tmp_path, Unauthorized("1")) as archive:
        with pytest.raises(RejectedByStatus, match=r"^It answers 401\. To begin without a service, set ") as caught:
            await archive._fingerprint_check.check_before_ingest()
    assert caught.value.status == 401
