"""Finding scores on every store: the same from each, searched by, and forgotten with their patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from mcp_cxr.archive import Archive
from mcp_cxr.embeddings import OfflineEmbedder
from mcp_cxr.images import PREPROCESSING, ImageReader
from mcp_cxr.records import Filter, ImageId, SearchArguments
from mcp_cxr.research.probes import fit_probes
from mcp_cxr.settings import Settings
from mcp_cxr.stores import MemoryDatabase, MemoryStore
from tests.contract.stores.making import DIMENSION, FINGERPRINT
from tests.support.planted import fill, planted

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.stores import Store

IMAGES = planted(450, dimension=DIMENSION)


async def test_scores_are_learned_searched_and_forgotten(store: Store, tmp_path: Path) -> None:
    await fill(store, IMAGES, fingerprint=FINGERPRINT)
    async with MemoryStore(MemoryDatabase()) as memory:
        await fill(memory, IMAGES, fingerprint=FINGERPRINT)
        expected = await fit_probes(memory, version="1")
    settings = Settings.model_validate({"MCP_CXR_DATA_DIR": str(tmp_path / "beside")})
    async with ImageReader() as reader, OfflineEmbedder(preprocessing=PREPROCESSING) as embedder:
        archive = Archive(settings, store, embedder, reader)
        fitted = await archive.fit_probes()
        assert fitted.image_ids == expected.image_ids
        assert fitted.probes
        assert np.abs(fitted.values - expected.values).max() < 1e-3
        assert (await archive.probes()).stale == ()

        scored = await archive.images_with_scores("Edema>0.4", "Fracture<0.5")
        found = await archive.search_with(
            SearchArguments(view=["PA"], group="none", limit=100), value_of=scored.value_of
        )
        edema = dict(zip(fitted.image_ids, fitted.column("Edema").tolist(), strict=True))
        fracture = dict(zip(fitted.image_ids, fitted.column("Fracture").tolist(), strict=True))
        right = [
            IMAGES.image(row)
            for row, view in enumerate(IMAGES.views)
            if view == "PA" and edema[IMAGES.image(row)] > 0.4 and fracture[IMAGES.image(row)] < 0.5
        ]
        assert 3 < len(right) < 100
        assert [hit.image_id for hit in found.images] == sorted(right, key=lambda name: (-edema[name], name))
        assert found.total_results == len(right)
        none = await archive.search_with(SearchArguments(), value_of={})
        assert (none.total_results, none.images) == (0, [])

        subject = IMAGES.subject(0)
        gone = {IMAGES.image(row) for row in range(len(IMAGES.vectors)) if IMAGES.subject(row) == subject}
        assert await archive.forget(Filter(subject_id=subject)) == len(gone)
        after = await archive.probes()
        assert set(fitted.image_ids) - set(after.image_ids) == gone
        assert after.stale[0] == "images that they were learned from were forgotten"
        assert (await archive.fit_probes()).stale == ()


@pytest.mark.parametrize("limit", [1, 2])
async def test_pages_by_score_follow_each_other(limit: int, tmp_path: Path) -> None:
    async with MemoryStore(MemoryDatabase()) as store:
        await fill(store, IMAGES, fingerprint=FINGERPRINT)
        async with ImageReader() as reader, OfflineEmbedder(preprocessing=PREPROCESSING) as embedder:
            archive = Archive(Settings.model_validate({"MCP_CXR_DATA_DIR": str(tmp_path)}), store, embedder, reader)
            await archive.fit_probes()
            lowest = await archive.images_with_scores("Edema<0.5")
            whole, first, second = [
                await archive.search_with(
                    SearchArguments(limit=size, offset=offset, group="subject"), value_of=lowest.value_of
                )
                for size, offset in ((2 * limit, 0), (limit, 0), (limit, limit))
            ]
            assert [*first.images, *second.images] == whole.images
            values = [lowest.scores[ImageId(hit.image_id)][0] for hit in whole.images]
            assert values == sorted(values)
