"""A fictitious patient: proportions from a seed, and the findings that can be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

Kind: TypeAlias = Literal[
    "effusion", "pneumothorax", "cardiomegaly", "nodule", "pacemaker", "central line", "endotracheal tube"
]
Side: TypeAlias = Literal["left", "right"]
"""The patient's side."""
Grade: TypeAlias = Literal["trace", "small", "moderate", "large"]
Zone: TypeAlias = Literal["upper", "mid", "lower"]

DEVICES: tuple[Kind, ...] = ("pacemaker", "central line", "endotracheal tube")


@dataclass(frozen=True, slots=True)
class PhantomFinding:
    """One finding that is drawn and reported; a bilateral effusion is two findings."""

    kind: Kind
    side: Side | None = None
    """None for what has no side."""
    grade: Grade = "small"
    """Size of an effusion, a pneumothorax or cardiomegaly; only an effusion can be a trace."""
    diameter_mm: int = 14
    """Diameter of a nodule."""
    zone: Zone = "upper"
    """Zone of a nodule."""


_WOMEN = 0.45
"""Share of women among the patients."""


@dataclass(frozen=True, slots=True)
class Patient:
    """What does not change from image to image."""

    half_width_cm: float
    """Half the inner width of the chest at its widest."""
    height_cm: float
    """Apex to costophrenic angle after a deep breath."""
    depth_cm: float
    """Half the inner depth of the chest, sternum to back."""
    tissue: float
    """1 is average; a stout patient has more."""
    breasts: bool
    heart_ratio: float
    """Cardiothoracic ratio of the healthy heart, as a PA image shows it."""
    right_dome: float
    """Height of the right dome of the diaphragm above the costophrenic angle, in fractions of the thorax."""
    bubble: float
    """Size of the gastric bubble; 1 is average."""
    rib_phase: float
    """How far the ribs are shifted, in ribs."""
    tree: int
    """Seed of the lungs' vessels."""
    nodule_shift: tuple[float, float]
    """Where in its zone a nodule would lie."""

    @classmethod
    def of(cls, seed: int) -> Patient:
        """Return the patient of a seed; what is drawn later takes nothing from this generator."""
        rng = np.random.default_rng([seed, 1])

        def between(low: float, high: float) -> float:
            return float(rng.uniform(low, high))

        breasts = between(0, 1) < _WOMEN
        size = 0.94 if breasts else 1.03
        return cls(
            half_width_cm=size * between(13.2, 14.8),
            height_cm=size * between(26.5, 30.0),
            depth_cm=size * between(10.4, 12.4),
            tissue=between(0.88, 1.18),
            breasts=breasts,
            heart_ratio=between(0.41, 0.455),
            right_dome=between(0.11, 0.16),
            bubble=between(0.6, 1.25),
            rib_phase=between(-0.25, 0.25),
            tree=int(rng.integers(2**31)),
            nodule_shift=(between(-0.1, 0.1), between(-0.05, 0.05)),
        )
