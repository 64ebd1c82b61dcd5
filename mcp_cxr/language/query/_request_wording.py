"""Rewords a request as reports word it: "skip those with pacemakers" becomes "without pacemakers"."""

from __future__ import annotations

import re

from mcp_cxr.language.query._denial_rewordings import DENIAL_REWORDINGS
from mcp_cxr.language.query._fields import without_fields
from mcp_cxr.language.query._listed import with_choices_joined, with_exclusions_joined
from mcp_cxr.language.query._purposes import without_purposes
from mcp_cxr.language.query._rewordings import REWORDINGS
from mcp_cxr.language.query._shared_patterns import ANYONE, IS, STUDIES
from mcp_cxr.language.query._shorthand import written_in_full
from mcp_cxr.language.reader import Status, mentions_in

_REWORDINGS = tuple((re.compile(pattern, re.IGNORECASE), words) for pattern, words in (*REWORDINGS, *DENIAL_REWORDINGS))
"""All patterns, in the order in which they are applied, each with what replaces it."""
_THOSE = rf"(?=\s+(?:(?:the|any|all|every|those)\s+)*(?:those|any|all|{ANYONE})\b)"
"""Behind a verb, whom or what it leaves out: "excluding all patients"."""
_LEFT_OUT_BY = (
    r"omit(?:s|ting)?|leav(?:e|es|ing) out|skip(?:s|ping)?|avoid(?:s|ing)?|reject(?:s|ing)?"
    r"|(?:filter|weed|screen|throw|sort|strike|cross|kick|sift)(?:s|ing)? out|ruling out|minus|barring"
    r"|save for|instead of|in place of"
    r"|(?:leav|sett|putt)ing aside|as opposed to|less(?=\s+(?:the|those|any|all)\b)|(?:we|i) have no use for"
    r"|(?:do|does|would|did|will) not (?:wish|want|need|intend|care for)(?: for)?"
    r"(?: to (?:see|have|get|include|receive|be shown|find))?"
    r"|(?:ignor|disregard)(?:e|ing)?|(?:discard|drop|remove)"
    rf"(?=\s+(?:the|any|all|every|those|anything|everything|{STUDIES})\b)"
    r"|(?:exclud(?:e|es|ing)|(?:dropp|remov|ignor|disregard|discard|eliminat)ing|eliminate|get(?:ting)? rid of"
    rf"|hold(?:ing)? back|bar){_THOSE}"
    rf"|rule out(?=\s+(?:(?:the|any|all|every)\s+)*(?:those|{ANYONE})\b)"
    r"|unless(?: (?:(?:it is|they are|there is|there are)(?: also)?|with|accompanied by))?"
    r"|(?:any|every)thing but|all but|absent(?=\s+\w)"
)
"""Verbs and other words by which a request leaves something out: "screen out", "minus"."""
_EXCEPTION = r"(?:all )?except(?:ing)?(?: for)?|with the exception of|other than|apart from|aside from|besides"
"""Words before an exception: "with the exception of"."""
_LEFT_OUT = re.compile(
    r"(?<!\bnot )(?<!\bcannot )(?<!n't )(?<!n\u2019t )(?<!\bclearly )"
    rf"\b(?:(?:but\s+|and\s+)?(?:{_LEFT_OUT_BY}|(?<!to )exclud(?:e|es|ing)|(?P<exception>{_EXCEPTION})))\s+"
    rf"(?:(?:the|any|all|every|those|if|when|where|whenever|there|also|with|who|that|whose|(?:(?:in|for|of)\s+)?which"
    rf"|ha(?:ve|s|ving|d)|show(?:s|ing)?|mention(?:s|ing)?|of|{ANYONE}|{IS})\s+)*",
    re.IGNORECASE,
)
"""How a request leaves something out, where a report would deny it: "skip patients with pacemakers"."""
_DENIED_TWICE = re.compile(
    r"\b(?:but\s+)?not\s+(?:no|without)\s+|\b(?:but\s+)?"
    rf"(?:none(?:\s+{IS}|\s+of\s+(?:them|these|those|whom|which))?|without|never|(?:no|not)(?=\s+{ANYONE}\b))\s+"
    rf"(?:(?:the|any|all|that|which|who|ha(?:s|ve|ving)|{IS}|{ANYONE})\s+)*"
    r"(?:(?:with\s+)?no|not|without|lack(?:s|ing)?|free of|devoid of)\s+",
    re.IGNORECASE,
)
"""What asks for something by leaving out its absence: "skip those with no effusion"."""
_NEXT_REQUEST = re.compile(
    r"(?P<denied>\b(?:without|no|not)\b[^,;.]*?)(?:\s*,|\s+and)\s+"
    r"(?=(?:show|find|give|list|get|display|keep|retain|i (?:need|want))\b)(?!show(?:s|ing))",
    re.IGNORECASE,
)
"""Where a second request begins, for which nothing denied before it holds: "skip chest tubes, show pneumothorax"."""
_ONLY_NEXT = re.compile(
    r"(?P<denied>\b(?:without|no|not|neither)\b[^,;.]*),\s*(?:just|only|includ(?:e|ing))\b", re.IGNORECASE
)
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


def worded_as_reports(query: str) -> str:
    """Return a query with the words of reports for those by which a request leaves out, doubts, or urges."""
    query = with_choices_joined(without_purposes(without_fields(query)))
    query = written_in_full(with_exclusions_joined(query))
    for pattern, words in _REWORDINGS:
        query = pattern.sub(words, query)
    query = _ONLY_THING.sub(_without_nothing, query)

    def replaced(match: re.Match[str]) -> str:
        is_only_thing = match["exception"] and _NOTHING_THERE.search(query, 0, match.start())
        return "except for " if is_only_thing else "without "

    query = _DENIED_TWICE.sub("with ", _LEFT_OUT.sub(replaced, query))
    return _ONLY_NEXT.sub(r"\g<denied>; ", _NEXT_REQUEST.sub(r"\g<denied>; ", query))


def _without_nothing(match: re.Match[str]) -> str:
    """Return the end of a clause for a statement that nothing is there; the statement if it names something there."""
    mentions = mentions_in(match["nothing"] or "", is_query=True)
    named = [one for one in mentions if one.finding and one.name != "no finding" and one.status is not Status.ABSENT]
    return match[0] if named else "; "
