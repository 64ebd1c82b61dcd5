"""Rewords a request as reports word it: "skip those with pacemakers" becomes "without pacemakers"."""

from __future__ import annotations

import re
from typing import Final

from mcp_cxr.language.query._purposes import without_purposes
from mcp_cxr.language.reader import Status, mentions_in

_STUDIES = r"(?:cases?|images?|stud(?:y|ies)|films?|exams?|patients?|ones?)"
_PEOPLE = r"patients?|people|persons?|those|individuals|subjects|adults?|wom[ae]n|m[ae]n"
_IS = r"(?:is|are|was|were)"
_BECAME = r"(?:got|gets?|getting|gotten|became|becoming|ha(?:s|ve) (?:become|got|gotten))"
_SIDES = r"(?:left|right)"
_IF_ANY = (
    rf",?\s*\bif (?:there {_IS}|you (?:have|can|could|find|see)|we have|it exists|they exist|any exists?|possible"
    rf"|available|at all)\b(?:\s+(?:any|some|them|it|such|{_STUDIES}))*"
)
_IS_NOT = (
    rf"(?:\b(?:that|which)\s+{_IS}\s+|,\s*(?:but\s+)?|\b(?:but|and)\s+)(?:not|neither)\s+(?!{_SIDES}\b)"
    r"(?=[\w-]+(?:\s*$|[,.;]|\s+(?:ones|and|or|nor)\b))"
)
_EARLIER = (
    r"(?:on|in|at) (?:the |an? |any )?(?:earlier|last|old|previous|prior) "
    rf"(?:(?:chest )?(?:radiographs?|x-?\s?rays?|cxrs?)|{_STUDIES})"
)
_NOT_BEFORE = (
    r"\b(?:not (?:seen|present|visible|there)|absent) "
    rf"(?:{_EARLIER}|before\b(?! and)|previously\b|earlier\b(?=\s*(?:$|[,.;])))"
)
_ONLY_BEFORE = (
    rf"\b(?:seen|present|visible) {_EARLIER},?\s+(?:but |and )?"
    r"(?:not (?:any ?more|now|today|currently)|no longer|(?:now |since )?gone)\b"
)
_FIELDS = (
    r"findings?|diagnos[ei]s|devices?|labels?|side|laterality|location|place|size|severity|status|text|reports?|query"
)
_FOREIGN_DENIALS = (
    r"(?:ohne|keine?[nrms]?|sans|sin|senza|sem|geen|zonder|aucune?|ning[u\u00fa]n[ao]?|nessun[ao]?|nenhuma?|no hay)\b"
    r"|pas d(?:e\b|['\u2019])|\u65e0|\u7121|\u6ca1\u6709|\u6c92\u6709|"
    r"(?:\u0431\u0435\u0437|\u043d\u0435\u0442|\u0628\u062f\u0648\u0646)\b"
)
"""Words for "without" and "no" in German, French, Spanish, Italian, Portuguese, Dutch, Chinese, Russian and Arabic."""
_KINDS = r"left|right|tiny|small|mild|moderate|large|severe|old|new|acute|chronic"
_LOBES = (
    r"\b(upper|middle|lower)\s+(or|and)\s+"
    r"(?=((?:left|right)\s+)?(?:upper|middle|lower)\s+(lobe|lung zone|zone))(?(3)|(?<=or\s))"
)
_BONES = r"(?:(?:left|right) )?(?:clavicle|rib|scapula|sternum|humerus|vertebra)(?:e?s)?"
_SOME = r"(?:[1-9]|one|two|three|four|five|six)"
_COUNTED = (
    r"(?!(?:chest |frontal |lateral |more |other |further )*(?:views?|projections?|x-?\s?rays?|radiographs?|reports?"
    rf"|{_STUDIES}|mm|cm|days?|weeks?|months?|years?|hours?|of)\b)[a-z]"
)
_SEVERAL = (
    rf"(?:\b(?:at least|more than|not (?:just|only))\s+(?:{_SOME}|a (?:single|couple of))|(?:>=?|\u2265)\s*{_SOME}"
    rf"|\b{_SOME}(?:\s*\+|\s+or more\b)|\ba couple of)\s+(?={_COUNTED})"
    r"|\b(?:two|three|four)\s+(?=(?:[a-z]+\s+){0,3}(?:nodules|granulomas|masses|lesions|fractures|metastases)\b)"
)
_PREFIXES = "costo|hemi|cardio|pneumo|hydro|retro|peri|para|broncho|osteo|hyper|hypo"
_PREFIXED = r"(?:phrenic|diaphragm|megaly|thora[cx]|cardiac|hilar|tracheal|vascular|phyte|peni[ac]|inflat|expan)"
_REWORDED: Final = (
    (r"\b(there|it|that|what|who)['\u2019]s\b", r"\1 is"),
    (r"\b(is|are|was|were|do|does|did|has|have)n['\u2019]t\b", r"\1 not"),
    (_NOT_BEFORE, "new"),
    (_ONLY_BEFORE, "resolved"),
    (r"(?<=[a-z]{3})\(e?s\)", ""),  # "effusion(s)"
    (r"(?<=\w)['\u2019](?:d|ll|m|re|s|ve)\b", ""),  # "I'd", "patient's"
    # what is polite
    (r"\b(?:would|is) it (?:be )?possible (?:for you )?to\b|\bcould you possibly\b", "please"),
    (r"\b(?:could|can|may|might) (?:you|we|i)\b|\b(?:you|we|i) (?:could|can|may|might)\b", "please"),
    (rf"\b({_IS}) not there\b", r"\1 there"),
    (r"\b(do|does|did|have) not (you|we)\b", r"\1 \2"),
    (r"[\"\u201c\u201d\u201e]", ""),
    (r",?\s*\(?\b(?:whether\s+)?[\w-]+\s+or\s+not\b\s*\)?(?=\s*(?:$|[,.;)]|and\b|but\b|with\b))", ""),
    (r"(?<=[a-z]{3})(?:/|\s/\s)(?=[a-z]{3})", " or "),
    (r",?\s*\bbecause (?!of\b)[^.;]*", ""),
    (r"\bxor\b", "or"),
    (r"\bi\.?e\.?(?=[\s,])|,\s*that is,", ","),
    (r"\b(\w{4,}) or \1e?s\b", r"\1"),  # "nodule or nodules"
    (r"\bfree (?=(?:pleural )?fluid\b)", ""),
    (rf"\bnot\s+(?:{_KINDS}),?\s+but\s+(?=(?:{_KINDS})\b)", ""),
    (
        (
            r"\b(?:an?\s+(?:few|handful of|number of|lot of)|several|some|many|multiple|various|numerous)\s+"
            rf"(?=(?:[a-z-]+\s+){{0,2}}(?:{_STUDIES}|x-?rays?|radiographs?|cxrs?|reports?|examples?)\b)"
        ),
        "",
    ),
    (r",?\s*\b(?:(?:on|in|at)\s+)?either (?:side|lung)\b", ""),
    (r"(?-i:\bNOT\s+([^()]*?)\s+AND\s+)", r"without \1; with "),
    (r",?\s*\byes or no\b", ""),
    (r"\bnon[\s-]?smok(?:ers?|ing)\b", "without smoking;"),
    (
        (
            r"\s*\b(?:is |was |were )?(?:present |seen )?(?:previously|before|earlier),?\s+(?:but |and )?"
            r"(?:has |have |had )?(?:now |since )?(?:completely |fully |subsequently )?"
            r"(resolved|cleared|disappeared|gone)\b"
        ),
        r" \1",
    ),
    (
        r"\bnegative (?:examples?|cases?|stud(?:y|ies)|controls?|films?|images?|patients?|reports?)\s+(?:for|of)\b",
        "negative for",
    ),
    (r"\binclu(?:de|ding|sion)(?: criteri\w+)?\s*:", ""),
    # denials of other languages: "ohne", "sans", "sin" must not be ignored
    (rf"(?<!\w)(?:{_FOREIGN_DENIALS})\s*([^,;.]*),", r"without \1;"),
    (rf"(?<!\w)(?:{_FOREIGN_DENIALS})\s*", "without "),
    (r"\b(?:aber|sondern|pero|mais|maar)\b", "but"),
    (r"\boder\b", "or"),
    # everyday words
    (r"\b(?:my|his|her|their|our|your)\b", "the"),
    (r"\bwater (?=(?:around|surrounding|in) the\b)", "fluid "),
    (r"\bfluid in the pleura(?:l space)?\b", "pleural fluid"),
    (r"\bfluid (?:on|around|surrounding) (?:the )?(?=(?:left |right )?lungs?\b)", "pleural fluid, "),
    (r"\bbroke\b", "broken"),
    (r"\b(broken|cracked|fractured)\s+(?:two|three|four|several|[2-9])\s+", r"multiple \1 "),
    (r"\b(broken|cracked|fractured)\s+(?:the|an?|some|one)\s+", r"\1 "),
    (r"\bquery\s+(?=(?:the|our|my|this)\s+(?:archive|database|collection|dataset|table|index|pacs)\b)", "search "),
    (rf"\b(?:{_IS} )?no longer (?:visible|seen|present|evident|apparent)\b", "resolved"),
    # answers
    (r"\?\s*yes\b[.,;]*", "; "),
    (r"([^.,;?]+)\?\s*no\b(?!\s+\w)[.,;]*", r" without \1; "),
    (r"([\w-]+)\s+-(?=\s*(?:$|[,;.]))", r"without \1"),
    (r"\s\+(?=\s*(?:$|[,;.]))", ""),
    # abbreviations
    (r"\bsm\b", "small"),
    (r"\blg\b\.?", "large"),
    (r"\bc/w\b", "consistent with"),
    (r"\bw/(?!o\b)\s*", "with "),
    (r"\band\s*/\s*or\b", "or"),
    (r"\bneg\b", "negative"),
    (r"\s\|+\s", " or "),
    (r"\bhx\b", "history"),
    (r"\b(lung|breast|colon|prostate|renal|esophageal)\s+ca\b", r"\1 cancer"),
    (r"\b(?:pl(?:eural)?\.?\s*)?effs?\b\.?", "effusion"),
    (r"\b(?<![\d.] )(?-i:CM)\b", "cardiomegaly"),  # behind a number it is a length
    (r"\bnods?\b", "nodule"),
    (r"\belev\b\.?", "elevated"),
    (r"\b(hemi)?diaphs?\b\.?", r"\1diaphragm"),
    (r"\bcpas?\b", "costophrenic angle"),
    (rf"\b({_PREFIXES})[ -](?={_PREFIXED})", r"\1"),
    (r"\bgrans?\b\.?", "granuloma"),
    (r"\bvols?\b\.?", "volumes"),
    (r"\bopacs?\b\.?", "opacity"),
    (r"\bpulm\b\.?", "pulmonary"),
    (r"\bvasc\b\.?(?=\s*(?:$|[,;]))", "vascularity"),
    (r"\bvasc\b\.?", "vascular"),
    (r"\b(in|de)cr\b\.?(?=\s+in\b)", r"\1crease"),
    (r"\b(in|de)cr\b\.?", r"\1creased"),
    (r"\bdz\b\.?", "disease"),
    (r"\bcmg\b", "cardiomegaly"),
    (r"(?-i:\bFBs?\b)", "foreign body"),
    (r"\bcentral (?:venous )?access\b", "central venous catheter"),
    (r"\bcalc(?:'?d)?\b\.?", "calcified"),
    (r"\bdegen\b\.?", "degenerative"),
    (r"\binfils?\b\.?|\binfilts?\b\.?", "infiltrate"),
    (r"\bmod\b\.?", "moderate"),
    (r"\bct (?=removal|removed|placement|in situ|to suction)", "chest tube "),
    (r"\bin (?:place|situ)\b(?! of\b)", ""),
    (r"(?-i:\b([A-Z]{2,5})/([A-Z]{2,5})\b)", r"\1 or \2"),
    (r"\bp/w\b", "with"),
    (r"\s*\br/o\b", "; rule out"),
    (r"\bf/u\b", "follow up"),
    (r"\b2/2\b|(?<=\s)2\u00b0 to\b", "due to"),
    (r"\bnot (?:due|secondary|related|attributable) to\b", "without"),
    (r"(?-i:\bL)(?:t\.?)?[\s-]sided\b", "left"),
    (r"(?-i:\bR)(?:t\.?)?[\s-]sided\b", "right"),
    (r"(?-i:\bBL\b)|\bbilat\b\.?", "bilateral"),
    (r"\bmod\b\.?", "moderate"),
    (r"\bspont\b\.?", "spontaneous"),
    (r"(?-i:\b([A-Z]{2,5})s\b)", r"\1"),  # "PNAs"
    (r"\bglands? (?:in|of) the mediastinum\b", "mediastinal lymph nodes"),
    (r"(?<=hilar |tinal |cheal |lymph )glands?\b", "lymph nodes"),
    # signs
    (r"\s#(?=\s*(?:$|[,.;]|on|in|of))", " fracture"),
    (r"#\s*(?=[a-z])", "fracture "),
    (r"\bnon-\s?(?=[a-z])", "non"),
    (r"(\s\+\s[^+]*)\s-\s", r"\1 without "),  # "edema + effusion - pneumothorax"
    (r"\s(?:\+|&+)\s", " and "),
    (r"^(?:lines?|tubes?|drains?)(?:\s*(?:/|and|&|,)\s*(?:lines?|tubes?|drains?))*\s*:", ""),
    (r"\s*=\s*(?:yes|true|present|positive|1)\b", ", "),  # "effusion=yes"
    (r"([a-z][\w -]{0,40}?)\s*=\s*(?:no|false|absent|negative|0)\b", r" without \1, "),
    (
        (
            r"(?<!kerley )(?<!\bb )\b(?:support )?"
            r"(?:lines?\s*(?:,|and|or|nor|/)\s*tubes?|tubes?\s*(?:,|and|or|nor|/)\s*lines?)"
            r"(?:\s*,?\s*(?:and|or|nor)\s+drains?)?\b(?!\s*:)"
        ),
        "lines and tubes",
    ),
    (rf"\b(?:{_FIELDS})\s*[:=]\s*(?=\S)", ""),
    (r"(?<![)\s])\s+and (?=(?:left|right|bilateral|small|moderate|large|mild|severe)\b(?:\s+and\b|\s*\)|\s*$))", " "),
    # numbers of findings
    (rf"\bat least (?:one|1|a)\s+(?={_COUNTED})", ""),
    (
        _SEVERAL,
        "multiple ",
    ),
    # what a clause adds, without restricting
    (r",\s*which (?:might|may|could|can|would) (?:indicate|suggest|represent|reflect|mean)\b[^,;.]*", ""),
    # joined
    (r",?\s*\(?\b(?:e\.?g\b\.?|for (?:example|instance)|such as)[,:]?\s+", " or "),
    (r"\bnot (?:just|merely|simply)\b", "not only"),
    (r"\bor,?\s+(?:failing that|alternatively|else|at least|if not)\b,?", "or"),
    (r",?\s*\b(?:either\s+)?(?:(?:unilateral|bilateral)(?:ly)?\s+or\s+(?:unilateral|bilateral)(?:ly)?)\b", ""),
    (r"\b(?:as well as|along with|in addition to|combined with|in combination with)\b", "and"),
    (r"[.;,]\s*(?:it|they|these|this|those)\s+(?:should|must|needs? to|ha(?:s|ve) to|ought to)\s+be\s+", " that is "),
    (r",?\s*\b(?:but\s+)?only (?:if|when|where) (?:there (?:is|are)|they (?:also )?have|with)\b", " with"),
    (rf"\s+(?:in|among|for)\s+(?=(?:[\w-]+\s+)?(?:{_PEOPLE})\b)", "; with "),  # no denial holds for them
    (r"\(?\b(?:no matter|regardless of|irrespective of)\s+(?:the |which |what |how )?[\w-]+\b( side)?\)?", ""),
    (r"\b([\w\s-]+),\s*([\w\s-]+),?\s+or both\b", r"\1 or \2"),
    (r"\bheart (?:is|looks|appears|seems)(?: too)? (big|large)\b", r"\1 heart"),
    (_LOBES, r"\1 \4 \2 "),
    (rf"\b(fractures?) of (?:the )?({_BONES}) (and|or) (?:the )?({_BONES})\b", r"\2 \1 \3 \4 \1"),
    # what is asked for all the more
    (r"\b(?:do not|don['\u2019]t|never)\s+(?:miss|overlook|forget)\b", ""),
    # what doubts the archive, not the finding
    (_IF_ANY, ""),
    (r"\bmaybe\b", "possible"),
    # studies that are alike, not findings that stay the same
    (rf"\bsimilar\s+(?=(?:{_STUDIES}|to)\b)", ""),
    # statements side by side
    (rf",\s*(?:(?:and|but)\s+)?(?:the\s+)?({_SIDES}) (?:lung|side) (?:is )?(?:clear|normal)\b", r", not on the \1"),
    (r"\b(?:ha(?:s|ve) )?not (?:been )?(excluded|ruled out)\b", r"cannot be \1"),
    (r",?\s*\b(?:(?:with|but|and)\s+)?(?:the\s+)?(?:presence of|positive for)\b", "; with"),
    (r"\b(present|absent|seen)\s*,", r"\1;"),
    # denials
    (r"\bnegatives (?:for|of)\b", "without"),
    (r",?\s*\b(?:that|which|who) (?:nonetheless|nevertheless|still) (?:ha(?:ve|s)|shows?)\b", "; with"),
    (rf"\b{_IS}(?: not (?:even )?|un)(?:mentioned|described|reported|noted)\b", "is absent"),
    (r",?\s*\b(?:(?:but|and)\s+)?none\s+(?=(?:on|in|at)\b)", ", not "),
    (r"\bno\s+([\w\s-]+?)\s+except(?: for)?\s+(?=(?:on|in|at)\b)", r"\1 "),
    (r",?\s*\b(?:other than|except(?: for)?|excluding|apart from)\s+(?=(?:on|in|at)\b)", ", not "),
    (r"\b(?:not|never)\s+(?:without|free of|lacking|devoid of|negative for)\b", "with"),
    (_IS_NOT, " without "),
    (r"\b(?:that|which|who)\s+(ha(?:s|ve|d))\s+(?=(?:cleared|resolved|disappeared)\b)", r"\1 "),
    # place in everyday words
    (
        r"\bhigh(?=(?:[ -](?:lying|sitting|standing))?\s(?:(?:left|right)\s)?(?:hemi-?\s?)?diaphragms?\b)",
        "elevated",
    ),
    (
        (
            r"(diaphragms?)\s+(?:that\s+)?"
            r"(?:(?:sits?|lies|stands|is)\s+(?:too\s+|abnormally\s+)?high(?:er)?\b"
            r"(?: than (?:usual|normal|expected)\b)?"
            r"|higher than (?:usual|normal|expected)\b)"
        ),
        r"\1 is elevated",
    ),
    # change and degree in everyday words
    (
        rf"\bheart (?:(?:{_IS}|looks|{_BECAME}) )?(?:bigger|larger)\b|\b(?:bigger|larger) heart\b",
        "worse cardiomegaly",
    ),
    (
        rf",?\s*\b(?:worse|greater|larger|bigger|more|predominantly|mostly)\s+(?=(?:on|in|at)\s+the\s+{_SIDES}\b)",
        " ",
    ),
    (rf"\b(?:{_BECAME}|{_IS})\s+(?:much\s+)?better\b", "improved"),
    (r"\benlarged (?=(?:after|since|despite)\b)", "enlarging "),
    (rf"\b{_BECAME}\s+(?:much\s+)?(?:worse|bigger|larger)\b", "worse"),
    (r"\b(?:has|have|had)\s+(?:grown|gone up)\b|\bgrowing\b|\bgrew\b", "enlarging"),
    (rf"\b{_BECAME}\s+smaller\b|\b(?:has|have)\s+shrunk\b|\bshrinking\b", "smaller"),
    (r"\b(?:went|gone|going|goes)\s+away\b|\bcleared up\b|(?<=\bor )gone\b", "resolved"),
    (r"\b(not (?:improved|improving|better|smaller)) n?or (?:resolved|resolving|cleared|gone)\b", r"\1"),
)
"""Patterns, each with what stands for it in a report, in the order in which they are applied."""
_REWORDING: Final = tuple((re.compile(pattern, re.IGNORECASE), words) for pattern, words in _REWORDED)
_LEFT_OUT_BY = (
    r"exclud(?:e|es|ing)|omit(?:s|ting)?|leav(?:e|es|ing) out|skip(?:s|ping)?|filter(?:ing)? out|minus|instead of"
    r"|in place of|as opposed to|(?:i|we) do(?: not|n['\u2019]t) (?:need|want)(?: to see)?"
    r"|(?:drop|remove|ignore|disregard|discard)"
    rf"(?=\s+(?:the|any|all|every|those|anything|everything|{_STUDIES})\b)"
    r"|unless(?: (?:(?:it is|they are|there is|there are)(?: also)?|with|accompanied by))?"
    r"|(?:any|every)thing but|all but|absent(?=\s+\w)"
)
_EXCEPTION = r"(?:all )?except(?:ing)?(?: for)?|with the exception of|other than|apart from|aside from|besides"
_LEFT_OUT = re.compile(
    r"(?<!\bto )(?<!\bnot )(?<!\bcannot )(?<!n't )(?<!n\u2019t )(?<!\bclearly )"
    rf"\b(?:(?:but\s+|and\s+)?(?:{_LEFT_OUT_BY}|(?P<exception>{_EXCEPTION})))\s+"
    rf"(?:(?:the|any|all|every|those|anything|everything|people|persons?|{_STUDIES}|with|who|that|which"
    rf"|ha(?:ve|s|ving|d)|show(?:s|ing)?|of|{_IS})\s+)*",
    re.IGNORECASE,
)
"""How a request leaves something out, where a report would deny it: "skip patients with pacemakers"."""
_NEXT_REQUEST = re.compile(
    r"(?:\s*,|\s+and)\s+(?=(?:show|find|give|list|get|display|i (?:need|want)|any)\b)(?!show(?:s|ing))", re.IGNORECASE
)
"""Where a second request begins, for which nothing denied before it holds: "skip chest tubes, show pneumothorax"."""
_ONLY_NEXT = re.compile(r"(?P<denied>\b(?:without|no|not)\b[^,;.]*),\s*(?:just|only)\b", re.IGNORECASE)
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
    r"(?:\s+(?:findings?|conditions?|devices?))?\s*(?::|\s[-\u2013]\s)"
)
_CHOICE = re.compile(
    rf"\b(?:(?P<none>none|not any)\s+of\s+{_LISTED}|(?:at least\s+)?(?:one|1|any|either)\s+of\s*(?:{_LISTED}|:)"
    rf"|(?:exactly\s+(?:one|1)|at least\s+(?:two|2|three|3))\s+of(?:\s+{_LISTED}|\s*:)?)\s*(?P<list>[^.]*)",
    re.IGNORECASE,
)
"""Of what is listed, one will do: "any of the following: edema, effusion"."""
_LISTED_EXCLUSION = re.compile(
    r"\b(?:exclu(?:de|ding|sions?)(?: criteri\w+)?|without|not)\s*:(?P<list>[^.;]*)", re.IGNORECASE
)
"""What is left out as a list: "Exclusion criteria: edema, pneumothorax"."""


