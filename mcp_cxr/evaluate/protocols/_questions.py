"""Measures queries with side and size, such as "small left pleural effusion", by codes that have them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.evaluate.inputs import MIN_STUDIES, TOP_K
from mcp_cxr.evaluate.metrics import column_means, figures_with_intervals, measured_result, skipped_result
from mcp_cxr.evaluate.protocols._rankings import labeler_notes
from mcp_cxr.language import Status, ancestors, descendants

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from mcp_cxr.evaluate.inputs import Code, CodesFile, HeldOutCopy, JudgedRanking
    from mcp_cxr.evaluate.metrics import Floats, Integers, ProtocolResult

_CLASSES = ("side", "size", "side and size")
_OTHER = "other side or size"


@dataclass(frozen=True, slots=True)
class _Question:
    """A finding with a side, a size, or both."""

    finding: str
    side: str
    size: str

    @property
    def text(self) -> str:
        return " ".join(filter(None, (self.size, self.side, self.finding)))

    @property
    def kind(self) -> str:
        return " and ".join(name for name, value in (("side", self.side), ("size", self.size)) if value)

    def has_finding(self, codes: Iterable[Code]) -> bool:
        """Return whether a study has the finding, with whatever side and size."""
        return any(code.status is Status.PRESENT for code in self._rows(codes))

    def is_answered_by(self, codes: Iterable[Code]) -> bool | None:
        """Return whether a study has what is asked, all in one row; None if its codes do not tell."""
        answers = [self._answer(code) for code in self._rows(codes)]
        if True in answers:
            return True
        return None if None in answers else False

    def _rows(self, codes: Iterable[Code]) -> list[Code]:
        names = (self.finding, *descendants(self.finding))
        return [code for code in codes if code.finding in names and code.status is not Status.ABSENT]

    def _answer(self, code: Code) -> bool | None:
        other_side = self.side and code.sides and self.side not in code.sides
        other_size = self.size and code.size and self.size != code.size
        if other_side or other_size:
            return False
        told = (not self.side or code.sides) and (not self.size or code.size)
        return True if told and code.status is Status.PRESENT else None


@dataclass(frozen=True, slots=True)
class _QuestionResult:
    """A question with the studies whose relevance is known, and the first of them that were found."""

    question: _Question
    relevance: dict[int, bool]
    found: JudgedRanking
    with_finding: JudgedRanking
    """The same studies, relevant if they have the finding but not as asked."""

    def figures(self, counts: Integers | None) -> tuple[float, float]:
        """Return P@10, and the share of the first ten with another side or size."""
        return self.found.precision(counts), self.with_finding.relevant_share(counts)


async def measure_questions(copy: HeldOutCopy) -> ProtocolResult:
    """Search for each finding with each side, size and both that at least ten studies of the copy have."""
    truth = copy.context.plan.truth
    if truth is None or truth.codes is None:
        return skipped_result(
            "questions", "The true labels have no side or size; give --truth a CSV with those columns."
        )
    codes = truth.codes
    questions = _questions(copy, codes)
    if not questions:
        return skipped_result("questions", f"No side or size of a finding is coded in {MIN_STUDIES} studies.")
    return _result(copy, [await _question_result(copy, codes, question) for question in questions])


def _questions(copy: HeldOutCopy, codes: CodesFile) -> list[_Question]:
    """Return the questions that at least ten studies answer, and not all."""
    named = set(codes.findings())
    given = (_codes(copy, codes, study) or () for study in copy.studies.tolist())
    asked = Counter(question for rows in given for question in {one for row in rows for one in _asked_of(row, named)})
    found = [
        question
        for question, studies in asked.items()
        if studies >= MIN_STUDIES and studies < len(_relevance(copy, codes, question))
    ]
    return sorted(found, key=lambda one: (_CLASSES.index(one.kind), one.finding, one.side, one.size))


def _asked_of(code: Code, named: Collection[str]) -> Iterator[_Question]:
    """Yield the questions that a row answers, for its finding and for broader ones that the file names."""
    if code.status is Status.PRESENT:
        for finding in (code.finding, *ancestors(code.finding)):
            for side in ("", *code.sides):
                for size in dict.fromkeys(("", code.size)):
                    if finding in named and (side or size):
                        yield _Question(finding, side, size)


def _relevance(copy: HeldOutCopy, codes: CodesFile, question: _Question) -> dict[int, bool]:
    """Return whether each study of the copy has what is asked; without those whose codes do not tell."""
    given = {study: _codes(copy, codes, study) for study in copy.studies.tolist()}
    answers = {study: question.is_answered_by(rows) for study, rows in given.items() if rows is not None}
    return {study: answer for study, answer in answers.items() if answer is not None}


def _codes(copy: HeldOutCopy, codes: CodesFile, study: int) -> tuple[Code, ...] | None:
    return codes.of_study(copy.context.dataset.study_ids[study])


async def _question_result(copy: HeldOutCopy, codes: CodesFile, question: _Question) -> _QuestionResult:
    relevance = _relevance(copy, codes, question)
    found = (await copy.search(question.text)).judged(relevance)
    has = [question.has_finding(_codes(copy, codes, study) or ()) for study in found.studies.tolist()]
    return _QuestionResult(
        question, relevance, found, replace(found, relevant=np.array(has, np.bool_) & ~found.relevant)
    )


def _result(copy: HeldOutCopy, answered: Sequence[_QuestionResult]) -> ProtocolResult:
    kinds = [kind for kind in _CLASSES if any(one.question.kind == kind for one in answered)]
    of_kind = {kind: [one.question.kind == kind for one in answered] for kind in kinds}

    def figures(counts: Integers | None) -> Floats:
        values = np.array([one.figures(counts) for one in answered])
        by_kind = [column_means(values[:, :1][mask])[0] for mask in of_kind.values()]
        return np.array([*column_means(values)[::-1], *by_kind, *values[:, 0]])

    whole = [(_OTHER, ""), ("P@10", "")]
    chances = [float(np.mean(list(one.relevance.values()))) for one in answered]
    by_kind = [float(np.mean(np.array(chances)[mask])) for mask in of_kind.values()]
    judged = sum(one.found.relevant.size > 0 for one in answered)
    found = figures_with_intervals(
        [*whole, *(("P@10", kind) for kind in kinds), *(("P@10", one.question.text) for one in answered)],
        figures(None),
        copy.context.bootstrap(copy.context.dataset.subject_of).intervals(figures),
        chance=[None, float(np.mean(chances)), *by_kind, *chances],
        n=[judged, len(answered), *map(sum, of_kind.values()), *(sum(one.relevance.values()) for one in answered)],
        counted=["questions with results", *["questions"] * (1 + len(kinds)), *["studies with it"] * len(answered)],
    )
    return measured_result(
        "questions",
        [found[1], replace(found[0], better="lower"), *found[2:]],
        copy.removed,
        [f"{_OTHER}: the share of the first {TOP_K} that have the finding, but not as asked.", *labeler_notes(copy)],
    )
