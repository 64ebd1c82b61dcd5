"""What a query says otherwise than a report, and what a report says instead, in groups by what is reworded.

A new wording belongs in the group that its words are about. Within a group the order counts: a rewording sees what the
ones before it have made. A word that stands for others in any query belongs in `shorthand.csv`, a place in
everyday words in `_place_rewordings.py`, a size in `_size_rewordings.py`, how studies are asked for in
`_request_rewordings.py`, a denial in `_denial_rewordings.py`, and one of a side in `_side_rewordings.py`.
"""

from __future__ import annotations

from typing import Final

from mcp_cxr.language.query._place_rewordings import PLACE_REWORDINGS
from mcp_cxr.language.query._request_rewordings import REQUEST_REWORDINGS
from mcp_cxr.language.query._shared_patterns import AS_IT_SHOULD_BE, HEART, IS, SIDES, STUDIES, Rewordings
from mcp_cxr.language.query._size_rewordings import SIZE_REWORDINGS

_CANNOT = r"\b(can(?:\s*not|['\u2019]t)|could(?: not|n['\u2019]t)|unable to)"
"""How a query says that something cannot be done, before an adverb or a verb: "can't"."""
_CONTRACTIONS: Final[Rewordings] = (
    (r"\b(there|it|that|what|who)['\u2019]s\b", r"\1 is"),
    (r"\b(is|are|was|were|do|does|did|has|have)n['\u2019]t\b", r"\1 not"),
    (r"(?<=\w)['\u2019](?:d|ll|m|re|s|ve)\b", ""),  # "I'd", "patient's"
    (r"\b(could|would|should|must)n['\u2019]t\b", r"\1 not"),
    (r"(?<=[a-z]{3})\(e?s\)", ""),  # "effusion(s)"
    (rf"{_CANNOT}\s+(?:be )?(?:[a-z]+ly|quite|100\s*%)\s+(?=(?:be )?(?:exclud|rul))", r"\1 "),
)
"""What an apostrophe shortens, and endings in parentheses: "there's", "nodule(s)"."""

_PREFIXES = "costo|hemi|cardio|pneumo|hydro|retro|peri|para|broncho|osteo|hyper|hypo"
_PREFIXED = r"(?:phrenic|diaphragm|megaly|thora[cx]|cardiac|hilar|tracheal|vascular|phyte|peni[ac]|inflat|expan)"
"""Beginnings and ends of words that are written apart: "cardio-megaly"."""
_ABBREVIATIONS: Final[Rewordings] = (
    (r"\b(lung|breast|colon|prostate|renal|esophageal)\s+ca\b", r"\1 cancer"),
    (r"\b(?<![\d.] )(?-i:CM)\b", "cardiomegaly"),  # behind a number it is a length
    (r"(?<!air)(?<!air[ /-])\bfluid[ -]levels?\b", "air-fluid level"),
    (rf"\b({_PREFIXES})[ -](?={_PREFIXED})", r"\1"),
    (r"\bvasc\b\.?(?=\s*(?:$|[,;]))", "vascularity"),
    (r"\bvasc\b\.?", "vascular"),
    (r"\b(in|de)cr\b\.?(?=\s+in\b)", r"\1crease"),
    (r"\b(in|de)cr\b\.?", r"\1creased"),
    (r"\bct (?=removal|removed|placement|in situ|to suction)", "chest tube "),
    (r"\bw/(?!o\b)\s*", "with "),
    (r"\s*\br/o\b", "; rule out"),
    (r"(?-i:\bL)(?:t\.?)?[\s-]sided\b", "left"),
    (r"(?-i:\bR)(?:t\.?)?[\s-]sided\b", "right"),
    (r"(?-i:\b([A-Z]{2,5})(?:er)?s\b)", r"\1"),  # "PNAs", "COPDers"
    (r"\b(\w+)-\s+(or|and)\s+(dextro|levo|hemo|hydro|pneumo|micro|macro)(\w{4,})", r"\1\4 \2 \3\4"),
    (r"\bnon(?:-\s?|\s+)(?=[a-z])", "non"),
)
"""Abbreviations that depend on what is beside them, and words that are written apart."""

