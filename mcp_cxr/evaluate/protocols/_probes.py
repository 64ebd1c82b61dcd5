"""Compares finding scores, learned from the archive's own labels, with prompts and reports on the same images.

The area under the curve is measured again within one view, and with and without devices: a probe that has learned that
sick patients are examined lying down, with tubes, is good over all images and poor within each of these groups
(Zech et al., PLoS Medicine 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.evaluate.inputs import NOT_MENTIONED
from mcp_cxr.evaluate.metrics import (
    ProtocolResult,
    column_means,
    figures_with_intervals,
    measured_result,
    skipped_result,
)
from mcp_cxr.evaluate.protocols._labels import label_vectors
from mcp_cxr.evaluate.protocols._rankings import LABELER_NOTE
from mcp_cxr.language import Status, finding_of_label, read_report
from mcp_cxr.records import LABELS, VIEW_POSITIONS
from mcp_cxr.research.probes import (
    NEEDED,
    RocCurve,
    brier_skill,
    calibration_slope,
    fit_linear_probes,
    too_few_examples,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mcp_cxr.evaluate.inputs import EvaluationContext
    from mcp_cxr.evaluate.metrics import Floats, Integers, Mask
    from mcp_cxr.records import Vectors

_PAGE = 1000
_MIN_IMAGES = 10
"""Images with a label, and without it, below which a group is not measured."""
_REMOVED = ["all images of a patient, from what the probes that score them learned"]
_STATED = {Status.PRESENT: 2.0, Status.POSSIBLE: 1.0, Status.ABSENT: -1.0}
_WHOLE = ("AUC", "AUC zero-shot", "AUC words", "Brier skill", "calibration slope")
_GROUPS = ("AUC within PA", "AUC within AP", "AUC with devices", "AUC without devices")
_DEVICES = LABELS.index("Support Devices")


async def measure_probes(context: EvaluationContext) -> ProtocolResult:
    """Learn the archive's labels, and compare the out-of-fold scores of some studies with the truth."""
    dataset = context.dataset
    is_blank = dataset.own_values == NOT_MENTIONED
    of_studies = np.where(is_blank, 0, dataset.own_values).astype(np.int8)
    of_studies[is_blank.all(axis=1)] = -1
    learned = of_studies[dataset.study_of]
    left_out = too_few_examples(LABELS, learned, dataset.subject_of[dataset.study_of])
    labels = [label for label in LABELS if label not in left_out and label in context.plan.prompts]
    if not labels:
        return skipped_result("probes", f"No label of the archive has enough examples: {NEEDED}.")
    rows = _drawn_images(context)
    columns = [LABELS.index(label) for label in labels]
    scores = {"AUC": await to_thread.run_sync(_probe_scores, context, learned[:, columns], rows)}
    if context.embedder.embeds_text:
        vectors = await label_vectors(context, labels)
        scores["AUC zero-shot"] = await to_thread.run_sync(_cosines, context, vectors, rows)
    if (dataset.text_of[dataset.study_of[rows]] >= 0).any():
        scores["AUC words"] = await _stated(context, labels, rows)
    return await to_thread.run_sync(_result, context, labels, rows, scores, left_out)


def _drawn_images(context: EvaluationContext) -> Integers:
    """Return the images of up to `plan.studies` studies that the truth speaks of, drawn by its seed."""
    dataset = context.dataset
    studies = np.flatnonzero(dataset.labeled)
    if len(studies) > context.plan.studies:
        studies = context.rng().choice(studies, context.plan.studies, replace=False)
    return np.flatnonzero(np.isin(dataset.study_of, studies))


def _probe_scores(context: EvaluationContext, learned: NDArray[np.int8], rows: Integers) -> Vectors:
    dataset = context.dataset
    folds = dataset.fold_of[dataset.study_of]
    return fit_linear_probes(dataset.vectors, learned, folds).scores(dataset.vectors[rows], folds[rows])


def _cosines(context: EvaluationContext, vectors: Vectors, rows: Integers) -> Vectors:
    """Return the cosine of each image with each label's prompts."""
    return context.dataset.vectors[rows] @ vectors.T


async def _stated(context: EvaluationContext, labels: Sequence[str], rows: Integers) -> Vectors:
    """Return what each image's report states of each label: 2 present, 1 possible, 0 nothing, -1 absent."""
    names = [entry.name if (entry := finding_of_label(label)) else "" for label in labels]
    ids = context.dataset.ids(rows)
    found: list[Vectors] = []
    for start in range(0, len(ids), _PAGE):
        page = ids[start : start + _PAGE]
        stored = await context.store.get(page)
        reports = [stored[image].study.english_report if image in stored else None for image in page]
        found.append(await to_thread.run_sync(_read, reports, names))
    return np.concatenate(found)


