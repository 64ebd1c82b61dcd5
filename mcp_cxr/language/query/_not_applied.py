"""Finds what neither findings nor filters can hold: "but not both", "larger than 3 cm", "one study per patient"."""

from __future__ import annotations

import re
from typing import Final

from mcp_cxr.language.query._shared_patterns import ANYONE, LEAVE_OUT, STUDIES
from mcp_cxr.language.reader import mentions_in

_NUMBER = r"(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten)"
_PATIENT = r"(?:patients?|subjects?|persons?)"
_OF_EACH = r"(?:per|(?:of|for|from) (?:each|every))"
_OF_FINDINGS = rf"(?=\s+(?!{STUDIES}\b)[a-z])"
_HAVING = r"(?:with|where|who ha(?:s|ve)|having|lacking)"
_OTHER_STUDY = (
    r"(?:previous|prior|earlier|later|subsequent|follow[\s-]?up|repeat|comparison)\s+"
    rf"(?:(?:chest\s+)?(?:radiographs?|x-?\s?rays?|cxrs?|films?|imaging|reports?)|{STUDIES})"
)
_UP_TO_CLAUSE = r"(?:(?!\b(?:but|yet|and|with|without|which|where|that|show\w*)\b)[^,;.:]){2,60}"
"""The words of a clause up to what is found instead: "ordered for pneumonia but showing"."""
_UNSURE = (
    r"(?:possibl[ey]|probabl[ey]|suspected|questionable|equivocal|presumed|potential|hedged|uncertain|doubtful|tentative"
    r"|suspicious|perhaps|maybe)"
)
"""What a report says of a finding that it hedges."""
_NOT_MERELY = r"(?:not\s+(?:just|only|merely|simply)|rather than|as opposed to|instead of)"
_MENTIONS = r"(?:ones?|cases?|findings?|mentions?|reports?|stud(?:y|ies)|diagnos[ei]s)\b"
_BUT_REALLY = (
    r"(?:(?:but|that|which)\s+)?(?:(?:is|are|was|were)\s+)?(?:really|actually|in (?:fact|truth|reality)|truly"
    r"|(?:later )?(?:turned out|proved|proven) (?:to be|as)|later (?:found to be|shown to be))\b"
)
"""Between what a finding was called and what it was: "that turned out to be"."""
_NAMES: Final = {
    "both": r",?\s*(?:\b(?:but|and)\s+)?\b(?P<both>not both\b(?!\s+(?:the\s+)?(?:sides|lungs|bases|lobes)))",
    "exclusive": r"\b(?P<exclusive>xor|exactly (?:one|1) of|at least (?:two|2|three|3) of)\b",
    "elliptic": r"\b(?P<elliptic>(?:and|or)\s+(?:\w+\s+)?without)(?=\s*(?:[.;?]|$))",
    "unfinished": (
        r"(?<=\w),?\s+(?<!\bor )(?P<unfinished>(?:(?:and|but|yet)\s+)?(?:with(?:out|\s+no)(?:\s+any)?"
        r"|(?:(?<=and )|(?<=but ))(?:no|not)|minus|except(?:\s+for)?|excluding|other than|apart from|aside from"
        r"|rather than|instead of))(?=\s*(?:$|[.;?]))"
    ),
    "more": (
        r"\b(?P<more>nothing (?:else|more)\b(?: wrong)?|isolated(?!\s+(?:on|in|at|to)\b)"
        r"|(?:as )?the (?:only|sole|single) (?:finding|abnormality|device)|in isolation|alone(?=\s*(?:$|[,.;])))"
    ),
    "alone": (
        r"\b(?P<alone>(?:nothing(?: abnormal)?|no (?:other )?(?:findings?|abnormalit(?:y|ies))"
        r"|(?<!lungs )(?<!heart )(?<!mediastinum )(?<!bones )(?<!pleura )(?<!lungs are )(?<!lungs look )(?<!heart is )"
        r"(?:normal|unremarkable|negative|clean|clear)(?!(?:\s+[\w-]+){0,2}?\s+"
        r"(?:heart|lungs?|mediastinum|bones|pleura|aorta|hila|angles|bases|apices)(?:\s+and\s+[\w-]+)?\s+but\b(?!\s+for\b))"
        r"(?:\s+[\w-]+){0,3}?)"
        r"\s+(?:but(?: for)?|except(?:ing)?(?: for)?|other than|besides|apart from|aside from|save for|bar"
        rf"|with the exception of))\b(?!\s+(?:(?:in|for)\s+)?(?:when|where|if|those|with|{ANYONE})\b)"
    ),
    "ages": (
        r"(?:(?<=\bacute)|(?<=\brecent)|(?<=\bfresh)),?\s+(?:(?:and|but)\s+)?(?P<ages>(?:not|rather than|instead of"
        r"|as opposed to)\s+(?:an?\s+)?(?:chronic|old|healed|remote))\b,?(?=\s+[a-z])"
    ),
    "unsure": (
        rf"[,;(]?\s*\b(?:(?:and|but)\s+)?(?P<unsure>(?:{_NOT_MERELY}\s+(?:an?\s+)?(?:{_UNSURE}|likely)"
        rf"|(?:(?<=[,;(]\s)|(?<=\band\s)|(?<=\bbut\s))not\s+(?:an?\s+)?{_UNSURE}"
        rf"|(?:without|no|{LEAVE_OUT})\s+(?:(?:the|any|all)\s+)?{_UNSURE}(?=(?:\s+or\s+[a-z]+)?\s+{_MENTIONS})"
        r"|(?:without|no)\s+(?:any\s+)?hedg(?:ing|es?))"
        rf"(?:(?:\s*,\s*|\s+(?:n?or|and)\s+)(?:{_UNSURE}|likely))*(?:\s+{_MENTIONS})?)(?=\s*(?:$|[,;.)]))\)?"
    ),
    "small": (
        r"(?P<small>\b(?:without|(?:with\s+)?no)\s+(?:an?\s+|any\s+)?(?:(?!\bor\b)[^,;.])+?,?\s+or\s+(?:else\s+)?"
        r"(?:with\s+)?(?:only|just|merely|at\s+(?:the\s+)?most)\s+(?:an?\s+)?"
        r"(?:small|tiny|trace|minimal|mild|slight|minor|little)\b(?:(?!\b(?:and|but|with)\b)[^,;.])*)"
    ),
    "same_side": (
        r",?\s*\b(?P<same_side>(?<!nothing )(?<!none )(?<!not )(?<!clear )(?<!normal )(?:on|at|in)\s+(?:the\s+|its\s+)?"
        r"(?:very\s+)?(?:same|opposite|other|contralateral|ipsilateral)\s+(?:side|lung|hemithorax|lobe|zone|base|place"
        r"|location)s?|(?:ipsi|contra)lateral(?:ly)?)\b"
    ),
    "presence": (
        r",?\s*\b(?P<presence>(?:present|presence|positive|positives)(?:\s*,)?\s+(?:vs\.?|versus|or|and)\s+(?:the\s+)?"
        r"(?:absent|absence|negative|negatives)\b)(?:\s+(?:cases|studies|examples|images))?(?:\s+(?:of|for)\b)?"
    ),
    "measure": (
        r"(?P<measure>"
        r"(?:(?:between|over|under|above|below|exceeding|at least|at most|up to"
        r"|(?:(?:no|not) )?"
        r"(?:more|less|greater|larger|bigger|smaller) than)\s+"
        r"|[<>\u2264\u2265]=?\s*)?"
        r"\d+(?:\.\d+)?\+?(?:\s*(?:-|to|x|by|and|\u00d7)\s*\d+(?:\.\d+)?)*[\s-]*(?:mm|cm|(?:milli|centi)met\w+)\b)"
    ),
    "compared": (
        r"\b(?P<compared>(?:bigger|larger|greater|smaller) than (?:an? |the )?(?:nodules?|mass(?:es)?|lesions?))\b"
    ),
    "unless": (
        r"(?P<denial>\b(?:no|not|without|never)\b[^.;]*?),?\s+"
        r"(?P<unless>(?:unless|except (?:when|where|if))\b[^,.;]*)"
    ),
    "series": (
        rf"\b(?P<series>(?:the\s+)?(?:{_NUMBER}|first|earliest|initial|last)\s+{STUDIES}\s+{_OF_EACH}\s+{_PATIENT}"
        rf"|(?:{_NUMBER}\s+)?per\s+{_PATIENT}"
        rf"|{_HAVING}\s+(?:at least|more than|exactly|fewer than|only)\s+{_NUMBER}\s+{STUDIES}"
        rf"|{_HAVING}\s+(?:no|an?|any)\s+{_OTHER_STUDY}"
        r"(?:\s+(?:shows?|mentions?|reports?)\b[^,.;]*)?"
        rf"|without\s+(?:an?\s+|any\s+)?{_OTHER_STUDY})\b"
    ),
    "percent": (
        r"(?<!than )(?<!over )(?<!above )(?<!below )(?<!under )(?<!ctr )(?<!ratio )(?<!ctr of )(?<!ratio of )"
        r"(?<!ctr[<>])(?<!ctr [<>])(?<!ratio [<>])(?<![<>] )\b(?P<percent>\d+(?:\.\d+)?\s*(?:%|percent\b))"
    ),
    "sign": r"(?<!ctr)(?<!ctr )(?<!ratio )(?P<sign>(?:[<>]=?|\u2264|\u2265)\s*\d+)(?=\s*(?:$|[,;)]|\.(?!\d)))",
    "likeness": r",?\s*\b(?P<likeness>(?:mimicking|simulating|masquerading as|mistaken for|confused with)\b[^,;.]*)",
    "misread": (
        r",?\s*\b(?P<misread>(?:mis(?:diagnosed|read|interpreted|label(?:l?ed)|reported|classified|called)|passed off"
        r"|(?:wrongly|falsely|erroneously) [a-z]+ed)\s+(?:as|to be|for)\s+"
        rf"{_UP_TO_CLAUSE}|(?:that\s+)?(?:was|were|got)\s+taken for\s+{_UP_TO_CLAUSE})(?:\s*,?\s*{_BUT_REALLY})?"
    ),
    "thought": (
        r",?\s*\b(?P<thought>(?:(?:initially|first|originally|at first)\s+)?(?:thought to be"
        rf"|(?:called|named|considered|(?:read|reported|diagnosed|interpreted|label(?:l?ed))\s+as))\s+{_UP_TO_CLAUSE})"
        rf"(?:\s*,)?\s*{_BUT_REALLY}"
    ),
    "ordered": (
        r"\b(?P<ordered>(?:ordered|requested|performed|obtained|acquired|sent|done|referred)\s+"
        rf"(?:for|because of|due to|to (?:rule out|exclude|look for|assess|evaluate))\s+{_UP_TO_CLAUSE}"
        rf"|(?:because of|due to|for)\s+{_UP_TO_CLAUSE}\s+(?:ordered|requested))"
        r"(?=,?\s*\b(?:but|yet|and (?:found|show)|(?:in|on) which|where|that|show))"
    ),
    "other": (
        r",?\s*\b(?P<other>(?:un(?:related|connected|associated)\s+(?:to|with)"
        r"|(?:as\s+)?(?:an?\s+)?alternatives?\s+to|as\s+(?:an?\s+)?(?:substitute|replacement)s?\s+for"
        r"|(?:to\s+(?:be\s+)?(?:compared?|contrast(?:ed)?|set)|(?:for|as|in)\s+(?:an?\s+)?(?:comparison|contrast))"
        r"(?:\s+(?:them|it|these|those))?\s+(?:to|with|against))\s+"
        r"(?!(?:the\s+)?(?:prior|previous|earlier|old|last|normal|left|right|other|opposite|rest|usual|expected))"
        r"(?:(?!\b(?:but|with|without|and|showing)\b)[^,;.:])+)(?:\s*:)?"
    ),
    "advised": r"[,;]\s*(?P<advised>[^,;.]+?\s(?:(?:is|was|were)\s+)?(?:advised|recommended))\b",
    "just": (
        r",\s*(?P<just>not (?:just|merely|only|simply) (?:an?|the) (?:(?!\bbut\b)[^,;.])+)"
        r"(?=\s*(?:$|[,;.](?!\s*but)))"
    ),
    "beside": r"(?<!\bvein )(?<!\bveins )\b(?P<beside>(?:near|next to|close to|beside) the heart)\b",
    "count": r"\b(?P<count>(?:count|number)\s*[:=]?\s*(?:[<>\u2264\u2265]=?\s*)?\d+)\b",
    "fewer": (
        r"\b(?P<fewer>(?:exactly|(?<!\bno )(?:fewer|less) than|(?:no|not) more than|at most|up to|limited to"
        rf"|(?:a )?maximum of)\s+{_NUMBER}){_OF_FINDINGS}"
    ),
    "several": r"\b(?P<several>(?:more than (?!one\b|1\b)|at least (?!one\b|two\b|[12]\b))"
    + _NUMBER
    + rf"){_OF_FINDINGS}",
}
_LEFT_IN_QUERY = ("denial", "exclusive", "alone", "several")
"""Groups of the pattern whose words stay in the query, because findings can hold a part of them: "more than three
nodules" are multiple nodules."""
_NOT_APPLIED = re.compile("|".join(_NAMES.values()), re.IGNORECASE)

