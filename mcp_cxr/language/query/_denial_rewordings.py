"""How a query denies otherwise than a report, and what a report says instead: "nobody mentions edema".

They are applied after all others, in this order.
"""

from __future__ import annotations

from typing import Final

from mcp_cxr.language.query._rewordings import IS, SIDES, STUDIES, Rewordings

_KINDS = r"left|right|tiny|small|mild|moderate|large|severe|old|new|acute|chronic"
_FOREIGN_DENIALS = (
    r"(?:ohne|keine?[nrms]?|sans|sin|senza|sem|geen|zonder|aucune?|ning[u\u00fa]n[ao]?|nessun[ao]?|nenhuma?|no hay)\b"
    r"|pas d(?:e\b|['\u2019])|\u65e0|\u7121|\u6ca1\u6709|\u6c92\u6709|"
    r"(?:\u0431\u0435\u0437|\u043d\u0435\u0442|\u0628\u062f\u0648\u0646)\b"
)
"""Words for "without" and "no" in German, French, Spanish, Italian, Portuguese, Dutch, Chinese, Russian and Arabic."""
_IS_NOT = (
    rf"(?:\b(?:that|which)\s+{IS}\s+|,\s*(?:but\s+)?|\b(?:but|and)\s+)(?:not|neither)\s+(?!{SIDES}\b)"
    r"(?=[\w-]+(?:\s*$|[,.;]|\s+(?:ones|and|or|nor)\b))"
)
_TELL_APART = (
    r"\b(?:cannot|can not|can['\u2019]t|hard to|difficult to|unable to) (?:tell|distinguish|differentiate)"
    r"\s+([^,;.]+?) from "
)
_NOBODY_SAYS = (
    r",?\s*\b(?:where |in which |and |but )?(?:nobody|no ?one|no (?:reader|radiologist|report))"
    r"\s+(?:[a-z]+s|(?:has |have )?[a-z]+ed|saw|has seen)\b"
)
_OTHER_BEHIND_DENIAL = (
    rf"(\b(?:no|without)\s+(?!{SIDES}\b|bilateral\b)[^,;.]*),\s+(?=(?:an?\s+)?(?:{SIDES}|bilateral)\b"
    r"(?:(?!\b(?:or|nor|and)\b)[^,;.])*$)"
)
_MUST_BE = r"\s+(?:must|should|needs? to|ha(?:s|ve) to|(?:is|are) to|ought to|can)\s+be\s+"
_LEFT_OUT = r"(?:left out|omitted|removed|dropped|skipped|filtered out|ignored|discarded)"
_STUDIES_WITH = rf"(?:(?:any|all|those|{STUDIES}|with|that|having|showing)\s+)"
_MUST_BE_LEFT_OUT = (
    rf"(?:^|[,;.]\s*)(?:and |but )?(?:(?:the )?{_STUDIES_WITH}+([^,;.]+?){_MUST_BE}"
    rf"(?:excluded|{_LEFT_OUT})|([^,;.]+?){_MUST_BE}{_LEFT_OUT})\b"
)
"""A finding that must be excluded is suspected; studies that must be are not wanted."""
_LEFT_OUT_BEHIND = (
    r"(?:[,;(]\s*(?:(?:and|but|with)\s+)?|\b(?:but|with)\s+)(?!(?:no|not|without|but|and|with)\b)"
    r"((?:(?!\b(?:not|no|is|are|was|were|be|been|cannot)\b)[^,;.()])+?)\s+"
    r"(?:excluded|ruled out|left out|filtered out|omitted|absent|not included)"
    r"\s*(?:[,)]|(?=$|[;.]|(?:and|but|with)\b))"
)
_EXCEPT_WHERE = (
    r"\b(?:except|other than|apart from|excluding)(?: for)?\s+(?:(?:where|when|if|in case)\s+)"
    rf"(?:(?:it|they|these|those|this|there)\s+{IS}\s+)?(?:accompanied by\s+)?"
)
_MENTIONED = r"(?:mentioned|described|reported|noted|discussed|addressed|commented on|remarked on)"
DENIAL_REWORDINGS: Final[Rewordings] = (
    (rf"(?<!\w)(?:{_FOREIGN_DENIALS})\s*([^,;.]*),", r"without \1;"),
    (rf"(?<!\w)(?:{_FOREIGN_DENIALS})\s*", "without "),
    (rf"\bnot\s+(?:{_KINDS}),?\s+but\s+(?=(?:{_KINDS})\b)", ""),
    (r"(?-i:\bNOT\s+([^()]*?)\s+AND\s+)", r"without \1; with "),
    (r"\b(no|not|without)\s+(?:any\s+)?(?:recurrent|residual|remaining)\s+(?!or\b|and\b)", r"\1 "),
    (_MUST_BE_LEFT_OUT, r" without \1\2; "),
    (_LEFT_OUT_BEHIND, r" without \1; "),
    (_EXCEPT_WHERE, "except "),
    (r",?\s*\bnone (?:of (?:them|which|these) )?(?:is |are |being )?(?=[a-z]+\s*(?:$|[,.;]))", ", without "),
    (r"\b(no|without(?: any)?)\s+lines?\b(?!\s+(?:and|or|nor)\b|\s*/|\s*,(?!\s*no\b))", r"\1 catheters"),
    (_OTHER_BEHIND_DENIAL, r"\1; "),
    (r"\bnon[\s-]?smok(?:ers?|ing)\b", "without smoking;"),
    (
        r"\bnegative (?:examples?|cases?|stud(?:y|ies)|controls?|films?|images?|patients?|reports?)\s+(?:for|of)\b",
        "negative for",
    ),
    (r"\b(?:hard[ -])?negatives (?:for|of)\b", "without"),
    (_NOBODY_SAYS, ", without"),
    (
        r"\bsa(?:ys?|id) nothing (?:of|about|on)\b|\bmak(?:es?|ing) no mention of\b|\b(?:is|are) silent (?:on|about)\b",
        "without",
    ),
    (r"\bnot (?:(?:due|secondary|related|attributable) to|(?:explained|caused) by)\b", "without"),
    (r",?\s*\b(?:sparing|with sparing of|spares)\b", ", not in"),
    (r"\bnot (?:just|merely|simply)\b", "not only"),
    (r"\b(?:but |and )?(?:not|never) (?:yet )?(?:confirmed|proven|established)\b", "possible"),
    (_TELL_APART, r"\1 versus "),
    (rf",\s*(?:(?:and|but)\s+)?(?:the\s+)?({SIDES}) (?:lung|side) (?:is )?(?:clear|normal)\b", r", not on the \1"),
    (r"\b(?:ha(?:s|ve) )?not (?:been )?(excluded|ruled out)\b", r"cannot be \1"),
    (r",?\s*\b(?:(?:with|but|and)\s+)?(?:the\s+)?(?:presence of|positive for)\b", "; with"),
    (r"\b(present|absent|seen)\s*,", r"\1;"),
    (r",?\s*\b(?:that|which|who) (?:nonetheless|nevertheless|still) (?:ha(?:ve|s)|shows?)\b", "; with"),
    (rf"\b{IS}(?: not (?:even )?|un){_MENTIONED}\b", "is absent"),
    (
        r",?\s*\b(?:(?:but|and)\s+)?none\s+(?:(?:is |are )?(?:seen|visible|present|noted)\s+)?(?=(?:on|in|at)\b)",
        ", not ",
    ),
    (r"\bno\s+([\w\s-]+?)\s+except(?: for)?\s+(?=(?:on|in|at)\b)", r"\1 "),
    (r",?\s*\b(?:other than|except(?: for)?|excluding|apart from)\s+(?=(?:on|in|at)\b)", ", not "),
    (r"\b(?:not|never)\s+(?:without|free of|lacking|devoid of|negative for)\b", "with"),
    (_IS_NOT, " without "),
)
"""What is denied, and how far it is."""
