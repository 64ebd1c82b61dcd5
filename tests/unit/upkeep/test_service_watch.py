"""A collection is ranked and written only by what made it, or by what makes the same vectors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mcp_cxr.errors import EmbeddingUnavailable, FingerprintMismatch, NotFound
from mcp_cxr.records import Filter, Fingerprint, Rejected
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.upkeep import ServiceWatch
from tests.support.archives import ingested, opened, rows
from tests.support.films import mimic
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mcp_cxr.records import ReferenceSample, Rendering, StoredImage, Vector

PROBES = 8


class Service(ToyEmbedder):
    """The toy behind a service.

    Args:
        version: What the service says of itself.
        dialect: How it is asked.
        cosine: Between its vectors and the toy's.
    """

    def __init__(self, version: str, *, dialect: str = "nim", cosine: float = 1.0, **more: Any) -> None:
        super().__init__(**more)
        self.cosine = cosine
        self._fingerprint = replace(self._fingerprint, service=version, dialect=dialect)

    async def embed_images(self, pictures: Sequence[Rendering]) -> list[Vector | Rejected]:
        seen = await super().embed_images(pictures)
        return [row if isinstance(row, Rejected) else self._turned(row) for row in seen]

    def _turned(self, vector: Vector) -> Vector:
        other = np.roll(vector, 1)
        other = other - (other @ vector) * vector
        sine = np.sqrt(1 - self.cosine**2)
        return (self.cosine * vector + sine * other / np.linalg.norm(other)).astype(np.float32)


@pytest.fixture
def films(tmp_path: Path) -> list[Path]:
    return [mimic(tmp_path / "films", number) for number in range(PROBES + 2)]


@pytest.fixture
async def data(tmp_path: Path, films: list[Path]) -> Path:
    """An archive of ten films, made with version 1 of the service."""
    await ingested(tmp_path / "data", tmp_path / "films", Service("1"))
    assert len(films) == PROBES + 2
    return tmp_path / "data"


async def confirmed(data: Path, service: Service) -> Fingerprint:
    """Confirm once, and see that what is returned is what the collection says it was made with."""
    async with opened(data, service) as archive:
        own = await archive._watch.confirm()
        assert (await archive.store.info()).fingerprint == own == await service.fingerprint()
    return own


async def refused(data: Path, service: ToyEmbedder) -> str:
    """Return what a refusal says; nothing is recorded by it."""
    async with opened(data, service) as archive:
        before = await archive.store.info()
        with pytest.raises(FingerprintMismatch) as caught:
            await archive._watch.confirm()
        assert await archive.store.info() == before
    return str(caught.value)


async def test_the_service_that_made_the_collection_embeds_nothing_again(data: Path) -> None:
    service = Service("1")
    await confirmed(data, service)
    assert service.batches == []


@pytest.mark.parametrize("changed", [Service("2"), Service("1", dialect="vllm"), Service("2", cosine=0.9992)])
async def test_a_changed_service_with_the_same_vectors_is_recorded_after_eight_films(
    data: Path, changed: Service
) -> None:
    assert await confirmed(data, changed) == await confirmed(data, changed)
    assert changed.batches == [PROBES]


async def test_a_changed_service_with_other_vectors_is_refused_with_the_way_out(data: Path) -> None:
    told = await refused(data, Service("2", cosine=0.998))
    assert "from nim 1 to nim 2" in told
    assert "go back to nim 1, use mode='words', or make a new archive" in told


async def test_one_film_that_gets_another_vector_is_enough_to_refuse(data: Path) -> None:
    rows(data, "UPDATE vectors SET vector = zeroblob(128) WHERE slot = (SELECT min(slot) FROM vectors)")
    async with opened(data, Service("2")) as archive:
        spoilt = (await archive.store.reference_sample()).vectors.any(axis=1).argmin()
    assert spoilt < PROBES
    assert "others now" in await refused(data, Service("2"))


async def test_a_film_that_gets_no_vector_any_more_is_enough_to_refuse(data: Path) -> None:
    assert "others now" in await refused(data, Service("2", rejected={3}))


async def test_a_service_that_fails_while_it_is_compared_is_neither_refused_nor_recorded(data: Path) -> None:
    async def fall(_: int) -> None:
        raise EmbeddingUnavailable("It broke off.")

    async with opened(data, Service("2", before_images=fall)) as archive:
        before = await archive.store.info()
        with pytest.raises(EmbeddingUnavailable):
            await archive._watch.confirm()
        assert await archive.store.info() == before


async def test_films_that_cannot_be_read_are_passed_over(data: Path, films: list[Path]) -> None:
    for film in films[2:]:
        film.unlink()
    service = Service("2")
    await confirmed(data, service)
    assert service.batches == [2]


async def test_a_film_that_was_changed_since_is_no_probe(data: Path, films: list[Path]) -> None:
    for film in films[:5]:
        film.write_bytes(films[5].read_bytes() + b"\0")
    service = Service("2")
    await confirmed(data, service)
    assert service.batches == [5]


async def test_without_any_film_to_read_the_refusal_says_so(data: Path, films: list[Path]) -> None:
    for film in films:
        film.unlink()
    service = Service("2")
    assert "no stored film can be read" in await refused(data, service)
    assert service.batches == []


async def test_a_large_archive_that_is_not_mounted_is_given_up_soon(data: Path) -> None:
    """A question waits for the answer: trying all 4,096 films of the sample would take long."""
    many = """
        WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 300)
        INSERT INTO images
            (image_id, study_id, subject_id, view_position, image_path, root, metadata, sample_key, made_by)
        SELECT 'gone-' || i, study_id, subject_id, 'PA', 'gone', root, metadata, -i, made_by
        FROM n, (SELECT * FROM images LIMIT 1)"""
    rows(data, many)
    rows(data, "INSERT OR IGNORE INTO vectors SELECT slot, (SELECT vector FROM vectors LIMIT 1) FROM images")
    tried: list[str] = []

    async def develop(stored: StoredImage) -> Rendering:
        tried.append(stored.image.image_id)
        raise NotFound("The film is gone.")

    async with EmbeddedStore(data) as store:
        with pytest.raises(FingerprintMismatch):
            await ServiceWatch(store, Service("2"), develop).confirm()
    assert PROBES <= len(tried) <= 100


async def test_an_image_that_goes_away_meanwhile_is_no_probe(data: Path) -> None:
    class Shared(EmbeddedStore):
        """A store in which another process forgets an image between two questions."""

        async def reference_sample(self) -> ReferenceSample:
            sample = await super().reference_sample()
            await self.forget(Filter(image_id=sample.ids[0]))
            return sample

    service = Service("2")
    async with opened(data, service) as archive, Shared(data) as store:
        await ServiceWatch(store, service, archive._image_files.render_stored).confirm()
    assert service.batches == [PROBES]


async def test_a_collection_without_images_takes_any_version(tmp_path: Path) -> None:
    service = Service("2")
    async with EmbeddedStore(tmp_path) as store:
        await store.create(await Service("1").fingerprint())
    await confirmed(tmp_path, service)
    assert service.batches == []


@pytest.mark.parametrize("changed", [{"model": "other"}, {"dimension": 33}, {"preprocessing": "test/448px"}])
async def test_another_space_is_refused_with_both_named(data: Path, changed: dict[str, Any]) -> None:
    other = Service("1")
    made_with = await other.fingerprint()
    other._fingerprint = replace(made_with, **changed)
    told = await refused(data, other)
    assert other.batches == []
    for fingerprint in (made_with, other._fingerprint):
        assert fingerprint.description in told
    assert told.endswith("Set the embedder it was made with, use mode='words', or make a new archive.")
