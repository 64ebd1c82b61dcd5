"""The protocol `questions`: findings with side and size, judged by codes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.errors import ConfigError
from mcp_cxr.evaluate import CodesFile, EvaluationPlan, TruthFile
from mcp_cxr.evaluate.inputs import held_out_copy
from mcp_cxr.evaluate.protocols import measure_questions
from tests.support.companions import table
from tests.unit.evaluate.archives import LabelEmbedder, evaluation_context, figure, labeled_images

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from mcp_cxr.evaluate.inputs import HeldOutCopy

COLUMNS = ("study_id", "finding", "value", "side", "size")
KINDS = [("left", "small"), ("right", "small"), ("left", "large"), ("right", "large")]


def truth(folder: Path, *rows: tuple[object, ...]) -> TruthFile:
    return TruthFile.read(table(folder / "truth.csv", COLUMNS, *rows))


@asynccontextmanager
async def sided_archive(folder: Path, count: int = 80) -> AsyncGenerator[HeldOutCopy]:
    """Yield a copy of studies with an effusion each, whose reports state side and size."""
    images, _ = labeled_images(count)
    kinds = [KINDS[n % 4] for n in range(count)]
    images = [
        replace(image, labels={}, report=f"FINDINGS: There is a {size} {side} pleural effusion.")
        for image, (side, size) in zip(images, kinds, strict=True)
    ]
    given = truth(folder, *((one.study, "effusion", 1, *kind) for one, kind in zip(images, kinds, strict=True)))
    async with (
        evaluation_context(images, LabelEmbedder(embeds_text=False), truth=given) as context,
        held_out_copy(context, labels=False) as copy,
    ):
        yield copy


async def test_questions_are_asked_for_each_side_and_size(tmp_path: Path) -> None:
    async with sided_archive(tmp_path) as copy:
        result = await measure_questions(copy)
    assert result.skipped is None
    assert result.removed == []  # the archive has no labels to remove
    assert [figure(result, "P@10", of).n for of in ("", "side", "size", "side and size")] == [8, 2, 2, 4]
    left = figure(result, "P@10", "left pleural effusion")
    assert (left.value, left.n, left.chance) == (1.0, 40, 0.5)
    assert figure(result, "P@10", "small left pleural effusion").chance == 0.25
    assert figure(result, "other side or size").value == 0.0
    assert figure(result, "other side or size").better == "lower"


async def test_a_study_without_the_attribute_is_not_judged(tmp_path: Path) -> None:
    images, _ = labeled_images(30)
    rows = [(one.study, "effusion", 1, ("left", "right", "")[n % 3], "") for n, one in enumerate(images)]
    async with (
        evaluation_context(images, LabelEmbedder(embeds_text=False), truth=truth(tmp_path, *rows)) as context,
        held_out_copy(context, labels=False) as copy,
    ):
        result = await measure_questions(copy)
    assert figure(result, "P@10", "left pleural effusion").chance == 0.5  # of the twenty with a side


async def test_truth_without_sides_and_sizes_is_a_reason(tmp_path: Path) -> None:
    images, _ = labeled_images(30)
    given = truth(tmp_path, *((one.study, "effusion", 1, "", "") for one in images))
    for truth_file in (None, given):
        async with (
            evaluation_context(images, truth=truth_file) as context,
            held_out_copy(context, labels=False) as copy,
        ):
            assert "side or size" in ((await measure_questions(copy)).skipped or "")


def test_codes_are_labels_too(tmp_path: Path) -> None:
    given = truth(
        tmp_path, ("s1", "Rib fracture", 1, "left", ""), ("s2", "edema", -1, "", ""), ("s3", "scoliosis", 1, "", "")
    )
    assert given.codes is not None
    assert given.codes.labels() == {
        "1": {"Fracture": 1, "Edema": 0},
        "2": {"Fracture": 0, "Edema": -1},
        "3": {"Fracture": 0, "Edema": 0},
    }


@pytest.mark.parametrize(
    "row", [("s1", "edema", 2, "", ""), ("s1", "edema", 1, "up", ""), ("s1", "edema", 1, "", "wide")]
)
def test_a_wrong_value_is_an_error_with_its_line(tmp_path: Path, row: tuple[object, ...]) -> None:
    with pytest.raises(ConfigError, match="line 2"):
        truth(tmp_path, row)


def test_a_table_of_other_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="study_id, finding and value"):
        CodesFile.read(table(tmp_path / "codes.csv", ("study", "finding"), (1, "edema")))


def test_any_name_of_a_finding_is_accepted(tmp_path: Path) -> None:
    path = table(
        tmp_path / "codes.csv", COLUMNS[:3], (1, "COPD", 1), (1, "granulomas", 1), (1, "Effusion", 1), (1, "zzz", 1)
    )
    read = CodesFile.read(path)
    assert read.findings() == ["chronic obstructive pulmonary disease", "granuloma", "pleural effusion"]
    assert list(read.unknown) == ["zzz"]


def test_the_plan_runs_questions_by_default() -> None:
    assert "questions" in EvaluationPlan().protocols
