"""Explains a hit: why it matches a query, what is missing, and which sentence of its report shows it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING

from mcp_cxr.language import (
    SEARCHED_TAGS,
    SectionKind,
    Status,
    ancestors,
    context_of,
    denies_anything_acute,
    descendants,
    finding_of_label,
    imaging_readings,
    is_abnormality,
    is_normal,
    is_normal_by_findings,
    is_public_label,
    main_text,
    report_statements,
    says_abnormal,
    study_readings,
    terms,
)
from mcp_cxr.language.query import WantedFinding, is_general_word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_cxr.language import FindingReading, Mention, Statement
    from mcp_cxr.language.query import QueryMeaning
    from mcp_cxr.records import StoredImage

_MAX_EXCERPT = 138  # characters: with them, a page of hits costs a model at most 45 tokens more a hit
_IN_REPORT = {Status.PRESENT: "report", Status.POSSIBLE: "report, possible", Status.ABSENT: "report, denied"}
_CERTAINTY = {Status.PRESENT: 2, Status.POSSIBLE: 1, Status.ABSENT: 0}
_IN_LABELS = {1: "label", -1: "label, uncertain", 0: "label, absent"}


@dataclass(frozen=True)
class Reasons:
    """Compares a query with one study."""

    meaning: QueryMeaning
    hit: StoredImage
    findings_only: bool = False
    """Whether imaging findings, devices and public labels are all that may be stated."""

    @cached_property
    def readings(self) -> dict[str, FindingReading]:
        """The reading of each finding that the study mentions."""
        if self.findings_only:
            return imaging_readings(self.hit.study)
        return study_readings(self.hit.study)

    @cached_property
    def _statements(self) -> tuple[Statement, ...]:
        return report_statements(self._report) if self._report else ()

    @property
    def _report(self) -> str | None:
        """The report whose words may be stated."""
        return None if self.findings_only else self.hit.study.english_report

    def why(self) -> list[str]:
        """Return what of the query the report, labels and tags state: `report: left pleural effusion`."""
        findings = [*self.meaning.findings, *self.meaning.ruled_out]
        found = [*self._in_report(findings), *self._in_labels(findings), *self._in_context(findings), *self._in_words()]
        return list(dict.fromkeys(found))

    def missing(self) -> list[str]:
        """Return which wanted findings are not stated with their modifiers, and what the study says instead."""
        return [
            self._stated_instead(group[0]) if len(group) == 1 else _named(group)
            for group in self.meaning.wanted
            if not any(self._is_stated(wanted) for wanted in group)
        ]

    def excerpt(self) -> str | None:
        """Return the sentence that agrees most with the query, else the impression; at most 138 characters.

        It never denies what is wanted, nor states what is ruled out.
        """
        scored = [(self._agreement(statement), statement.text) for statement in self._statements]
        best = max(scored, key=lambda pair: pair[0], default=(0, ""))
        shortened = _shortened(best[1])
        if best[0] > 0 and (shortened == best[1] or not self._contradicts(shortened)):
            return shortened
        text = main_text(self._report) if self._report else ""
        return _shortened(text) if text and not self._contradicts(text) else None

    def _in_report(self, findings: Sequence[WantedFinding]) -> Iterator[str]:
        for wanted in self._with_related(findings):
            reading = self.readings.get(wanted.name)
            if reading and reading.mentions and not wanted.in_history:
                for mention in self._best_mentions(wanted, reading):
                    yield f"{_IN_REPORT[mention.status]}: {_phrase(wanted, mention)}"

    def _best_mentions(self, wanted: WantedFinding, reading: FindingReading) -> list[Mention]:
        """Return the mention that states the finding best, on each side that is wanted; or denies what is ruled out."""
        if wanted in self.meaning.ruled_out:
            return [max(reading.mentions, key=lambda mention: _denial(wanted, mention))]
        return [max(reading.mentions, key=lambda mention: _fit(one, mention)) for one in _on_each_side(wanted)]

    def _with_related(self, findings: Sequence[WantedFinding]) -> Iterator[WantedFinding]:
        """Yield the findings, and after one that is not stated those related to it that are."""
        for wanted in findings:
            yield wanted
            reading = self.readings.get(wanted.name)
            if reading is None or reading.status is Status.ABSENT:
                related = ((name, self.readings.get(name)) for name in wanted.related)
                yield from (
                    WantedFinding(name) for name, reading in related if reading and reading.status is not Status.ABSENT
                )

    def _in_labels(self, findings: Sequence[WantedFinding]) -> Iterator[str]:
        names = {wanted.name for wanted in self._with_related(findings) if not wanted.in_history}
        if self.meaning.judgment:
            names.add("no finding")
        for label, value in self._labels():
            finding = finding_of_label(label)
            if finding is None:
                continue
            name = finding.name
            concerned = {name, *(descendants(name) if value == 0 else ancestors(name))}
            if names & concerned:
                yield f"{_IN_LABELS[value]}: {label}"

    def _labels(self) -> list[tuple[str, int]]:
        """Return the labels; one whose name may not be stated, under that of its finding."""
        given = list(self.hit.study.labels.items())
        if not self.findings_only:
            return given
        public = [(label, value) for label, value in given if is_public_label(label)]
        others = [(finding_of_label(label), value) for label, value in given if not is_public_label(label)]
        return public + sorted((one.name, value) for one, value in others if one and one.name in self.readings)

    def _present_labels(self) -> list[str]:
        return [label for label, value in self._labels() if value == 1]

    def _in_context(self, findings: Sequence[WantedFinding]) -> Iterator[str]:
        """Yield the findings that another section or the history names, and the report denies or does not mention."""
        for wanted in findings:
            reading = self.readings.get(wanted.name)
            if wanted.in_history or reading is None or reading.status is Status.ABSENT:
                for statement in self._statements:
                    if any(
                        _is_kind_of(mention, wanted.name) and _is_context(statement, mention)
                        for mention in statement.mentions
                    ):
                        yield f"{_place(statement)}: {wanted.name}"
                        break

    def _in_words(self) -> Iterator[str]:
        yield from self._of_judgment()
        asked = {word: set(terms(word)) for word in (self.meaning.words if self.findings_only else self._words)}
        places = (("report", self._body_stems), *self._context_stems.items(), ("tags", self._tag_stems))
        for where, found in () if self.findings_only else places:
            if words := [word for word, stems in asked.items() if stems <= found]:
                yield f"{where}: {' '.join(words)}"
        for label in self._present_labels():
            if any(stems and stems <= set(terms(label)) for stems in asked.values()):
                yield f"label: {label}"

    def _of_judgment(self) -> Iterator[str]:
        """Yield that the report is normal, if the query wants that; for "abnormal" the first finding."""
        judgment = self.meaning.judgment
        if judgment == "abnormal":
            says_so = ["report: abnormal"] if self._report and says_abnormal(self._report) else []
            yield from islice(chain(self._imaging_findings(), says_so), 1)
        elif judgment == "no acute finding" and self._report and denies_anything_acute(self._report):
            yield "report: no acute finding"
        elif judgment and self._is_normal(with_devices=judgment != "normal"):
            yield "report: normal" if self.hit.study.english_report else "label: normal"

    def _is_normal(self, *, with_devices: bool) -> bool:
        """Return whether something besides the label No Finding shows that the study is normal."""
        if self.findings_only:
            no_finding = self.readings.get("no finding")
            by_label = no_finding is not None and no_finding.label == 1
            return not by_label and is_normal_by_findings(self.readings, with_devices=with_devices)
        return self._report is not None and is_normal(self._report, with_devices=with_devices)

    def _imaging_findings(self) -> Iterator[str]:
        """Yield the imaging findings that the report and then the labels state, those that are present first."""
        for status, value in ((Status.PRESENT, 1), (Status.POSSIBLE, -1)):
            for name, reading in self.readings.items():
                if reading.status is not Status.ABSENT and is_abnormality(name, reading):
                    stated = (one for one in reading.mentions if one.name == name and one.status is status)
                    yield from (f"{_IN_REPORT[status]}: {_phrase(WantedFinding(name), one)}" for one in stated)
            for label, given in self._labels():
                if given == value and label not in ("No Finding", "Support Devices"):
                    yield f"{_IN_LABELS[value]}: {label}"

    @cached_property
    def _words(self) -> list[str]:
        """The words that name no finding, and those of findings that the study does not mention."""
        own = (
            word for wanted in self.meaning.findings if wanted.name not in self.readings for word in wanted.text.split()
        )
        return [*self.meaning.words, *(word for word in own if not any(map(is_general_word, terms(word))))]

    @cached_property
    def _body_stems(self) -> frozenset[str]:
        body = (statement for statement in self._statements if statement.kind is SectionKind.BODY)
        return frozenset(
            stem
            for statement in body
            for mention in statement.mentions
            if mention.status is not Status.ABSENT
            for stem in mention.stems
        )

    @cached_property
    def _tag_stems(self) -> frozenset[str]:
        """The words of the image's header and its view."""
        image = self.hit.image
        return frozenset(
            terms(" ".join([*(str(image.tags.get(tag, "")) for tag in SEARCHED_TAGS), image.view_position]))
        )

    @cached_property
    def _context_stems(self) -> dict[str, frozenset[str]]:
        """The words of the sections that do not say what the images show, by what these are."""
        found: dict[str, frozenset[str]] = {}
        for statement in self._statements:
            if statement.kind is SectionKind.CONTEXT:
                stems = frozenset(stem for mention in statement.mentions for stem in mention.stems)
                found[_place(statement)] = found.get(_place(statement), frozenset()) | stems
        return found

    def _is_stated(self, wanted: WantedFinding) -> bool:
        reading = self.readings.get(wanted.name)
        if reading is None:
            return False
        if not reading.mentions:
            return reading.status is not Status.ABSENT and not wanted.modifiers
        return all(any(_fit(one, mention)[0] for mention in reading.mentions) for one in _on_each_side(wanted))

    def _stated_instead(self, wanted: WantedFinding) -> str:
        reading = self.readings.get(wanted.name)
        if reading is None:
            return f"{wanted.description}: not mentioned"
        if reading.status is Status.ABSENT:
            return f"{wanted.description}: denied"
        denied = [side for side in wanted.sides if reading.sides.get(side) is Status.ABSENT]
        if denied:
            return f"{wanted.description}: denied on the {' and '.join(denied)}"
        affirmed = [mention for mention in reading.mentions if mention.status is not Status.ABSENT]
        phrases = dict.fromkeys(_phrase(wanted, mention).removesuffix(mention.name).strip() for mention in affirmed)
        words = {phrase: {*phrase.split()} for phrase in phrases if phrase}
        details = [phrase for phrase, own in words.items() if not any(own < other for other in words.values())]
        stated = ", ".join(details) or "no such detail"
        return f"{wanted.name}: {', '.join(wanted.modifier_words)} asked for; {stated} stated"

    def _agreement(self, statement: Statement) -> int:
        """Return how far a statement agrees with the query; 0 if it contradicts it or says nothing of it."""
        score = 0
        wanted_history = any(wanted.in_history for wanted in self.meaning.findings)
        if statement.kind is not SectionKind.BODY and not wanted_history:
            return 0
        for mention in statement.mentions:
            score += self._mention_agreement(mention)
        words = {stem for word in self.meaning.words for stem in terms(word)}
        stems = {
            stem for mention in statement.mentions if mention.status is not Status.ABSENT for stem in mention.stems
        }
        return 0 if self._contradicts_any(statement.mentions) else score + len(words & stems)

    def _mention_agreement(self, mention: Mention) -> int:
        score = 0
        for wanted in self.meaning.findings:
            if _is_kind_of(mention, wanted.name):
                fits, agreeing, *_ = _fit(wanted, mention)
                score = max(score, 10 * fits + 2 * agreeing + (mention.status is Status.PRESENT) + 2)
        for wanted in self.meaning.ruled_out:
            if (
                mention.finding
                and mention.status is Status.ABSENT
                and wanted.name in (mention.name, *descendants(mention.name))
            ):
                score = max(score, 4 if self.meaning.only_rules_out else 1)
        return score

    def _contradicts(self, text: str) -> bool:
        return any(
            self._contradicts_any(statement.mentions)
            for statement in report_statements(text)
            if statement.kind is SectionKind.BODY
        )

    def _contradicts_any(self, mentions: Sequence[Mention]) -> bool:
        present = [
            wanted for wanted in self.meaning.findings if "resolved" not in wanted.modifiers and not wanted.in_history
        ]
        for mention in mentions:
            if mention.finding is None:
                continue
            if mention.status is Status.ABSENT:
                denied = {mention.name, *descendants(mention.name)}
                if any(
                    wanted.name in denied and self._is_denied_as_wanted(wanted, mention, mentions) for wanted in present
                ):
                    return True
            elif any(
                _is_kind_of(mention, wanted.name) and _fit(wanted, mention)[0] for wanted in self.meaning.ruled_out
            ):
                return True
        return False

    @staticmethod
    def _is_denied_as_wanted(wanted: WantedFinding, denial: Mention, mentions: Sequence[Mention]) -> bool:
        """Whether a denial concerns what is wanted: one of the left does not deny the right.

        Nor does it deny the finding as such if the same statement affirms it: "no left, small right effusion".
        """
        sides = denial.modifiers_of("side")
        if wanted.sides and sides:
            return bool(sides & set(wanted.sides))
        return not sides or not any(_is_kind_of(each, wanted.name) and _fit(wanted, each)[0] for each in mentions)


