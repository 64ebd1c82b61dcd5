"""Finding scores beside prompts and reports, with shortcuts made visible."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mcp_cxr.evaluate.protocols import measure_probes
from mcp_cxr.research.probes import RocCurve, brier_skill
from tests.unit.evaluate.archives import (
    DIMENSION,
    LabelEmbedder,
    SyntheticImage,
    axis,
    evaluation_context,
    figure,
    labeled_images,
    unit,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

IMAGES = 600
SHOWN = "AUC, AUC zero-shot, AUC words, Brier skill, calibration slope, AUC within PA, AUC within AP".split(", ")


def images(*, sees_finding: float, sees_view: float) -> list[SyntheticImage]:
    """Return images in which an edema is more often seen lying down, with devices, and written of."""
    rng = np.random.default_rng(8)
    made: list[SyntheticImage] = []
    for number in range(IMAGES):
        ap = rng.random() < 0.5
        edema = int(rng.random() < (0.5 if ap else 0.15))
        vector = rng.normal(size=DIMENSION) / 8 + edema * sees_finding * axis(0) + ap * sees_view * axis(40)
        labels = {"Edema": edema, "Support Devices": int(ap)}
        report = f"IMPRESSION: {'Edema' if rng.random() < 0.1 + 0.8 * edema else 'No pneumonia'}."
        made.append(
            SyntheticImage(
                f"i{number:03}",
                f"s{number:03}",
                f"p{number // 2:03}",
                unit(vector),
                labels,
                report,
                None,
                "AP" if ap else "PA",
            )
        )
    return made


async def test_probes_are_measured_beside_prompts_and_reports() -> None:
    async with evaluation_context(images(sees_finding=0.3, sees_view=0), LabelEmbedder(), resamples=30) as context:
        result = await measure_probes(context)
    assert [one.name for one in result.figures if one.of == "Edema"][: len(SHOWN)] == SHOWN
    for name in ("AUC", "AUC zero-shot", "AUC words", "AUC within PA", "AUC within AP", "AUC with devices"):
        found = figure(result, name, "Edema")
        assert found.value > 0.65, name
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.value <= found.high
        assert found.chance == 0.5
    assert figure(result, "Brier skill", "Edema").value > 0.05
    assert 0.6 < figure(result, "calibration slope", "Edema").value < 1.5
    assert any("not a diagnosis" in note for note in result.notes)
    assert result.left_out["Fracture"].startswith("It is present in 0 images of 0 patients; a probe needs 50")


async def test_a_shortcut_shows_within_views() -> None:
    async with evaluation_context(images(sees_finding=0, sees_view=1), LabelEmbedder(), resamples=20) as context:
        result = await measure_probes(context)
    assert figure(result, "AUC", "Edema").value > 0.6
    for name in ("AUC within PA", "AUC within AP", "AUC with devices", "AUC without devices"):
        assert figure(result, name, "Edema").value == pytest.approx(0.5, abs=0.12)


async def test_without_text_and_reports_only_the_probes_are_measured() -> None:
    silent: Sequence[SyntheticImage] = [replace(one, report=None) for one in images(sees_finding=0.3, sees_view=0)]
    async with evaluation_context(silent, LabelEmbedder(embeds_text=False), resamples=20) as context:
        names = {one.name for one in (await measure_probes(context)).figures}
    assert "AUC" in names
    assert not names & {"AUC zero-shot", "AUC words"}


async def test_too_few_examples_are_said() -> None:
    few, embedder = labeled_images()
    async with evaluation_context(few, embedder) as context:
        assert "50 images of 20 patients" in ((await measure_probes(context)).skipped or "")


def test_counted_figures_are_those_of_repeated_items() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(2)
    scores, has, counts = np.round(rng.random(300), 1), rng.random(300) < 0.3, rng.integers(0, 4, 300)
    repeated = np.repeat(np.arange(300), counts)
    assert RocCurve(scores, has).area(counts) == pytest.approx(roc_auc_score(has[repeated], scores[repeated]))
    assert brier_skill(scores, has, counts) == pytest.approx(brier_skill(scores[repeated], has[repeated]))
