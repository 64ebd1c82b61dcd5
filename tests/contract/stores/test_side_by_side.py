"""All stores return the same images for words, in the same order."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.language import finding_term, terms
from mcp_cxr.language.query import parse_query_text
from mcp_cxr.records import Filter, Study, StudyId, SubjectId, TermClause
from tests.contract.stores.backends import EmbeddedBackend, IrisBackend, LargeEmbeddedBackend, MemoryBackend
from tests.contract.stores.making import FINGERPRINT, image, vectors

if TYPE_CHECKING:
    from pathlib import Path

SENTENCES = (
    "Small left pleural effusion.",
    "Large right pleural effusion with atelectasis.",
    "No pleural effusion.",
    "No pneumothorax or pneumonia.",
    "Mild cardiomegaly.",
    "Possible pneumonia in the left lower lobe.",
    "The endotracheal tube ends above the carina.",
    "Heart size is normal.",
)
QUESTIONS = ("effusion", "left effusion", "pneumonia without effusion", "ETT tip", "large heart, PA view", "lobe lobe")
WHERE = (
    Filter(),
    Filter(view=("PA",)),
    Filter(
        clauses=(TermClause(or_lacks=(finding_term("present", "pleural effusion"),)), TermClause(any_of=("pa", "lobe")))
    ),
    Filter(subject_id=SubjectId("p3")),
)


async def test_words_are_found_in_the_same_order(tmp_path: Path) -> None:
    draw = random.Random(9)  # noqa: S311  # not for security
    studies = [
        Study(StudyId(f"s{n}"), SubjectId(f"p{n % 7}"), report=" ".join(draw.choices(SENTENCES, k=draw.randint(1, 6))))
        for n in range(50)
    ]
    images = [
        image(f"i{n * 37 % 101:03}", f"s{n % 50}", f"p{n % 50 % 7}", view_position="PA" if n % 3 else "LL")
        for n in range(80)
    ]
    async with AsyncExitStack() as stack:
        stores = []
        for number, kind in enumerate((EmbeddedBackend, LargeEmbeddedBackend, IrisBackend, MemoryBackend)):
            backend = kind(tmp_path / str(number))
            stack.enter_context(backend.patched())
            store = await stack.enter_async_context(backend.store())
            await store.create(FINGERPRINT)
            await store.put_studies(studies)
            await store.put(images, vectors(len(images)))
            stores.append(store)
        found = 0
        for question in QUESTIONS:
            wanted = parse_query_text(question).findings
            asked = [*terms(question), *(finding_term("present", one.name, one.modifiers) for one in wanted)]
            for where in WHERE:
                for limit in (5, 99):
                    first, *others = [await store.match(asked, where, limit=limit) for store in stores]
                    found += len(first)
                    for other in others:
                        assert [hit.image_id for hit in other] == [hit.image_id for hit in first], (question, where)
                        assert [hit.score for hit in other] == pytest.approx([hit.score for hit in first], rel=1e-9)
        assert found > 300