_OTHERS = re.compile(
    r",?\s*\b(?P<others>(?:(?P<is_choice>or)|and)\s+(?:(?:any|some)\s+)?other\s+(?P<what>[^,;.()]*))", re.IGNORECASE
)
"""What the tables have no finding for: "bronchiectasis or other airway diseases"."""
_HAVE = r"(?:include|contain|have|show|carry|feature|be accompanied by|come with|be with)"
_WISH = re.compile(
    r"(?<=\w)[,;.]?\s+\(?(?:(?:and|but)\s+)?(?P<before>(?:ideally|prefera?bly|optional(?:ly)?(?!,|\s+(?:and|or|but)\b)|desirably|hopefully"
    r"|if (?:at all )?possible|nice to have|bonus(?: points)?(?: for)?|(?:(?:i|we)\s+)?(?:would\s+)?prefer(?!\s+to\b)"
    r"|may(?=:))[,:]?\s+(?P<what>[^,;.()]+))\)?"
    r"|[,;(]\s*(?:(?:and|but)\s+)?(?P<behind>[^,;.()]{1,80}?\s(?:(?:is|are|would be)\s+)?"
    r"(?:preferred|preferable|desirable|nice(?: to have)?|ideal|an? nice-to-have"
    r"|if (?:at all )?(?:possible|available|you can))(?=\s*(?:$|[,;.)])))\)?"
    r"|(?:[,;.]\s*(?:(?:and|but)\s+)?|\s(?:and|but|that|which|who)\s+)(?P<may>(?:(?:it|they)\s+)?"
    rf"(?:(?:may|might|can) or (?:(?:may|might|can) )?not (?:also )?{_HAVE}"
    r"|(?:may|might|can|could) (?:also |optionally )?(?:include|contain"
    rf"|(?P<too>{_HAVE})))\s+[^,;.()]+)",
    re.IGNORECASE,
)
"""What need not be there: "effusion, ideally with edema", "must show edema, may include effusion"."""
_MUST = re.compile(r"\b(?:must|shall|should|(?:has|have|needs?) to|requires?|required)\b", re.IGNORECASE)
_LAST_COMMA = re.compile(r",(?=[^,]*$)")


