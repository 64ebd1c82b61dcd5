"""Questions to real reports that people coded, and the reader against the codes: `python -m tests.bench reports`.

CXR_OPENI_TOOL names the script `openi_reports.py`, which makes the reports in CXR_BENCH_DIR; or CXR_OPENI_DATA names a
folder that it made. `tests/bench/reports/README.md` says how questions and truth were written. Only words are used.
`python -m tests.bench.bench_reports --misses` also lists the wrong hits of each question below .8; `--fresh` asks
the 40 questions that were written by somebody else and first asked when everything else was done.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from tests.bench.reports import tables
from tests.bench.reports.data import DataMissing, coded_findings, questions, reports
from tests.bench.reports.engines import FTS5, OURS, ask, filled_archive, rivals
from tests.bench.reports.figures import Figures, judge
from tests.bench.reports.reader import agreements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.bench.reports.data import Question, Reports
    from tests.bench.reports.engines import Answer
    from tests.bench.reports.figures import Summary

PRECISION_TO_REACH, NO_FINDING_TO_KEEP, WITHIN_TO_REACH = 0.85, 0.03, 0.80


async def answers(found: Reports, asked: Sequence[Question]) -> dict[str, list[Figures]]:
    """Ask every engine every question."""
    judged: dict[str, list[Figures]] = {OURS: []}
    others = rivals(found.texts)
    with tempfile.TemporaryDirectory() as folder:
        async with filled_archive(found, Path(folder)) as archive:
            for question in asked:
                if not found.studies(question.truth):
                    print(f"No study is right for: {question.text}", file=sys.stderr)
                    continue
                judged[OURS].append(_judged(found, question, await ask(archive, question.text)))
                for name, engine in others.items():
                    judged.setdefault(name, []).append(_judged(found, question, engine.ask(question.text)))
    return judged


def _judged(found: Reports, question: Question, answer: Answer) -> Figures:
    return judge(
        question.category,
        question.text,
        hits=answer.hits,
        matched=answer.matched,
        right=found.studies(question.truth),
        with_finding=found.studies(question.findings) if question.findings else None,
    )


def aims(found: Mapping[str, Mapping[str, Summary]]) -> dict[str, bool]:
    """Return the targets, and whether each is reached."""
    ours = found[tables.OVER_ALL][OURS]
    # A class is below FTS5 if not even the upper end of its interval reaches it.
    below = [category for category, by_name in found.items() if by_name[OURS].high < by_name[FTS5].precision]
    return {
        f"P@10 over all {ours.precision:.3f}, at least {PRECISION_TO_REACH}": ours.precision >= PRECISION_TO_REACH,
        f"classes below FTS5 by more than their interval: {', '.join(below) or 'none'}": not below,
        f"first ten hits without a finding {ours.without_finding or 0:.3f}, at most {NO_FINDING_TO_KEEP}": (
            ours.without_finding or 0
        )
        <= NO_FINDING_TO_KEEP,
        f"matched number within 25 % of the truth {ours.within or 0:.2f}, at least {WITHIN_TO_REACH}": (
            ours.within or 0
        )
        >= WITHIN_TO_REACH,
    }


def main(options: list[str] | None = None) -> int:
    """Print both tables; return 0 if every target is reached, 1 if not, 2 without reports."""
    try:
        found = reports()
    except DataMissing as exc:
        print(f"Reports: not measured: {exc}.", file=sys.stderr)
        return 2
    judged = anyio.run(answers, found, questions(fresh="--fresh" in (options or [])))
    by_class = tables.summaries(judged)
    print(f"Reports: {len(judged[OURS])} questions to {len(found.texts):,} reports, by words alone")
    print("\n".join(tables.classes(by_class)))
    reached = aims(by_class)
    print("\n".join(f"  {'yes' if kept else 'NO ':<4} {aim}" for aim, kept in reached.items()))
    print("\nThe reader against the codes")
    print("\n".join(tables.reader(agreements(found, coded_findings()))))
    if "--misses" in (options or []):
        print(f"\nQuestions with a P@10 below {tables.MISSED}, and their wrong hits")
        print("\n".join(tables.misses(judged[OURS])))
    return 0 if all(reached.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
