"""Rewords lists that a request introduces with "one of", "all of" or "none of".

"At least one of {edema, effusion}" becomes "(edema or effusion)", "both: mass, edema" becomes "with mass; with edema",
and "none of: edema, mass" becomes "without edema or mass".
"""

from __future__ import annotations

import re

from mcp_cxr.language.reader import mentions_in

_LIST_NOUNS = r"(?:findings?|conditions?|criteri(?:a|on)|devices?|items?|signs?)"
"""What a request calls that which it lists: "any of these findings: edema, mass"."""
_LISTED = (
    r"(?:the following|these|those)(?:\s+(?:\d|two|three|four))?"
    rf"(?:\s+{_LIST_NOUNS})?"
    r"(?:\s+(?:will do|(?:is|are) (?:fine|enough|ok(?:ay)?|sufficient)|suffices?|counts?))?\s*"
    r"(?::|\s[-\u2013]\s|(?=[\[{(]))"
)
"""What introduces a list: "the following two findings:"."""
_CHOICE = re.compile(
    rf"\b(?:(?P<none>none|not any|neither)\s+of\s*(?:{_LISTED}|:|(?=\s[\[{{(]))"
    r"|(?<!every )(?<!each )(?:at least\s+)?(?:(?:any )?(?:one|1)(?:\s+or\s+(?:more|several|both))?|any(?:\s+number)?"
    r"|either|some)\s+of\s*"
    rf"(?:{_LISTED}|:|(?=\s[\[{{(]))"
    rf"|(?:any|either|one)\s+{_LIST_NOUNS}\s*:"
    rf"|(?:exactly\s+(?:one|1)|at least\s+(?:two|2|three|3))\s+of(?:\s+{_LISTED}|\s*:)?)\s*"
    r"(?P<list>[\[{(][^\[\](){}]*[\])}]|[^.]*)",
    re.IGNORECASE,
)
"""A list of which one will do, or none may be there: "any of the following: edema, effusion"."""
_CHOICE_IN_WORDS = re.compile(
    r"\b(?:at least one|any one|one or more|any) of\s+(?P<list>(?:(?!\b(?:or|and|with"
    r"|without)\b)[^.;:()\[\]{}])*)\band\s+",
    re.IGNORECASE,
)
"""The same without a colon: "any of edema, mass and effusion"."""
_CHOICE_BEHIND = re.compile(
    r"^(?P<list>[^.:;()]*,[^.:;()]*?)(?:\s*[,:;.(]|\s+[-\u2013])\s*(?:and\s+)?"
    r"(?:any(?:\s+(?:one|1))?|either|one|1)(?:\s+of\s+(?:these|those|them|the\s+(?:above|two|three|four)))?"
    r"(?:\s+(?:(?:will|would)\s+(?:do|suffice)|(?:is|are|would\s+be)\s+(?:fine|enough|ok(?:ay)?|sufficient)"
    r"|suffices?|counts?))?[\s.)!]*$",
    re.IGNORECASE,
)
"""The same behind the list: "edema, effusion - any of these will do"."""
_ALL = re.compile(
    r"\b(?:all|both|(?:each|every)(?:\s+one)?)(?:\s+of)?(?:\s+(?:these|those|them|the|following|two|three|four|five"
    r"|[2-5]))*"
    rf"(?:\s+{_LIST_NOUNS})?(?:\s+(?:(?:must|should|needs?\s+to|ha(?:s|ve)\s+to)\s+be\s+)?"
    r"(?:present|there|reported|met|fulfilled|satisfied|required|needed|wanted|together))?"
    r"\s*:\s*(?P<list>[^:.]*)",
    re.IGNORECASE,
)
"""A list that must be there as a whole: "all three: a mass, edema or congestion, and an effusion"."""
_EXCLUSION = re.compile(
    r"(?<!nothing )(?<!nothing is )(?<!none )(?<!none are )"
    r"\b(?:(?:must|should|may|shall|do|does)\s+not\s+(?:have|include|contain|show|be\s+present)|forbidden"
    r"|prohibited|ineligible"
    r"|unwanted|undesired|disallowed|exclu(?:ded?|ding|sions?)|reject(?:ed)?|omit|avoid|skip|negat(?:ed|ives?|ions?)"
    rf"|absent|denied|ruled out|minus|never|without|not)(?:\s+{_LIST_NOUNS})?\s*[:=]\s*"
    r"(?!no\b|none\b|not\b|without\b|any\b)"
    r"(?P<list>(?:(?![,{]\s*[\w ]{3,30}[:=])[^.;])*)",
    re.IGNORECASE,
)
"""A list that is left out: "Exclusion criteria: edema, pneumothorax"."""


_WITH_EXCLUDED = re.compile(
    r"^with (?!nothing\b|no )(?P<list>[^,;.:]+?) (?:excluded|ruled out|left out|absent|denied)\s*[:,;]", re.IGNORECASE
)
"""What is left out, before what is wanted: "with edema excluded: pneumothorax"."""


def with_choices_joined(query: str) -> str:
    """Return a query with "or" in lists of which one will do, and "with" before each item of those that need all."""
    query = _CHOICE_BEHIND.sub(r"any of the following: \g<list>", query)
    query = _CHOICE_IN_WORDS.sub(lambda match: f"{match['list'].rstrip(' ,').replace(',', ' or ')} or ", query)
    return _ALL.sub(_as_all, _CHOICE.sub(_as_choice, query))


def with_exclusions_joined(query: str) -> str:
    """Return a query with "without", and "or" between the items, for the lists of what it leaves out."""
    query = _WITH_EXCLUDED.sub(r"without \g<list>; ", query)
    return _EXCLUSION.sub(lambda match: f" without {_either(match['list'])}", query)


def _as_choice(match: re.Match[str]) -> str:
    """Return the items of a list with "or" between them, behind "without" if none of them may be there."""
    listed = _either(match["list"])
    if listed[:1] in ("[", "{"):
        listed = f"({listed[1:-1]})"
    return f"without {listed}" if match["none"] else listed


def _either(listed: str) -> str:
    """Return a list with "or" for each comma, semicolon and "and"."""
    return re.sub(r"[,;]|\band\b", " or ", listed)


def _as_all(match: re.Match[str]) -> str:
    """Return each item of a list behind "with"; the list alone if an item names no finding."""
    parts = [re.sub(r"^(?:and|plus)\s+", "", part.strip()) for part in re.split(r"[,;]", match["list"])]
    are_findings = all(any(one.finding for one in mentions_in(part, is_query=True)) for part in parts)
    return f"with {'; with '.join(parts)}" if are_findings else match["list"]
