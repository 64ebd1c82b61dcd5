"""The results of an evaluation, and their comparison with an earlier one."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence
    from pathlib import Path

    from mcp_cxr.evaluate.metrics._ranking import Floats

TITLES: Mapping[str, str] = {
    "labels": "Text to image, by label",
    "reports": "Report to its study",
    "similar": "Image to image, by label, among other patients",
    "negation": 'Negation: what "no X" finds',
    "rankings": "Rankings alone and fused, by label",
    "feedback": "Feedback: the first ten results marked relevant or not",
    "index": "Index against an exact scan",
    "integrity": "Integrity of the vectors",
}
"""The title of each protocol, in the order in which they are run and shown."""


@dataclass(frozen=True)
class Figure:
    """One measured number."""

    name: str
    """Such as `P@10`."""
    of: str
    """What the figure is about: a label, a ranking; empty if it covers the whole protocol."""
    value: float
    low: float | None
    """2.5th percentile over resampled patients; null if the figure is a count."""
    high: float | None
    """97.5th percentile."""
    chance: float | None
    """The same figure of a random ranking; null if not defined."""
    n: int
    """Number of queries, or of vectors, behind it."""
    better: Literal["higher", "lower"] = "higher"


def figures_with_intervals(
    names: Sequence[tuple[str, str]],
    values: Floats,
    ends: Floats,
    *,
    chance: Sequence[float | None],
    n: Sequence[int],
    better: Literal["higher", "lower"] = "higher",
) -> list[Figure]:
    """Return figures from columns.

    Args:
        names: Pairs of `Figure.name` and `Figure.of`.
        values: One for each name.
        ends: Lower and upper ends of their intervals, shape (2, names).
        chance: One for each name.
        n: One for each name.
        better: For all of them.
    """
    columns = zip(names, values.tolist(), ends.T.tolist(), chance, n, strict=True)
    return [
        Figure(name, of, value, _number(low), _number(high), given, count, better)
        for (name, of), value, (low, high), given, count in columns
    ]


def figures_by_label(
    names: Sequence[str],
    labels: Sequence[str],
    *,
    per_label: Container[str],
    values: Floats,
    ends: Floats,
    chance: Floats,
    n: Sequence[int],
) -> list[Figure]:
    """Return all figures averaged over the labels, then the figures of `per_label` for each label.

    Args:
        names: Names of the figures; a label's mAP is its AP.
        labels: The labels.
        per_label: Names of the figures to return for each label, too.
        values: For each name the mean over labels, then for each label each name, as from `mean_then_rows`.
        ends: Lower and upper ends of their intervals, shape (2, values).
        chance: One for each value.
        n: Number of queries of all labels together, then of each label.
    """
    columns = [
        (row * len(names) + column, row, (name.removeprefix("m") if label else name, label))
        for row, label in enumerate(["", *labels])
        for column, name in enumerate(names)
        if not label or name in per_label
    ]
    at = [index for index, _, _ in columns]
    return figures_with_intervals(
        [name for _, _, name in columns],
        values[at],
        ends[:, at],
        chance=chance[at].tolist(),
        n=[n[row] for _, row, _ in columns],
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


@dataclass(frozen=True)
class ProtocolResult:
    """The figures of one protocol."""

    protocol: str
    title: str
    figures: list[Figure]
    removed: list[str]
    """What was removed from the search, because it would reveal which results are relevant."""
    notes: list[str]
    skipped: str | None = None
    """The reason why nothing was measured."""


@dataclass(frozen=True)
class Evaluation:
    """The results of all protocols, and the setup they were measured with."""

    date: str
    """ISO date and time, UTC."""
    version: str
    """Version of mcp-cxr."""
    model: str
    dimension: int
    preprocessing: str
    service: str | None
    images: int
    studies: int
    subjects: int
    truth: str
    """The source of the labels that decide which results are relevant."""
    split: str | None
    seed: int
    queries: int
    """Maximum number of queries of a protocol."""
    resamples: int
    seconds: float
    protocols: list[ProtocolResult]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; NaN becomes null."""
        return _without_nan(asdict(self))

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """Yield each figure with the name of its protocol."""
        for result in self.protocols:
            for figure in result.figures:
                yield result.protocol, figure


def skipped_result(protocol: str, reason: str) -> ProtocolResult:
    """Return the result of a protocol that measured nothing."""
    return ProtocolResult(protocol, TITLES[protocol], [], [], [], reason)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The figures of an earlier evaluation."""

    setup: dict[str, Any]
    figures: dict[tuple[str, str, str], Figure]
    """By protocol, `Figure.name` and `Figure.of`."""

    def regressions(self, now: Evaluation) -> list[str]:
        """Describe each figure that is now missing, or worse than its interval in the baseline.

        Only figures with an interval are compared, and only protocols that were run now.
        """
        run = {result.protocol for result in now.protocols}
        values = {(protocol, figure.name, figure.of): figure.value for protocol, figure in now.figures()}
        return [
            worse
            for key, figure in self.figures.items()
            if key[0] in run and (worse := _worse(key, figure, values.get(key)))
        ]

    def setup_differences(self, now: Evaluation) -> list[str]:
        """Describe each difference in the setup; the model and its settings may differ."""
        return [
            f"The baseline used {name} {before!r}, this run uses {name} {value!r}"
            for name, value in _setup(asdict(now)).items()
            if (before := self.setup[name]) != value
        ]


def read_baseline(path: Path) -> Baseline:
    """Read a file that `--save` wrote.

    Raises:
        ConfigError: It cannot be read, or is another kind of file.
    """
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        figures = {
            (_RENAMED.get(protocol, protocol), figure["name"], figure["of"]): Figure(**figure)
            for result in saved["protocols"]
            for protocol in [str(result["protocol"])]
            for figure in result["figures"]
        }
        return Baseline(_setup(saved), figures)
    except OSError as exc:
        raise ConfigError(f"Cannot read {path} ({exc.strerror}); name a file that --save wrote.") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise ConfigError(f"{path} is not a file that --save wrote; write it again.") from exc


_RENAMED = {"legs": "rankings"}
"""Protocols by the names that earlier versions saved."""
_SETUP = ("images", "studies", "subjects", "truth", "split", "seed", "queries")


def _setup(saved: dict[str, Any]) -> dict[str, Any]:
    return {name: saved[name] for name in _SETUP}


def _worse(key: tuple[str, str, str], before: Figure, now: float | None) -> str | None:
    if before.low is None or before.high is None:
        return None
    name = " ".join(filter(None, key))
    if now is None or math.isnan(now):
        return f"{name}: was {before.value:.3f}, not measured now"
    if before.better == "higher" and now < before.low:
        return f"{name}: {now:.3f} is below {before.low:.3f}, the lower end of {before.value:.3f}"
    if before.better == "lower" and now > before.high:
        return f"{name}: {now:.3f} is above {before.high:.3f}, the upper end of {before.value:.3f}"
    return None


def _without_nan(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]  # any JSON
    if isinstance(value, list):
        return [_without_nan(item) for item in value]  # pyright: ignore[reportUnknownVariableType]  # any JSON
    return _number(value) if isinstance(value, float) else value
