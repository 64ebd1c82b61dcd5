"""Finds what neither findings nor filters can hold: "but not both", "larger than 3 cm", "one study per patient"."""

from __future__ import annotations

import re
from typing import Final

from mcp_cxr.language._vocabulary import SIDES, is_counted
from mcp_cxr.language.query._shared_patterns import ANYONE, LEAVE_OUT, RATIO, STUDIES
from mcp_cxr.language.reader import mentions_in

_NUMBER = r"(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten)"
_SEVERAL = r"(?:[2-9]|[1-9]\d+|two|three|four|five|six|seven|eight|nine|ten)"
"""A number that is not one."""
_BOUND = (
    r"(?:\b(?:between|over|under|above|below|exceeding|at least|at most|up to|about|around"
    r"|(?:(?:no|not) )?(?:more|less|greater|larger|bigger|smaller|fewer) than)\s+|[<>\u2264\u2265]=?\s*)"
)
"""What bounds a number: "larger than"."""
_EXAMPLES = rf"(?:{STUDIES}|examples?|pictures?|radiographs?|x-?\s?rays?|cxrs?|views?|scans?)"
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
_SURE = (
    r"(?:definit(?:e|ive|ely)|certainly|clear[- ]?cut|proven|confirmed|unequivocal(?:ly)?|undoubted(?:ly)?|undisputed"
    r"|unambiguous|certain(?! (?:patients?|findings?|that|to|of|about|kinds?|types?|devices?)\b))"
)
"""What a report says of a finding that it does not hedge."""
_MENTIONS = r"(?:ones?|cases?|findings?|mentions?|reports?|stud(?:y|ies)|diagnos[ei]s)\b"
_BUT_REALLY = (
    r"(?:(?:but|that|which)\s+)?(?:(?:is|are|was|were)\s+)?(?:really|actually|in (?:fact|truth|reality)|truly"
    r"|(?:later )?(?:turned out|proved|proven) (?:to be|as)|later (?:found to be|shown to be))\b"
)
"""Between what a finding was called and what it was: "that turned out to be"."""
_NAMES: Final = {
    "both": r",?\s*(?:\b(?:but|and)\s+)?\b(?P<both>not both\b(?!\s+(?:the\s+)?(?:sides|lungs|bases|lobes))"
    r"(?:\s+(?!(?:of|and|but|or)\b)[^,;.]*?\band\b[^,;.]+)?)",
    "exclusive": r"\b(?P<exclusive>xor|exactly (?:one|1) of|at least (?:two|2|three|3) of)\b",
    "elliptic": r"\b(?P<elliptic>(?:and|or)\s+(?:\w+\s+)?without)(?=\s*(?:[.;?]|$))",
    "normal_or": r"(?P<normal_or>^normal\s+(?!or\b)[^,;.]{2,40}?\s+or)(?=\s+[a-z])",
    "unfinished": (
        r"(?<=\w),?\s+(?<!\bor )(?P<unfinished>(?:(?:and|but|yet)\s+)?(?:with(?:out|\s+no)(?:\s+any)?"
        r"|(?:(?<=and )|(?<=but ))(?:no|not)|minus|except(?:\s+for)?|excluding|other than|apart from|aside from"
        r"|rather than|instead of))(?=\s*(?:$|[.;?]|:\s*$))"
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
        r"(?:very\s+)?(?:same|opposite|other|contralateral|ipsilateral)\s+(?:side|lung|hemithorax|place|location)s?"
        r"|(?:ipsi|contra)lateral(?:ly)?)\b"
    ),
    "same_place": r"(?<=\bthe )(?P<same_place>same)(?=\s+(?:lung\s+)?(?:lobe|zone|base|apex|third)\b)",
    "presence": (
        r",?\s*\b(?P<presence>(?:present|presence|positive|positives)(?:\s*,)?\s+(?:vs\.?|versus|or|and)\s+(?:the\s+)?"
        r"(?:absent|absence|negative|negatives)\b)(?:\s+(?:cases|studies|examples|images))?(?:\s+(?:of|for)\b)?"
    ),
    "sure": (
        r"(?<!\bno )(?<!\bnot )(?<!\bwithout )(?<!\bnever )(?<!\byet )(?<!\bany )(?<!\bnot a )(?<!\bbeen )(?<!\bor )"
        r"(?<!\bmake )(?<!\bbe )(?<!\bnor )"
        rf"\b(?P<sure>{_SURE}|for (?:sure|certain)|(?:beyond|without|no) (?:(?:an?|any|all) )?doubt)\b"
        rf"(?!\s+(?:no|not|without|or|nor|and)\b)"
    ),
    "measure": (
        rf"(?P<measure>{_BOUND}?"
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
        rf"\b(?P<series>(?:the\s+)?(?:{_NUMBER}|first|earliest|oldest|initial|last|latest|newest|most recent)"
        rf"\s+{STUDIES}\s+{_OF_EACH}\s+{_PATIENT}"
        rf"|(?:(?:only|just|at most)\s+)?(?:{_NUMBER}\s+)?(?:{STUDIES}\s+)?per\s+{_PATIENT}"
        rf"|(?:in|on|at|from)\s+(?:(?:the|an?|any|at least|more than|exactly|fewer than|only)\s+)*{_SEVERAL}\s+"
        rf"(?:(?:or more|other|different|consecutive|separate)\s+)*{STUDIES}"
        r"|(?<!than )(?:in|on|at|from|since)\s+(?:the\s+|an?\s+|any\s+)?"
        rf"(?:other|another|first|second|third|next|initial|baseline|final)\s+{STUDIES}"
        rf"(?:\s+(?:of|from)\s+(?:(?:the|same|each|every)\s+)*{_PATIENT})?"
        rf"|(?<!compared )(?<!comparison ){_HAVING}(?:\s+(?:no|an?|any))?\s+(?:priors?|comparisons?)(?=\s*(?:$|[,;.]))"
        rf"|(?:no|without)(?:\s+any)?\s+(?:priors?|comparisons?)(?:\s+available)?(?=\s*(?:$|[,;.]))"
        rf"|{_HAVING}\s+(?:at least|more than|exactly|fewer than|only)\s+{_NUMBER}\s+{STUDIES}"
        rf"|{_HAVING}\s+(?:no|an?|any)\s+{_OTHER_STUDY}"
        r"(?:\s+(?:shows?|mentions?|reports?)\b[^,.;]*)?"
        rf"|without\s+(?:an?\s+|any\s+)?{_OTHER_STUDY})\b"
    ),
    "beyond": (
        rf"(?P<ratio>{RATIO}(?:(?P<beyond>{_BOUND}(?:0?\.|(?=\d\d\b))(?:5[1-9]|[6-9]\d?)(?!\d)(?:\s*(?:%|percent\b))?)"
        r"|[^,;.\d]*\d+\s*(?:%|percent\b)))"
    ),
    "percent": rf"(?P<percent>{_BOUND}?(?<![\d.])\d+(?:\.\d+)?\s*(?:%|percent\b))",
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
        r"\b(?P<fewer>(?:exactly|only|just|under|below|(?<!\bno )(?:fewer|less) than|(?:no|not) more than|at most|up to"
        rf"|limited to|(?:a )?maximum of|between\s+{_NUMBER}\s+and)\s+{_NUMBER}){_OF_FINDINGS}"
    ),
    "order": (
        r"\b(?P<order>(?:(?:sort|order|rank)(?:ed|ing)?\s+)?by\s+(?:study\s+)?(?:date|time|age|severity|size|similarity"
        r"|relevance|confidence|probability)(?=\s*(?:$|[,;.])|\s+(?:of|then|and)\b)|(?:sort|order|rank)(?:ed|ing)?\s+by\b[^,;.]*"
        r"|(?:newest|oldest|latest|earliest|largest|smallest|worst|best|most (?:severe|recent))\s+(?:ones\s+)?first"
        r"|(?:largest|biggest|smallest|worst|best|most severe)(?=\s+(?:[a-z-]+\s+){1,3}first\b)"
        r"|(?:in\s+)?(?:reverse\s+)?(?:chronological|alphabetical)(?:ly|\s+order))\b"
    ),
    "quality": (
        r"\b(?P<quality>(?:best|clearest|sharpest|nicest|finest|worst|most (?:typical|striking|impressive|obvious))"
        rf"\s+(?:quality\s+)?{_EXAMPLES})(?=\s+(?:of|with|for|showing|that|where)\b)"
    ),
    "number": r"(?P<number>\bhow many|^(?:(?:what is|the|total)\s+)*(?:number of|count(?:ing)?(?: of)?))(?=\s+[a-z])",
    "trailing": (
        r"(?<=[a-z]{3})(?<!covid),?\s+(?P<trailing>(?:x\s?)?\d{1,3}(?:-\d{1,3})?|(?:only|just|exactly|at most|up to"
        rf"|(?:fewer|less|(?:no|not) more) than|between\s+{_NUMBER}\s+and)\s+{_NUMBER})(?=\s*[.!]?$)"
    ),
}
_LEFT_IN_QUERY = ("denial", "exclusive", "alone", "sure", "ratio")
"""Groups of the pattern whose words stay in the query, because they are read, too: "possible mass, definite scar"."""
_NOT_APPLIED = re.compile("|".join(_NAMES.values()), re.IGNORECASE)

