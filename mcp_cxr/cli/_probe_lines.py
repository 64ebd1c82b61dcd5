"""Fitted probes as lines of text, with what they were learned from and how good they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_cxr.research.probes import FittedProbes


def probe_lines(fitted: FittedProbes) -> Iterator[str]:
    """Yield a table of the probes, then the labels without one."""
    from mcp_cxr.research.probes import NEEDED  # imports numpy

    if fitted.probes:
        width = max(len(probe.label) for probe in fitted.probes)
        yield f"{'label':<{width}}  {'present':>8} {'patients':>8} {'absent':>8} {'uncertain':>9}    AUC  skill  slope"
        for one in fitted.probes:
            yield (
                f"{one.label:<{width}}  {one.present:>8,} {one.subjects:>8,} {one.absent:>8,} {one.uncertain:>9,}"
                f"  {one.auc:.3f} {one.brier_skill:>6.3f} {one.calibration_slope:>6.2f}"
            )
    if fitted.not_fitted:
        yield f"Not learned; {NEEDED}:"
    for label, reason in fitted.not_fitted.items():
        yield f"  {label}: {reason}"


def fit_notes(fitted: FittedProbes) -> Iterator[str]:
    """Yield what the probes were learned from, and what to know about them."""
    from mcp_cxr.research.probes import NO_DIAGNOSIS, stale_notes  # as above

    choices = fitted.choices
    if not fitted.probes:
        yield (
            f"No label of {choices.labeled:,} labeled images has enough examples: nothing was learned. Ingest more"
            " studies with labels, then run `mcp-cxr probe fit`."
        )
        yield from stale_notes(fitted.stale)
        return
    yield (
        f"Learned {choices.fitted_at} from {choices.labeled:,} labeled images, in {choices.folds} folds by patient;"
        f" vectors of {choices.model}. {len(fitted.image_ids):,} images have scores."
    )
    if choices.positives_only:
        yield (
            f"Note: the table of {choices.positives_only:,} labeled images names only what is present; what it does not"
            " name counted as absent."
        )
    yield (
        "AUC, skill (Brier, above prevalence) and slope (calibration; 1 is best) are out of fold, on images whose label"
        " is known."
    )
    yield NO_DIAGNOSIS
    yield from stale_notes(fitted.stale)
