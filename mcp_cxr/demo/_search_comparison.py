"""Compares two searches of the demo: by words in studies with a report, by pixels in studies without one."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mcp_cxr.demo._data_set import DemoDataSet
    from mcp_cxr.demo.phantom import PhantomFinding
    from mcp_cxr.records import Hit, StudyId

QUERIES: Mapping[str, Callable[[PhantomFinding], bool]] = {
    "pacemaker": lambda finding: finding.kind == "pacemaker",
    "left pleural effusion": lambda finding: finding.kind == "effusion" and finding.side == "left",
    "enlarged heart": lambda finding: finding.kind == "cardiomegaly",
}
"""Each query, and which drawn finding matches it."""


def comparison_lines(query: str, by_words: Sequence[Hit], by_pixels: Sequence[Hit], drawn: DemoDataSet) -> list[str]:
    """Return the lines of a table: the hits of both searches, and whether each image was drawn with the finding."""
    matching = {image.study_id for image in drawn.images if any(QUERIES[query](finding) for finding in image.findings)}
    rows = zip_longest(_cells(by_words, matching), _cells(by_pixels, matching), fillvalue="")
    table = [
        ("", "words, studies with a report", "pixels, studies without a report"),
        *((rank, *row) for rank, row in enumerate(rows, 1)),
    ]
    return [f"{rank:>2}  {words:<32}{pixels}" for rank, words, pixels in table]


def _cells(hits: Sequence[Hit], matching: set[StudyId]) -> list[str]:
    return [
        f"{hit.study_id:<11}{hit.view_position:<8}{'drawn' if hit.study_id in matching else 'not drawn'}"
        for hit in hits
    ]
