"""The plan of an evaluation."""

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

PROTOCOLS = ("labels", "reports", "similar", "negation", "rankings", "feedback", "index", "integrity")

_TEMPLATES = ("{}", "a chest x-ray with {}", "chest radiograph showing {}")
_SPECIAL: Mapping[str, tuple[str, ...]] = {
    "No Finding": ("normal chest x-ray", "a normal chest radiograph", "chest x-ray with clear lungs"),
    "Support Devices": ("chest x-ray with a tube, line or pacemaker", "support devices", "a chest x-ray with devices"),
}
CLASS_PROMPTS: Mapping[str, tuple[str, ...]] = {
    label: _SPECIAL.get(label) or tuple(template.format(label.lower()) for template in _TEMPLATES) for label in LABELS
}
"""The prompts of each label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlan:
    """Which protocols to run, and how."""

    protocols: tuple[str, ...] = PROTOCOLS
    queries: int = 1000
    """Maximum number of queries in `reports` and `similar`."""
    studies: int = 5000
    """Number of studies in the copy of the archive that `negation`, `rankings` and `feedback` search."""
    split: str | None = None
    """Use only studies of this split, as queries and as results."""
    seed: int = 0
    resamples: int = 500
    """Number of resamples for each interval."""
    prompts: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: CLASS_PROMPTS)
    truth: TruthFile | None = None
    """Labels that decide which results are relevant, instead of the archive's."""
    independent: bool = False
    """Whether people read these labels from the images, so that the archive's labels and reports do not leak them."""


def read_prompts(path: Path) -> dict[str, tuple[str, ...]]:
    """Read a JSON object of label to prompt, or to a list of prompts; other labels are not measured.

    Raises:
        ConfigError: It cannot be read, or has another form.
    """
    try:
        by_label = json.loads(path.read_text(encoding="utf-8"))
        prompts = {label: (value,) if isinstance(value, str) else tuple(value) for label, value in by_label.items()}
    except OSError as exc:
        raise ConfigError(f"Cannot read {path} ({exc.strerror}).") from exc
    except (ValueError, TypeError, AttributeError) as exc:
        raise ConfigError(f'{path} must be a JSON object such as {{"Edema": ["pulmonary edema"]}}.') from exc
    if unknown := [label for label in prompts if label not in LABELS]:
        raise ConfigError(f"{path}: {unknown[0]!r} is not a label. Known: {', '.join(LABELS)}.")
    if not all(some and all(isinstance(one, str) and one.strip() for one in some) for some in prompts.values()):
        raise ConfigError(f"{path}: each label needs prompts, none of them empty.")
    return prompts