_AT_LEAST = r"(?:more than|over|above|at least|(?:no|not) (?:fewer|less) than)"
_COUNTED = re.compile(
    r"(?<![\w.,/-])(?<!\bor )(?<!type )(?<!grade )(?<!stage )(?<!class )(?<!day )(?<!covid )"
    rf"(?P<count>(?:{_AT_LEAST}\s+|[>\u2265]=?\s*)?{_SEVERAL}(?:\s*(?:-|to)\s*{_SEVERAL})?(?:\s*\+|\s+or more)?)\s+"
    rf"(?P<what>(?:(?!{STUDIES}\b)[a-z-]+\s+){{0,3}}?(?!{STUDIES}\b)[a-z-]+(?:s|ae))\b"
    rf"|(?P<before>\b[a-z]+(?:s|ae)),?\s+\(?(?P<behind>{_AT_LEAST}\s+{_NUMBER}|{_SEVERAL}\s+or more)\)?"
    r"(?=\s*(?:$|[,;.]))",
    re.IGNORECASE,
)
"""How many of a finding: "at least two effusions", "nodules, more than three"."""
_ONLY_FINDING = re.compile(
    r"^(?P<only>only|just|solely|purely|exclusively)\s+(?:an?\s+)?(?P<what>[^,;.]+)$"
    r"|^(?P<before>[^,;.]+?),?\s+(?P<behind>only)$",
    re.IGNORECASE,
)
"""A finding that may be the only one: "only pleural effusion"."""

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
    phrases = (next(filter(None, map(match.__getitem__, _NAMES)), "") for match in _NOT_APPLIED.finditer(query))
    named = [phrase.strip() for phrase in phrases if phrase]
    rest = _NOT_APPLIED.sub(lambda match: next(filter(None, map(match.__getitem__, _LEFT_IN_QUERY)), ""), query)
    rest, wishes = _without_wishes(" ".join(rest.split()))
    rest, counts = _without_counts(rest)
    rest, only = _without_only(rest)
    named += (*wishes, *counts, *only)
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


def _without_counts(text: str) -> tuple[str, list[str]]:
    """Return a query without numbers of findings that reports do not count, and these; others are "multiple"."""
    named: list[str] = []

    def replaced(match: re.Match[str]) -> str:
        what, count = match["what"] or match["before"], match["count"] or match["behind"]
        found = next((one for one in mentions_in(what, is_query=True) if one.finding), None)
        if found is None:
            return match[0]
        if is_counted(found.name):
            return f"multiple {what}"
        named.append(count)
        return what

    return _COUNTED.sub(replaced, text), named


def _without_only(text: str) -> tuple[str, list[str]]:
    """Return a query for one finding without "only", and this; "only" with a size or the like chooses the kind."""
    match = _ONLY_FINDING.match(text)
    what = (match["what"] or match["before"]) if match else ""
    found = mentions_in(what, is_query=True)
    if match is None or len(found) != 1 or not found[0].finding or not found[0].modifiers <= {*SIDES}:
        return text, []
    if match["what"] and found[0].text != what.lower():
        return text, []
    return what, [match["only"] or match["behind"]]


def _names_finding(text: str) -> bool:
    return any(one.finding for one in mentions_in(text, is_query=True))