def without_not_applied(query: str) -> tuple[str, tuple[str, ...]]:
    """Return a query without the conditions that nothing can hold, and these conditions as written."""
    named = [next(filter(None, map(match.__getitem__, _NAMES))).strip() for match in _NOT_APPLIED.finditer(query)]
    rest = _NOT_APPLIED.sub(lambda match: next(filter(None, map(match.__getitem__, _LEFT_IN_QUERY)), ""), query)
    rest, wishes = _without_wishes(" ".join(rest.split()))
    named += wishes
    if (others := _OTHERS.search(rest)) and not _names_finding(others["what"]):
        named.append(others["others"])
        before = rest[: others.start()]
        rest = f"{_LAST_COMMA.sub(' or ', before) if others['is_choice'] else before} {rest[others.end() :]}".rstrip()
    return rest, tuple(named)


def _without_wishes(text: str) -> tuple[str, list[str]]:
    """Return a query without the findings that need not be there, and these as written; all of it if none is left."""
    named: list[str] = []

    def replaced(match: re.Match[str]) -> str:
        wish = match["before"] or match["behind"] or match["may"]
        is_doubt = match["too"] and not _MUST.search(match.string, 0, match.start())  # "mass, may have edema"
        if is_doubt or not _names_finding(match["what"] or wish):
            return match[0]
        named.append(wish)
        return ""

    rest = _WISH.sub(replaced, text)
    return (rest, named) if named and _names_finding(rest) else (text, [])


def _names_finding(text: str) -> bool:
    return any(one.finding for one in mentions_in(text, is_query=True))
