"""Parses a query: which findings it asks for, joined how, which it rules out, and which words stand for filters."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from itertools import chain, product
from typing import TYPE_CHECKING, Literal, TypeVar

from mcp_cxr.language._document_terms import (
    ANY_FINDING_TERM,
    NORMAL_CHEST_TERM,
    NORMAL_TERM,
    TermKind,
    dimension_of,
    finding_term,
)
from mcp_cxr.language._mentions import Mention, Status, mentions_in, modifier_values, modifiers_in
from mcp_cxr.language._sections import statements
from mcp_cxr.language._spelling import Correction, corrected
from mcp_cxr.language._vocabulary import (
    SIDES,
    WORD,
    ancestors,
    finding_entries,
    forms_of_findings,
    normalize,
    stem,
    terms,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

T = TypeVar("T")

CARRIER_WORDS = frozenset(
    resources.files("mcp_cxr.language").joinpath("carrier_words.txt").read_text(encoding="utf-8").split()
)
"""Words of a request that describe no image; a person's question is full of them."""
_FILLER_MODIFIERS = frozenset({"acute", "focal", "multiple", "previous"})
"""Modifiers that a query need not have stated: few reports say that a pneumonia is acute."""
_NEAR_PLACES = {
    "lower lobe": ("lower lobe", "base", "retrocardiac"),
    "base": ("base", "lower lobe"),
    "upper lobe": ("upper lobe", "apex"),
    "middle lobe": ("middle lobe", "mid lung"),
    "apex": ("apex",),
}
"""Places that reports name for each other: the base of a lung is in its lower lobe, the apex in its upper lobe,
the right middle lobe in the middle third."""

_NORMAL = re.compile(
    r"^(?:(?:show|find|give|get|list|me|all|some|a|the|of|images?|studies|patients?|with|please)\s+)*"
    r"(?P<what>(?:completely |entirely )?(?:normal|unremarkable|negative|clear)(?:\s+(?:chest|frontal|pa|ap|lateral))*"
    r"(?:\s+(?:x\s?rays?|radiographs?|cxrs?|stud(?:y|ies)|exams?|examinations?|images?|films?))?"
    r"|no (?:acute |active |significant |other )?(?:cardiopulmonary |intrathoracic |pulmonary |chest )?"
    r"(?:findings?|abnormalit(?:y|ies)|process|disease))$"
)
_ABNORMAL = re.compile(r"\b(?:not normal|abnormal|any (?:finding|abnormality)|any kind of abnormality)\b")
_IN_HISTORY = re.compile(
    r"\b(?:history of|indication(?:s)?(?: of| for)?|hx of|h o|referred for|presenting with|complain\w* of)\b"
)
_NOT_SIDE = re.compile(
    r",?\s*\b(?:but\s+|and\s+)?not\s+(?:(?:on|in|at)\s+)?(?:the\s+)?(?P<side>left|right)(?:\s+(?:side|lung))?(?=\s*(?:[.,;]|$))",
    re.IGNORECASE,
)
"""A side that is denied of the finding before it: "effusion, but not on the left"."""


