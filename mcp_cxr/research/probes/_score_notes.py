"""Notes shown with every finding score: what it was learned from, how good it is, and that it is no diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_cxr.research.probes._fitted_probes import Probe

NO_DIAGNOSIS = "Finding scores are for research, not a diagnosis; no tool gives them to a model."


def score_notes(probes: Sequence[Probe], stale: Sequence[str]) -> Iterator[str]:
    """Yield what the scores that are shown were learned from, and how well."""
    for one in probes:
        yield (
            f"Score of {one.label}: learned from {one.present:,} images with it, of {one.subjects:,} patients, and"
            f" {one.absent:,} without; out of fold AUC {one.auc:.3f}, calibration slope {one.calibration_slope:.2f}."
        )
    yield NO_DIAGNOSIS
    yield from stale_notes(stale)


def stale_notes(stale: Sequence[str]) -> Iterator[str]:
    """Yield why probes should be learned again; nothing if they fit the archive."""
    if stale:
        yield f"Note: the probes are out of date: {'; '.join(stale)}. Run `mcp-cxr probe fit`."
