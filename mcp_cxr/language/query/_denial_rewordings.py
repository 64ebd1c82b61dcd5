"""How a query denies otherwise than a report, and what a report says instead: "nobody mentions edema".

They are applied after those of `_rewordings.py`, in this order. After them, `_request_wording.py` words exceptions and
what is left out as denials.
"""

from __future__ import annotations

from typing import Final

from mcp_cxr.language.query._shared_patterns import ANYONE, IS, LEAVE_OUT, SEEN, SIDES, STUDIES, Rewordings
from mcp_cxr.language.query._side_rewordings import SIDE_REWORDINGS

_MODIFIERS = (
    r"(?:left|right|trace|tiny|small|minimal|mild|moderate|large|massive|severe|old|healed|new|acute|chronic"
    r"|hilar|mediastinal|apical|basal|basilar|central|peripheral|upper|lower|focal|diffuse)"
)
"""Sides, sizes, ages and places that one another replace: "not left but right"."""
_NOT_THE_OTHER = (
    rf"\b({_MODIFIERS}),?\s+(?:(?:and|but)\s+)?(?:not|rather than|instead of)\s+{_MODIFIERS}\b,?"
    r"(?=\s+(?!(?:or|and|but|nor|with)\b)[a-z])"
)
"""Such as "large, not small, masses"."""
_RATHER_THAN_THERE = (
    r",?\s*\brather than\s+(?:(?:in|on|at|within)\s+)?(?:the\s+)?"
    rf"((?:(?:{SIDES}|upper|middle|lower)\s+)*"
    r"(?:hila|hilum|lungs?|(?:lung )?bases?|apex|apices|lobes?|mediastinum|side))\b"
)
"""A place that a finding is not at: "nodes in the mediastinum rather than the hila"."""
_FOREIGN_DENIALS = (
    r"(?:ohne|keine?[nrms]?|sans|sin|senza|sem|geen|zonder|aucune?|ning[u\u00fa]n[ao]?|nessun[ao]?|nenhuma?|no hay)\b"
    r"|pas d(?:e\b|['\u2019])|\u65e0|\u7121|\u6ca1\u6709|\u6c92\u6709|"
    r"(?:\u0431\u0435\u0437|\u043d\u0435\u0442|\u0628\u062f\u0648\u0646)\b"
)
"""Words for "without" and "no" in German, French, Spanish, Italian, Portuguese, Dutch, Chinese, Russian and Arabic."""
_IS_NOT = (
    rf"(?:\b(?:that|which)\s+{IS}\s+|,\s*(?:but\s+)?|\b(?:but|and)\s+)(?:not|neither(?!\s+[\w-]+\s+nor\s+[\w-]+\s+[a-z]))"
    rf"\s+(?!{SIDES}\b)"
    r"(?=[\w-]+(?:\s*$|[,.;]|\s+(?:ones|and|or|nor)\b))"
    rf"|(?<=[a-z]{{3}})\s+(?:{IS}\s+)?not\s+(?=(?:tiny|small|mild|moderate|large|big|massive|severe)\s*(?:$|[,.;]))"
)
"""Such as "nodules that are not calcified", "effusions, but not small"."""
_CANNOT_DISTINGUISH = (
    r"\b(?:cannot|can not|can['\u2019]t|hard to|difficult to|unable to) (?:tell|distinguish|differentiate)"
    r"\s+([^,;.]+?) from "
)
"""Such as "cannot tell edema from pneumonia"."""
_NOBODY_SAYS = (
    r",?\s*\b(?:where |in which |and |but )?(?:nobody|no ?one|no (?:reader|radiologist|report))"
    r"\s+(?:[a-z]+s|(?:has |have )?[a-z]+ed|saw|has seen)\b"
)
"""Such as "nobody mentions edema"."""
_OTHER_BEHIND_DENIAL = (
    rf"(\b(?:no|without)\s+(?!{SIDES}\b|bilateral\b)[^,;.]*),\s+(?=(?:an?\s+)?(?:{SIDES}|bilateral)\b"
    r"(?:(?!\b(?:or|nor|and)\b)[^,;.])*$)"
)
"""What is wanted behind a denial: "no edema, right effusion"."""
_MUST_BE = r"(?:must|should|needs? to|ha(?:s|ve) to|(?:is|are) to|to|ought to|can)\s+be\s+"
_IS_SKIPPED = (
    r"(?:left out|omitted|dropped|skipped|(?:filtered|weeded|screened) out|ignored|discarded|rejected|avoided"
    r"|eliminated|disregarded|refuted|dismissed)"
)
"""What a request does with studies that it leaves out: "weeded out"."""
_STUDIES_WITH = rf"(?:(?:any|all|those|{STUDIES}|with|that|having|showing)\s+)"
_MUST_BE_LEFT_OUT = (
    rf"(?:^|[,;.]\s*)(?:and |but )?(?:(?:the )?{_STUDIES_WITH}+([^,;.]+?)(?<!\bnot)\s+{_MUST_BE}"
    rf"(?:excluded|removed|disqualified|{_IS_SKIPPED})|([^,;.]+?)(?<!\bnot)\s+{_MUST_BE}(?:removed|{_IS_SKIPPED}))\b"
)
"""A finding that must be excluded is suspected; studies that must be are not wanted."""
_CLAUSE_START = (
    r"(?:^|[,;(.]\s*(?:(?:and|but|with|where|while)\s+)?|\s[-\u2013\u2014]\s+"
    r"|\b(?:but|with|that|where|when|whenever|while|once|(?:in|for|of)\s+(?:which|whom))\s+)"
    r"(?:(?:the\s+)?presence\s+of\s+)?(?:(?:any|an?)\s+)?"
    r"(?!(?:no|not|without|but|and|or|with|never|if|whether|nothing|none|neither)\b)"
)
"""Where a clause begins that may deny what it names."""
_NAMED = (
    r"((?:(?!\s[-\u2013\u2014]\s|\b(?:not?|nor|that|is|are|was|were|ha(?:s|ve)|be|been|can|cannot|may|must|should"
    r"|with|but|where|when|whenever"
    r"|once|while|which|whom?)\b)[^,;.():])+?)"
)
"""The words of a clause before its verb."""
_CLAUSE_END = r"(?=\s*(?:$|[,;.)?]|(?:and|but|with)\b))"
"""Where a clause ends."""
_WANTED = (
    r"(?:wanted|desired|allowed|permitted|welcome|acceptable|tolerated|accepted|eligible|suitable|included|ok(?:ay)?"
    r"|of (?:any )?interest|to be (?:present|there|included|seen|reported|mentioned))"
)
"""Behind "not", what a query says of a finding that it leaves out: "not wanted"."""
_IS_FORBIDDEN = (
    r"(?:unwanted|undesired|undesirable|unwelcome|unacceptable|ineligible|unsuitable|disqualifying|forbidden|prohibited|banned"
    r"|disallowed|disqualified|out of the question|exclusion criteria"
    r"|an? (?:no[ -]go|exclusion(?: criteri\w+)?|deal-?\s?breaker)"
    r"|(?:a reason|reasons|grounds) (?:for exclusion|to exclude)(?: (?:it|them|the \w+))?)"
)
"""What it says of one without "not": "unwanted", "a deal-breaker"."""
_PLACED = r"(?:placed|inserted|implanted|introduced|put in)(?: yet)?"
_IS_LEFT_OUT = (
    r"(?!dropped\b)"  # "lung volumes dropped"
    r"(?:(?:(?:is|are|was|were|being|ha(?:s|ve)(?: been)?|having been|(?:would|will) be)\s+)?(?:explicitly\s+)?"
    rf"(?:excluded|ruled out|denied|negated|{_IS_SKIPPED}|never (?:developed|occurred|appeared|{SEEN})|absent|lacking"
    rf"|none|not (?:even )?(?:been |being )?{SEEN}|(?:not|never) (?:yet )?(?:been |being )?{_PLACED}"
    rf"|not {_WANTED}|{_IS_FORBIDDEN})"
    r"|(?:(?:is|are) (?:something|what) )?(?:that )?(?:i|we|they|he|she) (?:do|does|would) not (?:need|want|wish|like)"
    r"(?: to (?:see|have))?"
    r"|(?:that )?(?:i|we|they|he|she|(?:the )?(?:radiologists?|readers?|reports?)) (?:ha(?:s|ve) )?"
    r"(?:excluded|ruled? out|rules out)"
    rf"|(?:must|should|shall|may|can|ought)\s?(?:not|never)(?: to)? be {SEEN}"
    rf"|(?:is|are) out|{_MUST_BE}absent|be (?:absent|lacking)|(?:do|does|would|will|shall) not (?:count|qualify)"
    r"|(?:(?:goes|go|went|remains?|is|are|was|were|be)\s+)?un(?:mentioned|reported|described|documented)"
    r"|(?:(?:would |will )?disqualif(?:y|ies)|(?:would|will) rule out)(?: (?:it|them|(?:the|an?) \w+))?"
    rf"|(?:was|were) (?:looked for|sought|searched for),? (?:and|but) (?:was |were )?not {SEEN})"
)
"""All that is said of a finding that is left out or denied: "is excluded", "does not qualify", "went unmentioned"."""
_LEFT_OUT_BEHIND = rf"{_CLAUSE_START}{_NAMED}\s+{_IS_LEFT_OUT}{_CLAUSE_END}"
"""A clause that denies what it names, and nothing before it: "catheter, pneumothorax not seen"."""
_NOT_SEEN_ON_SIDE = (
    rf"{_CLAUSE_START}{_NAMED}\s+(?:{IS}\s+)?not {SEEN} (?:on|in|at) the "
    rf"({SIDES}(?: (?:side|lung|base|apex))?){_CLAUSE_END}"
)
"""A clause that denies a finding of one side: "mass, edema not seen on the right"."""
_NONE_PRESENT = (
    rf"^([^.;]*?),?\s*\bnone (?:of (?:them|which|these|those) )?(?:(?:is|are|was|were|being|to be) )?{SEEN}\s*\.?$"
)
"""Such as "edema and mass, none of them present"."""
_NONE_WITH = (
    r",?\s*\b(?:and )?none (?:of (?:them|whom|which|these|those) )?(?:may |should |must )?"
    r"(?:having|ha(?:s|ve|d)|with|show(?:s|ing|ed)?)\s+(?:(?:any|an?)\s+)?"
)
"""Such as "effusions, none with edema"."""
_NONE_ON_SIDE = (
    rf"[,;.]\s*(?:and |but )?(?:on|in) the ({SIDES})(?: side| lung)?,? (?:there )?(?:is|are|was|must be"
    rf"|should be) (?:none|nothing)\b"
)
"""Such as "effusion; on the left there is none"."""
_NONE_OF_THE = r",?\s*\bnone of the\s+([a-z]+)\s+(?:(?:is|are|was|were)\s+)?(broken|fractured|cracked|enlarged)\b"
"""Such as "none of the ribs is broken"."""
_TAKEN_FROM = (
    rf"^(?:please )?(?:{LEAVE_OUT}|take|subtract)\s+([^,;.]+?)\s+from\s+"
    r"(?:(?:the|all|any|those|my|our)\s+)*"
    rf"(?!(?:results?|lists?|sets?|search|output|hits|answers?|archive|{STUDIES})\b)([^,;.]+)$"
)
"""Such as "exclude edema from the effusions"."""
_CANNOT_EXCLUDE = (
    rf"\b(?:do(?:es)?|did|could|would) not (?:[a-z]+ly )?(exclude|rule out)\b(?!\s+(?:(?:the|any|all)\s+)?{ANYONE}\b)"
)
"""What is in doubt: "does not exclude edema"."""
_NOT_COMMITTED = (
    r"\b(?:(?:will|would|did|does|do|could) not|wo['\u2019]?n?['\u2019]t|wouldn['\u2019]t) (?:quite |really |fully )?"
    r"(?:commit (?:(?:it|him|her|them)sel(?:f|ves) )?to|(?:want|wish) to call|go (?:so|as) far as(?: to call"
    r"| calling)?)\s+"
    r"|\b(?:stop(?:s|ped)? short of|shies away from|hesitat(?:es|ed) (?:to|before)) (?:call(?:ing)?|diagnos(?:e"
    r"|ing))\s+"
)
"""Another doubt: "will not commit to pneumonia", "stopped short of calling it a mass"."""
_NO_DOUBT = (
    r"\b(?:there (?:is|was) )?(?:no|without(?: an?| any)?|beyond(?: any| all| a)?) (?:doubt|question|denying)\b"
    r"(?! of\b)(?: (?:about|that|as to)\b)?(?: there (?:is|are|was)\b)?"
)
"""Such as "beyond any doubt"."""
_NOT_LEFT_OUT = (
    rf"[,;.]?\s*\b(?:and )?(?:please )?do not (?:(?!exclude\b){LEAVE_OUT}\s"
    rf"|(?:exclude|rule out)\s+(?=(?:(?:the|any|all)\s+)?{ANYONE}\b))(?:(?!\b(?:when|while|but)\b)[^,;.])*"
)
"""Such as "do not omit those with edema"."""
_NOTHING_LIKE = (
    r"\bnothing (?:that (?:is )?)?(?:suggest(?:s|ing|ive of)?|to suggest|indicat(?:es?|ing|ive of)|to indicate"
    r"|point(?:s|ing)? (?:to|towards?)|in keeping with|consistent with|compatible with|resembling|like|looks? like"
    r"|looking like|in the way of)\s+"
)
"""Such as "nothing suggesting edema"."""
_NOTHING_THAT_IS = (
    r"\bnothing (?:that (?:is|was) |is )?"
    r"(?!(?:abnormal|wrong|else|acute|remarkable|more|special|unusual|significant|new)\b)"
    r"(?=(?:[a-z]+ed|broken|big|large|wide|swollen)\b)"
)
"""Such as "nothing collapsed"."""
_DENIES = (
    r"(?<!\bnot )(?<!\bcannot )\b(?:explicitly |expressly |clearly )?"
    r"(?:den(?:y|ies|ied|ying)|negat(?:es?|ed|ing)|refut(?:es?|ed|ing))\s+"
    r"(?:that there (?:is|are|was|were) )?(?:(?:any|an?|the)\s+)?(?=[a-z])(?!by\b|and\b|or\b|in\b|on\b)"
)
"""Such as "denies any edema"."""
_HAS_EXCLUDED = (
    r"\b(?:radiologists?|readers?|reports?|they|he|she|who|that|which|having|ha(?:s|ve))\s+"
    r"(?:(?:explicitly|clearly|has|have)\s+)*"
    r"(?:excluded|ruled? out|rules out)\s+(?=[a-z])(?!by\b|and\b|or\b|in\b|on\b)"
)
"""Such as "the radiologist has ruled out edema"."""
_EXCEPT_WHERE = (
    r"\b(?:except|other than|apart from|excluding)(?: for)?\s+(?:(?:where|when|if|in case)\s+)"
    rf"(?:(?:it|they|these|those|this|there)\s+{IS}\s+)?(?:accompanied by\s+)?"
)
"""Such as "except where there is edema"."""
_MENTIONED = r"(?:mentioned|described|reported|noted|discussed|addressed|commented on|remarked on)"
_WHERE_NOT_EXCLUDED = (
    r"\b(?:where|(?:in|for) (?:which|whom))\s+([^,;.]+?)\s+"
    r"(?:(?:could|can|was|were|is|are) ?not|ha(?:s|ve) not)(?: be| been)? (excluded|ruled out)\b"
)
"""Such as "in which edema could not be excluded"."""
_WANTED_BEHIND_DENIALS = (
    r"(\bno [^,;.]+(?:,\s*(?:and )?no [^,;.]+)+),\s*(?!no\b|not\b|without\b|nor\b|or\b|and\b)([^,;.]+)$"
)
"""Such as "no edema, no mass, effusion"."""
_STRUCTURE_BEHIND_DENIAL = (
    r"(\b(?:no|without)\b[^,;.]*),\s+(?=(?:the )?(?:heart|lungs?|mediastinum|aorta|hila|bones|ribs|diaphragms?"
    r"|trachea|spine"
    r"|pleural spaces?|(?:costophrenic )?angles?)\s+(?:(?:is|are|being)\s+)?(?:not|normal|clear|sharp|intact|dry"
    r"|unremarkable"
    r"|midline|enlarged|big|wide)\b)"
)
"""Such as "no edema, heart enlarged"."""
_FIRST_LEFT_OUT = (
    r"^\W*(?:excluding|(?:leav|sett|putt)ing aside|ignoring|disregarding|ruling out)\s+([^,;.]+?),\s*"
    r"(?=[^,;.]+$)(?!.*\b(?:or|and|nor)\b)"
)
"""Such as "leaving aside edema, effusions"."""
_VERB_IN_TWO = (
    r"\b(?:leav|filter|tak|keep|screen|weed|throw|sort)(?:e|ing)?\s+(?!out\b)([^,;.]{1,40}?)\s+(?:out|aside)"
    r"(?=\s*(?:$|[,;.)]|(?:and|but)\b))"
)
"""Such as "leave the edemas out"."""
_PRESENT_BEHIND_DENIAL = (
    r"(\b(?:no|not|without)\b[^,;.]*),\s+(?!(?:no|not|or|nor|and|without)\b)([^,;.]+?)\s+"
    r"(?:(?:is|are|must be|should be)\s+)?(?:present|required|needed|wanted|in place)(?=\s*(?:$|[,;.]))"
)
"""Such as "no edema, effusion present"."""
_INSTEAD = (
    r"^\W*(?:please )?(?:instead of|rather than|in place of)\s+([^,;.]+?)"
    r"(?:,|\s+(?=(?:i|we|show|find|give|get|list|return)\b))\s*"
)
"""Such as "instead of edema, show effusions"."""
_NOTHING_IN_PLEURA = (
    r"\b(?:(?:without|no|not)\s+(?:any|some)thing(?: at all)?|nothing(?: at all)?) (?:in|within) (?:the |his |her )?"
    r"pleural (?:space|cavity|cavitie)s?\b"
)
"""Such as "nothing in the pleural space"."""
_NOT_ABSENT = (
    rf"\s+(?:{IS} )?not (?:absent|missing|lacking)\b|\bit is not (?:true|so|the case) that (?:there (?:is|are) )?no\s+"
)
"""A denial that is denied: "edema is not absent"."""
_NOT_ABSENT_CASE = rf"\bit is not (?:true|so|the case) that ([^,;.]+?) {IS} (?:absent|missing|lacking)\b"
"""The same of a sentence: "it is not the case that edema is absent"."""
_NOT_BEFORE_NOW = (
    r"\bno (?:prior |previous )([^,;.]+?),\s*(?:but )?(?:current|new|now(?: an?)?) \1"
    r"|\bno ([^,;.]+?) (?:before|previously),? but (?:(?:an? )?\2 now|now (?:an? )?\2|now)\b"
    r"|\bthere (?:was|were) no ([^,;.]+?)(?: before)?,? (?:(?:and|but) )?now there (?:is|are)(?: one| some)?\b"
)
"""What is new: "there was no edema, now there is"."""
_OTHERS_KEPT = (
    r"[,;.]?\s*\b(?:not (?:excluding|omitting|leaving out|ignoring)|do not (?:exclude|omit|leave out|ignore)) "
    rf"(?:(?:those|any|all|{ANYONE})\b(?:(?!\b(?:when|while|but)\b)[^,;.])*|(?:the )?[\w-]+ ones\b)"
    r"|,?\s*\b(?:even|including) (?:the )?[\w-]+ ones\b"
)
"""Kinds that are not left out: "not excluding the loculated ones", "including loculated ones"."""
_NOTHING_ACUTE_WITH = (
    r"\bno (?:acute|active) (?:cardiopulmonary |intrathoracic )?(?:abnormalit(?:y|ies)|disease|process|findings?)"
    r"(?:,?\s+(?:with|but)\s+|,\s*(?=(?:old|chronic|healed|stable|unchanged|known)\b))"
)
"""What is there beside nothing acute: "no acute disease with a pacemaker"."""
_NOT_SURE = (
    r"\b(?:but |and )?(?:not|never) (?:yet )?(?:confirmed|proven|established|definite|certain|sure)"
    r"(?: (?:whether|if|about|of|that)\b(?: (?:there|it) (?:is|was))?)?(?!\w)"
)
"""Such as "not sure whether there is edema"."""
_DENIED_AND_WANTED = (
    r"\b(no|without)\s+((?:[\w-]+\s+){0,3}[\w-]+)(?:\s*,\s*(?:(?:and|but)\s+)?|\s+(?:and|but)\s+)"
    r"(?:(?:with|an?)\s+)*\2(?=\s*(?:$|[,;.]))"
)
"""The same finding denied and asked for: "no edema and edema"."""
_WANTED_AND_DENIED = (
    r"\b((?:[\w-]+\s+){0,2}[\w-]{4,})(?:\s+present)?\s+(?:and|but)\s+(?:an?\s+)?\1\s+"
    r"(absent|excluded|not present|ruled out)\b"
)
"""The same in the other order: "edema and edema absent"."""
DENIAL_REWORDINGS: Final[Rewordings] = (
    (_DENIED_AND_WANTED, r"\1 \2; with \2"),
    (_WANTED_AND_DENIED, r"\1; \1 \2"),
    (_NOT_ABSENT, " "),
    (_NOT_ABSENT_CASE, r"\1"),
    (_NOT_BEFORE_NOW, r"new \1\2\3"),
    (_OTHERS_KEPT, ""),
    (_NOTHING_ACUTE_WITH, "; with "),
    (r",\s*(?=(?:cannot|could not|unable to) (?:be )?(?:exclude|rule out)\b)", "; "),
    (r"\b(?:the )?(?:exclusion|absence) of ([^,;.]+?) is (?:required|needed|mandatory|necessary)\b", r"without \1"),
    (r"\b([a-z]{3,})-free\b(?! (?:air|fluid|gas|wall|margin)\b)", r"without \1; "),
    (r"\bneither ([\w-]+) nor ([\w-]+)(?=\s*$|[,;.])", r"without \1 or \2 ones"),
    (rf"(?<!\w)(?:{_FOREIGN_DENIALS})\s*([^,;.]*),", r"without \1;"),
    (rf"(?<!\w)(?:{_FOREIGN_DENIALS})\s*", "without "),
    (rf"\bnot\s+{_MODIFIERS},?\s+but\s+(?={_MODIFIERS}\b)", ""),
    (_NOT_THE_OTHER, r"\1"),
    *SIDE_REWORDINGS,
    (r"(?-i:\bNOT\s+([^()]*?)\s+AND\s+)", r"without \1; with "),
    (r"\b(no|not|without)\s+(?:any\s+)?(?:recurrent|residual|remaining)\s+(?!or\b|and\b)", r"\1 "),
    (r"(?<![\w.,])(?:zero|0)\s+(?=[a-z])(?!mm|cm|percent|days?|or\b|to\b)", "no "),
    (
        r"((?:^|[,;.]|\b(?:and|but|then)\b)\s*)(?:drop|discard|eliminate|remove|dismiss)\s+(?=[a-z])(?!in\b)",
        r"\1 without ",
    ),
    (_NONE_OF_THE, r"; no \2 \1"),
    (_NOT_COMMITTED, "possible "),
    (r"\b(?:by no means|under no circumstances?|in no case|on no account)\b", "not"),
    (r"\b(no [a-z]+) (?:whatsoever|at all) (?=of\b)", r"\1 "),
    (r"\b(?:definitely|certainly|absolutely|explicitly|expressly)\s+(?=(?:no|not|without)\b)", ""),
    (r",?\s*\bno longer (?=an?\b|any\b)", "; no longer "),
    (r",?\s*\bexcept that\b", "; "),
    (r"\b(?:but |and )?nothing with\b", "without"),
    (_NOTHING_LIKE, "no "),
    (r"\bnothing (?:is )?(?:broken|fractured|cracked)\b", "no fracture"),
    (_NOTHING_THAT_IS, "no "),
    (r"\banything (?:that )?(?:looks? like|like|resembl(?:es|ing)|suggest(?:s|ing|ive of))\s+", ""),
    (r",?\s*\b(?:nobody|no ?one)\s+(?:with|who (?:has|shows)|having|showing|whose)\s+", ", without "),
    (r"\bnot after\b", "not"),
    (_NO_DOUBT, " "),
    (r",?\s*\bnot otherwise specified\b", ""),
    (r"\band (?:carr(?:y|ies)|bears?|displays?|contains?|features?|exhibits?|wears?)\s+", "; with "),
    (r"\bun(?:accompanied|associated|complicated) (?:by|with)\b", "without"),
    (r"\b(or|nor) (?:who|that|which|those who|those with|patients who) (?:ha(?:s|ve|d)|shows?)\b", r"\1"),
    (r"\b(hard|difficult|impossible|able|fail(?:s|ed)?) to (?:[a-z]+ly|quite) (?=exclude|rule out)", r"\1 to "),
    (_NOT_LEFT_OUT, ""),
    (_CANNOT_EXCLUDE, r"cannot \1"),
    (
        r"\bneither\s+([^,;.]+?)\s+nor\s+([^,;.]+?)\s+(?:can|could) be (?:excluded|ruled out)\b",
        r"cannot exclude \1 or \2",
    ),
    (r"\b(?:can ?not|must never) be (enlarged|widened|blunted|elevated|tortuous|broken|dilated)\b", r"is not \1"),
    (rf"(?:,|\bbut\b)\s*(?:but )?not {SEEN} (?=(?:on|in|at)\b)", ", not "),
    (_NONE_ON_SIDE, r", not on the \1"),
    (_DENIES, "without "),
    (_WHERE_NOT_EXCLUDED, r"; \1 cannot be \2"),
    (_HAS_EXCLUDED, "without "),
    (_WANTED_BEHIND_DENIALS, r"\1; \2"),
    (_STRUCTURE_BEHIND_DENIAL, r"\1; "),
    (_INSTEAD, r"without \1; "),
    (_FIRST_LEFT_OUT, r"without \1; "),
    (_VERB_IN_TWO, r"without \1; "),
    (_PRESENT_BEHIND_DENIAL, r"\1; \2"),
    (r"(\b(?:no|without)\b[^,;.]*?)\s+plus\s+", r"\1; with "),
    (r"(\bpositive\b[^;.]*?),\s*([^,;.]+?)\s+negative\b", r"\1; without \2"),
    (_NOTHING_IN_PLEURA, "with clear pleural spaces"),
    (_TAKEN_FROM, r"\2 without \1"),
    (_MUST_BE_LEFT_OUT, r" without \1\2; "),
    (_NONE_PRESENT, r" without \1; "),
    (_NONE_WITH, "; without "),
    (r"\b(present|seen|there) (?:and|but) ([^,;.]+?) not(?=\s*(?:$|[,;.]))", r"\1; without \2"),
    (_NOT_SEEN_ON_SIDE, r"; without \2 \1; "),
    (_LEFT_OUT_BEHIND, r"; without \1; "),
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
    (
        r"\b(?:(?:were|was|is|are|been|got)\s+)?spared\s+(?:(?:an|any|the|from|of)\s+)*(?!on\b|in\b|at\b|by\b|but\b)(?=\w)",
        "without ",
    ),
    (r",?\s*\b(?:sparing|with sparing of|spares)\b", ", not in"),
    (r"\bnot (?:just|merely|simply)\b", "not only"),
    (_NOT_SURE, "possible"),
    (_CANNOT_DISTINGUISH, r"\1 versus "),
    (_RATHER_THAN_THERE, r", not in the \1"),
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
