"""Parses a query: which findings it asks for, joined how, which it rules out, and which words stand for filters."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Literal, TypeVar

from mcp_cxr.language._vocabulary import SIDES, WORD, ancestors, forms_of_findings, normalize, stem, terms
from mcp_cxr.language.query._meaning import QueryMeaning, WantedFinding
from mcp_cxr.language.query._spelling import corrected
from mcp_cxr.language.reader import Mention, Status, mentions_in, modifier_values, modifiers_in, statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

T = TypeVar("T")

REQUEST_WORDS = frozenset(
    resources.files("mcp_cxr.language").joinpath("request_words.txt").read_text(encoding="utf-8").split()
)
"""Words of a request that describe no image: "please show me all patients with"."""
_FILLER_MODIFIERS = frozenset({"acute", "focal", "multiple", "previous"})
"""Modifiers that a query need not have stated: few reports say that a pneumonia is acute."""
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
_MINUS = re.compile(r"(?:^|(?<=\s))[-\u2212\u2013](?P<word>[^\W\d_][\w-]*)")
"""A word that is ruled out as in search engines: "effusion -pneumothorax"."""
_BOTH_FINDINGS = re.compile(
    r"\bboth\s+(?!(?:the\s+|of\s+)*(?:sides?|lungs?|lower|upper|bases|apices|hila|hilar|lobes|hemi\w+|costophrenic|clavicles)\b)"
    r"(?=.*\band\b)",
    re.IGNORECASE,
)
"""No sides: "both effusion and edema"."""
_EITHER_SIDE = re.compile(
    r"\b(?:left|right)(?:[ -]sided)?\s+or\s+(?:(?:on|in|at)\s+)?(?:the\s+)?(?:left|right)\b", re.IGNORECASE
)


_CONTRACTED = re.compile(r"(?<=\w)['\u2019](?:d|ll|m|re|s|ve)\b", re.IGNORECASE)
"""What a word is contracted with: "I'd", "patient's"."""
_LEFT_OUT = re.compile(
    r"(?<!\bto )(?<!\bnot )(?<!\bcannot )(?<!n't )(?<!n\u2019t )(?<!\bclearly )"
    r"\b(?:(?:but\s+|and\s+)?(?:exclud(?:e|es|ing)|omit(?:s|ting)?|leav(?:e|es|ing) out|skip(?:s|ping)?"
    r"|filter(?:ing)? out|minus"
    r"|(?:drop|remove|ignore|disregard|discard)(?=\s+(?:the|any|all|every|those|anything|everything|patients?|cases?|stud\w+|exams?"
    r"|images?)\b)|unless (?:it is|there is|with)|(?:any|every)thing but|all but|absent(?=\s+\w)"
    r"|(?P<exception>(?:all )?except(?: for)?|with the exception of|other than|apart from|aside from|besides)))\s+"
    r"(?:(?:the|any|all|every|those|ones|anything|everything|patients?|people|persons?|cases?|stud(?:y|ies)|exams?|images?"
    r"|films?|with|who|that|which|ha(?:ve|s|ving)|show(?:s|ing)?|of)\s+)*",
    re.IGNORECASE,
)
"""How a request leaves something out, where a report would deny it: "skip patients with pacemakers"."""
_URGED = re.compile(r"\b(?:do not|don['\u2019]t|never)\s+(?:miss|overlook|forget)\b", re.IGNORECASE)
"""What is asked for all the more: "don't miss a small pneumothorax"."""
_NEXT_REQUEST = re.compile(
    r"(?:\s*,|\s+and)\s+(?=(?:show|find|give|list|get|display|i (?:need|want)|any)\b)(?!show(?:s|ing))", re.IGNORECASE
)
"""Where a second request begins, for which nothing denied before it holds: "skip chest tubes, show pneumothorax"."""
_NOTHING_THERE = re.compile(r"\b(?:normal|clear|unremarkable|negative|no|nothing|without)\b", re.IGNORECASE)
"""Before an exception, what makes it the only thing that is there: "clear lungs except for a scar"."""


def parse_query_text(query: str) -> QueryMeaning:
    """Return what the words of a query ask for and what they rule out."""
    text, corrections = corrected(_as_reports_deny(query), REQUEST_WORDS)
    if judgment := _judgment(text):
        rest = text if judgment != "abnormal" else _ABNORMAL.sub(" ", normalize(text))
        parsed = _parsed(rest) if judgment == "abnormal" else QueryMeaning()
        if not parsed.wanted:
            return replace(parsed, judgment=judgment, words=(), corrections=corrections, text=text)
    return replace(_parsed(text), corrections=corrections, text=text)


def _as_reports_deny(query: str) -> str:
    """Return a query with "without" for the verbs and prepositions by which a request leaves something out."""
    query = _URGED.sub("", _CONTRACTED.sub("", query))

    def replaced(match: re.Match[str]) -> str:
        is_only_thing = match["exception"] and _NOTHING_THERE.search(query, 0, match.start())
        if is_only_thing:
            return "except for "
        return "without "

    denied = _LEFT_OUT.sub(replaced, query)
    return _NEXT_REQUEST.sub("; ", denied)


def _judgment(text: str) -> Literal["normal", "no finding", "abnormal"] | None:
    plain = " ".join(WORD.findall(normalize(text)))
    if match := _NORMAL.match(plain):
        return "no finding" if match["what"].startswith("no ") else "normal"
    return "abnormal" if _ABNORMAL.search(plain) else None


def _parsed(text: str) -> QueryMeaning:
    if minus := _MINUS.search(text):
        parsed, excluded = _parsed(f"{text[: minus.start()]} {text[minus.end() :]}"), _parsed(minus["word"])
        return replace(
            parsed,
            ruled_out=_unique([*parsed.ruled_out, *excluded.findings]),
            ruled_out_words=_unique([*parsed.ruled_out_words, *excluded.words]),
        )
    text = _BOTH_FINDINGS.sub("", text)
    if denied := _NOT_SIDE.search(text):
        parsed = _parsed(f"{text[: denied.start()]}{text[denied.end() :]}")
        side = denied["side"].lower()
        if parsed.wanted and side not in parsed.findings[-1].modifiers:
            last = WantedFinding(parsed.findings[-1].name, frozenset({side}), text=parsed.findings[-1].text)
            return replace(parsed, ruled_out=_unique([*parsed.ruled_out, last]))
    mentions = [one for statement in statements(_plain(text)) for one in mentions_in(statement, is_query=True)]
    in_history = bool(_IN_HISTORY.search(" ".join(WORD.findall(normalize(text)))))
    findings = [one for one in mentions if one.finding]
    words = [one for one in mentions if not one.finding and not _is_request_word(one)]
    is_either = bool(_EITHER_SIDE.search(text))
    groups = _groups([one for one in findings if not _is_ruled_out(one)], in_history=in_history)
    ruled_out = [_wanted(one, in_history=False) for one in findings if _is_ruled_out(one)]
    return QueryMeaning(
        wanted=tuple(_by_side(group) for group in groups) if is_either else groups,
        ruled_out=_by_side(ruled_out) if is_either else _unique(ruled_out),
        words=_unique(one.text for one in words if one.status is not Status.ABSENT),
        ruled_out_words=_unique(one.text for one in words if one.status is Status.ABSENT),
        modifiers=() if findings else _unique(modifiers_in(text)),
    )


def _plain(text: str) -> str:
    """Return a query without the mark of a whole question: "edema?" doubts, "which patients have edema?" does not."""
    first = WORD.search(normalize(text))
    return text.rstrip(" ?") if first and first[0] in REQUEST_WORDS else text


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


def _by_side(wanted: Iterable[WantedFinding]) -> tuple[WantedFinding, ...]:
    """Return each finding that is wanted on both sides once for each: "effusion left or right" is on either."""
    return _unique(
        replace(one, modifiers=one.modifiers - set(SIDES) | {side}) if one.sides == SIDES else one
        for one in wanted
        for side in SIDES
    )


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


def _is_request_word(mention: Mention) -> bool:
    return all(word in REQUEST_WORDS or word.isdigit() for word in WORD.findall(mention.text))


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
    return stem_ in _general_stems() or stem_ in {stem(word) for word in REQUEST_WORDS}
