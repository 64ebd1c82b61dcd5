"""Rewords a request as reports word it: "skip those with pacemakers" becomes "without pacemakers"."""

from __future__ import annotations

import re

from mcp_cxr.language.query._denial_rewordings import DENIAL_REWORDINGS
from mcp_cxr.language.query._purposes import without_purposes
from mcp_cxr.language.query._rewordings import IS, REWORDINGS, STUDIES
from mcp_cxr.language.query._shorthand import written_in_full
from mcp_cxr.language.reader import Status, mentions_in

_REWORDINGS = tuple((re.compile(pattern, re.IGNORECASE), words) for pattern, words in (*REWORDINGS, *DENIAL_REWORDINGS))
_LEFT_OUT_BY = (
    r"exclud(?:e|es|ing)|omit(?:s|ting)?|leav(?:e|es|ing) out|skip(?:s|ping)?|filter(?:ing)? out|minus|instead of"
    r"|in place of|as opposed to|(?:i|we) do(?: not|n['\u2019]t) (?:need|want)(?: to see)?"
    r"|(?:drop|remove|ignore|disregard|discard)"
    rf"(?=\s+(?:the|any|all|every|those|anything|everything|{STUDIES})\b)"
    r"|unless(?: (?:(?:it is|they are|there is|there are)(?: also)?|with|accompanied by))?"
    r"|(?:any|every)thing but|all but|absent(?=\s+\w)"
)
_EXCEPTION = r"(?:all )?except(?:ing)?(?: for)?|with the exception of|other than|apart from|aside from|besides"
_LEFT_OUT = re.compile(
    r"(?<!\bto )(?<!\bnot )(?<!\bcannot )(?<!n't )(?<!n\u2019t )(?<!\bclearly )"
    rf"\b(?:(?:but\s+|and\s+)?(?:{_LEFT_OUT_BY}|(?P<exception>{_EXCEPTION})))\s+"
    rf"(?:(?:the|any|all|every|those|anything|everything|people|persons?|{STUDIES}|with|who|that|which"
    rf"|ha(?:ve|s|ving|d)|show(?:s|ing)?|of|{IS})\s+)*",
    re.IGNORECASE,
)
"""How a request leaves something out, where a report would deny it: "skip patients with pacemakers"."""
_NEXT_REQUEST = re.compile(
    r"(?P<denied>\b(?:without|no|not)\b[^,;.]*?)(?:\s*,|\s+and)\s+"
    r"(?=(?:show|find|give|list|get|display|i (?:need|want))\b)(?!show(?:s|ing))",
    re.IGNORECASE,
)
"""Where a second request begins, for which nothing denied before it holds: "skip chest tubes, show pneumothorax"."""
_ONLY_NEXT = re.compile(r"(?P<denied>\b(?:without|no|not|neither)\b[^,;.]*),\s*(?:just|only)\b", re.IGNORECASE)
"""What is wanted after what is not: "without pneumonia, just bronchiectasis"."""
_NOTHING_THERE = re.compile(
    r"\b(?:normal|wnl|nad|healthy|clear|unremarkable|negative|no|nothing|without)\b", re.IGNORECASE
)
"""Before an exception, what makes it the only thing that is there: "no opacity except for a scar"."""
_ONLY_THING = re.compile(
    r"(?:^|(?<=[,;.]))(?P<nothing>[^,;.]*\b(?:normal|wnl|nad|healthy|clear|unremarkable|negative"
    r"|no (?:(?:evidence|signs?) of )?"
    r"(?:other |acute |significant |interval )*(?:abnormalit(?:y|ies)|findings?|changes?|disease|process))\b[^,;.]*?)"
    rf"\s(?:{_EXCEPTION})\s+"
    r"|\b(?:nothing(?: abnormal| wrong| of note)?|no (?:other )?(?:findings?|abnormalit(?:y|ies)))"
    rf"\s+(?:but|{_EXCEPTION})\s+",
    re.IGNORECASE,
)
"""A statement that nothing is there but what follows: "clear lungs except for a scar"."""
_LISTED = (
    r"(?:the following|these|those)(?:\s+(?:\d|two|three|four))?"
    r"(?:\s+(?:findings?|conditions?|devices?))?"
    r"(?:\s+(?:will do|(?:is|are) (?:fine|enough|ok(?:ay)?|sufficient)|suffices?|counts?))?\s*(?::|\s[-\u2013]\s)"
)
_CHOICE = re.compile(
    rf"\b(?:(?P<none>none|not any)\s+of\s+{_LISTED}"
    rf"|(?:at least\s+)?(?:(?:any )?(?:one|1)|any|either)\s+of\s*(?:{_LISTED}|:)"
    rf"|(?:exactly\s+(?:one|1)|at least\s+(?:two|2|three|3))\s+of(?:\s+{_LISTED}|\s*:)?)\s*(?P<list>[^.]*)",
    re.IGNORECASE,
)
"""Of what is listed, one will do: "any of the following: edema, effusion"."""
_CHOICE_BEHIND = re.compile(
    r"^(?P<list>[^.:;()]*,[^.:;()]*?)(?:\s*[,:;.(]|\s+[-\u2013])\s*(?:and\s+)?"
    r"(?:any(?:\s+(?:one|1))?|either|one|1)(?:\s+of\s+(?:these|those|them|the\s+(?:above|two|three|four)))?"
    r"(?:\s+(?:(?:will|would)\s+(?:do|suffice)|(?:is|are|would\s+be)\s+(?:fine|enough|ok(?:ay)?|sufficient)"
    r"|suffices?|counts?))?[\s.)!]*$",
    re.IGNORECASE,
)
"""The same behind the list: "edema, effusion - any of these will do"."""
_LISTED_EXCLUSION = re.compile(
    r"\b(?:exclu(?:de|ding|sions?)(?: criteri\w+)?|without|not)\s*:(?P<list>[^.;]*)", re.IGNORECASE
)
"""What is left out as a list: "Exclusion criteria: edema, pneumothorax"."""


def worded_as_reports(query: str) -> str:
    """Return a query with the words of reports for those by which a request leaves out, doubts, or urges."""
    query = _CHOICE_BEHIND.sub(r"any of the following: \g<list>", without_purposes(query))
    query = written_in_full(_CHOICE.sub(_as_choice, query))
    for pattern, words in _REWORDINGS:
        query = pattern.sub(words, query)
    query = _LISTED_EXCLUSION.sub(lambda match: f" without {match['list'].replace(',', ' or ')}", query)
    query = _ONLY_THING.sub(_without_nothing, query)

    def replaced(match: re.Match[str]) -> str:
        is_only_thing = match["exception"] and _NOTHING_THERE.search(query, 0, match.start())
        return "except for " if is_only_thing else "without "

    return _ONLY_NEXT.sub(r"\g<denied>; ", _NEXT_REQUEST.sub(r"\g<denied>; ", _LEFT_OUT.sub(replaced, query)))


def _without_nothing(match: re.Match[str]) -> str:
    """Return the end of a clause for a statement that nothing is there; the statement if it names something there."""
    mentions = mentions_in(match["nothing"] or "", is_query=True)
    named = [one for one in mentions if one.finding and one.name != "no finding" and one.status is not Status.ABSENT]
    return match[0] if named else "; "


def _as_choice(match: re.Match[str]) -> str:
    """Return a list with "or" between what it lists, denied if none of it may be there."""
    listed = re.sub(r"[,;]|\band\b", " or ", match["list"])
    return f"without {listed}" if match["none"] else listed