@dataclass(frozen=True, slots=True)
class WantedFinding:
    """One finding that a query asks for or rules out, with what must be stated of it in the same mention."""

    name: str
    modifiers: frozenset[str] = frozenset()
    is_hedged: bool = False
    """Asked for as possible: studies that report it as possible come first."""
    in_history: bool = False
    """Asked for in the history or the indication, not in the images."""

    text: str = ""
    """As written, without its modifiers."""

    @property
    def is_resolved(self) -> bool:
        """Whether it is asked for as gone."""
        return "resolved" in self.modifiers

    @property
    def own_stems(self) -> tuple[str, ...]:
        """The stems of the words it was written with: a weaker match where reports word it otherwise."""
        return tuple(terms(self.text))

    @property
    def related(self) -> tuple[str, ...]:
        """The findings that match in part: edema for heart failure, sternotomy for sternal wires."""
        return () if self.in_history else finding_entries()[self.name].related

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides that are asked for; both for "bilateral"."""
        return tuple(side for side in SIDES if side in self.modifiers)

    @property
    def description(self) -> str:
        """The finding with its modifiers, for people: "pleural effusion, left, small"."""
        name = f"history of {self.name}" if self.in_history else self.name
        return ", ".join([name, *self._ordered_modifiers(_DIMENSIONS)])

    @property
    def phrase(self) -> str:
        """The finding with its modifiers before it, to embed: "small left pleural effusion"."""
        order = ("change", "age", "size", "pattern", "side", "place")
        return " ".join([*self._ordered_modifiers(order), self.name])

    def _ordered_modifiers(self, order: tuple[str, ...]) -> list[str]:
        """Return the modifiers by dimension, both sides as "bilateral"."""
        values = sorted(self.modifiers, key=lambda value: (order.index(dimension_of(value)), value))
        if self.sides == SIDES:
            return ["bilateral" if value == "left" else value for value in values if value != "right"]
        return values

    def accepted(self, stated: frozenset[str]) -> frozenset[str]:
        """Return those of the modifiers asked for that a mention with the modifiers `stated` satisfies."""
        return frozenset(value for value in self.modifiers if stated & set(_NEAR_PLACES.get(value, (value,))))

    def term_sets(self, kinds: Sequence[TermKind]) -> list[list[tuple[str, ...]]]:
        """Return sets of alternatives; a study that has one of each alternative of a set states the finding as asked.

        Args:
            kinds: What counts: present, possible or both.
        """
        if self.in_history:
            return [[(finding_term("history", self.name),)]]
        sides: tuple[str | None, ...] = self.sides or (None,)
        chosen = (
            [frozenset({*choice, *([side] if side else [])}) for side in sides]
            for choice in product(*self._alternatives())
        )
        return [[tuple(finding_term(kind, self.name, some) for kind in kinds) for some in one] for one in chosen]

    def _alternatives(self) -> list[tuple[str, ...]]:
        """Return for each dimension but the side the modifiers that are accepted."""
        by_dimension: dict[str, list[str]] = {}
        for value in sorted(self.modifiers):
            if value not in SIDES:
                by_dimension.setdefault(dimension_of(value), []).extend(_NEAR_PLACES.get(value, (value,)))
        return [tuple(dict.fromkeys(values)) for values in by_dimension.values()]


_DIMENSIONS = ("side", "place", "size", "change", "age", "pattern")


@dataclass(frozen=True, slots=True)
class QueryMeaning:
    """What the words of a query ask for and what they rule out."""

    wanted: tuple[tuple[WantedFinding, ...], ...] = ()
    """Each group is asked for; any finding of a group satisfies it."""
    ruled_out: tuple[WantedFinding, ...] = ()
    """A study that states one of them is no result."""
    judgment: Literal["normal", "no finding", "abnormal"] | None = None
    """Whether the study as a whole must be normal or not."""
    words: tuple[str, ...] = ()
    """Words that name no finding, as written."""
    denied_words: tuple[str, ...] = ()
    """Words that name no finding and are ruled out."""
    modifiers: tuple[str, ...] = ()
    """Sides, places and the like if no finding is named that they could qualify: they match nothing."""
    corrections: tuple[Correction, ...] = ()
    """Misspelt words, with what they were taken for."""
    text: str = ""
    """The query after corrections."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for and nothing ruled out."""
        return not (self.wanted or self.ruled_out or self.judgment or self.words or self.denied_words)

    @property
    def findings(self) -> tuple[WantedFinding, ...]:
        """All findings that are asked for, in their order."""
        return tuple(chain.from_iterable(self.wanted))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the findings that are asked for in the images, not in the history."""
        return tuple(dict.fromkeys(one.name for one in self.findings if not one.in_history))

    @property
    def only_denies(self) -> bool:
        """Whether nothing is asked for, only ruled out."""
        return not (self.wanted or self.judgment or self.words) and bool(self.ruled_out or self.denied_words)

    @property
    def is_hedged(self) -> bool:
        """Whether a finding is asked for as possible."""
        return any(one.is_hedged for one in self.findings)

    @property
    def text_to_embed(self) -> str:
        """The findings as understood, with their modifiers; the text if there are none; empty if it only denies."""
        if self.wanted:
            return ", ".join(" or ".join(one.phrase for one in group) for group in self.wanted)
        if self.judgment:
            return "abnormal chest x-ray" if self.judgment == "abnormal" else "normal chest x-ray"
        return "" if self.only_denies else self.text

    @property
    def denied_texts(self) -> tuple[str, ...]:
        """Each finding that is ruled out as text, to embed."""
        return (*(one.phrase for one in self.ruled_out), *self.denied_words)

    @property
    def word_stems(self) -> tuple[str, ...]:
        """The stems of `words`."""
        return tuple(dict.fromkeys(stem_ for word in self.words for stem_ in terms(word)))

    @property
    def denied_stems(self) -> tuple[str, ...]:
        """The stems of `denied_words`."""
        return tuple(dict.fromkeys(stem_ for word in self.denied_words for stem_ in terms(word)))

    @property
    def labels(self) -> tuple[str, ...]:
        """The CheXpert labels of the findings that are asked for."""
        found = (finding_entries()[name].label for name in self.names)
        return tuple(dict.fromkeys(label for label in found if label))

    def clauses(self, kinds: Sequence[TermKind]) -> list[tuple[str, ...]]:
        """Return sets of terms of which a study has at least one each if it states all that is asked for.

        An empty set, of which no study has one, if nothing is asked for that can be matched.
        """
        if self.judgment:
            return [(_JUDGMENT_TERMS[self.judgment],)]
        if not self.wanted:
            return [(stem_,) for stem_ in self.word_stems] or [()]  # a side or size alone matches nothing
        found: list[tuple[str, ...]] = []
        for group in self.wanted:
            alternatives = [terms_ for one in group for terms_ in one.term_sets(kinds)]
            found += [tuple(dict.fromkeys(chain.from_iterable(choice))) for choice in product(*alternatives)]
        return list(dict.fromkeys(found))


_JUDGMENT_TERMS = {"normal": NORMAL_CHEST_TERM, "no finding": NORMAL_TERM, "abnormal": ANY_FINDING_TERM}


def parse_query_text(query: str, *, known_words: frozenset[str] = frozenset()) -> QueryMeaning:
    """Return what the words of a query ask for and what they rule out.

    Args:
        query: The words.
        known_words: Words beyond this package's tables that are spelled correctly, in lower case.
    """
    text, corrections = corrected(query, known_words | CARRIER_WORDS)
    if judgment := _judgment(text):
        rest = text if judgment != "abnormal" else _ABNORMAL.sub(" ", normalize(text))
        parsed = _parsed(rest) if judgment == "abnormal" else QueryMeaning()
        if not parsed.wanted:
            return replace(parsed, judgment=judgment, words=(), corrections=corrections, text=text)
    return replace(_parsed(text), corrections=corrections, text=text)


def _judgment(text: str) -> Literal["normal", "no finding", "abnormal"] | None:
    plain = " ".join(WORD.findall(normalize(text)))
    if match := _NORMAL.match(plain):
        return "no finding" if match["what"].startswith("no ") else "normal"
    return "abnormal" if _ABNORMAL.search(plain) else None


def _parsed(text: str) -> QueryMeaning:
    if denied := _NOT_SIDE.search(text):
        parsed = _parsed(f"{text[: denied.start()]}{text[denied.end() :]}")
        side = denied["side"].lower()
        if parsed.wanted and side not in parsed.findings[-1].modifiers:
            last = WantedFinding(parsed.findings[-1].name, frozenset({side}), text=parsed.findings[-1].text)
            return replace(parsed, ruled_out=_unique([*parsed.ruled_out, last]))
    mentions = [one for statement in statements(_plain(text)) for one in mentions_in(statement, is_query=True)]
    in_history = bool(_IN_HISTORY.search(" ".join(WORD.findall(normalize(text)))))
    findings = [one for one in mentions if one.finding]
    words = [one for one in mentions if not one.finding and not _is_carrier(one)]
    return QueryMeaning(
        wanted=_groups([one for one in findings if not _is_ruled_out(one)], in_history=in_history),
        ruled_out=_unique(_wanted(one, in_history=False) for one in findings if _is_ruled_out(one)),
        words=_unique(one.text for one in words if one.status is not Status.ABSENT),
        denied_words=_unique(one.text for one in words if one.status is Status.ABSENT),
        modifiers=() if findings else _unique(modifiers_in(text)),
    )


def _plain(text: str) -> str:
    """Return a query without the mark of a whole question: "edema?" doubts, "which patients have edema?" does not."""
    first = WORD.search(normalize(text))
    return text.rstrip(" ?") if first and first[0] in CARRIER_WORDS else text


def _is_ruled_out(mention: Mention) -> bool:
    return mention.status is Status.ABSENT and "resolved" not in mention.modifiers


def _groups(wanted: Sequence[Mention], *, in_history: bool) -> tuple[tuple[WantedFinding, ...], ...]:
    """Return the findings in groups: "and", "with" and commas join groups, "or" the findings of one."""
    groups: list[list[WantedFinding]] = []
    for index, one in enumerate(wanted):
        finding = _wanted(one, in_history=in_history)
        if groups and _is_alternative(wanted, index):
            groups[-1].append(finding)
        else:
            groups.append([finding])
    return tuple(dict.fromkeys(_unique(group) for group in groups))


def _is_alternative(wanted: Sequence[Mention], index: int) -> bool:
    """Whether a finding is joined to the one before it by "or", or by a comma of a list that "or" ends."""
    for later in wanted[index:]:
        if later.joined_by in ("or", "versus", "vs"):
            return True
        if later.joined_by != ",":
            return False
    return False


def _wanted(mention: Mention, *, in_history: bool) -> WantedFinding:
    modifiers = mention.modifiers - _FILLER_MODIFIERS - modifier_values(mention.name)
    return WantedFinding(
        mention.name,
        frozenset() if in_history else modifiers,
        is_hedged=mention.status is Status.POSSIBLE,
        in_history=in_history or mention.is_history,
        text=mention.text,
    )


def _is_carrier(mention: Mention) -> bool:
    return all(word in CARRIER_WORDS for word in WORD.findall(mention.text))


def _unique(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))


@cache
def _general_stems() -> frozenset[str]:
    """Return the stems of the words that the names of more than one family of findings share ("pleural", "lung")."""
    families: dict[str, set[str]] = {}
    for name, form in forms_of_findings():
        for word in terms(form):
            families.setdefault(word, set()).add((name, *ancestors(name))[-1])
    return frozenset(word for word, names in families.items() if len(names) > 1)


def is_general_word(stem_: str) -> bool:
    """Whether a word is part of the names of several findings, and so no sign of one."""
    return stem_ in _general_stems() or stem_ in {stem(word) for word in CARRIER_WORDS}
