"""On studies with known findings: pixels harm no match and find more, feedback helps, and denials are respected.

A small form of the trial in tests/bench/bench_answers.py. It checks the direction only. The bench, with more queries on
three simulated archives, measures how much, with what confidence, and whether feedback harms under one query in twenty.
"""

from __future__ import annotations

import anyio
import numpy as np
import pytest

from mcp_cxr.images import ImageReader
from mcp_cxr.records import StudyId
from mcp_cxr.stores import MemoryDatabase, MemoryStore
from tests.support.label_space import LABEL_OF, LabelSpace
from tests.support.search_trial import Trial, draw_queries, run, swapped

SPACE = LabelSpace(600, noise=2.5, seed=11)


@pytest.fixture(scope="module")
def database() -> MemoryDatabase:
    return MemoryDatabase()


@pytest.fixture(scope="module")
def found(database: MemoryDatabase) -> Trial:
    async def ask() -> Trial:
        async with MemoryStore(database) as store, ImageReader() as reader:
            await SPACE.fill(store)
            return await run(SPACE, SPACE.archive(store, reader), draw_queries(SPACE, 24, seed=12))

    return anyio.run(ask)


def test_fused_rankings_find_no_less_than_any_alone(found: Trial) -> None:
    assert found.best_single in {"pixels", "words"}
    assert found.mean("hybrid") >= found.mean(found.best_single)


async def test_pixels_find_studies_without_a_report_after_the_matches(found: Trial, database: MemoryDatabase) -> None:
    assert found.by_way
    right, by_chance = list[bool](), list[bool]()
    async with MemoryStore(database) as store, ImageReader() as reader:
        archive = SPACE.archive(store, reader)
        truths = {truth.study_id: truth for truth in SPACE.truths}
        for name in LABEL_OF:
            matches = (await archive.search(name, limit=1, mode="words")).total_results
            page = await archive.search(name, limit=10, offset=matches)
            assert {hit.matched for hit in page.images} == {"unknown"}
            right += [name in truths[StudyId(hit.study_id)].findings for hit in page.images]
            by_chance += [name in truth.findings for truth in SPACE.truths if not truth.has_report]
    assert np.mean(right) > 2 * np.mean(by_chance)


def test_feedback_raises_precision_and_helps_more_often_than_it_harms(found: Trial) -> None:
    assert np.mean(found.after) > np.mean(found.before)
    assert np.mean(np.array(found.after) > np.array(found.before)) > 2 * found.lowered


async def test_denying_a_finding_returns_the_opposite_studies(found: Trial, database: MemoryDatabase) -> None:
    assert found.by_way
    async with MemoryStore(database) as store, ImageReader() as reader:
        archive = SPACE.archive(store, reader)
        assert await swapped(SPACE, archive, "auto") < 0.05
