"""What holds of every answer over invented reports: counts, denials, excerpts, pages; recounted without any index."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.language import Status, mentions_in, read_study
from tests.support.invented_reports import SIDED, SIZES, WHOLE, Statement, invent
from tests.support.reported import Reported, numbers, reported
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mcp_cxr.archive import Archive
    from mcp_cxr.language import FindingReading, Mention
    from mcp_cxr.records import GroupBy, Hit, Mode

STUDIES = 120
MODES: tuple[Mode, ...] = ("auto", "vector")


@dataclass(frozen=True)
class Wanted:
    """One finding of a question."""

    finding: str
    side: str | None = None
    size: str | None = None

    @property
    def words(self) -> str:
        return " ".join(word for word in (self.size, self.side, self.finding) if word)

    @property
    def modifiers(self) -> set[str]:
        sides = {"left", "right"} if self.side == "bilateral" else {self.side}
        return {word for word in (*sides, self.size) if word}

    def status(self, study: Reported) -> Status | None:
        """Return how a study states it; None if it is silent or states it otherwise."""
        reading = read_study(study.report, study.labels).get(self.finding)
        if reading is None or reading.status is Status.ABSENT:
            return None if reading is None else Status.ABSENT
        if not any(one.status is not Status.ABSENT for one in reading.mentions):
            return None if self.modifiers else reading.status
        return self._stated(reading.mentions)

    def _stated(self, mentions: Sequence[Mention]) -> Status | None:
        sides = [side for side in ("left", "right") if side in self.modifiers] or [None]
        found: list[Status] = []
        for side in sides:
            needed = {word for word in (side, self.size) if word}
            fits = [one.status for one in mentions if needed <= one.modifiers and one.status is not Status.ABSENT]
            if not fits:
                return None
            found.append(Status.PRESENT if Status.PRESENT in fits else Status.POSSIBLE)
        return Status.POSSIBLE if Status.POSSIBLE in found else Status.PRESENT


@dataclass(frozen=True)
class Question:
    wanted: tuple[Wanted, ...]
    without: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        return " ".join([" and ".join(one.words for one in self.wanted), *(f"without {one}" for one in self.without)])


def asked(draw: random.Random) -> Question:
    findings = draw.sample([*SIDED, *WHOLE], draw.randint(1, 3))
    without = tuple(findings[1:]) if draw.random() < 0.3 else ()
    wanted = findings[:1] if without else findings[:2]
    return Question(tuple(_wanted(draw, name) for name in wanted), without)


def _wanted(draw: random.Random, name: str) -> Wanted:
    side = draw.choice((None, "left", "right", "bilateral")) if name in SIDED else None
    size = draw.choice((None, None, *SIZES)) if name in ("pleural effusion", "pneumothorax") else None
    return Wanted(name, side, size)


def states(study: Reported, finding: str) -> bool:
    reading = read_study(study.report, study.labels).get(finding)
    return reading is not None and reading.status is not Status.ABSENT


def is_conflicting(study: Reported, findings: Iterable[str]) -> bool:
    readings = read_study(study.report, study.labels)
    return any(name in readings and readings[name].is_conflicting for name in findings)


def recounted(studies: list[Reported], question: Question) -> dict[str, int]:
    """Count from the reading of each study alone."""
    counts: dict[str, int] = {"present": 0, "possible": 0, "part": 0, "denied": 0}
    for study in studies:
        if any(states(study, one) for one in question.without) or is_conflicting(study, question.without):
            continue
        readings = read_study(study.report, study.labels)
        names = [one.finding for one in question.wanted]
        denied = [
            one.finding in readings and _is_denied(readings[one.finding], one.modifiers & {"left", "right"})
            for one in question.wanted
        ]
        statuses = [one.status(study) for one in question.wanted]
        if all(denied):
            counts["denied"] += 1
        elif all(status is Status.PRESENT for status in statuses):
            counts["present"] += 1
        elif all(status in (Status.PRESENT, Status.POSSIBLE) for status in statuses):
            counts["possible"] += 1
        elif any(states(study, name) for name in names):
            counts["part"] += 1
    return counts


def _is_denied(reading: FindingReading, sides: set[str]) -> bool:
    """Whether a finding is denied on the sides asked for, else on both, and not at single places only."""
    if reading.status is not Status.ABSENT or not reading.mentions:
        return reading.status is Status.ABSENT
    if all(one.modifiers_of("place") for one in reading.mentions):
        return False
    denied = [one.modifiers_of("side") or {"left", "right"} for one in reading.mentions]
    return (sides or {"left", "right"}) <= set[str]().union(*denied)


@pytest.fixture(scope="module")
def drawn() -> tuple[list[Reported], list[list[Statement]]]:
    draw = random.Random(17)  # noqa: S311  # not for security
    made = [invent(draw) for _ in range(STUDIES)]
    return [study for study, _ in made], [said for _, said in made]


def questions(count: int, seed: int) -> list[Question]:
    draw = random.Random(seed)  # noqa: S311  # not for security
    return [asked(draw) for _ in range(count)]


async def all_hits(archive: Archive, query: str, **given: Any) -> list[Hit]:
    page = await archive.search(query, limit=100, **given)
    hits = list(page.images)
    while page.next_offset is not None:
        page = await archive.search(query, limit=100, offset=page.next_offset, **given)
        hits += page.images
    return hits


def test_the_reader_reads_what_the_invented_reports_say(drawn: tuple[list[Reported], list[list[Statement]]]) -> None:
    """What the recount leans on is checked against what was invented."""
    for study, said in zip(*drawn, strict=True):
        readings = read_study(study.report)
        for one in said:
            assert readings[one.finding].status == Status(one.status), one
            (mention, *_) = [each for each in mentions_in(one.sentence) if each.name == one.finding]
            sides = {"left", "right"} if one.side == "bilateral" else {one.side} - {None}
            assert mention.modifiers_of("side") == sides, one


async def test_counts_equal_a_recount_of_every_study(drawn: tuple[list[Reported], list[list[Statement]]]) -> None:
    studies, _ = drawn
    async with reported(studies) as archive:
        for question in questions(120, seed=1):
            page = await archive.search(question.words)
            expected = recounted(studies, question)
            assert page.counts is not None
            assert {name: page.counts[name] for name in expected} == expected, question.words
            assert page.matched_results == expected["present"] + expected["possible"]


async def test_each_hit_matches_as_it_says(drawn: tuple[list[Reported], list[list[Statement]]]) -> None:
    studies, _ = drawn
    async with reported(studies, ToyEmbedder()) as archive:
        for question in questions(20, seed=2):
            for mode in MODES:
                hits = await all_hits(archive, question.words, mode=mode)
                full = [hit for hit in hits if hit.matched == "full"]
                for hit in full:
                    study = studies[int(hit.study_id[1:]) - 50_000_001]
                    assert all(one.status(study) not in (None, Status.ABSENT) for one in question.wanted), question
                expected = recounted(studies, question)
                assert len(full) == expected["present"] + expected["possible"]
                assert [hit.matched for hit in hits].count("part") == expected["part"], question.words


@pytest.mark.parametrize("sees", [False, True])
async def test_without_never_returns_a_study_that_states_it(
    drawn: tuple[list[Reported], list[list[Statement]]], *, sees: bool
) -> None:
    studies, said = drawn
    async with reported(studies, ToyEmbedder() if sees else None) as archive:
        for finding in (*SIDED, *WHOLE):
            for query in (f"without {finding}", f"no {finding}", f"edema without {finding}", f"not {finding}"):
                for mode in ("auto", "words", *(["vector"] if sees else [])):
                    for hit in await all_hits(archive, query, mode=mode):
                        number = int(hit.study_id[1:]) - 50_000_001
                        stated = [one for one in said[number] if one.finding == finding and one.status != "absent"]
                        assert not stated, (query, hit)
                        assert studies[number].labels.get((SIDED | WHOLE)[finding] or "", 0) == 0 or said[number]
                        assert not states(studies[number], finding)
                        assert not is_conflicting(studies[number], [finding])


async def test_no_excerpt_contradicts_the_question(drawn: tuple[list[Reported], list[list[Statement]]]) -> None:
    studies, said = drawn
    async with reported(studies, ToyEmbedder()) as archive:
        for question in questions(60, seed=3):
            for hit in await all_hits(archive, question.words):
                told = [
                    one
                    for one in said[int(hit.study_id[1:]) - 50_000_001]
                    if one.sentence in (hit.report_excerpt or "")
                ]
                for one in told:
                    if one.status == "absent":
                        assert not any(_denies(one, wanted) for wanted in question.wanted), (question.words, hit)
                    else:
                        assert one.finding not in question.without, (question.words, hit)


def _denies(said: Statement, wanted: Wanted) -> bool:
    sides = {"left", "right"} if said.side == "bilateral" else {said.side} - {None}
    return said.finding == wanted.finding and (not sides or not wanted.side or bool(sides & wanted.modifiers))


@pytest.mark.parametrize("group", ["study", "subject", "none"])
@pytest.mark.parametrize("sees", [False, True])
async def test_pages_over_tiers_equal_one_large_page(group: GroupBy, *, sees: bool) -> None:
    draw = random.Random(5)  # noqa: S311  # not for security
    studies = [
        Reported(study.report, study.labels, ("PA", "LATERAL")[: draw.randint(1, 2)], subject=draw.randint(1, 15))
        for study, _ in (invent(draw) for _ in range(30))
    ]
    key = {"study": "study_id", "subject": "subject_id", "none": "image_id"}[group]
    async with reported(studies, ToyEmbedder() if sees else None) as archive:
        for query in ("left pleural effusion", "no pneumothorax", "possible edema", "atelectasis and cardiomegaly"):
            whole = await archive.search(query, group=group, limit=100)
            small: list[Hit] = []
            for offset in range(0, whole.total_results, 4):
                page = await archive.search(query, group=group, limit=4, offset=offset)
                assert (page.matched_results, page.counts) == (whole.matched_results, whole.counts)
                small += page.images
            assert small == whole.images
            keys = [getattr(hit, key) for hit in whole.images]
            assert len(set(keys)) == len(keys) == whole.total_results
            assert [hit.rank for hit in whole.images] == list(range(1, len(keys) + 1))
            ranks = [["full", "part", "unknown", "no"].index(hit.matched or "no") for hit in whole.images]
            assert ranks == sorted(ranks) or query.startswith("no ")
            if group == "study":
                assert [hit.matched for hit in whole.images].count("full") == whole.matched_results


async def test_a_page_behind_the_matches_has_their_number(drawn: tuple[list[Reported], list[list[Statement]]]) -> None:
    async with reported(drawn[0]) as archive:
        page = await archive.search("pleural effusion", offset=2**40)
    assert (numbers(page), bool(page.matched_results)) == ([], True)
