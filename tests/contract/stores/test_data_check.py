"""The check of the data finds the same in every store, and `forget` removes what it keeps."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from mcp_cxr.records import Filter
from mcp_cxr.research.data_check import CheckPlan
from tests.support.planted_faults import PlantedFaults, images_of

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.stores import Store

PLAN = CheckPlan(today=dt.date(2026, 11, 30))


def faulty() -> PlantedFaults:
    """Return studies with a near duplicate across splits, a contradiction, an impossible date, and a wrong view."""
    planted = PlantedFaults.drawn(70)
    for number in range(70):
        planted.change_study(number, split="test" if number < 20 else "train")
    planted.copy_image(of=10, to=40)
    planted.change_study(5, report="No pleural effusion.", labels={**planted.studies[5].labels, "Pleural Effusion": 1})
    planted.change_study(7, study_date="2031-05-06")
    return planted


async def test_every_store_gives_the_same_lists(bare: Store, tmp_path: Path):
    async with faulty().archive(tmp_path / "memory") as archive:
        expected = (await archive.check_data(PLAN)).lists
    async with faulty().archive_in(bare, tmp_path / "data") as archive:
        found = (await archive.check_data(PLAN)).lists
        assert found == expected
        assert {one.name: one.total for one in found if one.name in ("duplicates", "reports", "dates")} == {
            "duplicates": 1,
            "reports": 1,
            "dates": 1,
        }
        files = archive.data_check_files()
        assert files.read_check().lists == found
        await archive.forget(Filter(image_id=images_of(faulty(), [10])[0]))
        kept = files.read_check()
        assert [one.total for one in kept.lists if one.name in ("duplicates", "reports", "dates")] == [0, 1, 1]
