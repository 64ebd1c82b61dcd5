"""Rewords a query so that words which describe a finding stand beside its name, and joins the kinds that it lists.

"Effusions, without small ones" becomes "effusions, without small effusions", and "catheter (PICC, port)" becomes
"catheter; with PICC or port".
"""

from __future__ import annotations

import re

from mcp_cxr.language._vocabulary import ancestors
from mcp_cxr.language.query._alternatives import kind_of
from mcp_cxr.language.query._shared_patterns import STUDIES
from mcp_cxr.language.reader import Mention, Status, mentions_in, modifier_values, modifiers_in, statements

_KIND_LEFT_OUT = re.compile(
    r"\bwithout\s+(?:the\s+|any\s+)?(?P<kind>[\w-]+(?:\s+[\w-]+){0,2}?)(?:\s+(?:ones?|those|kinds?"
    r"|types?|cases|forms?))?(?=\s*(?:$|[.,;]))",
    re.IGNORECASE,
)
"""A kind of what was named before: "effusions, without small ones"."""
_NEITHER = re.compile(
    r"\bneither\s+(?:an?\s+)?(?P<kind>[\w-]+)\s+nor\s+(?:an?\s+)?(?P<other_kind>[\w-]+)\s+(?P<noun>[a-z]{4,})"
    r"(?=\s*(?:$|[,;.]|\b(?:but|and|with)\b))",
    re.IGNORECASE,
)
"""Two kinds that are left out, before their noun: "neither calcified nor cavitary nodules"."""
_ONE = re.compile(r"(?<!without )(?<!without a )\b(?P<kind>[\w-]+)\s+ones?\b", re.IGNORECASE)
"""The same where nothing is left out: "right effusion or left one"."""
_KIND_BEHIND = re.compile(
    r"\s+(?:that|which)\s+(?:is|are|was|were)\s+(?P<kind>[\w-]+)(?=\s*(?:$|[,.;]))", re.IGNORECASE
)
"""A kind of the finding before it: "nodules that are calcified"."""
_SIDED = r"\s+(?:(?:on|in|at)\s+(?:the\s+)?)?(?P<{}>left|right)\b"
"""A side behind a kind, with the name of its group to be filled in: " on the left"."""
_ON_EACH_SIDE = re.compile(
    rf"[,:]?\s+(?P<kind>[\w-]+){_SIDED.format('side')}(?P<join>\s*,?\s*(?:and|or|but|while)\s+|\s*,\s*)"
    rf"(?P<other_kind>[\w-]+){_SIDED.format('other_side')}",
    re.IGNORECASE,
)
"""What the finding before it is on each side: "effusions, large on the left and small on the right"."""
_ON_EACH_SIDE_BEFORE = re.compile(
    r"\b(?P<kind>[\w-]+)\s+(?P<side>left|right)(?P<join>\s*,?\s*(?:and|or)\s+)(?P<other_kind>[\w-]+)\s+"
    r"(?P<other_side>left|right)\s+(?P<rest>[a-z].*)$",
    re.IGNORECASE,
)
"""The same before the finding: "new left and old right rib fractures"."""
_LOCATING = frozenset("anterior posterior lateral medial superior inferior peripheral".split())
"""Words that tell where in a place something is."""
_IN_PARENTHESES = re.compile(
    r"\s*\((?P<list>(?:(?!\b(?:and|with|without|no|not)\b)[^()])*(?:[,;/]|\bor\b)[^()]*)\)", re.IGNORECASE
)
"""What is listed behind a finding: "lymphadenopathy (sarcoidosis, lymphoma)"."""
_BEHIND_COLON = re.compile(
    r"^(?P<what>[^:()]*)\s*(?::|\s[-\u2013])\s+(?P<list>(?:(?!\b(?:and|or|with|without|no"
    r"|not)\b)[^:;.])*,[^:;.,]*)[.]?$",
    re.IGNORECASE,
)
"""What is listed behind the name of its kind: "tubes: ETT, chest drain"."""
_LINES_LISTED = re.compile(
    r"(?<!fracture )\b(?:(?:vascular|(?:intra)?venous|iv|indwelling|medical)\s+)?(?P<lines>lines?)"
    r"(?=\s*[:(]|\s+(?:or|like|including)\s)",
    re.IGNORECASE,
)
"""Lines of which kinds follow; alone the word may mean others: "lines (PICC, port)"."""
_JOINS_LAST = re.compile(rf"\b(?:and|but|no|not|or|plus|with|without|{STUDIES})\s*$", re.IGNORECASE)
"""Words before a parenthesis that join it to the text, so that it lists no kinds: "edema and (mass, nodule)"."""
_BETWEEN_LISTED = re.compile(r"\s*(?:[,;/]|\bor\b)+\s*", re.IGNORECASE)
_FEWEST_LISTED = 2  # findings in parentheses that are a list
_MOST_KINDS = 8  # for each, the text before it is read once more


