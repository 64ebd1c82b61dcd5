"""What was measured, as people and programs see it, and how it compares with what was measured before."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mcp_cxr.evaluate.metrics._ranking import Floats


@dataclass(frozen=True)
class Figure:
    """One number."""

    name: str
    """Such as `P@10`."""
    of: str
    """What it is of: a label, a leg; empty for all of the protocol."""
    value: float
    low: float | None
    """2.5th percentile over resampled patients; null where it is counted, not sampled."""
    high: float | None
    """97.5th percentile."""
    chance: float | None
    """What a ranking without any order would give; null where there is no such thing."""
    n: int
    """Questions, or vectors, behind it."""
    better: Literal["higher", "lower"] = "higher"


def sampled(
    names: Sequence[tuple[str, str]],
    values: Floats,
    ends: Floats,
    *,
    chance: Sequence[float | None],
    n: Sequence[int],
    better: Literal["higher", "lower"] = "higher",
) -> list[Figure]:
    """Return figures from columns; `names` are pairs of a figure's name and what it is of.

    Args:
        values: One for each name.
        ends: Lower and upper ends of their intervals, shape (2, names).
        chance: One for each name.
        n: One for each name.
    """
    told = zip(names, values.tolist(), ends.T.tolist(), chance, n, strict=True)
    return [
        Figure(name, of, value, _number(low), _number(high), given, count, better)
        for (name, of), value, (low, high), given, count in told
    ]


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


@dataclass(frozen=True)
class Measured:
    """What one protocol found."""

    protocol: str
    title: str
    figures: list[Figure]
    removed: list[str]
    """What was kept from the search, because the right answers derive from it."""
    notes: list[str]
    skipped: str | None = None
    """Why nothing was measured."""


@dataclass(frozen=True)
class Evaluation:
    """What all protocols found, and on what."""

    date: str
    """ISO date and time, UTC."""
    version: str
    """Of this package."""
    model: str
    dimension: int
    preprocessing: str
    service: str | None
    images: int
    studies: int
    subjects: int
    truth: str
    """Where the right answers come from."""
    split: str | None
    seed: int
    queries: int
    """At most so many questions a protocol."""
    resamples: int
    seconds: float
    protocols: list[Measured]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it; what is no number is null."""
        return _without_nan(asdict(self))

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """Yield each figure with its protocol."""
        for measured in self.protocols:
            for figure in measured.figures:
                yield measured.protocol, figure


def skipped(protocol: str, title: str, reason: str) -> Measured:
    """Return a protocol that measured nothing."""
    return Measured(protocol, title, [], [], [], reason)


@dataclass(frozen=True, slots=True)
class Baseline:
    """What an earlier evaluation found."""

    setup: dict[str, Any]
    figures: dict[tuple[str, str, str], Figure]
    """By protocol, name, and what it is of."""

    def regressions(self, now: Evaluation) -> list[str]:
        """Return each figure that is worse than the earlier one's interval, or gone, in words.

        Only protocols that were run now count, and only figures with an interval.
        """
        run = {measured.protocol for measured in now.protocols}
        values = {(protocol, figure.name, figure.of): figure.value for protocol, figure in now.figures()}
        return [
            worse
            for key, figure in self.figures.items()
            if key[0] in run and (worse := _worse(key, figure, values.get(key)))
        ]

    def other_setup(self, now: Evaluation) -> list[str]:
        """Return in what the two were not measured alike, in words; another model is no such thing."""
        return [
            f"{name} {before!r}, now {value!r}"
            for name, value in _setup(asdict(now)).items()
            if (before := self.setup[name]) != value
        ]


def read_baseline(path: Path) -> Baseline:
    """Read what `--save` wrote.

    Raises:
        ConfigError: It is not there, or something else.
    """
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        figures = {
            (measured["protocol"], figure["name"], figure["of"]): Figure(**figure)
            for measured in saved["protocols"]
            for figure in measured["figures"]
        }
        return Baseline(_setup(saved), figures)
    except OSError as exc:
        raise ConfigError(f"Cannot read {path} ({exc.strerror}); name a file that --save wrote.") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise ConfigError(f"{path} is not what --save writes; make it anew.") from exc


_SETUP = ("images", "studies", "subjects", "truth", "split", "seed", "queries")


def _setup(saved: dict[str, Any]) -> dict[str, Any]:
    return {name: saved[name] for name in _SETUP}


def _worse(key: tuple[str, str, str], before: Figure, now: float | None) -> str | None:
    if before.low is None or before.high is None:
        return None
    name = " ".join(filter(None, key))
    if now is None or math.isnan(now):
        return f"{name}: was {before.value:.3f}, is not measured now"
    if before.better == "higher" and now < before.low:
        return f"{name}: {now:.3f} is below {before.low:.3f}, the lower end of {before.value:.3f}"
    if before.better == "lower" and now > before.high:
        return f"{name}: {now:.3f} is above {before.high:.3f}, the upper end of {before.value:.3f}"
    return None


def _without_nan(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}  # pyright: ignore[reportUnknownVariableType]  # any JSON
    if isinstance(value, list):
        return [_without_nan(one) for one in value]  # pyright: ignore[reportUnknownVariableType]  # any JSON
    return _number(value) if isinstance(value, float) else value