_FIELDS = (
    r"findings?|diagnos[ei]s|devices?|labels?|side|laterality|location|place|size|severity|status|text|reports?|query"
)
"""Names of fields that a query fills: "severity: mild"."""
_EQUALS_NO = (
    r"\b(?!(?:where|and|or|but|with)\b)([a-z](?:(?!\b(?:where|and|or|but|with)\b)[\w -]){0,40}?)\s*"
    r"(?:==?\s*(?:none|no|false|absent|negative|0)|!=\s*(?:yes|true|present|1))\b(?!\.\d)"
)
"""A field that must be empty or false: "mass = false"."""
_QUESTION_FIRST = (
    r"^((?:is|are|was|were|has|have|had|do|does|did|can|could|which|who|what|where|any)\b[^?]*)"
    r"\?(?=\s*(?:please\s+)?(?:show|find|list|give|get|retrieve|display|return|pull)\b)"
)
"""A question that a request follows, and no doubt: "Has the mass grown? Show me"."""
_STATUS = r"(?:present|absent|positive|negative|yes)"
_STATUS_BEHIND = (
    rf"(?<=\w)\s+({_STATUS})\s+(?!(?:and|but|or|nor|for|in|on|at|with)\b)"
    rf"(?=(?:[\w-]+\s+){{1,4}}(?:{_STATUS}|no)\s*(?:$|[,;.]))"
)
"""Where a finding with its status ends and the next one begins: "mass present edema absent"."""
_SIGNS: Final[Rewordings] = (
    (_STATUS_BEHIND, r" \1; "),
    (r"[,;]\s*(?:and )?\+\s*(?=[a-z])|\s\+\s*(?=positive for\b)", "; with "),
    (r"[\"\u201c\u201d\u201e]", ""),
    (_QUESTION_FIRST, r"\1;"),
    (r"\bi\.?e\.?(?=[\s,])|,\s*that is,", ","),
    (r"\?\s*nodes\b", "? lymphadenopathy"),
    (r"\?\s*yes\b[.,;]*", "; "),
    (r"(?<=\w)\s+yes(?!\s+or\b)(?=\s*(?:$|[,;.]))", "; "),
    (r"\b(?!or\b)([\w-]+)\s+no(?=\s*(?:$|[,;.]))", r"without \1; "),
    (r"([^.,;?]+)\?\s*no\b(?!\s+\w)[.,;]*", r" without \1; "),
    (r"([\w-]+)\s+-(?=\s*(?:$|[,;.]))", r"without \1"),
    (r"\s#(?=\s*(?:$|[,.;]|on|in|of))", " fracture"),
    (r"#\s*(?=[a-z])", "fracture "),
    (r"(\s\+\s[^+]*)\s-\s", r"\1 without "),  # "edema + effusion - pneumothorax"
    (r"\s(?:\+|&+|\u2227)\s", " and "),
    (r"\s(?:\|+|\u2228)\s", " or "),
    (r"\binclu(?:de|ding|sion)(?: criteri\w+)?\s*:", ""),
    (r",?\s*[a-z][\w -]{0,40}?\s*[:=]\s*(?:unknown|any|null|n/a)\b", ""),
    (r",?\s*\b(?:side|laterality|location|place|size|severity|change)\s*[:=]\s*(?:none|no)\b", ""),
    (r"\s*(?:(?<!!)==?\s*(?:yes|true|present|positive|1)|!=\s*(?:no|false|absent|0))\b", ", "),  # "effusion=yes"
    (_EQUALS_NO, r" without \1; "),
    (rf"\b(?:{_FIELDS})\s*[:=]\s*(?=\S)", ""),
)
"""Signs, fields and answers: "effusion=yes", "rib #", "Edema? No."."""

