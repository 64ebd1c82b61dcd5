"""The protocol `reader`: what is read in reports, against codes that people gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_cxr.evaluate import CodesFile
from mcp_cxr.evaluate.inputs import stored_reports
from mcp_cxr.evaluate.metrics import wilson_interval
from mcp_cxr.evaluate.protocols import measure_reader
from mcp_cxr.records import Study, StudyId, SubjectId
from mcp_cxr.stores import MemoryStore
from tests.support.companions import table
from tests.unit.evaluate.archives import figure, fill, labeled_images

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.evaluate.metrics import FindingAgreement, ProtocolResult

LEFT = "FINDINGS: There is a small left pleural effusion."
POSSIBLE = "FINDINGS: Possible pleural effusion."
NONE = "FINDINGS: No pleural effusion."
NORMAL = "FINDINGS: The lungs are clear. Heart size is normal. IMPRESSION: Normal chest."


def codes(folder: Path, *rows: tuple[object, ...]) -> CodesFile:
    wide = [(*row, *[""] * (4 - len(row))) for row in rows]
    return CodesFile.read(table(folder / "codes.csv", ("study_id", "finding", "value", "side"), *wide))


def agreement(result: ProtocolResult, finding: str, counted: str = "present", side: str = "") -> FindingAgreement:
    (found,) = [one for one in result.agreement if (one.finding, one.counted, one.side) == (finding, counted, side)]
    return found


def many(folder: Path, present: int, *, missed: int, wrong: int) -> ProtocolResult:
    """Return the result of this many studies coded present, some not read, and some read though not coded."""
    reports = {f"s{n}": NONE if n < missed else LEFT for n in range(present)}
    reports |= {f"s{present + n}": LEFT if n < wrong else NONE for n in range(40)}
    given = [(study, "effusion", int(n < present)) for n, study in enumerate(reports)]
    return measure_reader(reports, codes(folder, *given))


def test_precision_and_recall_have_wilson_intervals(tmp_path: Path) -> None:
    result = many(tmp_path, 40, missed=4, wrong=2)
    found = agreement(result, "pleural effusion")
    assert (found.studies, found.coded, found.read, found.both) == (80, 40, 38, 36)
    assert found.recall is not None
    assert found.precision is not None
    assert (found.precision.value, found.precision.n) == (36 / 38, 38)
    assert (found.recall.value, found.recall.n) == (0.9, 40)
    assert (found.recall.low, found.recall.high) == pytest.approx((0.7695, 0.9604), abs=5e-4)
    assert found.disagreements == []
    recall = figure(result, "recall", "pleural effusion, present")
    assert (recall.value, recall.n, recall.counted) == (0.9, 40, "coded studies")


def test_an_interval_stays_within_0_and_1() -> None:
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=5e-4)
    assert wilson_interval(10, 10) == pytest.approx((0.7225, 1.0), abs=5e-4)


def test_few_coded_studies_are_counts_and_every_disagreement(tmp_path: Path) -> None:
    result = many(tmp_path, 29, missed=1, wrong=1)
    found = agreement(result, "pleural effusion")
    assert (found.coded, found.read, found.both) == (29, 29, 28)
    assert (found.precision, found.recall) == (None, None)
    assert result.figures == []
    missed, wrong = found.disagreements
    assert (missed.study_id, missed.read, missed.coded) == ("s0", "absent", "present")
    assert missed.sentences == ["No pleural effusion."]
    assert (wrong.study_id, wrong.read, wrong.coded) == ("s29", "present", "absent")
    assert wrong.sentences == ["There is a small left pleural effusion."]


def test_possible_counts_only_where_it_is_asked(tmp_path: Path) -> None:
    result = measure_reader(
        {"s1": POSSIBLE, "s2": POSSIBLE}, codes(tmp_path, ("1", "effusion", -1), ("2", "effusion", 1))
    )
    present, either = (agreement(result, "pleural effusion", name) for name in ("present", "present or possible"))
    assert (present.coded, present.read, present.both) == (1, 0, 0)
    assert (either.coded, either.read, either.both) == (2, 2, 2)


def test_a_study_without_a_row_has_not_the_finding_unless_absent_ones_have_rows(tmp_path: Path) -> None:
    reports = {"s1": LEFT, "s2": NONE}
    positives = codes(tmp_path, ("s1", "effusion", 1), ("s2", "scoliosis", 1))
    assert agreement(measure_reader(reports, positives), "pleural effusion").studies == 2
    rows = [("s1", "effusion", 0), ("s2", "scoliosis", 1)]
    assert agreement(measure_reader(reports, codes(tmp_path, *rows)), "pleural effusion").studies == 1


def test_sides_are_compared_where_they_are_coded(tmp_path: Path) -> None:
    reports = {"s1": LEFT, "s2": LEFT, "s3": LEFT}
    given = codes(tmp_path, (1, "effusion", 1, "left"), (2, "effusion", 1, "bilateral"), (3, "effusion", 1))
    result = measure_reader(reports, given)
    left, right = (agreement(result, "pleural effusion", side=side) for side in ("left", "right"))
    assert (left.studies, left.coded, left.read, left.both) == (2, 2, 2, 2)  # the third has no side
    assert (right.studies, right.coded, right.read, right.both) == (2, 1, 0, 0)
    (missed,) = right.disagreements
    assert (missed.study_id, missed.read, missed.coded) == ("s2", "not mentioned", "present")
    assert missed.sentences == ["There is a small left pleural effusion."]


def test_a_narrower_code_counts_for_the_broader_finding(tmp_path: Path) -> None:
    given = codes(tmp_path, (1, "rib fracture", 1), (2, "fracture", 1))
    result = measure_reader({"s1": "FINDINGS: Rib fracture.", "s2": "FINDINGS: Fracture."}, given)
    assert (agreement(result, "fracture").coded, agreement(result, "fracture").both) == (2, 2)


def test_no_finding_is_a_judgment_of_the_whole_report(tmp_path: Path) -> None:
    given = codes(tmp_path, (1, "No Finding", 1), (2, "effusion", 1))
    found = agreement(measure_reader({"s1": NORMAL, "s2": LEFT}, given), "no finding")
    assert (found.coded, found.read, found.both) == (1, 1, 1)


def test_unknown_names_and_studies_without_a_report_are_named(tmp_path: Path) -> None:
    given = codes(tmp_path, (1, "plural effusion", 1), (2, "effusion", 1), (3, "effusion", 1), (4, "effusion", 1))
    result = measure_reader({"s1": NONE, "s2": LEFT, "s3": None}, given)
    assert "nearest: pleural effusion" in result.left_out["plural effusion"]
    assert any("2 of 4 coded studies" in note for note in result.notes)
    assert any("1 not in the archive" in note and "1 without a report" in note for note in result.notes)


def test_no_study_in_common_is_a_reason(tmp_path: Path) -> None:
    result = measure_reader({"s9": LEFT}, codes(tmp_path, (1, "effusion", 1)))
    assert "None of the 1 coded studies" in (result.skipped or "")


async def test_only_english_reports_are_compared(tmp_path: Path) -> None:
    images, _ = labeled_images(2)
    spanish = Study(StudyId("s000"), SubjectId("p000"), report="Derrame pleural.", report_language="es")
    async with MemoryStore() as store:
        await fill(store, images)
        await store.put_studies([spanish])
        found = await stored_reports(store, codes(tmp_path, ("s000", "effusion", 1), ("s001", "edema", 1)), split=None)
    assert found == {"s000": None, "s001": images[1].report}