def _fit(wanted: WantedFinding, mention: Mention) -> tuple[bool, int, int]:
    """Return how well a mention states a wanted finding: wholly, in how many modifiers, and how surely."""
    agreeing = len(wanted.accepted(mention.modifiers))
    resolved = "resolved" in wanted.modifiers and "resolved" in mention.modifiers
    affirmed = mention.status is not Status.ABSENT or resolved
    return affirmed and agreeing == len(wanted.modifiers), agreeing if affirmed else -1, _CERTAINTY[mention.status]


def _on_each_side(wanted: WantedFinding) -> list[WantedFinding]:
    """Return a wanted finding on each of its sides alone; as it is if it has none."""
    others = wanted.modifiers - set(wanted.sides)
    return [replace(wanted, modifiers=others | {side}) for side in wanted.sides] or [wanted]


def _denial(wanted: WantedFinding, mention: Mention) -> tuple[bool, int]:
    """Return how well a mention denies what is ruled out: whether it denies it, and on how many of its sides."""
    sides = mention.modifiers_of("side")
    return mention.status is Status.ABSENT, len(sides & set(wanted.sides)) if sides else len(wanted.sides)


def _phrase(wanted: WantedFinding, mention: Mention) -> str:
    """Return the finding with the modifiers that are stated of it: "left pleural effusion"."""
    name = mention.name if mention.status is not Status.ABSENT else wanted.name
    return WantedFinding(name, mention.modifiers - set(name.split())).phrase


def _is_kind_of(mention: Mention, name: str) -> bool:
    return mention.finding is not None and name in (mention.name, *ancestors(mention.name))


def _place(statement: Statement) -> str:
    """Return what the section of a statement is; the history, if it is one of the images."""
    return context_of(statement.title) if statement.kind is SectionKind.CONTEXT else "history"


def _is_context(statement: Statement, mention: Mention) -> bool:
    return statement.kind is SectionKind.CONTEXT or mention.is_history


def _named(group: Sequence[WantedFinding]) -> str:
    return " or ".join(dict.fromkeys(wanted.description for wanted in group))


def _shortened(text: str) -> str:
    """Return the first words of a text; a word is not cut in two."""
    return text if len(text) <= _MAX_EXCERPT else f"{text[: _MAX_EXCERPT - 1].rsplit(maxsplit=1)[0]}…"
