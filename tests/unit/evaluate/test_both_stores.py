"""An archive in IRIS is measured as an embedded one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_cxr.evaluate import PROTOCOLS, EvaluationPlan, evaluate
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.stores.iris import IrisStore
from tests.faults.iris_stores import config
from tests.support.iris import plain_server
from tests.unit.evaluate.making import PROMPTS, Film, KnowingEmbedder, drawn, fill, knowing

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.evaluate import Evaluation
    from mcp_cxr.stores import Store


async def filled(store: Store) -> KnowingEmbedder:
    """Put films of which something is known among many of which nothing is; return what reads their texts."""
    films, embedder = knowing(90)
    await fill(
        store, [*films, *(Film(f"n{n}", f"n{n}", f"n{n}", vector) for n, vector in enumerate(drawn(510, seed=2)))]
    )
    return embedder


async def evaluated(store: Store, embedder: KnowingEmbedder) -> Evaluation:
    plan = EvaluationPlan(prompts=PROMPTS, resamples=20, queries=60, studies=60)
    return await evaluate(store, embedder, plan, version="0", confirm=embedder.fingerprint, tell=lambda _: None)


async def test_all_protocols_give_the_same_figures_on_both_stores(tmp_path: Path) -> None:
    """On IRIS, the archive is read once, 500 rows at a time; a question that compares vectors asks nothing of it."""
    server = plain_server()
    async with EmbeddedStore(tmp_path) as store:
        here = await evaluated(store, await filled(store))
    async with IrisStore(config(server)) as store:
        embedder = await filled(store)
        server.reset_counters()
        there = await evaluated(store, embedder)
    assert [one.protocol for one in there.protocols] == list(PROTOCOLS)
    for ours, theirs in zip(here.protocols, there.protocols, strict=True):
        assert theirs.skipped is None
        known, found = [[one for one in each.figures if not one.name.endswith("ms")] for each in (ours, theirs)]
        assert [(one.name, one.of, one.n) for one in found] == [(one.name, one.of, one.n) for one in known]
        assert [one.value for one in found] == pytest.approx([one.value for one in known], abs=1e-6), ours.protocol
    pages, by_index = 3, 1 + 50 + len(PROMPTS)
    assert server.counters["messages"]["PQ"] <= pages + by_index + 5