def _read(reports: Sequence[str | None], names: Sequence[str]) -> Vectors:
    readings = {report: read_report(report) for report in set(reports) if report}
    statuses = (readings.get(report or "", {}) for report in reports)
    rows = [[_STATED[of[name].status] if name in of else 0 for name in names] for of in statuses]
    return np.array(rows, np.float32)


@dataclass(frozen=True, slots=True)
class _LabelFigures:
    """One label on the images for which the truth knows it."""

    places: Integers
    """Which of the drawn images."""
    has: Mask
    chances: NDArray[np.floating]
    curves: dict[str, tuple[RocCurve, Integers]]
    """By the name of the figure, with the images among `places`."""

    def values(self, names: Sequence[str], counts: Integers | None) -> list[float]:
        """Return the figures; NaN if one is not measured. The calibration slope is not of a resample."""
        of_label = None if counts is None else counts[self.places]
        found: list[float] = []
        for name in names:
            if name in self.curves:
                curve, images = self.curves[name]
                found.append(curve.area(None if of_label is None else of_label[images]))
            elif name == "Brier skill":
                found.append(brier_skill(self.chances, self.has, of_label))
            elif name == "calibration slope" and of_label is None:
                found.append(calibration_slope(self.chances, self.has))
            else:
                found.append(float("nan"))
        return found


def _label_figures(
    context: EvaluationContext, label: str, rows: Integers, scores: Mapping[str, NDArray[np.floating]]
) -> _LabelFigures:
    dataset = context.dataset
    values = dataset.values[dataset.study_of[rows]]
    places = np.flatnonzero(values[:, LABELS.index(label)] != -1)
    has = values[places, LABELS.index(label)] == 1
    views, devices = dataset.view_of[rows][places], values[places, _DEVICES]
    everywhere = np.arange(len(places))
    groups = {
        "AUC within PA": np.flatnonzero(views == VIEW_POSITIONS.index("PA")),
        "AUC within AP": np.flatnonzero(views == VIEW_POSITIONS.index("AP")),
        "AUC with devices": np.flatnonzero(devices == 1),
        "AUC without devices": np.flatnonzero(np.isin(devices, (0, NOT_MENTIONED))),
    }
    curves = {name: (RocCurve(column[places], has), everywhere) for name, column in scores.items()}
    for name, images in groups.items():
        if min(has[images].sum(), (~has[images]).sum()) >= _MIN_IMAGES:
            curves[name] = RocCurve(scores["AUC"][places][images], has[images]), images
    return _LabelFigures(places, has, scores["AUC"][places], curves)


def _result(
    context: EvaluationContext,
    labels: Sequence[str],
    rows: Integers,
    scores: Mapping[str, Vectors],
    left_out: dict[str, str],
) -> ProtocolResult:
    of_labels = [
        _label_figures(context, label, rows, {name: given[:, column] for name, given in scores.items()})
        for column, label in enumerate(labels)
    ]
    names = [name for name in (*_WHOLE, *_GROUPS) if name not in _WHOLE[:3] or name in scores]

    def figures(counts: Integers | None) -> Floats:
        by_label = np.array([one.values(names, counts) for one in of_labels])
        return np.concatenate((column_means(by_label), by_label.ravel()))

    whole = figures(None)
    columns = [(name, label) for label in ("", *labels) for name in names]
    with_it = [len(labels), *(int(one.has.sum()) for one in of_labels)]
    measured = figures_with_intervals(
        columns,
        whole,
        context.bootstrap(context.dataset.subject_of[context.dataset.study_of[rows]]).intervals(figures),
        chance=[_chance(name) for name, _ in columns],
        n=[count for count in with_it for _ in names],
        counted=[counted for counted in ("labels", *["images with it"] * len(labels)) for _ in names],
    )
    return measured_result(
        "probes",
        [one for one in measured if not np.isnan(one.value)],
        _REMOVED,
        _notes(context, rows, scores),
        left_out={label: f"It is {reason}; {NEEDED}." for label, reason in left_out.items()},
    )


def _chance(name: str) -> float | None:
    return 0.5 if name.startswith("AUC") else 0.0 if name == "Brier skill" else None


def _notes(context: EvaluationContext, rows: Integers, scores: Mapping[str, Vectors]) -> list[str]:
    by_reports = "AUC words" in scores and not context.plan.independent
    judged = (
        f"Judged on {len(rows)} images, out of fold by patient; learned from the archive's own labels. The first"
        " figures are means over labels. Finding scores are for research, not a diagnosis."
    )
    groups = f"A group with fewer than {_MIN_IMAGES} images with a label, or without it, is not measured."
    return [judged, groups, *([LABELER_NOTE] if by_reports else [])]
