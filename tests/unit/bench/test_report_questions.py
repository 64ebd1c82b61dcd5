from __future__ import annotations

import csv
from collections import Counter
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from tests.bench.reports import data
from tests.bench.reports.data import DataMissing, coded_findings, questions, reports
from tests.bench.reports.expressions import parse_expression
from tests.bench.reports.figures import judge, summarize
from tests.bench.reports.reader import names

if TYPE_CHECKING:
    from pathlib import Path

_TOOL = """
import sys
from pathlib import Path
out = Path(sys.argv[1])
place = out / "files/p19/p19000001"
place.mkdir(parents=True)
(place / "s50000001.txt").write_text("A report.")
(out / "mesh.csv").write_text("study_id,code\\ns50000001,Nodule/bilateral\\ns5,normal\\n")
"""


def test_each_class_has_at_least_eight_questions_and_no_question_is_asked_twice() -> None:
    asked = questions()
    counts = Counter(one.category for one in asked)
    assert len(asked) >= 96
    assert len(counts) == 11
    assert min(counts.values()) >= 8
    assert len({one.text for one in asked}) == len(asked)


def test_coded_findings_are_findings_of_the_reader() -> None:
    table = files("mcp_cxr.language").joinpath("findings.csv").read_text(encoding="utf-8")
    known = {row["finding"] for row in csv.DictReader(table.splitlines())}
    assert set[str]().union(*map(names, coded_findings())) <= known


def test_without_a_variable_the_message_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXR_OPENI_DATA", raising=False)
    monkeypatch.delenv("CXR_OPENI_TOOL", raising=False)
    with pytest.raises(DataMissing, match=r"CXR_OPENI_TOOL.*CXR_OPENI_DATA"):
        reports()


def test_the_script_makes_the_reports_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "tool.py"
    script.write_text(_TOOL, encoding="utf-8")
    monkeypatch.setattr(data, "BENCH", tmp_path / "bench")
    monkeypatch.delenv("CXR_OPENI_DATA", raising=False)
    monkeypatch.setenv("CXR_OPENI_TOOL", str(script))
    found = reports()
    script.unlink()
    assert reports() == found
    assert found.texts == {"s50000001": "A report."}
    assert found.studies(parse_expression("Nodule[left]")) == {"s50000001"}


def test_a_script_that_fails_is_named_with_its_last_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(data, "BENCH", tmp_path)
    monkeypatch.delenv("CXR_OPENI_DATA", raising=False)
    monkeypatch.setenv("CXR_OPENI_TOOL", str(tmp_path / "none.py"))
    with pytest.raises(DataMissing, match=r"none\.py, failed: .*can't open file"):
        reports()


def test_precision_divides_by_ten_or_by_the_truth_if_that_is_less() -> None:
    few = judge("a", "q", hits=["1", "2", "9"], matched=3, right=frozenset("12"), with_finding=frozenset("129"))
    assert (few.precision, few.false_hits, few.without_finding, few.ratio) == (1.0, ("9",), 0, None)
    right = frozenset(str(number) for number in range(20))
    many = judge("a", "q", hits=["1", "2", "x", "3"], matched=25, right=right, with_finding=right)
    assert (many.precision, many.shown, many.without_finding, many.ratio) == (0.3, 4, 1, 1.25)


def test_a_summary_leaves_out_what_was_not_counted() -> None:
    denial = judge("a", "no x", hits=["1"], matched=1, right=frozenset("1"), with_finding=None)
    found = summarize([denial])
    assert (found.precision, found.without_finding, found.ratio, found.within) == (1.0, None, None, None)
    right = frozenset(str(number) for number in range(10))
    counted = [judge("a", "x", hits=["0"], matched=matched, right=right, with_finding=right) for matched in (4, 12, 13)]
    found = summarize([denial, *counted])
    assert (found.counted, found.ratio, found.without_finding) == (3, 1.2, 0.0)
    assert found.within == pytest.approx(1 / 3)
