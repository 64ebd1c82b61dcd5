"""Real reports with people's codes, which are no part of the project, and the questions that are asked of them.

The reports are made by a script that CXR_OPENI_TOOL names, `openi_reports.py OUT_DIR`, or lie ready in the folder that
CXR_OPENI_DATA names: `mesh.csv` (study_id, code) and `files/p19/p19NNNNNN/s5NNNNNNN.txt`.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.reports.expressions import Code, parse_expression
from tests.bench.search.data import BENCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.reports.expressions import Expression

_HERE = Path(__file__).parent


class DataMissing(Exception):
    """There are no reports to measure with."""


@dataclass(frozen=True)
class Question:
    """A question with its truth."""

    category: str
    text: str
    truth: Expression
    """The studies that are right."""
    findings: Expression | None
    """The studies that have a named finding, whatever its side or size; None if the question only denies."""


@dataclass(frozen=True)
class Reports:
    """Reports and codes of the same studies."""

    folder: Path

    @cached_property
    def texts(self) -> dict[str, str]:
        """The reports by study id."""
        return {path.stem: path.read_text(encoding="utf-8") for path in sorted(self.folder.glob("files/*/*/s*.txt"))}

    @cached_property
    def codes(self) -> dict[str, tuple[Code, ...]]:
        """The codes by study id, of studies that have a report."""
        found: dict[str, list[Code]] = {study: [] for study in self.texts}
        for row in _rows(self.folder / "mesh.csv"):
            if row["study_id"] in found:
                found[row["study_id"]].append(Code.parse(row["code"]))
        return {study: tuple(codes) for study, codes in found.items()}

    def studies(self, expression: Expression) -> frozenset[str]:
        """Return the ids of the studies for which an expression is true."""
        return frozenset(study for study, codes in self.codes.items() if expression(codes))


def reports() -> Reports:
    """Return the reports; make them if they are not there.

    Raises:
        DataMissing: No variable names them, or the script fails.
    """
    if folder := os.environ.get("CXR_OPENI_DATA"):
        return _checked(Path(folder), "CXR_OPENI_DATA")
    tool = os.environ.get("CXR_OPENI_TOOL")
    if not tool:
        raise DataMissing("set CXR_OPENI_TOOL to the script openi_reports.py, or CXR_OPENI_DATA to a folder it made")
    folder = BENCH / "openi"
    if not (folder / "mesh.csv").exists():
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([sys.executable, tool, str(folder)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise DataMissing(f"CXR_OPENI_TOOL, {tool}, failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return _checked(folder, "CXR_OPENI_TOOL")


def _checked(folder: Path, variable: str) -> Reports:
    found = Reports(folder)
    if not (folder / "mesh.csv").is_file() or not found.texts:
        raise DataMissing(f"{folder}, of {variable}, has no mesh.csv with reports in files/p19/*/s*.txt")
    return found


def questions(*, fresh: bool = False) -> list[Question]:
    """Return the questions of `questions.csv`, or those of `questions_fresh.csv`."""
    return [
        Question(
            row["class"],
            row["question"],
            parse_expression(row["truth"]),
            parse_expression(row["findings"]) if row["findings"] else None,
        )
        for row in _rows(_HERE / ("questions_fresh.csv" if fresh else "questions.csv"))
    ]


def coded_findings() -> dict[str, Expression]:
    """Return the truth of each row of `codes.csv`, by the names that `mcp_cxr.language` gives the finding."""
    return {row["finding"]: parse_expression(row["truth"]) for row in _rows(_HERE / "codes.csv")}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        yield from csv.DictReader(handle)
