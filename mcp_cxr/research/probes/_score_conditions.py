"""Conditions on finding scores, such as `Pneumothorax>0.8`, and the images that meet them."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mcp_cxr.records import ImageId
    from mcp_cxr.research.probes._fitted_probes import FittedProbes, Probe

_CONDITION = re.compile(r"\s*(?P<label>[^<>=]*[^<>=\s])\s*(?P<compared>>=|<=|>|<)\s*(?P<limit>\d*\.?\d+)\s*")
_COMPARED: Mapping[str, Callable[[np.ndarray, float], np.ndarray]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True, slots=True)
class ScoreCondition:
    """A bound on the score of one label."""

    label: str
    compared: str
    """`>`, `>=`, `<` or `<=`."""
    limit: float
    """0 to 1."""

    @property
    def wants_high(self) -> bool:
        """Whether scores above the limit meet it."""
        return self.compared in (">", ">=")


def read_condition(text: str) -> ScoreCondition:
    """Return the condition that a text such as `Pneumothorax>0.8` states.

    Raises:
        QueryError: It states none.
    """
    found = _CONDITION.fullmatch(text)
    if found is None or not 0 <= float(found["limit"]) <= 1:
        raise QueryError(
            f"Cannot read the score condition {text!r}. Write a label, one of > >= < <=, and 0 to 1, such as"
            " 'Pneumothorax>0.8'."
        )
    return ScoreCondition(found["label"], found["compared"], float(found["limit"]))


@dataclass(frozen=True, slots=True)
class ScoredImages:
    """The images that meet conditions on their scores."""

    probes: tuple[Probe, ...]
    """Of the labels of the conditions, once each, in their order."""
    scores: Mapping[ImageId, tuple[float, ...]]
    """Of each image, one for each of `probes`."""
    value_of: Mapping[ImageId, float]
    """What they are ordered by, the highest first: how far they meet the first condition."""
    stale: tuple[str, ...]
    """As of `FittedProbes`."""


def images_with_scores(fitted: FittedProbes, conditions: Sequence[ScoreCondition]) -> ScoredImages:
    """Return the images that meet all conditions; there is at least one condition.

    Raises:
        NotFound: A label has no probe.
    """
    columns = {fitted.probe(one.label): fitted.column(one.label) for one in conditions}
    meets = [_COMPARED[one.compared](fitted.column(one.label), one.limit) for one in conditions]
    rows = np.flatnonzero(np.logical_and.reduce(meets))
    first = fitted.column(conditions[0].label)[rows]
    values = (first if conditions[0].wants_high else -first).tolist()
    ids = [fitted.image_ids[row] for row in rows.tolist()]
    shown = zip(*(column[rows].tolist() for column in columns.values()), strict=True)
    return ScoredImages(
        tuple(columns), dict(zip(ids, shown, strict=True)), dict(zip(ids, values, strict=True)), fitted.stale
    )
