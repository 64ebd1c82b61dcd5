"""A cohort over every store: the same images, facts and splits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.records import Filter, SubjectId
from tests.unit.research.cohort_archives import MadeUpStudy, archive_with

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.stores import Store

REPORTS = ("FINDINGS: Left pleural effusion.", "FINDINGS: No effusion.", "FINDINGS: Possible effusion.", None)
STUDIES = [
    MadeUpStudy(number // 2, number % 2, "test" if number > 5 else "train", 1 + number % 2, REPORTS[number % 4])
    for number in range(8)
]


async def test_a_cohort_has_the_same_rows_whatever_the_store(bare: Store, tmp_path: Path):
    async with archive_with(bare, STUDIES, tmp_path) as archive:
        made = await archive.make_cohort("words", "pleural effusion", matched="part")
        shares = await archive.make_cohort("shares", split="50/50", balance="Edema", labels_absent=["Fracture"])
        assert not any((await archive.verify_cohort("words")).problems.values())
        await archive.forget(Filter(subject_id=SubjectId("p000")))
        left = await archive.cohort("words")
    assert [(row.image_id, row.split, row.size) for row in made.rows] == [
        ("i000-0", "train", 6),
        ("i002-0", "train", 6),
        ("i004-0", "train", 6),
        ("i006-0", "test", 6),
    ]
    assert made.header["labels_by"] == {"chexpert": 4}
    assert {name: one["subjects"] for name, one in shares.header["splits"].items()} == {"train": 2, "test": 2}
    assert len(shares.rows) == 12
    assert [row.image_id for row in left.rows] == ["i002-0", "i004-0", "i006-0"]