_BECAME = r"(?:got|gets?|getting|gotten|became|becoming|ha(?:s|ve) (?:become|got|gotten))"
"""Verbs of what has changed: "got bigger"."""
_EARLIER = (
    r"(?:on|in|at) (?:the |an? |any )?(?:earlier|last|old|previous|prior) "
    rf"(?:(?:chest )?(?:radiographs?|x-?\s?rays?|cxrs?)|{STUDIES})"
)
"""Another examination, before this one: "on the prior film"."""
_BEFORE = rf"(?:{_EARLIER}|(?:before|previously|earlier|last time)\b)"
"""The same, or a word for it: "last time"."""
_NOT_BEFORE = (
    r"\b(?:not (?:seen|present|visible|there)|absent) "
    rf"(?:{_EARLIER}|(?:the )?last time\b|before\b(?! and)|previously\b|earlier\b(?=\s*(?:$|[,.;])))"
    r"|\bpreviously not (?:seen|present|visible|there)\b"
)
"""What is new: "not seen on the prior film"."""
_ONLY_BEFORE = (
    rf"\b(?:seen|present|visible) {_EARLIER},?\s+(?:but |and )?"
    r"(?:not (?:any ?more|now|today|currently)|no longer|(?:now |since )?gone)\b"
)
"""What has resolved: "seen on the previous film but not now"."""
_GONE_SINCE = (
    r"\s*\b(?:is |was |were )?(?:present |seen )?(?:previously|before|earlier),?\s+(?:but |and )?"
    r"(?:has |have |had )?(?:now |since )?(?:completely |fully |subsequently )?(resolved|cleared|disappeared|gone)\b"
)
"""The same with its verb: "was present before and has since cleared"."""
_SAME = (
    r"\b(?:(?:has|have|had)\s+)?(?:stay(?:s|ed|ing)?|remain(?:s|ed|ing)?|kept|keeps|been|is|are|of)\s+(?:exactly\s+)?"
    r"the\s+(?:very\s+)?same(?:\s+(?:in\s+)?size)?(?:\s+over\s+(?:time|the\s+years))?"
    r"(?=\s*(?:$|[,.;?)])|\s+(?:as|since|for|and|but|over|throughout)\b)"
)
"""What is unchanged: "stayed the same"."""
_HISTORY_AND_NOW = (
    r"\bhistory (?:of )?([^;.]+?)(?:,\s*(?:(?:and|but)\s+)?|\s+(?:and|but)\s+)"
    r"(?:(?:now|currently|today)\b(?:\s+(?:with|has|have|shows?|showing)\b)?|(?=(?:an?\s+)?new\b)"
    r"|(?=[^,;.]+?\s(?:on|in) (?:the |this )?(?:film|image|x-?ray|cxr|radiograph)\b))"
)
"""Where what the image shows follows a history: "history of COPD, now with pneumonia"."""
_WHERE_TO = r"(?:up|down|on|from|over|in|into|to|too|through|past|beyond|wrong)"
"""Words behind "gone" that say where something went, not that it resolved: "up"."""
_HEART_IS = rf"\b{HEART}s?\s+(?:(?:that|which|is|are|was|were|being|looks?|appears?|seems?|much|clearly|far)\s+)*"
_THAN_NORMAL = (
    rf"(?:bigger|larger|greater|wider|broader)\s+than\s+(?:the\s+|an?\s+)?(?:{AS_IT_SHOULD_BE}|average)"
    r"(?:\s+(?:heart|size|one))?\b"
)
"""Of a heart that is too large, and has not changed: "bigger than normal"."""
_PRIOR = r"(?:the |an? |any |his |her )?(?:most recent |immediate )?(?:earlier|last|old|previous|prior|preceding)"
_STUDY = rf"(?: (?:(?:chest )?(?:radiographs?|x-?\s?rays?|cxrs?)|{STUDIES}))"
_COMPARED_WITH_PRIOR = (
    rf",?\s*\b(?:(?:(?:as|when) )?(?:compared|relative|in comparison) (?:to|with) {_PRIOR}{_STUDY}?"
    rf"|since {_PRIOR}{_STUDY})"
    r"(?=\s*(?:$|[,;.)]|(?:and|but|with|without|in|on)\b))"
)
"""What a change is seen by, which every report of one has: "compared with the prior film"."""
_NO_DIFFERENCE = (
    r"\b(?:(?:looks?|is|are|was|were) )?(?:no|not(?: any)?) different (?:from|than|to|compared (?:to|with)) "
    rf"(?:{_PRIOR}{_STUDY}?|the last time|last time|before)\b(?! [a-z])"
)
"""Such as "no different from last time"."""
_CHANGES: Final[Rewordings] = (
    (_NO_DIFFERENCE, "unchanged"),
    (_COMPARED_WITH_PRIOR, " "),
    (r",\s*(?:(?:and|but|yet)\s+)?(not (?:yet |fully |completely )?(?:cleared|resolved|gone)\b)", r" \1"),
    (_HEART_IS + _THAN_NORMAL, "cardiomegaly"),
    (rf"{_HEART_IS}(?:not|no)\s+(?:any\s+)?{_THAN_NORMAL}", "normal heart size"),
    (_NOT_BEFORE, "new"),
    (_SAME, "unchanged"),
    (
        r"^(?:after|following|post) (?:the )?(removal|withdrawal|extraction) of (?:the |an? )?([^,;.]+),\s*",
        r"after \2 \1, ",
    ),
    (_HISTORY_AND_NOW, r"history of \1; with "),
    (r"\b(?:(?:has|have|had)\s+)?not (?:grown|shrunk)\b", "unchanged"),
    (r"\b(?:bigger|larger) than (?:before|previously|earlier)\b|\bbigger\b(?! heart)(?<!heart bigger)", "larger"),
    (_ONLY_BEFORE, "resolved"),
    (_GONE_SINCE, r" \1"),
    (rf"\b(?:{IS} )?no longer (?:visible|seen|present|evident|apparent)\b", "resolved"),
    (r"\b(?:that|which|who)\s+(ha(?:s|ve|d))\s+(?=(?:cleared|resolved|disappeared)\b)", r"\1 "),
    (
        rf"\b(bigger|larger|smaller|better|worse) than (?:(?:it|they) (?:{IS}|used to be) )?(?:{_EARLIER}|before\b)",
        r"\1",
    ),
    (r"\b(bigger|larger|smaller|better|worse) than (?:it|they) (?:was|were|used to be)\b", r"\1"),
    (rf"\bmore ([^,;.]+?) than {_BEFORE}", r"worse \1"),
    (rf"\b(?:less|fewer) ([^,;.]+?) than {_BEFORE}", r"improved \1"),
    (r"\bheart (?:is|looks|appears|seems)(?: too)? (big|large)\b", r"\1 heart"),
    (
        rf"\b{HEART} (?:(?:{IS}|looks|{_BECAME}) )?(?:bigger|larger)\b|\b(?:bigger|larger) heart\b",
        "worse cardiomegaly",
    ),
    (rf"\b(?:{_BECAME}|{IS})\s+(?:much\s+)?better\b", "improved"),
    (r"\benlarged (?=(?:after|since|despite)\b)", "enlarging "),
    (rf"\b{_BECAME}\s+(?:much\s+)?(?:worse|bigger|larger)\b", "worse"),
    (r"\b(?:has|have|had)\s+(?:grown|gone up)\b|\bgrowing\b|\bgrew\b", "enlarging"),
    (rf"\b{_BECAME}\s+smaller\b|\b(?:has|have)\s+shrunk\b|\bshrinking\b", "smaller"),
    (rf"\b(?:went|gone|going|goes)\s+away\b|\bcleared up\b|\bgone\b(?!\s+{_WHERE_TO}\b)", "resolved"),
    (r"\b(not (?:improved|improving|better|smaller)) n?or (?:resolved|resolving|cleared|gone)\b", r"\1"),
)
"""How a finding changed."""

