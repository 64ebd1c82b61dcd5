"""Feedback: a person marks the first ten answers, and the search asks on with them as examples.

What was marked cannot be found again, so each round looks at what is left: at patients of whom nothing was marked, with
the marks and without them (Salton and Buckley, JASIS 1990: residual collection).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.evaluate.metrics import Measured, means, sampled, skipped
from mcp_cxr.evaluate.truth import SEALED, Answers, K, Listing

if TYPE_CHECKING:
    from mcp_cxr.evaluate.metrics._ranking import Counts, Floats
    from mcp_cxr.evaluate.truth import Sealed
PROTOCOL, TITLE = "feedback", "Feedback: the first ten answers marked right or wrong"
ROUNDS = 3
_WORSE = "made worse"


async def feedback(copy: Sealed, labels: list[str]) -> Measured:
    """Ask for each label by each prompt, and mark three rounds of answers as the truth says."""
    if not (copy.ground.embedder.embeds_text or copy.reports):
        return skipped(PROTOCOL, TITLE, "The embedder reads no text, and there is no report: nothing comes first.")
    prompts = copy.ground.plan.prompts
    asked = [await _rounds(copy, prompt, copy.right(label)) for label in labels for prompt in prompts[label]]

    def figures(counts: Counts | None) -> Floats:
        pairs = [[(one.marked.precision(counts), one.plain.precision(counts)) for one in some] for some in asked]
        found = np.array(pairs)  # (prompts, rounds, with marks and without)
        gain = found[:, :, 0] - found[:, :, 1]
        return means(np.concatenate((found[:, :, 0], found[:, :, 1], gain, (gain < 0).astype(np.float64)), axis=1))

    names = _names()
    ends = copy.ground.bootstrap(copy.ground.gallery.subject_of).intervals(figures)
    left = np.mean([[one.left for one in some] for some in asked], axis=0)
    return Measured(
        PROTOCOL,
        TITLE,
        [
            replace(figure, better="lower") if figure.name == _WORSE else figure
            for figure in sampled(
                names,
                figures(None),
                ends,
                chance=[*left, *left, *[None] * (2 * ROUNDS)],
                n=[len(asked)] * len(names),
            )
        ],
        [SEALED, "patients of whom any study was marked, from the round after it on"],
        [f"{len(asked)} prompts of {len(labels)} labels; a small archive has few right studies left in later rounds."],
    )


def _names() -> list[tuple[str, str]]:
    kinds = (("P@10", "round {}"), ("P@10", "round {} without marks"), ("gain", "round {}"), (_WORSE, "round {}"))
    return [(name, of.format(number)) for name, of in kinds for number in range(1, ROUNDS + 1)]


@dataclass(frozen=True, slots=True)
class _Round:
    """What is found among patients of whom nothing is marked."""

    marked: Listing
    """With the marks."""
    plain: Listing
    """Without them."""
    left: float
    """The share of right studies among all that are left."""


@dataclass(slots=True)
class _Marks:
    """What a person has marked so far."""

    like: list[str] = field(default_factory=list[str])
    unlike: list[str] = field(default_factory=list[str])
    patients: set[int] = field(default_factory=set[int])


async def _rounds(copy: Sealed, prompt: str, right: dict[int, bool]) -> list[_Round]:
    subject_of = copy.ground.gallery.subject_of
    first = answers = await copy.answers(prompt)
    marks, found = _Marks(), list[_Round]()
    everything = Answers(np.array(list(right), np.int64), ())
    for _ in range(ROUNDS):
        _mark(answers, right, marks, subject_of)
        if marks.like or marks.unlike:
            answers = await copy.answers(prompt, like=marks.like, unlike=marks.unlike)
        marked, plain, rest = (_left(each, right, marks, subject_of) for each in (answers, first, everything))
        found.append(_Round(marked, plain, float(rest.right.mean()) if rest.right.size else 0.0))
    return found


def _mark(answers: Answers, right: dict[int, bool], marks: _Marks, subject_of: Counts) -> None:
    """Mark the first ten answers of new patients of which it is known whether they are right."""
    new = [
        (study, image)
        for study, image in zip(answers.studies.tolist(), answers.images, strict=True)
        if study in right and subject_of[study] not in marks.patients
    ]
    for study, image in new[:K]:
        (marks.like if right[study] else marks.unlike).append(image)
        marks.patients.add(int(subject_of[study]))


def _left(answers: Answers, right: dict[int, bool], marks: _Marks, subject_of: Counts) -> Listing:
    listing = answers.known(right)
    unmarked = ~np.isin(subject_of[listing.studies], list(marks.patients))
    return Listing(listing.studies[unmarked], listing.right[unmarked])
