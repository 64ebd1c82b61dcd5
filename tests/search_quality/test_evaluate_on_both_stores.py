"""The same archive has the same figures in IRIS and in the embedded store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_cxr.evaluate import PROTOCOLS, EvaluationPlan, evaluate
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.stores.iris import IrisStore
from tests.faults.iris_stores import config
from tests.support.iris import plain_server
from tests.unit.evaluate.archives import PROMPTS, LabelEmbedder, SyntheticImage, fill, labeled_images, random_vectors

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.evaluate import Evaluation
    from mcp_cxr.stores import Store


async def filled(store: Store) -> LabelEmbedder:
    """Store labeled images among many unlabeled ones; return the embedder of their texts."""
    images, embedder = labeled_images(90)
    await fill(
        store,
        [
            *images,
            *(
                SyntheticImage(f"n{n}", f"n{n}", f"n{n}", vector)
                for n, vector in enumerate(random_vectors(510, seed=2))
            ),
        ],
    )
    return embedder


async def evaluated(store: Store, embedder: LabelEmbedder) -> Evaluation:
    plan = EvaluationPlan(prompts=PROMPTS, resamples=20, queries=60, studies=60)
    return await evaluate(
        store, embedder, plan, version="0", check_fingerprint=embedder.fingerprint, on_progress=lambda _: None
    )


async def test_all_protocols_give_the_same_figures_on_both_stores(tmp_path: Path) -> None:
    """IRIS is read once, 500 rows at a time; protocols that compare vectors do not query it again."""
    server = plain_server()
    async with EmbeddedStore(tmp_path) as store:
        embedded = await evaluated(store, await filled(store))
    async with IrisStore(config(server)) as store:
        embedder = await filled(store)
        server.reset_counters()
        iris = await evaluated(store, embedder)
    assert [one.protocol for one in iris.protocols] == list(PROTOCOLS)
    for expected, found_in_iris in zip(embedded.protocols, iris.protocols, strict=True):
        assert (found_in_iris.skipped is None) == (
            expected.protocol not in ("probes", "questions", "reader")
        )  # which need codes
        known, found = [
            [one for one in each.figures if not one.name.endswith("ms")] for each in (expected, found_in_iris)
        ]
        assert [(one.name, one.of, one.n) for one in found] == [(one.name, one.of, one.n) for one in known]
        assert [one.value for one in found] == pytest.approx([one.value for one in known], abs=1e-6), expected.protocol
    pages, index_queries = 3, 1 + 50 + len(PROMPTS)
    assert server.counters["messages"]["PQ"] <= pages + index_queries + 5