_LOBES = (
    r"\b(upper|middle|lower)\s+(or|and)\s+"
    r"(?=((?:left|right)\s+)?(?:upper|middle|lower)\s+(lobe|lung zone|zone))(?(3)|(?<=or\s))"
)
"""A lobe whose noun stands with the next one alone: "upper or lower lobe"."""
_BONES = r"(?:(?:left|right) )?(?:clavicle|rib|scapula|sternum|humerus|vertebra)(?:e?s)?"
_OF_BONES = rf"((?:(?:left|right|bilateral|old|healed|acute|new) )+)({_BONES})\s+(and|or)\s+({_BONES})\s+(fractures?)"
"""Bones of which fractures are listed: "old rib and clavicle fractures"."""
_NODAL = r"(?:hilar|mediastinal|paratracheal)"
_NOT_FIRST = "".join(
    f"(?<!{one} {join} )" for one in ("hilar", "mediastinal", "paratracheal") for join in ("and", "or")
)
"""Not behind the first place of a list: in "hilar and mediastinal nodes" the list begins at "hilar"."""
_NODES = (
    rf"(?<!calcified )(?<!calcification of )(?<!calcification in ){_NOT_FIRST}"
    rf"\b(?:enlarged\s+)?({_NODAL}(?:\s*(?:,|/|and|or)\s*{_NODAL})*)\s+"
    r"(?:lymph\s*)?nodes?\b(?!\s+enlarge|.*\bcalcif)"
)
"""Lymph nodes, which are asked for because they are enlarged: "hilar nodes"."""
_IN_NODES_TOO = rf"\b(calcif\w+\b[^,;.]*?)\s+and\s+(?:in|of)\s+(?:the\s+)?({_NODAL})\s+(?:lymph\s*)?nodes?\b"
"""What is calcified besides nodes: "calcifications in the lung and in hilar nodes"."""
_LINES_AND_TUBES = (
    r"(?<!kerley )(?<!\bb )\b(?:support )?"
    r"(?:lines?\s*(?:,|and|or|nor|/)\s*tubes?|tubes?\s*(?:,|and|or|nor|/)\s*lines?)"
    r"(?:\s*,?\s*(?:and|or|nor)\s+drains?)?\b(?!\s*:)"
)
"""Devices of several kinds: "lines, tubes and drains"."""
_NO_SIDE = rf"(?:(?!\b(?:{SIDES}|bilateral)\b)[^.;:])"
_ON_ONE_SIDE = (
    rf"^\W*(?:(?:on|in) the )?({SIDES})(?:[ -]sided)?(?: side| lung)?\s*:\s*"
    rf"({_NO_SIDE}*?\s(?:or|and)\s{_NO_SIDE}*?)[.;]?$"
)
"""A list behind its side: "Left side: edema or mass"."""
_VAGUE = r"(?:hazy|fluffy|vague|confluent|ill[ -]?defined)"
"""Looks that no modifier states: "fluffy"."""
_LOOK = rf"(?:patchy|streaky|linear|nodular|reticular|round(?:ed)?|{_VAGUE})"
_ANY_LOOK = (
    rf"\b(?={_LOOK}\b)(?=[^;.]*\b{_VAGUE}\b){_LOOK}(?:\s*(?:,|/|\bor\b)+\s*{_LOOK})*\s*,?\s*\bor\s+{_LOOK}\s+"
    r"(?:opacit(?:y|ies)|densit(?:y|ies)|shadow(?:s|ing)?)\b"
)
"""Looks of opacities of which no modifier states each: "patchy or hazy opacity" is any opacity."""
_EACH_WITH = (
    r",\s*(?:and\s+)?(?:each|either|any|both|all)(?:\s+(?:one|case|of\s+(?:them|these|which|those)))?\s+"
    r"(?:(?:accompanied|together|combined|along|associated)\s+)?(?:with|by|having|showing)\s+"
    r"|,?\s*\bin\s+(?:each|either|every|both|all)\s+(?:cases?|of\s+(?:them|these|those)),?\s+(?:together\s+)?with\s+"
    r"|,\s*(?:accompanied\s+by|(?:associated|combined|together|along|in\s+combination)\s+with)\s+"
)
"""What a list before it is all wanted with: "mass or nodule, each with an effusion"."""
_SUCH_AS = r"(?:e\.?g\b\.?|for (?:example|instance)|such as)"
_AORTA = (
    r"\b(aorta)\s+(?:(?:that|which|is|looks)\s+)*((?:[a-z]+ly\s+)?[a-z]+(?:ous|ed|ic))\s+(or|and)\s+"
    r"((?:[a-z]+ly\s+)?[a-z]+(?:ous|ed|ic))\b"
)
"""What an aorta before it is: "aorta tortuous or calcified"."""
_POOR = r"(?:limited|suboptimal|poor|inadequate|nondiagnostic)"
_EITHER_WILL_DO = (
    r"(\bor\b[^,;.]{0,60}?),?\s*\b(?:either|any|both)(?: one| of (?:them|these|those|the two))?\s+"
    r"(?:will do|works?|counts?|(?:is|are) (?:fine|acceptable|ok(?:ay)?)|suffices?)\b"
)
"""What repeats that a list is of alternatives: "mass or nodule, either will do"."""
_LISTS: Final[Rewordings] = (
    (r"\band\s*/\s*or\b", "or"),
    (_ON_ONE_SIDE, r"\2 on the \1"),
    (r"\b(devices?)\s*(?:,|and|or|nor|/)\s*(?:lines?|tubes?)\b", r"\1"),
    (r"(?<=[a-z]{3})(?:/|\s/\s)(?=[a-z]{3})", " or "),
    (r"(?-i:\b([A-Z]{2,5})/([A-Z]{2,5})\b)", r"\1 or \2"),
    (r"^(?:lines?|tubes?|drains?)(?:\s*(?:/|and|&|,)\s*(?:lines?|tubes?|drains?))*\s*:(?!.*,)", ""),
    (r"\b(\w{4,}) or \1e?s\b", r"\1"),  # "nodule or nodules"
    (rf"\b({_POOR})(?:\s*(?:,|/|or|and)\s*{_POOR})+\b", r"\1"),
    (_AORTA, r"\2 \1 \3 \4 \1"),
    (_LINES_AND_TUBES, "lines and tubes"),
    (r",\s*([\w\s-]+?) included\b", r" or \1"),
    (
        r",?\s*\b(?:and|with),?\s+(?:in addition,?\s+)?(?:at least|any|either) (?:one|1)? ?of (?=[^;.]*\bor\b)",
        "; with ",
    ),
    (rf",?\s*\(?\b{_SUCH_AS}[,:]?\s+(?:after|following|from|in|due to|because of)\b[^,;.)]*\)?", ""),
    (rf",?\s*\(?\b{_SUCH_AS}[,:]?\s+", " or "),
    (_EITHER_WILL_DO, r"\1"),
    (r"\bor,?\s+(?:failing that|alternatively|else|at least|if not)\b,?", "or"),
    (_ANY_LOOK, "opacity"),
    (_EACH_WITH, "; with "),
    (r",?\s*(?:and\s+)?\bin\s+(?:each|every|both|all)\s+cases?,?\s+(?=(?:no|not|without)\b)", "; "),
    (r",\s*(?:at least )?(?:any |either )?one of (?=[^;.,]*\bor\b)", "; with "),
    (r"\s*[(\[]\s*(or\s+[^()\[\]]+?)\s*[)\]]", r" \1"),
    (r",?\s*\b(?:possibl[ey]|perhaps|optionally) (?:also )?(?:with|accompanied by)\b", " with or without"),
    (r"\s*(?:\u00b1|\+/-)\s*(?=[a-z])", " with or without "),
    (
        r",\s*(?:and\s+)?(?:each|either|both|all)(?:\s+of\s+(?:them|these|which|those))?\s+(?=(?:without|lacking)\b)",
        "; ",
    ),
    (
        r"(?:^|\s*[,;.])\s*(?:(?:and|but)\s+)?(?:additionally|furthermore|moreover|in addition|what is more)\b,?\s+",
        "; with ",
    ),
    (r",?\s*\bnamely\b[,:]?", " with"),
    (r"\b(?:as well as|along with|in addition to|combined with|in combination with)\b", "and"),
    (r"\b([\w\s-]+),\s*([\w\s-]+),?\s+or both\b", r"\1 or \2"),
    (_LOBES, r"\1 \4 \2 "),
    (rf"\b({SIDES} (?:upper|middle|lower))(?=\s*,|\s+(?:or|and)\s+(?:{SIDES}|lingular?)\b)", r"\1 lobe"),
    (rf"\b(fractures?) of (?:the )?({_BONES}) (and|or) (?:the )?({_BONES})\b", r"\2 \1 \3 \4 \1"),
    (rf"\b{_OF_BONES}\b", r"\1\2 \5 \3 \1\4 \5"),
    (_IN_NODES_TOO, r"\1; calcified \2 lymph nodes"),
    (_NODES, r"\1 lymphadenopathy"),
)
"""How the members of a list are joined."""

