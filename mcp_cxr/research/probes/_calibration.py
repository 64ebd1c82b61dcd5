"""A logistic curve from scores to probabilities, and how good probabilities are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

_LEVELS = 8192
"""Scores above this number are put together by nearness before a curve is fitted to them."""
_STEPS = 50
_SMALL_STEP = 1e-6
_CLOSE = 1e-9
_LEAST = 1e-7
"""Probabilities nearer to 0 or 1 count as this near: their logits are finite."""


def logistic_curve(scores: NDArray[np.floating], truth: Mask) -> tuple[float, float]:
    """Return the slope and the offset of the logistic curve that fits best.

    The truth is moved inward as Platt (1999) does, so that the slope is finite if a score divides the classes.

    Returns:
        Slope 0 and the logit of the share of the class if the scores do not differ, or are of one class.
    """
    positives, count = int(truth.sum()), len(truth)
    center, spread = (float(scores.mean()), float(scores.std())) if count else (0.0, 0.0)
    high, low = (positives + 1) / (positives + 2), 1 / (count - positives + 2)
    share = (positives * high + (count - positives) * low) / max(count, 1) if count else 0.5
    start = float(np.log(share / (1 - share)))
    if not spread > 0 or positives in (0, count):
        return 0.0, start
    unit = (scores.astype(np.float64) - center) / spread
    slope, offset = _newton(*_levels(unit, np.where(truth, high, low)), start)
    return slope / spread, offset - slope * center / spread


def _levels(scores: Floats, targets: Floats) -> tuple[Floats, Floats, Floats]:
    """Return scores, how often each occurs, and the sum of its targets; of many, scores that are near become one."""
    if len(scores) <= _LEVELS:
        return scores, np.ones(len(scores)), targets
    low, high = float(scores.min()), float(scores.max())
    places = np.minimum(((scores - low) * (_LEVELS / (high - low))).astype(np.int64), _LEVELS - 1)
    counts = np.bincount(places, minlength=_LEVELS).astype(np.float64)
    used = counts > 0
    totals = np.bincount(places, scores, minlength=_LEVELS).astype(np.float64)[used]
    targets = np.bincount(places, targets, minlength=_LEVELS).astype(np.float64)[used]
    return totals / counts[used], counts[used], targets


def _newton(scores: Floats, counts: Floats, targets: Floats, start: float) -> tuple[float, float]:
    """Minimize the log loss of a logistic curve; halve a step that makes it worse."""
    at: Floats = np.array([0.0, start])
    loss = _log_loss(scores, counts, targets, at)
    for _ in range(_STEPS):
        chances = 1 / (1 + np.exp(-np.clip(at[0] * scores + at[1], -500, 500)))
        errors, weights = counts * chances - targets, counts * chances * (1 - chances)
        weighted = weights * scores
        gradient = np.array([errors @ scores, errors.sum()])
        curvature = np.array([[weighted @ scores, weighted.sum()], [weighted.sum(), weights.sum()]])
        step = _solved(curvature + _CLOSE * counts.sum() * np.eye(2), gradient)
        after = _log_loss(scores, counts, targets, at - step)
        while after > loss + _CLOSE and np.abs(step).max() > _CLOSE:
            step = step / 2
            after = _log_loss(scores, counts, targets, at - step)
        at, loss = at - step, after
        if np.abs(step).max() < _SMALL_STEP:
            break
    return float(at[0]), float(at[1])


def _solved(matrix: Floats, right: Floats) -> Floats:
    return np.linalg.solve(matrix, right).astype(np.float64)


def _log_loss(scores: Floats, counts: Floats, targets: Floats, at: Floats) -> float:
    logits = at[0] * scores + at[1]
    return float((counts * np.logaddexp(0, logits) - targets * logits).sum() / counts.sum())


class RocCurve:
    """Scores in their order, so that the area under the ROC curve of many resamples is a few sums each.

    Args:
        scores: Any numbers; a tie counts half.
        truth: Which of them are of the class.
    """

    def __init__(self, scores: NDArray[np.floating], truth: Mask) -> None:
        self._order = np.argsort(scores, kind="stable")
        ordered = scores[self._order]
        self._starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        self._truth = truth[self._order].astype(np.float64)

    def area(self, counts: NDArray[np.integer] | None = None) -> float:
        """Return the area; NaN if there is one class only.

        Args:
            counts: How often each score counts; None: once.
        """
        if not len(self._order):
            return float("nan")
        weights = np.ones(len(self._order)) if counts is None else counts[self._order].astype(np.float64)
        of_class = weights * self._truth
        positives = np.add.reduceat(of_class, self._starts)
        others = np.add.reduceat(weights, self._starts) - positives
        below = np.cumsum(others) - others / 2
        pairs = positives.sum() * others.sum()
        return float(positives @ below / pairs) if pairs > 0 else float("nan")


def auc(scores: NDArray[np.floating], truth: Mask) -> float:
    """Return the area under the ROC curve; a tie counts half; NaN if there is one class only."""
    return RocCurve(scores, truth).area()


def brier_skill(chances: NDArray[np.floating], truth: Mask, counts: NDArray[np.integer] | None = None) -> float:
    """Return how much smaller the squared error is than that of the prevalence: at most 1, 0 is no better; or NaN.

    Args:
        chances: Probabilities.
        truth: Which images have the label.
        counts: How often each image counts; None: once.
    """
    weights = np.ones(len(truth)) if counts is None else counts.astype(np.float64)
    total = max(float(weights.sum()), 1.0)
    prevalence = float(weights @ truth) / total
    error = float(weights @ np.square(chances.astype(np.float64) - truth)) / total
    baseline = prevalence * (1 - prevalence)
    return 1 - error / baseline if baseline > 0 else float("nan")


def calibration_slope(chances: NDArray[np.floating], truth: Mask) -> float:
    """Return the slope of the truth on the logit of the probability: 1 is calibrated, below 1 too sure; may be NaN.

    Cox, Two further applications of a model for binary regression, Biometrika 1958.
    """
    if int(truth.sum()) in (0, len(truth)):
        return float("nan")
    within = np.clip(chances.astype(np.float64), _LEAST, 1 - _LEAST)
    return logistic_curve(np.log(within / (1 - within)), truth)[0]
