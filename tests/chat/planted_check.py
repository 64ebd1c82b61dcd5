"""A check of the data with entries about images of the demo, as the command would have kept it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.research.data_check import CheckEntry, CheckFiles, CheckList, DataCheck

if TYPE_CHECKING:
    from tests.server.archives import Ingested


def keep_check(archive: Ingested) -> DataCheck:
    """Keep a check with 26 entries about labels, one pair, and a list that was not made; return it."""
    images = archive.drawn.images
    labels = tuple(
        CheckEntry(
            f"labels|Edema|{number}",
            (one.image_id,),
            (one.study_id,),
            (one.subject_id,),
            "Edema is labeled absent; its score is 0.97, and 12% of studies have it.",
            3.0,
        )
        for number, one in enumerate((images * 2)[:26])
    )
    first, second = images[0], images[-1]
    pair = CheckEntry(
        "duplicates|pair",
        (first.image_id, second.image_id),
        (first.study_id, second.study_id),
        (first.subject_id, second.subject_id),
        "Two patients have nearly the same image: one may be stored under the wrong patient.",
        2.99,
    )
    check = DataCheck(
        "2026-11-30T04:00:00+00:00",
        "1.0",
        "made-up",
        len(images),
        12,
        9,
        1.0,
        (
            CheckList("labels", labels, 26, notes=("A score is of a probe that saw no image of the patient.",)),
            CheckList("duplicates", (pair,), 1),
            CheckList("dates", not_made="No study has a date, an age or a sex."),
        ),
    )
    CheckFiles(archive.data_dir, None).write_check(check)
    return check