def query_mentions(text: str) -> list[Mention]:
    """Return the findings and the other words of a query, in order."""
    return [one for statement in statements(text) for one in mentions_in(statement, is_query=True)]


def mentions_findings(text: str) -> bool:
    """Whether a text names a finding."""
    return any(one.finding for one in query_mentions(text))


def with_fragments_joined(text: str, request_words: frozenset[str]) -> str:
    """Return a text in which a sentence that is only a modifier joins its finding: "Mass Left." for "Mass. Left."."""

    def is_fragment(part: str) -> bool:
        return bool(modifier_values(part)) and all(
            not one.finding and (modifier_values(one.text) or request_words.issuperset(one.text.split()))
            for one in query_mentions(part)
        )

    first, *others = re.split(r"(?<=\w)[.;]\s+", text)
    if others and is_fragment(first):
        first, others[0] = others[0], first
    for other in others:
        first += f"{' ' if is_fragment(other) else '. '}{other}"
    return first


def without_stray_places(text: str, request_words: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """Return a text without the modifiers of what names no finding, and these modifiers.

    "Left widget, effusion" becomes "widget, effusion", so that "left" is not taken as the side of the effusion.

    Args:
        text: The query.
        request_words: Words that are part of a place, not names of something else: "on the left side, effusion".
    """
    strays = list[str]()
    *parts, last = re.split(r"(?<=[,:;])\s+", text)
    for index, part in enumerate(parts[:_MOST_KINDS]):
        mentions = query_mentions(part)
        named = modifiers_in(part)
        is_other = bool(mentions) and not modifier_values(mentions[-1].text) and mentions[-1].text not in request_words
        if named and is_other and not any(one.finding for one in mentions) and mentions[-1].text not in _LOCATING:
            strays += named
            parts[index] = ", ".join([*(one.text for one in mentions if not modifier_values(one.text)), ""]).rstrip()
    return " ".join([*parts, last]), tuple(strays)


def with_kinds_named(text: str) -> str:
    """Return a text in which each kind stands before the name of its finding.

    "Effusions without small ones" becomes "effusions without small effusions", and "nodules that are calcified"
    "calcified nodules".
    """

    def named(match: re.Match[str]) -> str:
        before = [
            one for one in query_mentions(text[: match.start()]) if one.finding and one.status is not Status.ABSENT
        ]
        noun = before[-1].text if before else ""
        kinds = re.split(r"\s+(?:or|nor|and)\s+", match["kind"])
        if not noun or not all(_is_kind(kind, noun) for kind in kinds):
            return match[0]
        return "without " + ", without ".join(f"{kind} {noun}" for kind in kinds)

    text = _with_sides_apart(_NEITHER.sub(_without_either, text))
    text = _with_kinds_before(_ONE.sub(_named_one, text, count=_MOST_KINDS))
    return _KIND_LEFT_OUT.sub(named, text, count=_MOST_KINDS)


def _without_either(match: re.Match[str]) -> str:
    """Return each of two kinds behind "without", with their noun if it names a kind of it."""
    noun = match["noun"]
    if not mentions_findings(noun):
        return match[0]
    kinds = (match["kind"], match["other_kind"])
    return "without " + ", without ".join(f"{kind} {noun}" if _is_kind(kind, noun) else kind for kind in kinds)


def with_lists_joined(text: str) -> str:
    """Return a text whose lists in parentheses are alternatives if they are kinds of the finding before, else optional.

    "Catheter (PICC, port)" asks for one of the two; "lymphadenopathy (sarcoidosis, lymphoma)" need not say why.
    """

    def joined(match: re.Match[str]) -> str:
        start = text[: match.start()]
        before = query_mentions(start)
        items = [one for one in _BETWEEN_LISTED.split(match["list"]) if one]
        listed = [one for item in items for one in query_mentions(item) if one.finding]
        if not before or not start.lower().endswith(before[-1].text) or _JOINS_LAST.search(start):
            return match[0]
        if not listed and len({kind_of(value) for item in items for value in modifier_values(item)}) == 1:
            return f" {' or '.join(items)}"
        if len(listed) < _FEWEST_LISTED or any(one.status is Status.ABSENT for one in listed):
            return match[0]
        is_denied = before[-1].status is Status.ABSENT
        are_kinds = before[-1].finding is None or all(before[-1].name in ancestors(one.name) for one in listed)
        join = ", " if is_denied else "; with " if are_kinds else " with or without "
        named = [one for one in items if mentions_findings(one)]
        return ", ".join([f"{join}{' or '.join(named)}", *(one for one in items if one not in named)])

    text = _LINES_LISTED.sub(_as_devices, text, count=_MOST_KINDS)
    text = _IN_PARENTHESES.sub(joined, text, count=_MOST_KINDS)
    if (match := _BEHIND_COLON.match(text)) and _are_kinds(match["list"], match["what"]):
        return f"{match['what']} with {' or '.join(_BETWEEN_LISTED.split(match['list']))}"
    return text


def _as_devices(match: re.Match[str]) -> str:
    """Return "lines and tubes" for lines if the first finding behind them is a kind of these."""
    before = query_mentions(match.string[: match.end()])
    behind = next((one for one in query_mentions(match.string[match.end() :]) if one.finding), None)
    is_alone = bool(before) and before[-1].text == match["lines"].lower()  # not "Kerley lines"
    is_device = behind is not None and "lines and tubes" in ancestors(behind.name)
    return "lines and tubes" if is_alone and is_device else match[0]


def _are_kinds(listed: str, what: str) -> bool:
    """Whether each finding of a list is a kind of a finding that a text names."""
    names = {one.name for one in query_mentions(what) if one.finding and one.status is not Status.ABSENT}
    items = [query_mentions(item) for item in _BETWEEN_LISTED.split(listed)]
    return all(any(one.finding and names & {*ancestors(one.name)} for one in item) for item in items)


def _named_one(match: re.Match[str]) -> str:
    """Return "left effusion" for "left one" behind a finding."""
    noun = next((one.text for one in reversed(query_mentions(match.string[: match.start()])) if one.finding), None)
    return f"{match['kind']} {noun}" if noun and modifier_values(match["kind"]) else match[0]


def _with_sides_apart(text: str) -> str:
    """Return a text that names a finding for each side on which it is of another kind.

    "Effusions, large on the left and small on the right" becomes "left large effusions and right small effusions".
    """
    match = _ON_EACH_SIDE.search(text) or _ON_EACH_SIDE_BEFORE.search(text)
    if match is None or match["side"].lower() == match["other_side"].lower():
        return text
    kinds = (match["kind"], match["other_kind"])
    if any(mentions_findings(kind) or not modifier_values(kind) for kind in kinds):
        return text
    before, rest = text[: match.start()], match.groupdict().get("rest")
    if rest:
        noun = next((one.text for one in query_mentions(rest) if one.finding), "")
        is_next = bool(noun) and rest.lower().startswith(noun)
        return f"{text[: match.end('side')]} {noun}{text[match.end('side') :]}" if is_next else text
    noun = next((one.text for one in reversed(query_mentions(before)) if one.finding), "")
    at = before.lower().rfind(noun) if noun else -1
    if at < 0:
        return text
    first, second = f"{match['side']} {kinds[0]} {before[at:]}", f"{match['other_side']} {kinds[1]} {noun}"
    join = " or " if " or " in match["join"] else " and "
    return f"{before[:at]}{first}{join}{second}{text[match.end() :]}"


def _with_kinds_before(text: str) -> str:
    """Return a text with a kind before its finding: "calcified nodules" for "nodules that are calcified"."""
    match = _KIND_BEHIND.search(text)
    if match is None:
        return text
    before = text[: match.start()]
    noun = next((one.text for one in reversed(query_mentions(before)) if one.finding), "")
    at = before.lower().rfind(noun) if noun else -1
    if at < 0 or not _is_kind(match["kind"], noun):
        return text
    return f"{before[:at]}{match['kind']} {before[at:]}{text[match.end() :]}"


def _is_kind(kind: str, noun: str) -> bool:
    """Whether words before a finding's name qualify it: "small", and "calcified" of nodules, but not "edema"."""
    (one, *_), whole = query_mentions(noun), query_mentions(f"{kind} {noun}")
    if len(whole) != 1 or whole[0].finding is None:
        return False
    return whole[0].name != one.name or (not mentions_findings(kind) and bool(modifiers_in(kind)))