_SOME = r"(?:[1-9]|one|two|three|four|five|six)"
_COUNTED = (
    r"(?!(?:chest |frontal |lateral |more |other |further )*(?:views?|projections?|x-?\s?rays?|radiographs?|reports?"
    rf"|{STUDIES}|mm|cm|days?|weeks?|months?|years?|hours?|of)\b)[a-z]"
)
"""The beginning of a finding that is counted; "two views" and "3 cm" count none."""
_SEVERAL = (
    rf"(?:\b(?:at least|more than|not (?:just|only))\s+(?:{_SOME}|a (?:single|couple of))|(?:>=?|\u2265)\s*{_SOME}"
    rf"|\b{_SOME}(?:\s*\+|\s+or more\b)|\ba couple of)\s+(?={_COUNTED})"
    r"|(?<!\bone or )\b(?:two|three|four)\s+(?=(?:[a-z]+\s+){0,3}"
    r"(?:nodules|granulomas|masses|lesions|fractures|metastases)\b)"
)
"""More than one of a finding: "at least three nodules", "2+ masses"."""
_LEVELS = (
    r"\s(?:at|in|on|of|across|over|involving|affecting)\s+(?:the\s+)?(?:multiple|several|many|numerous|various"
    r"|different)\s+"
    r"((?:(?:thoracic|lumbar|cervical|spinal|vertebral)\s+)?)levels?\b"
)
"""Several parts of the spine: "disc disease at multiple thoracic levels"."""
_NUMBERS: Final[Rewordings] = (
    (r"\bno (?:fewer|less) than (?=\d|one|two|three|four|five)", "at least "),
    (r"\b(broken|cracked|fractured)\s+(?:two|three|four|several|[2-9])\s+", r"multiple \1 "),
    (rf"\bat least (?:one|1|a)\s+(?={_COUNTED})", ""),
    (r"\b(?:one|1) or (?:two|2|more) (?=[a-z])", ""),
    (r"\b([a-z]+s),\s*(?:more than (?:one|1)|at least (?:two|2)|(?:two|2) or more)(?=\s*(?:$|[,.;]))", r"multiple \1"),
    (_SEVERAL, "multiple "),
    (_LEVELS, r" multilevel \1"),
)
"""How many there are of a finding."""

REWORDINGS: Final = (
    *_CONTRACTIONS,
    *_ABBREVIATIONS,
    *_SIGNS,
    *_CHANGES,
    *REQUEST_REWORDINGS,
    *PLACE_REWORDINGS,
    *SIZE_REWORDINGS,
    *_LISTS,
    *_NUMBERS,
)
"""All rewordings but those of denials, in the order in which they are applied."""
