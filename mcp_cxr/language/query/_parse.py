"""Parses a query: which findings it asks for, joined how, which it rules out, and which words stand for filters."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from mcp_cxr.language._document_terms import dimension_of
from mcp_cxr.language._vocabulary import (
    WORD,
    is_any_of,
    is_counted,
    normalize,
    terms,
)
from mcp_cxr.language.query._alternatives import (
    CHANGED_OR_GONE,
    NOT_STATED,
    Chain,
    alternatives,
    chains_of_denials,
    is_contrast,
    joined_groups,
    kind_of,
    not_implied,
    without_joins,
)
from mcp_cxr.language.query._beside_history import parsed_beside_history
from mcp_cxr.language.query._compared_groups import parsed_groups, with_groups_compared
from mcp_cxr.language.query._denied_words import ruled_out_and_told
from mcp_cxr.language.query._device_positions import without_device_positions
from mcp_cxr.language.query._english import has_foreign_words
from mcp_cxr.language.query._general_words import REQUEST_WORDS
from mcp_cxr.language.query._judgments import judgment_of, place_of_abnormal, without_abnormal
from mcp_cxr.language.query._kinds import (
    mentions_findings,
    query_mentions,
    with_fragments_joined,
    with_kinds_named,
    with_lists_joined,
    without_stray_places,
)
from mcp_cxr.language.query._meaning import QueryMeaning, WantedFinding
from mcp_cxr.language.query._nested import parsed_nested
from mcp_cxr.language.query._not_applied import without_not_applied
from mcp_cxr.language.query._one_side import parsed_on_one_side
from mcp_cxr.language.query._request_wording import worded_as_reports
from mcp_cxr.language.query._spelling import Correction, corrected
from mcp_cxr.language.reader import (
    Mention,
    Status,
    changes_denied,
    modifier_values,
    modifiers_in,
    shares_side,
    statements,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

T = TypeVar("T")
_NORMAL_BUT = re.compile(
    r"^(?P<normal>[^,;(]*?)(?:\s+(?:for use )?as (?:a )?controls?)?\s*[,;(]*\s*(?:but\s+)?"
    r"(?P<denials>\b(?:no|not|without)\b.*)$",
    re.IGNORECASE,
)
"""A normal study with more conditions: "normal chest x-rays without devices"."""
_NOTHING_ELSE = re.compile(
    r"\b(?:no|without(?: any)?) (?:other|additional|further) (?:[a-z]+ )?"
    r"(?:findings?|abnormalit(?:y|ies)|disease|pathology)\b"
    r"(?!\s+(?:but|except|other|apart)\b)"
    r"|\bno (?:acute|active) (?:cardiopulmonary |intrathoracic )?(?:abnormalit(?:y|ies)|disease|process|findings?)"
    r"(?=,?\s+(?:with|but)\s|,\s*(?:old|chronic|healed|stable|unchanged|known)\b)",
    re.IGNORECASE,
)
"""That nothing else is there, which no filter can hold beside a finding: "cardiomegaly, no other findings"."""
_IN_HISTORY = re.compile(
    r"\b(?:indications?(?: of| for)?|h o|referred for|reason for (?:the )?(?:exam\w*|study)|presenting with"
    r"|complain\w* of|in (?:the |their |a )?(?:\w+ )?history)\b|^(?:clinical |medical )?history\b(?! of\b)"
)
_HISTORY_WORDS = frozenset("indication indications clinical medical history reason referred presenting".split())
_NOT_THERE = re.compile(
    r",?\s*\b(?:but\s+|and\s+|(?:that|which)\s+(?:is|are)\s+)?not\s+(?:(?:on|in|at)\s+)?(?:the\s+)?"
    r"(?P<place>[\w-]+(?:\s+[\w-]+){0,3}?)(?=\s*(?:[.,;]|$))",
    re.IGNORECASE,
)
"""A side or place that is denied of the finding before it: "effusion, but not on the left"."""
_MINUS = re.compile(r"(?:^|(?<=[\s(]))[-!~\u00ac\u2212\u2013](?P<word>[^\W\d_][\w-]*)")
"""A word that is ruled out as in search engines: "effusion -pneumothorax"."""
_BOTH_FINDINGS = re.compile(
    r"\bboth[\s:]+(?!(?:the\s+|of\s+)*(?:sides?|lungs?|lower|upper|bases|apices|hila|hilar|lobes|hemi\w+"
    r"|costophrenic|clavicles)\b)"
    r"(?=.*\band\b)",
    re.IGNORECASE,
)
"""No sides: "both effusion and edema"."""
_OPTIONAL = re.compile(
    r",?\s*\bwith(?:\s+(?:or|and|vs\.?|versus)\s+|\s*/\s*)without\s+(?:an?\s+|any\s+)?(?P<what>(?:(?!\b(?:and|but|with|in"
    r"|on)\b)[^,.;])+)",
    re.IGNORECASE,
)
"""What need not be there: "effusion with or without pneumothorax"."""
_OR_NOT = re.compile(
    r",?\s*\b(?P<alternative>or\s+(?:else\s+)?(?:without|no|not|normal)\s+(?!only\b)[^,;.]*)", re.IGNORECASE
)
"""A denial among alternatives, which no filter can hold: "effusion or no edema"."""
_PLACE_BEHIND = re.compile(
    r"^(?=[^,;.]*\s(?:or|and|nor|vs\.?|versus)\s|[^;.]*,[^;.]*\s(?:or|and|nor|vs\.?|versus)\s)"
    r".*(?P<place>(?:\s(?:in|on|at|from)\s+(?:the\s+)?|,\s*)(?:[\w-]+\s*){1,5})[?.!]*$",
    re.IGNORECASE,
)
"""A place behind a list: "effusion or pneumothorax on the left", "effusion or pneumothorax, left"."""


_OTHERWISE = re.compile(
    r",?\s*\b(?:(?:with|but|and|in)\s+)?(?:an?\s+)?(?P<normal>otherwise\s+(?:normal|unremarkable|clear|intact)"
    r"(?:\s+(?!(?:with|but|and|or)\b)[a-z]+){0,2}|(?:the\s+)?(?:other|remaining)\s+[a-z]+\s+(?:(?:are|being)\s+)?"
    r"(?:intact|normal|unremarkable))(?=\s*(?:$|[,;.]))",
    re.IGNORECASE,
)
"""What is normal apart from a finding of it: "aortic calcification, otherwise normal aorta"."""
_OF_A_LIST = ("place", "size", "change", "age")
"""What a list joined by "or" can have behind it: "rib fracture or clavicle fracture, healed"."""
_ALWAYS_OLD = frozenset(
    "scar|fibrosis|granuloma|granulomatous disease|calcification|degenerative change|emphysema"
    "|chronic obstructive pulmonary disease".split("|")
)
"""Findings that take years: few reports say that a scar is old."""
_AT_LEVELS = frozenset({"degenerative change"})
"""Findings of the spine that are at several levels, and not counted otherwise."""
_MOST_PARTS = 8  # that are read apart; each reads the text once more


def parse_query_text(query: str) -> QueryMeaning:
    """Return what the words of a query ask for and what they rule out."""
    query = " ".join(query.split())  # patterns that begin with blanks are slow on many of them
    rest, positions, ranking = without_device_positions(query)
    rest, not_applied = without_not_applied(rest)
    parsed = _read(rest)
    if parsed.contradictions and (otherwise := _OTHERWISE.search(rest)):
        parsed = _read(f"{rest[: otherwise.start()]} {rest[otherwise.end() :]}")
        not_applied = (*not_applied, otherwise["normal"])
    not_applied = (*positions, *not_applied, *parsed.not_applied)
    ruled_out_words, told = ruled_out_and_told(parsed.text, parsed.ruled_out_words, not_applied)
    words = _unique([*parsed.words, *(word for word in ranking if parsed.wanted and word not in REQUEST_WORDS)])
    parsed = replace(parsed, words=words, ruled_out_words=ruled_out_words, not_applied=_unique([*not_applied, *told]))
    return parsed.without_contradictions()


def _read(query: str) -> QueryMeaning:
    text, corrections = worded_as_reports(with_groups_compared(query)), tuple[Correction, ...]()
    is_foreign = has_foreign_words(query)
    if not is_foreign:
        text, corrections = corrected(text, REQUEST_WORDS)
    text = with_lists_joined(text)
    if judgment := judgment_of(text, REQUEST_WORDS):
        rest = text if judgment != "abnormal" else without_abnormal(text)
        parsed = _parsed(rest) if judgment == "abnormal" else QueryMeaning()
        if not parsed.wanted:
            normal = (word for word in parsed.words if word in ("normal", "normals"))
            places = place_of_abnormal(text, parsed.modifiers) if judgment == "abnormal" else ()
            told = (*parsed.not_applied, *normal, *places)
            return replace(parsed, judgment=judgment, words=(), not_applied=told, corrections=corrections, text=text)
        return replace(parsed, corrections=corrections, text=text)
    if (match := _NORMAL_BUT.match(text)) and judgment_of(match["normal"], REQUEST_WORDS) == "normal":
        denials = _parsed(match["denials"])
        if denials.only_rules_out:
            return replace(denials, judgment="normal", corrections=corrections, text=text)
    parsed = _parsed(text)
    if parsed.wanted and "normal" in parsed.words:  # a study as a whole is normal or shows a finding
        words = tuple(word for word in parsed.words if word != "normal")
        parsed = replace(parsed, words=words, not_applied=(*parsed.not_applied, "normal"))
    if parsed.wanted and (match := _NOTHING_ELSE.search(query)):
        parsed = replace(parsed, not_applied=(*parsed.not_applied, match[0]))
    if is_foreign:  # how far a denial holds is not known: its other words are not ruled out
        parsed = replace(parsed, words=_unique([*parsed.words, *parsed.ruled_out_words]), ruled_out_words=())
    return replace(parsed, corrections=corrections, text=text)


def _parsed(text: str, most_parts: int = _MOST_PARTS) -> QueryMeaning:
    for parsed_apart in (parsed_nested, parsed_groups, parsed_beside_history) if most_parts else ():
        if (apart := parsed_apart(text, lambda part: _parsed(part, most_parts - 1))) is not None:
            return apart
    if most_parts and (parsed := _parsed_in_parts(text, most_parts - 1)) is not None:
        return parsed
    text = _OPTIONAL.sub(r" \g<what>", _BOTH_FINDINGS.sub("", text))
    text, strays = without_stray_places(_plain(with_fragments_joined(text, REQUEST_WORDS)), REQUEST_WORDS)
    text, chains = without_joins(with_kinds_named(text))
    mentions = query_mentions(text)
    in_history = bool(_IN_HISTORY.search(" ".join(WORD.findall(normalize(text)))))
    findings = [one for one in mentions if one.finding]
    stated = set[str]().union(*(one.modifiers for one in findings))
    words = [one for one in mentions if not one.finding and not _is_request_word(one) and not _is_among(stated, one)]
    if any(one.is_history for one in findings) or (in_history and findings):
        words = [one for one in words if one.text not in _HISTORY_WORDS]
    groups = joined_groups(_groups([one for one in findings if not _is_ruled_out(one)], in_history=in_history), chains)
    denied = _unique(one for statement in statements(text) for one in changes_denied(statement))
    ruled_out = _ruled_out([one for one in findings if _is_ruled_out(one)], groups)
    return QueryMeaning(
        wanted=not_implied([alternatives(group, (*chains, CHANGED_OR_GONE)) for group in groups]),
        ruled_out=tuple(
            one
            for one in alternatives(ruled_out, chains_of_denials(chains, groups))
            if not is_contrast(one, chain.from_iterable(groups))
        ),
        words=_unique(one.text for one in words if one.status is not Status.ABSENT),
        ruled_out_words=_unique(one.text for one in words if one.status is Status.ABSENT),
        modifiers=strays if findings or denied else _unique([*strays, *modifiers_in(text)]),
        changes_denied=denied,
        not_applied=_not_stated(text, [one for one in findings if not _is_ruled_out(one)], chains),
    )


def _not_stated(text: str, findings: Iterable[Mention], chains: Iterable[Chain]) -> tuple[str, ...]:
    """Return the modifiers of findings that are wanted and need not be stated: "acute" of "acute rib fractures"."""
    of_each = (
        (one.modifiers - _asked(one.name, one.modifiers) - modifier_values(one.name)) & {*NOT_STATED, "multiple"}
        for one in findings
        if not one.is_history
    )
    values = frozenset[str]().union(*of_each).difference(*chain.from_iterable(chains))
    return tuple(phrase for phrase in modifiers_in(text) if values & modifier_values(phrase)) if values else ()


def _parsed_in_parts(text: str, most_parts: int) -> QueryMeaning | None:
    """Return the meaning of a query of which a part is read apart; None if there is no such part."""
    if minus := [match["word"] for match in _MINUS.finditer(text)]:
        parsed, excluded = _parsed(_MINUS.sub(" ", text)), [_parsed(word) for word in _unique(minus)]
        return replace(
            parsed,
            ruled_out=_unique([*parsed.ruled_out, *(finding for one in excluded for finding in one.findings)]),
            ruled_out_words=_unique([*parsed.ruled_out_words, *(word for one in excluded for word in one.words)]),
        )
    if optional := _OPTIONAL.search(text):
        parsed = _parsed(f"{text[: optional.start()]} {text[optional.end() :]}", most_parts)
        if parsed.wanted:
            return replace(parsed, words=_unique([*parsed.words, *_words_of(optional["what"])]))
    if (
        (or_not := _OR_NOT.search(text))
        and (parsed := _parsed(text[: or_not.start()], most_parts)).wanted
        and not parsed.ruled_out
    ):
        rest = _parsed(f"{text[: or_not.start()]} {text[or_not.end() :]}", most_parts)
        return replace(rest, not_applied=(*rest.not_applied, or_not["alternative"]))
    if on_one_side := parsed_on_one_side(text, lambda part: _parsed(part, most_parts)):
        return on_one_side
    not_there = list(_NOT_THERE.finditer(text))
    if 0 < len(not_there) <= _MOST_PARTS and (values := _place_alone((denied := not_there[0])["place"])):
        parsed = _parsed(f"{text[: denied.start()]}{text[denied.end() :]}", most_parts)
        if parsed.wanted and not values <= parsed.findings[-1].modifiers:
            last = WantedFinding(parsed.findings[-1].name, values, text=parsed.findings[-1].text)
            return replace(parsed, ruled_out=_unique([*parsed.ruled_out, last]))
    return _placed_as_a_whole(text, most_parts)


def _words_of(text: str) -> list[str]:
    return [word for word in WORD.findall(normalize(text)) if word not in REQUEST_WORDS]


def _is_among(stated: AbstractSet[str], word: Mention) -> bool:
    """Whether a word names only a place that a finding is wanted at."""
    values = modifier_values(word.text)
    return bool(values) and values - {"spine"} <= stated


def _place_alone(text: str) -> frozenset[str]:
    """Return the sides and places that a text names; none if it names anything else."""
    values = modifier_values(text)
    is_place = all(dimension_of(value) in ("side", "place") for value in values)
    names_nothing_else = all(modifier_values(one.text) and not one.finding for one in query_mentions(text))
    return values if is_place and names_nothing_else else frozenset()


def _placed_as_a_whole(text: str, most_parts: int) -> QueryMeaning | None:
    """Return the meaning of a list joined by "or" or "and" with a place behind it: "effusion or mass on the left".

    The place is that of each finding. None if a text is no such list.
    """
    match = _PLACE_BEHIND.search(text)
    if not match or mentions_findings(match["place"]):
        return None
    is_choice = not re.search(r"\sand\s", text)
    shared = _OF_A_LIST if is_choice and match["place"].startswith(",") else _OF_A_LIST[:1]
    values = frozenset(one for one in modifier_values(match["place"]) if kind_of(one) in shared) - NOT_STATED
    if not values:
        return None
    parsed = _parsed(text[: match.start("place")], most_parts)
    found = (*parsed.findings, *parsed.ruled_out)
    names = dict.fromkeys(one.name for one in found)
    is_list = len(names) > 1 and all(map(shares_side, names))
    stated = {kind_of(value) for one in found for value in one.modifiers}
    if not is_list or not stated.isdisjoint(map(kind_of, values)):
        return None
    other = [word for word in _parsed(match["place"]).words if not modifier_values(word)]

    def placed(wanted: Iterable[WantedFinding]) -> tuple[WantedFinding, ...]:
        return tuple(replace(one, modifiers=_asked(one.name, one.modifiers | values)) for one in wanted)

    return replace(
        parsed,
        wanted=tuple(map(placed, parsed.wanted)),
        ruled_out=placed(parsed.ruled_out),
        words=_unique([*parsed.words, *other]),
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
    return tuple(map(_unique, groups))


def _is_alternative(wanted: Sequence[Mention], index: int) -> bool:
    """Whether a finding is joined to the one before it by "or", or by a comma of a list that "or" ends."""
    for later in wanted[index:]:
        if later.joined_by == "or" or (later is wanted[index] and later.joined_by in ("versus", "vs")):
            return True
        if later.joined_by != ",":
            return False
    return False


def _ruled_out(denied: Iterable[Mention], groups: Sequence[Sequence[WantedFinding]]) -> list[WantedFinding]:
    """Return what is ruled out; of a finding that is wanted, the kind alone: "fractures that are not acute".

    A structure of which several findings are denied rules out none that is wanted: "effusion despite sharp angles".
    """
    denied = list(denied)
    wanted, alone = {one.name for one in chain(*groups)}, {group[0].name for group in groups if len(group) == 1}
    old = {one.name for one in chain(*groups) if "old" in one.modifiers}  # "bones intact but an old fracture"
    texts = [one.text for one in denied if one.joined_by not in ("or", "versus", "vs") and one.name not in old]
    found = [(_wanted(one, in_history=False), one.modifiers & NOT_STATED) for one in denied]
    kinds = [replace(one, modifiers=one.modifiers | kind) if one.name in wanted else one for one, kind in found]
    kept = (
        one
        for one in kinds
        if one.name not in alone or texts.count(one.text) == 1 or not {*one.own_stems}.isdisjoint(terms(one.name))
    )
    return list({one.description: one for one in kept}.values())


def _asked(name: str, modifiers: frozenset[str]) -> frozenset[str]:
    """Return the modifiers that reports state of a finding."""
    modifiers -= NOT_STATED | modifier_values(name)
    if not is_counted(name) and not is_any_of(name, _AT_LEVELS):
        modifiers -= {"multiple"}
    return modifiers - {"old"} if is_any_of(name, _ALWAYS_OLD) else modifiers


def _wanted(mention: Mention, *, in_history: bool) -> WantedFinding:
    in_history = in_history or mention.is_history
    return WantedFinding(
        mention.name,
        frozenset() if in_history else _asked(mention.name, mention.modifiers),
        is_hedged=mention.status is Status.POSSIBLE,
        in_history=in_history,
        text=mention.text,
    )


def _is_request_word(mention: Mention) -> bool:
    return all(word in REQUEST_WORDS or word.isdigit() for word in WORD.findall(mention.text))


def _unique(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))
