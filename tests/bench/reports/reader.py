"""The reader of reports against the codes, of findings that are present."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_cxr.language import Status, is_normal, read_report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.reports.data import Reports
    from tests.bench.reports.expressions import Expression


def present_findings(report: str) -> set[str]:
    """Return the names of the findings that the reader calls present in a study; the only call of the reader."""
    found = {name for name, reading in read_report(report).items() if reading.status is Status.PRESENT}
    return found - {"no finding"} | ({"no finding"} if is_normal(report) else set())


def names(finding: str) -> set[str]:
    """Return the reader's names in a row of `codes.csv`."""
    return {name.strip() for name in finding.split("|")}


@dataclass(frozen=True)
class Agreement:
    """Studies in which a finding is present, as read and as coded."""

    finding: str
    """Its name; or several names joined by `|`, of which any will do."""
    coded: frozenset[str]
    read: frozenset[str]

    @property
    def precision(self) -> float | None:
        return len(self.coded & self.read) / len(self.read) if self.read else None

    @property
    def recall(self) -> float | None:
        return len(self.coded & self.read) / len(self.coded) if self.coded else None


def agreements(reports: Reports, coded: Mapping[str, Expression]) -> list[Agreement]:
    """Return what was read beside what was coded, for each finding."""
    read = {study: present_findings(text) for study, text in reports.texts.items()}
    return [
        Agreement(
            finding,
            reports.studies(expression),
            frozenset(study for study, findings in read.items() if names(finding) & findings),
        )
        for finding, expression in coded.items()
    ]
