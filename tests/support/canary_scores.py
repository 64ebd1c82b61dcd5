"""Finding scores that no tool may show: of a label that nothing else names, another one for each seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.research.probes import FittedProbes, LinearProbes, Probe, ProbeChoices
from mcp_cxr.research.probes._fitted_probes import save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mcp_cxr.records import ImageId


def save_scores(path: Path, ids: Sequence[ImageId], *, seed: int) -> None:
    """Write a file of probes with random scores for these images."""
    rng = np.random.default_rng(seed)
    labels = ("Edema", f"canary{seed}")
    probes = tuple(Probe(label, 50 + seed, 60, 1, 20, *rng.random(3).tolist()) for label in labels)
    choices = ProbeChoices("2026-01-01T00:00:00+00:00", "1", "", "canary", 4, "1", len(ids), 50, 20, 5, "none", seed)
    linear = LinearProbes(*(rng.random(shape).astype(np.float32) for shape in ((5, 2, 4), (5, 2), (5, 2))))
    values = rng.random((len(ids), 2)).astype(np.float32)
    save(path, FittedProbes(choices, probes, {f"canary label {seed}": "too few"}, tuple(ids), values, linear))
