"""Leaves out of a request what its results are for: "For my thesis on COPD, find effusions" asks for no COPD."""

from __future__ import annotations

import re
from typing import Final

from mcp_cxr.language.reader import mentions_in

_REQUEST = (
    r"(?:(?:please |now |(?:can|could) you (?:please )?)?"
    r"(?:find|show|give|list|get|retrieve|pull|search|return|fetch|collect)"
    r"|(?:i|we) (?:need|want)|are there|is there|(?:which|what) (?!ha(?:s|ve)\b)|who has)\b"
)
"""How a request begins: "please find", "which studies"."""
_WORK = (
    r"(?:studies|project|paper|thesis|lecture|talk|topic|teaching|research|presentation|poster|trial|classifier|model|detector|algorithm"
    r"|audit|benchmark|mining)"
)
"""What results are for: "thesis", "classifier"."""
_WE_STUDY = r"(?:i|we|they|he|she) (?:stud(?:y|ies)|research(?:es)?|investigates?|explores?|examines?)"
_AT_WORK = (
    rf"\b(?:{_WE_STUDY}|studying|researching|investigating|writing|working on|interested in|preparing|building|training"
    rf"|(?:my|our|an?|the) (?:[\w-]+ )?{_WORK})\b"
)
"""Says that someone is at work: "writing", "my new classifier"."""
_NEED = r"(?:needs?|wants?|requires?|(?:am|are|is) looking for)"
"""Verbs of a request that follows: "I am studying effusions and need edema"."""
_OWN = r"(?:my|our|his|her|their)"
_CONTROLS = (
    r"(?:(?:(?:normal|negative|healthy)\s+)?(?:controls?|comparisons?|reference)(?:\s+(?:cohort|set|group|arm|sample))?"
    r"|(?:normal\s+|negative\s+|hard[\s-]+)?(?:negatives|examples|baseline))"
)
"""Studies to compare others with: "normal controls"."""
_ABOUT = r"\s+(?:on|about|of)\s+(?:(?!\b(?:(?:and|but) (?:no|not|without)|without)\b)[^,;.])*"
"""The subject of the work, up to a denial: "on heart failure"."""
_PURPOSES: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"^[^:;.]*{_AT_WORK}[^:;.]*[:;.]\s*(?={_REQUEST})",
        (
            r"^(?:in order |so as )?to\s+(?!(?:the|an?|my|our)\b)[a-z]+\s(?:[^:;.]{0,200}?"
            rf"(?:[,:]\s*(?={_REQUEST})|\s(?=(?:i|we) (?:need|want)\b))"
            r"|(?<!find )(?<!get )(?<!see )(?<!show )(?<!have )(?<!include )(?<!identify )[^:;.,]{2,80}[:,]\s+)"
        ),
        rf"^(?:{_WE_STUDY}|(?:i|we)(?:\s+am|\s+are|['\u2019](?:m|re))\s+(?:studying|researching|investigating))\s[^:;.]*:\s+",
        rf"^(?:given|suspecting|(?:i|we|they|he|she)\s+(?:suspects?|wonders?|worry|worries))\s[^:;.,]*[,:;.]\s*(?={_REQUEST})",
        rf"^[^:;.]*,\s*so\s+(?={_REQUEST})",
        rf"^(?:because(?!\s+of\b)|(?:since|as)\s+(?:{_OWN}|the|i|we|they|he|she|it|many|most|some)(?!\s+of\b))\s[^:;.,]*[:,]\s*",
        rf"^[^:;.]*{_AT_WORK}[^:;.,]*,?\s+and\s+(?:(?:i|we|they|he|she)\s+)?{_NEED}\s+",
        rf"^(?:(?:as part of|for)\s+)?{_OWN}\s+[^:;.,]{{0,80}}\b(?:study|{_WORK})\b[^:;.,]{{0,80}}[:,]\s+",
        rf"^(?:as part of|for)\s+(?:(?:{_OWN}|an?|the)\s+)?[^:;.,]*\b(?:study|{_WORK})\b[^:;.,]*?,?\s+(?={_REQUEST})",
        (
            r"(?<!look)(?<!looking)(?<!search)(?<!searching)(?:\s+(?:for use )?as (?:a )?controls?)?\s+for\s+"
            rf"(?:{_OWN}|an?|the)\s+(?:(?!(?:in|on|of|with|and|or|this|that|each|the|any|from)\b)[\w-]+\s+){{0,3}}?"
            rf"(?:{_WORK}\b(?:{_ABOUT})?|study{_ABOUT})"
        ),
        (
            r"(?<!look)(?<!looking)(?<!search)(?<!searching)(?:\s+(?:for use )?as (?:a )?controls?)?\s+for\s+"
            rf"{_OWN}\s+(?:[\w-]+\s+){{0,2}}?(?:study|cohort)\b(?:{_ABOUT})?"
        ),
        r",\s*for (?:an?|the)\s+(?:[\w-]+\s+){0,4}?(?:cohort|data ?set|training set|test set)\b",
        (
            r",?\s+to (?:assemble|build|compile|create|develop|establish|evaluate|form|make|test|train|validate)"
            rf"\s+(?:{_OWN}|an?|the)\s+[^.;,]*"
        ),
        r",?\s+(?:so that|so (?:i|we|they|he|she) (?:can|could|may|might|will)|in order to)\b[^.;]*",
        r"[;,.]\s*(?:they|these|those) (?:will|would|are going to) (?!(?:also |all )?(?:have|show)\b)[^.;]*",
        r"[;,.]\s*(?:they|these|those|it|this) (?:is|are) (?:meant |intended )?(?:for|part of) [^.;]*",
        r"[;,.]\s*(?:we|i) (?:will|want to|plan to|intend to|(?:are|am) going to) use (?:them|these|those) [^.;]*",
        rf"\s+(?:for use |to (?:serve|act|be used) )?(?:as|for|in)\s+(?:{_OWN}\s+|an?\s+|the\s+)?{_CONTROLS}\b",
        rf"^(?:as|for)\s+(?:(?:an?|the|{_OWN})\s+)?{_CONTROLS}\s+(?:for|of|to|with|against)\s+[^:;.,]*[:,]\s*",
        rf"^(?:(?:i|we) (?:need|want)\s+)?(?:(?:an?|the|some)\s+)?{_CONTROLS}(?:\s+(?:for|of)\s+[^:;,.]*)?\s*:\s*",
        (
            rf"^(?:(?:i|we) (?:need|want)\s+)?(?:(?:an?|the|some)\s+)?(?!normal|healthy){_CONTROLS}\s*,\s*"
            r"(?:(?:i\.?e\b\.?|that is|namely|meaning),?\s+)?"
        ),
        (
            r"[;,.]\s*(?:(?:i|we)\s+)?(?:need|want)\s+(?:an?|some|one|several|them|these|it)\b"
            r"(?:(?!\b(?:with|without|but|no|not|that|which|on|in|at)\b)[^,.;])*$"
        ),
        r"(?<=\bcontrols)\s+for\s+[^:;,.]*$",
        r"\s*\((?:[\w-]+\s+){1,4}(?:worry|worries|concerns?|suspicion|work-?up)\)",
    )
)
"""Each pattern takes out one way to say a purpose: ", to train a classifier", "as controls"."""
_NEGATIVES = re.compile(
    rf"^(?:[^:;.]{{0,80}}\b(?:my|our|an?|the)\s+(?P<of>[\w -]{{2,60}}?)\s+{_WORK}\b[^:;.]{{0,40}}?[\s,;:.]+(?:and\s+)?"
    rf"(?:{_REQUEST}|{_NEED})\s+(?:me\s+)?(?:(?:some|the|its|more|hard|true)[\s-]+)*"
    r"|(?:(?:find|show|give|get|list|(?:i|we)\s+(?:need|want)|me|some|hard|true)[\s-]+)*"
    r"(?P<what>(?:(?!(?:as|for|of|normal|are)\b)[\w-]+[\s-]+){1,5}?))"
    r"negatives\s*[.!?]*$",
    re.IGNORECASE,
)
"""Studies without what they are negative for: "nodule negatives", "training a nodule model and need negatives"."""
_NORMAL = re.compile(
    r"\b(?:normal|unremarkable|healthy|wnl|nad|nothing abnormal"
    r"|(?:no|without(?: any)?) (?:[a-z]+ )?(?:abnormalit(?:y|ies)|findings?|disease))\b",
    re.IGNORECASE,
)
"""Words that, without a finding, say what to look for, too."""
_REFERS_BACK = re.compile(r"\b(?:it|them|those|these|also|too|as well)\b", re.IGNORECASE)
"""Words for what a purpose in front named: "I am studying effusions: find those on the left" is left as it is."""


def without_purposes(query: str) -> str:
    """Return a query without what its results are for, if the rest says what to look for.

    "I am studying effusions: find those on the left" is left as it is.
    """
    if (match := _NEGATIVES.match(query)) and _names_what_to_find(negative := match["of"] or match["what"]):
        return f"without {negative}"
    for pattern in _PURPOSES:
        if (match := pattern.search(query)) is None:
            continue
        rest = f"{query[: match.start()]} {query[match.end() :]}"
        is_first = match.start() == 0
        if _names_what_to_find(rest) and not (is_first and _REFERS_BACK.search(rest)):
            query = rest
    return query


def _names_what_to_find(text: str) -> bool:
    return any(one.finding for one in mentions_in(text, is_query=True)) or bool(_NORMAL.search(text))
