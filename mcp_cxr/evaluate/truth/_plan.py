"""What is to be measured, and how."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mcp_cxr.evaluate.truth._label_file import TruthFile

PROTOCOLS = ("labels", "reports", "similar", "negation", "legs", "feedback", "index", "integrity")

_TEMPLATES = ("{}", "a chest x-ray with {}", "chest radiograph showing {}")
_OWN: Mapping[str, tuple[str, ...]] = {
    "No Finding": ("normal chest x-ray", "a normal chest radiograph", "chest x-ray with clear lungs"),
    "Support Devices": ("chest x-ray with a tube, line or pacemaker", "support devices", "a chest x-ray with devices"),
}
CLASS_PROMPTS: Mapping[str, tuple[str, ...]] = {
    label: _OWN.get(label) or tuple(template.format(label.lower()) for template in _TEMPLATES) for label in LABELS
}
"""How each label is asked for; by vector, the mean of its prompts is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlan:
    """What is to be measured, and how."""

    protocols: tuple[str, ...] = PROTOCOLS
    queries: int = 1000
    """At most so many questions in `reports` and `similar`."""
    studies: int = 5000
    """Size of the copy of the archive that `negation`, `legs` and `feedback` ask."""
    split: str | None = None
    """Only studies of this split, as questions and as answers."""
    seed: int = 0
    resamples: int = 500
    """Resamples behind each interval."""
    prompts: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: CLASS_PROMPTS)
    truth: TruthFile | None = None
    """Labels that count as right in place of the archive's."""
    independent: bool = False
    """Whether people read these labels from the films: then the archive's own labels and reports do not leak them."""


def read_prompts(path: Path) -> dict[str, tuple[str, ...]]:
    """Read a JSON object of label to prompt, or to a list of prompts; labels it does not name are not asked for.

    Raises:
        ConfigError: It cannot be read, or is something else.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        prompts = {label: (said,) if isinstance(said, str) else tuple(said) for label, said in told.items()}
    except OSError as exc:
        raise ConfigError(f"Cannot read {path} ({exc.strerror}).") from exc
    except (ValueError, TypeError, AttributeError) as exc:
        raise ConfigError(f'{path} is no JSON object such as {{"Edema": ["pulmonary edema"]}}.') from exc
    if unknown := [label for label in prompts if label not in LABELS]:
        raise ConfigError(f"{path}: {unknown[0]!r} is no label. Known: {', '.join(LABELS)}.")
    if not all(said and all(isinstance(one, str) and one.strip() for one in said) for said in prompts.values()):
        raise ConfigError(f"{path}: each label needs at least one prompt that is not empty.")
    return prompts
