"""Reads a query of two groups of studies: "edema with effusion vs edema without effusion".

One search has one set of conditions: groups that only ask for findings are alternatives, else the first group is
searched for and the second is named as not applied.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mcp_cxr.language.query._nested import either
from mcp_cxr.language.query._shared_patterns import STUDIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_cxr.language.query._meaning import QueryMeaning

_VERSUS = re.compile(r"[\s,;]+(?:vs\b\.?|versus\b)\s*", re.IGNORECASE)
"""Between two groups."""
_GROUP = (
    rf"(?:{STUDIES}|groups?|sets?|cohorts?|arms?|examples?|controls?|reports?|radiographs?|x-?rays?|cxrs?|scans?|people"
    r"|subjects?)"
)
"""Nouns for what is compared: "cohort"."""
_HAVING = r"(?:with(?!out)|of|for|showing|that (?:show|have)|who have|where there is)"
_OTHERS = (
    r"(?:(?:some|other|another|the|an?|also|of|one|second|2nd)\s+)*"
    rf"(?:{_GROUP}|those|others|another|second|(?:one|some)(?! of\b))"
)
"""The second group: "those", "the other films"."""
_ITEM = r"[^,;.:()]"
_WORDS = rf"((?:(?!\b(?:vs|versus)\b){_ITEM})+?)"
"""The words of the first group."""
_DENIES = r"\b(?:with|without|no)\b"
_COMPARE = r"\b(?:compar(?:e|es|ing)|contrasting|(?:a |the )?(?:comparison|contrast|discrimination) (?:of|between))\s+"
_TELL_APART = (
    r"(?<!cannot )(?<!can not )(?<!can't )(?<!can\u2019t )(?<!hard to )(?<!difficult to )(?<!unable to )"
    r"\b(?:(?:tell(?= (?!me\b|us\b)[\w-]+(?: [\w-]+)? from\b)|distinguish(?:ing)?"
    r"|differentiat(?:e|ing)|discriminat(?:e|ing))(?: between)?"
    r"|differences? between|(?:hedg(?:e|es|ed|ing)|undecided|torn) between)\s+"
)
_ANOTHER = (
    r"(?!(?:the |an? |any |its )*"
    r"(?:prior|previous|earlier|old|last|normal|other|opposite|usual|before|today)\b)"
)
"""Behind "compared with", no other study of the patient: "the prior"."""
_COMPARED_TO = r"\b(?:(?:compared|in (?:comparison|contrast)) (?:to|with)|as opposed to|against)\s+"
_LEAVES_OUT = r"\b(?:no|not|without|exclud\w+|omit\w*|skip\w*|except|leav\w+|ignor\w+)\b"
_FIRST, _SECOND = (rf"\b(?:group|set|cohort|arm)\s+(?:{one})\s*[:=,]?\s+" for one in ("1|one|a|i", "2|two|b|ii"))
_SHOW = r"(?:show|find|give|get|list)(?: me| us)?"
_LOBE = r"(?:(?:left|right)\s+)?(?:upper|middle|lower)"
_LOBES = re.compile(rf"\b({_LOBE})\s+(?:vs\b\.?|versus)\s+(?={_LOBE}\b)", re.IGNORECASE)
"""Places whose noun stands with the last alone: "upper vs lower lobe"."""
_BEFORE_VERSUS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_COMPARE}({_ITEM}+?{_DENIES}{_ITEM}+?)\s+(?:and|to|against)\s+(?={_ANOTHER}{_ITEM}*{_DENIES})",
        rf"{_COMPARE}{_WORDS}\s+(?:and|with|to|against|from)\s+{_ANOTHER}",
        rf"{_TELL_APART}{_WORDS}\s+(?:and|from)\s+{_ANOTHER}",
        rf"{_COMPARE}{_WORDS}\s+(?:vs\b\.?|versus\b)\s*",
        rf"(\s){_COMPARED_TO}(?=(?:the )?(?:no|without|left|right)\b)",
        (
            rf"^((?:(?!{_LEAVES_OUT})[^,;.:])*?\b{_GROUP}\s+{_HAVING}\s(?:(?!\bor\b){_ITEM})+?)"
            rf",?\s+(?:and|plus|as well as)\s+(?:{_SHOW}\s+)?{_OTHERS}\s+(?:{_HAVING}\s+|(?=(?:without|not|lacking)\b))"
        ),
        rf"\b(([\w-]+)\s+with(?:out)?\s{_ITEM}+?)\s+(?:and|or|plus)\s+(?=\2\s+with(?:out)?\b)",
        rf"{_FIRST}({_ITEM}+?)[,;.]?\s+(?:and\s+)?{_SECOND}",
        rf"\b(?:two|2)\s+(?:groups|sets|cohorts|arms)\s*[:,-]?\s*(?:with\s+|of\s+)?({_ITEM}+?)\s+and\s+(?!(?:one|1)\b)",
        rf"\b({_SHOW} [^,;.:()]+?),?\s+and\s+(?:then|also|separately)\s+{_SHOW}\s+",
    )
)
"""How a request names two groups, up to the second: "compare edema with", "films of masses and films of"."""


def with_groups_compared(query: str) -> str:
    """Return a query with "versus" between the two groups of studies that it names."""
    query = _LOBES.sub(r"\1 or ", query)
    for pattern in _BEFORE_VERSUS:
        query = pattern.sub(r"\1 versus ", query, count=1)
    return query


def parsed_groups(text: str, parse: Callable[[str], QueryMeaning]) -> QueryMeaning | None:
    """Return the meaning of a query of two groups that differ in more than one finding each; None if it is none.

    Args:
        text: The query.
        parse: Reads the text of one group.
    """
    match = _VERSUS.search(text)
    if match is None:
        return None
    first, second = parse(text[: match.start()]), parse(text[match.end() :])
    is_left_out = text.lstrip().lower().startswith("without") and not first.wanted
    if first.is_empty or second.is_empty or is_left_out:
        return None
    denies = any(one.ruled_out or one.ruled_out_words for one in (first, second))
    several = min(len(first.wanted), len(second.wanted)) > 1
    one_name = bool(first.findings and second.findings) and first.findings[-1].name == second.findings[-1].name
    if not (denies or several or one_name):
        return None
    return either(first, second, text[match.start() :].strip(" ,;"))
