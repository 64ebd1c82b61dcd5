"""What a query asks for: findings with what must be stated of them, what is ruled out, and words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain, product
from math import prod
from typing import TYPE_CHECKING, TypeAlias

from mcp_cxr.language._document_terms import (
    ABNORMAL_TERM,
    ANY_FINDING_TERMS,
    NORMAL_CHEST_FINDINGS_TERM,
    NORMAL_CHEST_TERM,
    NORMAL_FINDINGS_TERM,
    NORMAL_TERM,
    NOTHING_ACUTE_TERM,
    dimension_of,
    finding_term,
    label_term,
)
from mcp_cxr.language._imaging_findings import is_imaging
from mcp_cxr.language._vocabulary import SIDES, ancestors, finding_entries, terms

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from mcp_cxr.language._document_terms import TermKind
    from mcp_cxr.language.query._judgments import Judgment
    from mcp_cxr.language.query._spelling import Correction

_INCLUDED = {
    "lower lobe": ("lower lobe", "base", "retrocardiac"),
    "base": ("base", "lower lobe"),
    "upper lobe": ("upper lobe", "apex"),
    "middle lobe": ("middle lobe", "mid lung"),
    "lingula": ("lingula", "mid lung"),
    "apex": ("apex",),
    "multiple": ("multiple", "scattered"),
    "spine": ("thoracic spine", "lumbar spine", "cervical spine"),
}
"""Modifiers that reports use for each other: the base of a lung is in its lower lobe, the apex in its upper lobe, the
right middle lobe and the lingula in the middle third; and what is scattered is more than one."""

AlternativeTerms: TypeAlias = tuple[str, ...]
"""Terms of which a study has to have one."""


@dataclass(frozen=True, slots=True)
class WantedFinding:
    """A finding that a query asks for, and its modifiers: "small left effusion".

    A study states it if one mention in its report has the finding and all the modifiers. What a query rules out has
    this form too, in `QueryMeaning.ruled_out`: a study that states it is left out of the result.
    """

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
        """Whether it is wanted as resolved."""
        return "resolved" in self.modifiers

    @property
    def own_stems(self) -> tuple[str, ...]:
        """The stems of the words it was written with: a weaker match where reports word it otherwise."""
        return tuple(terms(self.text))

    @property
    def related(self) -> tuple[str, ...]:
        """The findings that match in part: edema for heart failure, a fracture for a rib fracture."""
        if self.in_history:
            return ()
        entry = finding_entries()[self.name]
        return tuple(dict.fromkeys([*entry.related, *(one for one in entry.broader[:1] if one not in _TOO_BROAD)]))

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides that are wanted; both for "bilateral"."""
        return tuple(side for side in SIDES if side in self.modifiers)

    @property
    def places(self) -> frozenset[str]:
        """The places that are wanted."""
        return frozenset(value for value in self.modifiers if dimension_of(value) == "place")

    @property
    def description(self) -> str:
        """The finding with its modifiers, for people: "pleural effusion, left, small"."""
        name = f"history of {self.name}" if self.in_history else self.name
        return ", ".join([name, *self.modifier_words])

    @property
    def modifier_words(self) -> tuple[str, ...]:
        """The modifiers for people, side and place first: "left", "small"."""
        return tuple(self._ordered_modifiers(_DIMENSIONS))

    @property
    def phrase(self) -> str:
        """The finding with its modifiers before it, to embed: "small left pleural effusion"."""
        order = ("change", "age", "size", "pattern", "side", "place")
        return " ".join([*self._ordered_modifiers(order), self.name])

    def _ordered_modifiers(self, order: tuple[str, ...]) -> list[str]:
        """Return the modifiers by dimension, both sides as "bilateral", sizes as the field says them ("mild edema")."""
        values = sorted(self.modifiers, key=lambda value: (order.index(dimension_of(value)), value))
        if not finding_entries()[self.name].is_sized:
            values = [_DEGREES.get(value, value) for value in values]
        if self.sides == SIDES:
            return ["bilateral" if value == "left" else value for value in values if value != "right"]
        return values

    @property
    def denial_terms(self) -> tuple[str, ...]:
        """Terms of a study that denies it: on each wanted side, else on both."""
        return tuple(finding_term("absent", self.name, frozenset({side})) for side in self.sides or SIDES)

    def accepted(self, stated: frozenset[str]) -> frozenset[str]:
        """Return those of the wanted modifiers that a mention with the modifiers `stated` satisfies."""
        return frozenset(value for value in self.modifiers if stated & set(_INCLUDED.get(value, (value,))))

    def required_terms(self, kinds: Sequence[TermKind]) -> list[AlternativeTerms]:
        """Return alternative terms; a study that has a term of each states the finding.

        For "bilateral small effusion" there are two alternatives: the terms of a small left effusion, present or
        possible, and those of a small right one. Modifiers that reports use for each other are in one alternative.

        Args:
            kinds: What counts: present, possible or both.
        """
        if self.in_history:
            return [(finding_term("history", self.name),)]
        choices = [frozenset(choice) for choice in product(*self._alternatives())]
        on_sides = [frozenset({side}) for side in self.sides] or [frozenset[str]()]
        return [
            tuple(finding_term(kind, self.name, choice | side) for choice in choices for kind in kinds)
            for side in on_sides
        ]

    def terms_at_place(self, kinds: Sequence[TermKind], *, with_related: bool) -> AlternativeTerms:
        """Return the terms that state it with its place and one of its sides, whatever its size or change.

        Args:
            kinds: What counts: present, possible or both.
            with_related: Whether those of related findings count, too.
        """
        on_sides = [self.places | {side} for side in self.sides] or [self.places]
        names = (self.name, *self.related) if with_related else (self.name,)
        found = (replace(self, name=name, modifiers=some).required_terms(kinds) for name in names for some in on_sides)
        return tuple(dict.fromkeys(term for required in found for terms_ in required for term in terms_))

    def _alternatives(self) -> list[tuple[str, ...]]:
        """Return for each dimension but the side the modifiers that are accepted."""
        by_dimension: dict[str, list[str]] = {}
        for value in sorted(self.modifiers):
            if value not in SIDES:
                by_dimension.setdefault(dimension_of(value), []).extend(_INCLUDED.get(value, (value,)))
        return [tuple(dict.fromkeys(values)) for values in by_dimension.values()]


