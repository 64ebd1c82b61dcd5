"""How large a query asks a finding or the heart to be, and what a report says instead: "at least moderate"."""

from __future__ import annotations

from typing import Final

from mcp_cxr.language.query._shared_patterns import AS_IT_SHOULD_BE, HEART, RATIO, Rewordings

_SMALL = r"(?:small|tiny|trace|minimal|mild|slight|minor|subtle)"
_MODERATE = r"(?:moderate(?: sized)?|medium(?: sized)?)"
_LARGE = r"(?:large|big|severe|massive|marked|extensive)"
_AT_LEAST = r"(?:\b(?:at least|(?:no|not) (?:less|smaller) than)\s+|(?:>=|\u2265)\s*)"
_AT_MOST = r"(?:\b(?:at most|up to|(?:no|not) (?:more|larger|bigger|greater|worse) than)\s+|(?:<=|\u2264)\s*)"
_MORE_THAN = r"(?:(?<!no )(?<!not )\b(?:more|larger|bigger|greater|worse) than\s+(?:an?\s+)?|>\s*)"
_LESS_THAN = r"(?:(?<!no )(?<!not )\b(?:less|smaller|milder) than\s+(?:an?\s+)?|<\s*)"
"""The least and the most that a size may be, before the size: "at least", "up to", "more than", "less than"."""
_OR_MORE = r"(?: in (?:size|degree))?\s+(?:or|and)\s+(?:larger|bigger|greater|more(?: severe)?|worse|above|over)\b"
_OR_LESS = r"(?: in (?:size|degree))?\s+(?:or|and)\s+(?:smaller|less(?: severe)?|milder|below|under)\b"
"""The same behind the size: "or larger", "or smaller"."""
_UPPER_LIMITS = r"upper limits?(?: of)? normal"
_OVER = r"(?:(?:(?:more|greater|larger) than|over|above|exceed(?:s|ing)|[>=]=?)\s*)"
_UNDER = r"(?:(?:not? )?(?:(?:more|less|greater|smaller) than|over|above|under|below|exceeding|[<\u2264]=?)\s*)"
_HALF, _PERCENT = r"(?:50|0?\.50?)(?!\d)", r"(?:\s*(?:%|percent\b))?"
_ORDINARY = r"(?:ordinary|average|usual|regular|standard)"
_OVER_HALF = rf"{RATIO}(?:{_OVER}{_HALF}|{_OVER}?(?:0?\.|(?=\d\d\b))(?:5[1-9]|[67]\d?))(?!\d){_PERCENT}"
"""A heart that is too wide: "cardiothoracic ratio over 0.5", "CTR 58%"."""
_UNDER_HALF = rf"{RATIO}{_UNDER}{_HALF}{_PERCENT}"
"""A heart that is not: "cardiothoracic ratio below 50%"."""
_A_LITTLE = r"a (?:(?:little|tiny|small|wee|mere) )?(?:bit|touch|tad|trickle|drop|sliver|whiff|smidgen|shade|little)"
"""A small amount in everyday words: "a touch"."""
_HEART_A_LITTLE = (
    r"\bheart\s+(?:(?:is|looks|appears|seems|was|size)\s+)*(?:(?:only|just)\s+)*"
    rf"(?:{_A_LITTLE}|slightly|mildly|marginally)\s+"
    r"(?:on the (?:big|large) side|(?:too\s+)?(?:big|large|enlarged)"
    rf"|(?:larg|bigg)er(?:\s+than\s+{AS_IT_SHOULD_BE})?)\b"
)
"""A heart that is mildly enlarged: "heart is a bit too big"."""
_HEART_AT_LIMIT = (
    rf"\bheart\s+(?:(?:is|looks|size)\s+)*(?:(?:only|just|barely)\s+)*(?:{_A_LITTLE}|slightly|just|barely)?\s*"
    r"(?:over|above|beyond|past)\s+(?:(?:the|its)\s+)?"
    r"(?:(?:(?:normal|upper)\s+)?limits?(?:\s+(?:in|of|for)\s+(?:its\s+)?(?:size|normal))?|normal(?:\s+size)?)\b"
)
"""A heart at the border: "heart just over the normal limit"."""
_HEART_NOT_NORMAL = (
    rf"\b{HEART}s?\s+(?:(?:that|which|is|are|was|looks|appears|being)\s+)*"
    r"(?:not\s+(?:of\s+|a\s+)?(?:entirely\s+|quite\s+)?normal|abnormal(?:ly large)?)(?:\s+(?:in\s+|for\s+)?size)?\b"
    rf"|\babnormal(?:ly large)? {HEART}s?\b"
)
"""A heart that a chest radiograph shows as abnormal is enlarged: "heart not normal"."""
_LIMIT_OR_OVER = (
    r"\bheart\s+(?:[a-z]+\s+){0,3}?(?:upper limits?(?:\s+of\s+normal)?|normal)\s+or\s+(?:only\s+|just\s+)*"
    rf"(?:{_A_LITTLE}|slightly|barely|marginally)\s+(?:over|above|beyond|bigger|larger)(?:\s+(?:it|that))?\b"
)
"""A heart at the border or mildly enlarged: "heart normal or slightly bigger"."""
_SOME_THING = r"(?!(?:over|under|above|below|beyond|bigger|larger|smaller|worse|better|more|less|too)\b)[a-z]"
"""The beginning of what there is a small amount of, as in "a little fluid", but not in "a little larger"."""
_OF_A_KIND = (
    rf"(?:{_SMALL}|{_MODERATE}|{_LARGE}|calcified|old|healed|chronic|plate-?\s?like|linear|streaky|subsegmental)"
)
"""Words for one kind of a finding: "healed"."""
_ANY_OF_A_KIND = (
    r",?\s*\(?\b(?:even|including|however|no matter how)\s+(?:if\s+)?(?:(?:the|any|an?)\s+)?"
    rf"{_OF_A_KIND}(?:\s+ones?)?\)?(?=\s*(?:$|[,.;]))|[,;(-]\s*(?:the\s+)?{_OF_A_KIND}(?:\s+ones?)?\s+included\b\)?"
)
"""That a kind of a finding counts too: "effusions, even small ones", "scars, old ones included"."""
_ANY_SIZE = rf"(?:{_SMALL}|{_MODERATE}|{_LARGE})"
_WAS_NOW = (
    rf"\b(?:(?:that|which) )?(?:used to be|was|were) {_ANY_SIZE},?\s+(?:(?:and|but) )?(?:(?:is|are) )?"
    rf"now ({_ANY_SIZE})\b"
)
"""A size that has changed: "was large, now small"."""
_FROM_TO = rf"\b(increased|decreased|grown|grew|improved|progressed|worsened) from {_ANY_SIZE} to ({_ANY_SIZE})\b"
"""The same with its change: "increased from small to moderate"."""
_NORMAL_THEN = (
    rf"\b(?:previously |formerly )?(?:normal {HEART}|{HEART} (?:was|used to be) normal)"
    r"(?: (?:before|previously|earlier))?,?\s+(?:(?:and|but) )?now\b(?: (?:is|with|has))?(?: an?)?\s+"
)
"""A heart that has grown: "heart was normal, now enlarged"."""
SIZE_REWORDINGS: Final[Rewordings] = (
    (_NORMAL_THEN, "new "),
    (_WAS_NOW, r"\1"),
    (_FROM_TO, r"\2 \1"),
    (_HEART_A_LITTLE, "mild cardiomegaly"),
    (_HEART_AT_LIMIT, "borderline cardiomegaly"),
    (_LIMIT_OR_OVER, "borderline or mild cardiomegaly"),
    (rf"\b(?:any|every)thing but (?:an? )?normal {HEART}s?\b", "cardiomegaly"),
    (_HEART_NOT_NORMAL, "cardiomegaly"),
    (r"[,;-]?\s*\(?\b(?:of |to )?any (?:degree|size|extent|severity|grade)\b\)?", ""),
    (_ANY_OF_A_KIND, ""),
    (rf"\b(cleared|resolved|gone|cleared up)\s+{_A_LITTLE}\b", r"partially \1"),
    (rf"\b(better|improved|worse|worsened|increased|decreased|grown|changed)\s+{_A_LITTLE}\b", r"\1"),
    (rf",?\s*\b(?:(?:just|only)\s+)?{_A_LITTLE}(?: bit)?(?=\s*(?:$|[,.;]))", ", small"),
    (rf"\b(?:(?:just|only)\s+)?(?:{_A_LITTLE}(?: of| bit of)|a little)\s+(?={_SOME_THING})", "small "),
    (
        rf"{RATIO}(?:{_OVER}(?:the )?(?:{AS_IT_SHOULD_BE}|limits?)|(?:increased|raised|high|abnormal)\b)",
        "cardiomegaly",
    ),
    (rf"\b(?:increased|raised|high|abnormal) {RATIO}", "cardiomegaly "),
    (
        rf"\b(?:{_ORDINARY})[ -]sized? {HEART}|\b{HEART} (?:(?:of|is|with) )*(?:an? )?{_ORDINARY} (?:in )?size\b",
        "normal heart size",
    ),
    (_OVER_HALF, "cardiomegaly"),
    (_UNDER_HALF, "normal heart size"),
    (rf"\b(borderline\s+{HEART})[\s,]+(?:[a-z]+\s+){{0,3}}?{_UPPER_LIMITS}\b", r"\1"),
    (rf"\b{HEART}[\s,]+(?:[a-z]+\s+){{0,3}}?{_UPPER_LIMITS}\b(?=\s+(?:or\b|/))", "upper limits; heart"),
    (rf"\b{HEART}[\s,]+(?:[a-z]+\s+){{0,3}}?{_UPPER_LIMITS}\b|\b{_UPPER_LIMITS}\s+{HEART}\b", "upper limits"),
    (rf",?\s*(?:{_AT_LEAST}{_SMALL}\b|\b{_SMALL}{_OR_MORE})", " "),
    (rf"(?:{_AT_LEAST}{_MODERATE}\b|\b{_MODERATE}{_OR_MORE}|{_MORE_THAN}{_SMALL}\b)", "moderate or large"),
    (rf"(?:{_AT_LEAST}{_LARGE}\b|\b{_LARGE}{_OR_MORE}|{_MORE_THAN}{_MODERATE}\b)", "large"),
    (rf"(?:{_AT_MOST}{_SMALL}\b|\b{_SMALL}{_OR_LESS}|{_LESS_THAN}{_MODERATE}\b)", "small"),
    (rf"(?:{_AT_MOST}{_MODERATE}\b|\b{_MODERATE}{_OR_LESS}|{_LESS_THAN}{_LARGE}\b)", "small or moderate"),
)
"""The least and the most that a size may be, and what is neither normal nor enlarged."""
