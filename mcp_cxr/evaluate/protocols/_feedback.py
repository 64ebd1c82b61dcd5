"""Measures relevance feedback: the first ten results are marked, and the next search takes them as examples.

A marked result cannot be found again, so each round is measured on the patients without marks, once with the marks and
once without (Salton and Buckley, JASIS 1990: residual collection).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.evaluate.inputs import TOP_K, JudgedRanking, SearchRanking
from mcp_cxr.evaluate.metrics import (
    ProtocolResult,
    column_means,
    figures_with_intervals,
    measured_result,
    skipped_result,
)

if TYPE_CHECKING:
    from mcp_cxr.evaluate.inputs import HeldOutCopy
    from mcp_cxr.evaluate.metrics import Floats, Integers

ROUNDS = 3
_WORSE = "made worse"


async def measure_feedback(copy: HeldOutCopy, labels: list[str]) -> ProtocolResult:
    """Search for each label with each prompt, and mark three rounds of results as the truth has them."""
    if not (copy.context.embedder.embeds_text or copy.reports):
        return skipped_result("feedback", "The embedder cannot embed text, and there is no report to rank by.")
    prompts = copy.context.plan.prompts
    searches = [await _rounds(copy, prompt, copy.relevance(label)) for label in labels for prompt in prompts[label]]

    def figures(counts: Integers | None) -> Floats:
        pairs = [[result.precisions(counts) for result in rounds] for rounds in searches]
        found = np.array(pairs)  # (prompts, rounds, with and without marks)
        marked, plain = found[:, :, 0], found[:, :, 1]
        gain = marked - plain
        worse = np.where(np.isnan(gain), np.nan, gain < 0)
        return column_means(np.concatenate((marked, plain, gain, worse), axis=1))

    names = _names()
    ends = copy.context.bootstrap(copy.context.dataset.subject_of).intervals(figures)
    chances = np.array([[result.chance for result in rounds] for rounds in searches])
    chance, counted = column_means(chances), (~np.isnan(chances)).sum(axis=0).tolist()
    return measured_result(
        "feedback",
        [
            replace(figure, better="lower") if figure.name == _WORSE else figure
            for figure in figures_with_intervals(
                names,
                figures(None),
                ends,
                chance=[*chance, *chance, *[None] * (2 * ROUNDS)],
                n=counted * (len(names) // ROUNDS),
                counted="prompts",
            )
        ],
        [*copy.removed, "patients with a marked study, from the next round on"],
        [f"{len(searches)} prompts of {len(labels)} labels; small archives have few relevant studies in later rounds."],
        left_out=copy.labels_left_out(),
    )


def _names() -> list[tuple[str, str]]:
    kinds = (("P@10", "round {}"), ("P@10", "round {} without marks"), ("gain", "round {}"), (_WORSE, "round {}"))
    return [(name, of.format(number)) for name, of in kinds for number in range(1, ROUNDS + 1)]


@dataclass(frozen=True, slots=True)
class _RoundResult:
    """The results of a round among the patients without marks."""

    marked: JudgedRanking
    """Results of the search with the marks as examples."""
    plain: JudgedRanking
    """Results of the first search, without examples."""
    chance: float
    """Share of relevant studies among all studies of these patients; NaN if every patient has a mark."""

    def precisions(self, counts: Integers | None) -> tuple[float, float]:
        """Return P@10 with the marks and without; NaN if there is no study left to find."""
        if np.isnan(self.chance):
            return np.nan, np.nan
        return self.marked.precision(counts), self.plain.precision(counts)


@dataclass(slots=True)
class _MarkedExamples:
    """The images marked so far, and their patients."""

    like: list[str] = field(default_factory=list[str])
    unlike: list[str] = field(default_factory=list[str])
    patients: set[int] = field(default_factory=set[int])


async def _rounds(copy: HeldOutCopy, prompt: str, relevance: dict[int, bool]) -> list[_RoundResult]:
    subject_of = copy.context.dataset.subject_of
    first = ranking = await copy.search(prompt)
    examples, results = _MarkedExamples(), list[_RoundResult]()
    everything = SearchRanking(np.array(list(relevance), np.int64), ())
    for _ in range(ROUNDS):
        _mark(ranking, relevance, examples, subject_of)
        if examples.like or examples.unlike:
            ranking = await copy.search(prompt, like=examples.like, unlike=examples.unlike)
        marked, plain, rest = (
            _residual(found, relevance, examples, subject_of) for found in (ranking, first, everything)
        )
        results.append(_RoundResult(marked, plain, float(rest.relevant.mean()) if rest.relevant.size else np.nan))
    return results


def _mark(ranking: SearchRanking, relevance: dict[int, bool], examples: _MarkedExamples, subject_of: Integers) -> None:
    """Mark the first ten results of known relevance whose patients have no mark yet."""
    new = [
        (study, image)
        for study, image in zip(ranking.studies.tolist(), ranking.images, strict=True)
        if study in relevance and subject_of[study] not in examples.patients
    ]
    for study, image in new[:TOP_K]:
        (examples.like if relevance[study] else examples.unlike).append(image)
        examples.patients.add(int(subject_of[study]))


def _residual(
    ranking: SearchRanking, relevance: dict[int, bool], examples: _MarkedExamples, subject_of: Integers
) -> JudgedRanking:
    """Return the results of patients without marks."""
    judged = ranking.judged(relevance)
    unmarked = ~np.isin(subject_of[judged.studies], list(examples.patients))
    return JudgedRanking(judged.studies[unmarked], judged.relevant[unmarked])
