"""The results of an evaluation, and their comparison with an earlier one."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence
    from pathlib import Path

    from mcp_cxr.evaluate.metrics._agreement import Disagreement, FindingAgreement
    from mcp_cxr.evaluate.metrics._ranking import Floats

TITLES: Mapping[str, str] = {
    "labels": "Text to image, by label",
    "reports": "Report to its study",
    "similar": "Image to image, by label, among other patients",
    "probes": "Finding scores, learned from labels, beside prompts and reports",
    "negation": 'Negation: what "no X" finds',
    "rankings": "Rankings alone and fused, by label",
    "feedback": "Feedback: the first ten results marked relevant or not",
    "index": "Index against an exact scan",
    "integrity": "Integrity of the vectors",
    "questions": "Questions with side and size",
    "reader": "The reader of reports against given codes",
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
    """How many of `counted` the figure is computed from."""
    better: Literal["higher", "lower"] = "higher"
    counted: str = ""
    """What `n` counts, such as "prompts"; empty in files of earlier versions."""

    @property
    def unit(self) -> str:
        """`counted` as it follows `n`: "query with results" after 1, else "queries with results"."""
        what, *rest = self.counted.split(" ")
        return " ".join([_SINGULAR.get(what, what.removesuffix("s")) if self.n == 1 else what, *rest])


def figures_with_intervals(
    names: Sequence[tuple[str, str]],
    values: Floats,
    ends: Floats,
    *,
    chance: Sequence[float | None],
    n: Sequence[int],
    counted: str | Sequence[str],
    better: Literal["higher", "lower"] = "higher",
) -> list[Figure]:
    """Return figures from columns.

    Args:
        names: Pairs of `Figure.name` and `Figure.of`.
        values: One for each name.
        ends: Lower and upper ends of their intervals, shape (2, names).
        chance: One for each name.
        n: One for each name.
        counted: What `n` counts: for all of them, or one for each name.
        better: For all of them.
    """
    units = [counted] * len(names) if isinstance(counted, str) else counted
    columns = zip(names, values.tolist(), ends.T.tolist(), chance, n, units, strict=True)
    return [
        Figure(name, of, value, _number(low), _number(high), _number(given), count, better, unit)
        for (name, of), value, (low, high), given, count, unit in columns
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
    counted: tuple[str, str],
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
        counted: What the first of `n` counts, and what the others count.
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
        counted=[counted[row > 0] for _, row, _ in columns],
    )


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


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
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    """What this protocol could not measure, such as a label, with the reason."""
    agreement: list[FindingAgreement] = field(default_factory=list["FindingAgreement"])
    """For `reader`: each finding's codes against what was read, of which `figures` has the rates."""

    def disagreements(self) -> dict[str, list[Disagreement]]:
        """Return the studies for which reader and code differ, once each, by finding and side."""
        found: dict[str, dict[str, Disagreement]] = {}
        for one in self.agreement:
            found.setdefault(one.of, {}).update({each.study_id: each for each in one.disagreements})
        return {of: list(studies.values()) for of, studies in found.items() if studies}


@dataclass(frozen=True)
class NotMeasured:
    """A protocol, or a part of one, without figures."""

    protocol: str
    of: str
    """Such as a label; empty for a whole protocol."""
    reason: str


@dataclass(frozen=True)
class Evaluation:
    """The results of all protocols, and the setup they were measured with."""

    date: str
    """ISO date and time, UTC."""
    version: str
    """Version of mcp-cxr."""
    model: str | None
    """None, as `dimension`, `preprocessing`, `images` and `subjects` are, if only reports were read."""
    dimension: int | None
    preprocessing: str | None
    service: str | None
    images: int | None
    """Images that can be ranked."""
    studies: int
    """Their studies; if only reports were read, the studies with codes and a report."""
    subjects: int | None
    truth: str
    """The source of the labels that decide which results are relevant."""
    split: str | None
    seed: int
    queries: int
    """Maximum number of queries of a protocol."""
    resamples: int
    seconds: float
    protocols: list[ProtocolResult]

    @property
    def measured(self) -> list[ProtocolResult]:
        """The protocols with figures."""
        return [result for result in self.protocols if not result.skipped]

    @property
    def not_measured(self) -> list[NotMeasured]:
        """What has no figures: whole protocols, and parts of those that were measured."""
        return [
            NotMeasured(result.protocol, of, reason)
            for result in self.protocols
            for of, reason in [*([("", result.skipped)] if result.skipped else []), *result.left_out.items()]
        ]

    def not_measured_by_reason(self) -> list[tuple[str, str]]:
        """Return what was not measured, in words, each reason once for the same protocols."""
        protocols: dict[tuple[str, str], list[str]] = {}
        for one in self.not_measured:
            protocols.setdefault((one.of, one.reason), []).append(one.protocol)
        parts: dict[tuple[str, str], list[str]] = {}
        for (of, reason), names in protocols.items():
            parts.setdefault((", ".join(names), reason), []).append(of)
        return [(f"{names} ({', '.join(of)})" if any(of) else names, reason) for (names, reason), of in parts.items()]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object: the protocols with figures, and last what was not measured; it has no NaN."""
        found = asdict(replace(self, protocols=self.measured))
        for result in found["protocols"]:
            del result["skipped"], result["left_out"]
        return _without_nan(found | {"not_measured": [asdict(one) for one in self.not_measured]})

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """Yield each figure with the name of its protocol."""
        for result in self.protocols:
            for figure in result.figures:
                yield result.protocol, figure


def measured_result(
    protocol: str,
    figures: Sequence[Figure],
    removed: Sequence[str],
    notes: Sequence[str],
    *,
    left_out: Mapping[str, str] | None = None,
    agreement: Sequence[FindingAgreement] = (),
) -> ProtocolResult:
    """Return the result of a protocol; figures that are not defined are left out, each with the reason.

    Args:
        protocol: Its name.
        figures: May hold NaN.
        removed: See `ProtocolResult`, as for the others.
        notes: The same.
        left_out: The same; figures that are not defined are added.
        agreement: The same.
    """
    undefined = {
        f"{one.name} {one.of}".strip(): "No query has results that can be judged."
        for one in figures
        if math.isnan(one.value)
    }
    return ProtocolResult(
        protocol,
        TITLES[protocol],
        [one for one in figures if not math.isnan(one.value)],
        list(removed),
        list(notes),
        left_out={**(left_out or {}), **undefined},
        agreement=list(agreement),
    )


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
        raise ConfigError(f"{path} is not a file that --save wrote; make one with --save.") from exc


_SINGULAR = {"queries": "query", "studies": "study"}
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