def worded_as_reports(query: str) -> str:
    """Return a query with the words of reports for those by which a request leaves out, doubts, or urges."""
    query = _CHOICE.sub(_as_choice, without_purposes(query))
    for pattern, words in _REWORDING:
        query = pattern.sub(words, query)
    query = _LISTED_EXCLUSION.sub(lambda match: f" without {match['list'].replace(',', ' or ')}", query)
    query = _ONLY_THING.sub(_without_nothing, query)

    def replaced(match: re.Match[str]) -> str:
        is_only_thing = match["exception"] and _NOTHING_THERE.search(query, 0, match.start())
        if is_only_thing:
            return "except for "
        return "without "

    return _ONLY_NEXT.sub(r"\g<denied>; ", _NEXT_REQUEST.sub("; ", _LEFT_OUT.sub(replaced, query)))


def _without_nothing(match: re.Match[str]) -> str:
    """Return the end of a clause for a statement that nothing is there; the statement if it names something there."""
    mentions = mentions_in(match["nothing"] or "", is_query=True)
    named = [one for one in mentions if one.finding and one.name != "no finding" and one.status is not Status.ABSENT]
    return match[0] if named else "; "


def _as_choice(match: re.Match[str]) -> str:
    """Return a list with "or" between what it lists, denied if none of it may be there."""
    listed = re.sub(r"[,;]|\band\b", " or ", match["list"])
    return f"without {listed}" if match["none"] else listed