_SEVERAL = 2  # groups
_TOO_BROAD = frozenset({"opacity", "support device", "catheter", "calcification", "degenerative change", "arthritis"})
"""Broader findings that say too little of a narrower one to match it in part."""
_DEGREES = {"small": "mild", "large": "severe"}
"""What people say instead of a size of findings that have a degree: "mild edema"."""
_TECHNIQUES = frozenset("portable portables bedside mobile supine upright erect semierect semiupright".split())
"""Words of the technique: they rank, and leave no study out if more is asked for."""
_DIMENSIONS = ("side", "place", "size", "change", "age", "pattern")
"""The dimensions of modifiers, in the order in which a description names them."""


@dataclass(frozen=True, slots=True)
class QueryMeaning:
    """What the words of a query ask for and what they rule out."""

    wanted: tuple[tuple[WantedFinding, ...], ...] = ()
    """Each group is wanted; any finding of a group satisfies it."""
    ruled_out: tuple[WantedFinding, ...] = ()
    """A study that states one of them is no result."""
    judgment: Judgment | None = None
    """Whether the study as a whole must be normal or not."""
    words: tuple[str, ...] = ()
    """Words that name no finding, as written."""
    unknown_words: tuple[str, ...] = ()
    """Words that occur in no report, label or tag; they cannot match."""
    ruled_out_words: tuple[str, ...] = ()
    """Words that name no finding and are ruled out."""
    modifiers: tuple[str, ...] = ()
    """Sides, places and the like if no finding is named that they could qualify: they match nothing."""
    changes_denied: tuple[str, ...] = ()
    """Findings, as written, of which only a change is denied ("no new edema"): neither wanted nor ruled out."""
    corrections: tuple[Correction, ...] = ()
    """Misspelt words, with what they were taken for."""
    not_applied: tuple[str, ...] = ()
    """Conditions that neither findings nor filters can hold, as written: "not (effusion and edema)"."""
    text: str = ""
    """The query after corrections."""
    findings_only: bool = False
    """Whether it may be matched by imaging findings, devices and public labels only: `imaging_only` made it."""

    def without_contradictions(self) -> QueryMeaning:
        """Return it without denials of all that a wanted finding is a kind of, which no study can meet.

        They are named as not applied: no filter holds "no devices but a PICC".
        """
        wider = [
            one
            for one in self.ruled_out
            if not one.modifiers
            and any(all(one.name in ancestors(each.name) for each in group) for group in self.wanted)
        ]
        return replace(
            self,
            ruled_out=tuple(one for one in self.ruled_out if one not in wider),
            not_applied=(*self.not_applied, *(f"no other {one.name}" for one in wider)),
        )

    def imaging_only(self, label_words: Collection[str] = ()) -> tuple[QueryMeaning, tuple[str, ...]]:
        """Return what may be matched without the words of reports, and the words and findings that are left out.

        Left out are diagnoses and symptoms, what is asked for in the history or the indication, and words.

        Args:
            label_words: Those of its words that public labels have: they are kept.
        """
        wanted = tuple(kept for group in self.wanted if (kept := tuple(filter(_is_in_image, group))))
        asked = [one.description for one in self.findings if not _is_in_image(one)]
        ruled_out = [one.description for one in self.ruled_out if not _is_in_image(one)]
        unknown = (*asked, *(word for word in self.words if word not in label_words))
        not_ruled_out = [word for word in self.ruled_out_words if word not in label_words]
        meaning = replace(
            self,
            wanted=wanted,
            ruled_out=tuple(filter(_is_in_image, self.ruled_out)),
            words=tuple(word for word in self.words if word in label_words),
            unknown_words=unknown,
            ruled_out_words=tuple(word for word in self.ruled_out_words if word in label_words),
            findings_only=True,
        )
        left_out = tuple(dict.fromkeys((*unknown, *ruled_out, *not_ruled_out)))
        return meaning, left_out

    @property
    def is_empty(self) -> bool:
        """Whether nothing is wanted and nothing ruled out."""
        return not (self.wanted or self.ruled_out or self.judgment or self.words or self.ruled_out_words)

    @property
    def contradictions(self) -> tuple[WantedFinding, ...]:
        """What is ruled out although it is wanted, which no study can meet: "edema without edema"."""
        groups = self.wanted
        return tuple(
            one for one in self.ruled_out if any(all(_denies(one, each) for each in group) for group in groups)
        )

    @property
    def findings(self) -> tuple[WantedFinding, ...]:
        """All findings that are wanted, in their order."""
        return tuple(chain.from_iterable(self.wanted))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the findings that are wanted in the images, not in the history."""
        return tuple(dict.fromkeys(one.name for one in self.findings if not one.in_history))

    @property
    def only_rules_out(self) -> bool:
        """Whether nothing is wanted, only ruled out."""
        return not (self.wanted or self.judgment or self.words) and bool(self.ruled_out or self.ruled_out_words)

    @property
    def matching_words(self) -> tuple[str, ...]:
        """The words without those of a technique, which rank; these if there are no others."""
        return tuple(word for word in self.words if word not in _TECHNIQUES) or self.words

    @property
    def only_technique(self) -> bool:
        """Whether nothing is asked for but how the image was taken, which few reports say: "portable"."""
        return self.words_alone and not self.ruled_out and _TECHNIQUES.issuperset(self.words)

    @property
    def words_alone(self) -> bool:
        """Whether words that name no finding are all that is wanted."""
        return bool(self.words) and not (self.wanted or self.judgment)

    @property
    def is_hedged(self) -> bool:
        """Whether a finding is wanted as possible."""
        return any(one.is_hedged for one in self.findings)

    @property
    def text_to_embed(self) -> str:
        """The findings as understood, with their modifiers; the text if there are none; empty if it only rules out."""
        if self.wanted:
            return ", ".join(" or ".join(dict.fromkeys(one.phrase for one in group)) for group in self.wanted)
        if self.judgment:
            return "abnormal chest x-ray" if self.judgment == "abnormal" else "normal chest x-ray"
        return "" if self.only_rules_out else self.text

    @property
    def ruled_out_texts(self) -> tuple[str, ...]:
        """Each finding and word that is ruled out, as text to embed."""
        return (*(one.phrase for one in self.ruled_out), *self.ruled_out_words)

    @property
    def word_stems(self) -> tuple[str, ...]:
        """The terms of `words`."""
        return self._terms_of(self.words)

    @property
    def ruled_out_stems(self) -> tuple[str, ...]:
        """The terms of `ruled_out_words`."""
        return self._terms_of(self.ruled_out_words)

    def _terms_of(self, words: Sequence[str]) -> tuple[str, ...]:
        stems = dict.fromkeys(stem_ for word in words for stem_ in terms(word))
        return tuple(map(label_term, stems) if self.findings_only else stems)

    @property
    def clause_count(self) -> int:
        """The number of clauses before equal ones are joined; it doubles with each alternative that has two sides."""
        return sum(prod(len(one.required_terms(("present",))) for one in group) for group in self.wanted)

    def required_terms(self, kinds: Sequence[TermKind]) -> list[AlternativeTerms]:
        """Return alternative terms; a study that has a term of each states all that is wanted.

        For "bilateral small effusion": one of a small left effusion (present or possible), one of a small right one.
        An empty alternative, of which no study has a term, if nothing is wanted that can be matched.
        """
        if self.judgment:
            if self.judgment == "abnormal":
                in_words = () if self.findings_only else (ABNORMAL_TERM,)
                return [(*(ANY_FINDING_TERMS[kind] for kind in kinds), *in_words)]
            return [(_FINDINGS_JUDGMENT_TERMS if self.findings_only else _JUDGMENT_TERMS)[self.judgment]]
        if not self.wanted:
            found_words = [(stem_,) for stem_ in self._terms_of(self.matching_words)]
            is_impossible = self.unknown_words or not found_words  # a side or size alone matches nothing
            return [*found_words, ()] if is_impossible else [*found_words]
        found: list[tuple[str, ...]] = []
        for group in self.wanted:
            required = (one.required_terms(kinds) for one in group)
            found += [tuple(dict.fromkeys(chain.from_iterable(choice))) for choice in product(*required)]
        return list(dict.fromkeys(found))

    def terms_in_part(self) -> list[list[AlternativeTerms]]:
        """Return conditions on studies that match in part, the strictest first: a study has a term of each alternative.

        First all findings are present at their places, then they or related ones are stated there, then anywhere.
        Empty for one finding without a place.
        """
        if len(self.wanted) < _SEVERAL and not any(one.sides or one.places for one in self.findings):
            return []
        unplaced = [tuple(replace(one, modifiers=frozenset()) for one in group) for group in self.wanted]
        stages = [
            _at_place(self.wanted, ("present",), with_related=False),
            _at_place(self.wanted, ("present", "possible"), with_related=True),
            _at_place(unplaced, ("present", "possible"), with_related=True),
        ]
        return stages if len(self.wanted) > 1 else stages[:-1]


def _at_place(
    groups: Iterable[Iterable[WantedFinding]], kinds: Sequence[TermKind], *, with_related: bool
) -> list[AlternativeTerms]:
    """Return, for each group, the terms of any of its findings with the places that are wanted."""
    of_groups = (
        chain.from_iterable(one.terms_at_place(kinds, with_related=with_related) for one in group) for group in groups
    )
    return [tuple(dict.fromkeys(terms_)) for terms_ in of_groups]


def _denies(ruled_out: WantedFinding, wanted: WantedFinding) -> bool:
    is_there = not (wanted.in_history or wanted.is_resolved)
    return is_there and ruled_out.name == wanted.name and ruled_out.modifiers <= wanted.modifiers


def _is_in_image(wanted: WantedFinding) -> bool:
    return is_imaging(wanted.name) and not wanted.in_history


_JUDGMENT_TERMS = {
    "normal": (NORMAL_CHEST_TERM,),
    "no finding": (NORMAL_TERM,),
    "no acute finding": (NOTHING_ACUTE_TERM, NORMAL_TERM),
}
"""Terms of which a study has one if it is as a judgment says."""
_FINDINGS_JUDGMENT_TERMS = {
    "normal": (NORMAL_CHEST_FINDINGS_TERM,),
    "no finding": (NORMAL_FINDINGS_TERM,),
    "no acute finding": (NORMAL_FINDINGS_TERM,),
}
"""The same without words of reports."""
