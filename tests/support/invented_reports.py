"""Invented reports of known content: each sentence states, doubts or denies a finding, with side and size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tests.support.reported import Reported

if TYPE_CHECKING:
    import random

Stated = Literal["present", "possible", "absent"]

SIDED = {
    "pleural effusion": "Pleural Effusion",
    "pneumothorax": "Pneumothorax",
    "consolidation": "Consolidation",
    "atelectasis": "Atelectasis",
}
WHOLE = {"cardiomegaly": "Cardiomegaly", "pulmonary edema": "Edema", "scoliosis": None, "hiatal hernia": None}
SIZES = ("small", "moderate", "large")

_PRESENT = ("{} is seen.", "There is {}.", "{}.", "Again seen is {}.", "Findings consistent with {}.", "{} is noted.")
_POSSIBLE = ("Possible {}.", "{} cannot be excluded.", "Findings may represent {}.", "Question of {}.", "Suspected {}.")
_ABSENT = (
    "No {}.",
    "There is no evidence of {}.",
    "No {} is seen.",
    "Without {}.",
    "{} is not seen.",
    "Negative for {}.",
)


@dataclass(frozen=True)
class Statement:
    """What one sentence says."""

    finding: str
    status: Stated
    side: str | None
    size: str | None
    sentence: str


def invent(draw: random.Random) -> tuple[Reported, list[Statement]]:
    """Return a study with a report of up to five findings, one with labels alone, or an empty one."""
    kind = draw.random()
    if kind < 0.08:
        return Reported(None), []
    said = [_say(draw, name) for name in draw.sample([*SIDED, *WHOLE], draw.randint(0, 5))]
    if kind < 0.14:
        return Reported(None, {label: draw.choice((1, 0, -1)) for label in draw.sample(_labels(), 3)}), []
    lines = [
        "EXAMINATION: CHEST, 2 VIEWS",
        f"INDICATION: {draw.choice(['Pleural effusion?', 'Cough.', 'Pneumothorax.'])}",
    ]
    lines.append("FINDINGS: " + " ".join([one.sentence for one in said] or ["The bones are intact."]))
    labels = {label: draw.choice((1, 0, -1)) for label in draw.sample(_labels(), 2)} if kind > 0.8 else {}
    return Reported("\n".join(lines), labels), said


def _labels() -> list[str]:
    return [label for label in (SIDED | WHOLE).values() if label]


def _say(draw: random.Random, finding: str) -> Statement:
    status: Stated = draw.choice(("present", "present", "possible", "absent", "absent"))
    side = draw.choice((None, "left", "right", "bilateral")) if finding in SIDED else None
    size = (
        draw.choice((None, *SIZES)) if finding in ("pleural effusion", "pneumothorax") and status == "present" else None
    )
    if status == "absent" and draw.random() < 0.6:
        side = None
    words = " ".join(word for word in (size, side, finding) if word)
    form = draw.choice({"present": _PRESENT, "possible": _POSSIBLE, "absent": _ABSENT}[status])
    sentence = form.format(words)
    return Statement(finding, status, side, size, sentence[0].upper() + sentence[1:])
