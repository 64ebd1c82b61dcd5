"""Places, and looks of findings, in everyday words, and what a report says instead: "water around the lungs"."""

from __future__ import annotations

from typing import Final

from mcp_cxr.language.query._shared_patterns import AS_IT_SHOULD_BE, SIDES, Rewordings

_ONE_DIAPHRAGM_HIGHER = (
    rf"\b({SIDES}) ((?:hemi-?\s?)?diaphragm)(?: dome)?\s+"
    r"(?:(?:that|which|is|was|sits|sitting|lies|lying|rides|riding|being)\s+)*"
    rf"(?:[a-z]+ly\s+|much\s+)?higher than (?:the |its )?(?:{SIDES}|other|opposite)(?: one| side| \2)?\b"
)
"""Such as "right diaphragm sits higher than the left"."""
_SOME_FLUID = (
    rf"\b(trace|tiny|small|moderate|large|massive|bilateral|sided|{SIDES}) fluid\b"
    r"(?![ -](?:filled|level|overload|collection|in|within|along|tracking|around|on the lung))"
)
"""Fluid with a size or side and without its place: "small fluid"."""
_FLUID_AT = (
    r"(?<!pleural )(?<!pericardial )(?<!loculated )\bfluid"
    rf"(?=,?\s+(?:(?:on|at)\s+)?(?:(?:the|both|either|one)\s+)?(?:{SIDES}|sides?|bilateral(?:ly)?|bas(?:e|es))\b"
    rf"|\s+(?:of|in)\s+(?:(?:the|both|either|one)\s+)?(?:{SIDES}\s+)?sides?\b)"
)
"""Fluid at a side or base: "fluid on the left"."""
_HIGH_DIAPHRAGM = (
    r"(diaphragms?)\s+(?:that\s+)?"
    r"(?:(?:sits?|lies|stands|is|rides|sitting|lying|standing|riding)\s+"
    rf"(?:too\s+|abnormally\s+)?high(?:er)?\b(?: than {AS_IT_SHOULD_BE}\b)?"
    rf"|higher than {AS_IT_SHOULD_BE}\b|(?:is|being) the high(?:er)? one\b)"
)
"""Such as "diaphragm that sits too high"."""
_NO_DEEP_BREATH = (
    r"\b(?:(?:did|does|could|can)? ?not|failed to|fails to|unable to) (?:take (?:in )?an? "
    r"(?:deep|full|big|good|proper|decent)(?: enough)? (?:breath|inspiration)\b(?: in\b)?"
    r"|breathe in (?:very )?(?:well|deeply|fully|properly|enough|(?:deep|far) enough|all the way)\b)"
)
"""Such as "could not take a deep breath"."""
_NOTHING_WRONG_AT = (
    r"\bnothing (?:wrong|abnormal|amiss) (?:at|in|on|with) (?:the |either |both )?"
    r"(?=(?:(?:left|right|lung) )?(?:lungs?|bases|apices|heart|mediastinum)\b)"
)
"""Such as "nothing wrong at the bases"."""
_HARDWARE = r"(?:pacemakers?|hardware|wires?|clips?|drains?)"
"""Before a line it shows which lines are meant: "pacemaker or line"."""
_BAND = (
    r"\b(?:(?:discoid|plate[ -]?like)(?:\s+or\s+)?)+((?:\s+(?:left|right|bilateral|bibasilar|basal|basilar|lower))*)"
    r"\s+(?:changes?|densit(?:y|ies)|opacit(?:y|ies)|bands?)\b"
)
"""Atelectasis by its look: "discoid or plate-like basal changes"."""
_LINE_IN_A_VEIN = (
    r"\b(?:(?:drip|iv|intravenous|infusion)\s+)?(?:lines?|drips?|tubes?|catheters?)\s+"
    r"(?:for [a-z]+\s+)?(?:(?:going|running|ending|placed)\s+)?(?:in|into|inside)\s+(?:an?\s+|the\s+|one of the\s+)?"
    r"(?:big|large|main|central|great|neck|chest|jugular|subclavian)\s+veins?\b"
    r"(?:\s+(?:near|next to|close to|beside|leading to) the heart\b)?"
)
"""Such as "line running into a large vein"."""
_STOMACH_MOVED = (
    r"(?:\b(?:an? |the )?(?:bit|part|piece|portion|some) of (?:the )?)?\bstomach\s+"
    r"(?:that |which )?(?:has |have |is )?(?:been )?(?:\w+(?:ed|ing|id|one|en)\s+)?(?:up )?"
    r"(?:in|into|through) the (?:chest|diaphragm)\b"
)
"""Such as "part of the stomach has slid into the chest"."""
_FLUID_AROUND = (
    r"\bfluid (?:(?:is |has )?(?:sitting|collecting|collected|lying|building up|built up|pooling|trapped) )?"
    r"(?:on|a?round|surrounding) (?:the )?(?=(?:left |right |both )?lungs?\b)"
)
"""Such as "fluid collecting around the left lung"."""
_ANGLE_BEFORE = (
    r"(?<!phrenic )(?<!cp )\bangles?\s+"
    r"(?=(?:(?:is|are|was|were|being|look|looks|have to be|has to be|must be|should be)\s+)?"
    r"(?:blunted|sharp|obscured|obliterated|clear)\b)"
)
"""An angle of the chest without its name: "angles are blunted"."""
_ANGLE_BEHIND = (
    r"\b(blunted|blunting of|obscured|effaced|effacement of|sharp)\s+"
    rf"((?:(?:the|both|{SIDES}|lateral|posterior)\s+)*)angles?\b"
)
"""The same with what it is before it: "blunting of the left angle"."""
_STRUCTURE = r"(?:the\s+)?(?:heart|mediastinum|pleura|bones|ribs|hila|aorta|diaphragm)"
_AND = r"\s*(?:,\s*(?:and\s+)?|\s+and\s+|&)\s*"
_NORMAL = r"(?:normal|healthy|unremarkable|negative|clear|fine|within normal limits|wnl)"
_NORMAL_LISTED = rf"(?<!not )(?<!no )(?<!without )\b{_NORMAL}\s+"
_LISTED_NORMAL = (
    rf"(?:\s*:\s*|\s+)(?:(?:are|is|look|looks|appear|both|all|being|that|which|seem)\s+)*{_NORMAL}\b(?!\s+heart\b)"
)
_LUNGS_FIRST = rf"(?:the\s+)?lungs{_AND}({_STRUCTURE}(?:{_AND}{_STRUCTURE})*)"
_LUNGS_BEHIND = rf"({_STRUCTURE}(?:{_AND}{_STRUCTURE})*){_AND}(?:the\s+)?lungs((?:{_AND}{_STRUCTURE})*)"
"""Structures that are normal together with the lungs, which reports call clear: "normal heart and lungs"."""
PLACE_REWORDINGS: Final[Rewordings] = (
    (rf"{_NORMAL_LISTED}{_LUNGS_FIRST}\b", r"clear lungs, \1 normal"),
    (rf"{_NORMAL_LISTED}{_LUNGS_BEHIND}\b", r"clear lungs, \1\2 normal"),
    (rf"{_NORMAL_LISTED}({_STRUCTURE}(?:{_AND}{_STRUCTURE})+)\b(?! normal)", r"\1 normal"),
    (rf"\b{_LUNGS_BEHIND}{_LISTED_NORMAL}", r"clear lungs, \1\2 normal"),
    (rf"\b{_LUNGS_FIRST}{_LISTED_NORMAL}", r"clear lungs, \1 normal"),
    (r"\bangles (?:that|which) are not blunted\b", "sharp angles"),
    (r"\b(?:lateral|posterior) (?:or|and) (?:lateral|posterior) (?=(?:costophrenic |cp )?(?:angles|sulci)\b)", ""),
    (_ANGLE_BEFORE, "costophrenic angle "),
    (_ANGLE_BEHIND, r"\1 \2costophrenic angle"),
    (r"\b(?:my|his|her|their|our|your)\b", "the"),
    (r"\bbottoms? of both lungs\b", "both bases"),
    (r"\btops? of both lungs\b", "both apices"),
    (r"\bfree (?=(?:pleural )?fluid\b)", ""),
    (r"\bwater (?=(?:a?round|surrounding|in) the\b)", "fluid "),
    (r"\b(?:not (?:fully|completely|properly|well)) blown up\b", "not fully inflated"),
    (r"\b(with|has|have|having) (?:an?|any|some) line\b(?! (?:of|in|at|through|across)\b)", r"\1 a catheter"),
    (_NOTHING_WRONG_AT, "normal "),
    (
        r"\b(?:normal|healthy) (lungs|(?:lung )?bases|apices)\b|\b(lungs|(?:lung )?bases|apices)(?: are)? normal\b",
        r"clear \1\2",
    ),
    (rf"\blow (?:down )?in (?:the )?({SIDES}) lung\b", r"at the \1 base"),
    (rf"\bhigh (?:up )?in (?:the )?({SIDES}) lung\b", r"at the \1 apex"),
    (rf"\b({_HARDWARE})(\s*(?:,|or|and|/)\s*)(?:an?\s+|any\s+)?lines?\b", r"\1\2catheter"),
    (_BAND, r"\1 discoid atelectasis"),
    (_LINE_IN_A_VEIN, "central venous catheter"),
    (r"\bfluid (?:that (?:is|has) )?back(?:ed|ing|s)? up(?: (?:from|behind|because of) the heart)?\b", "heart failure"),
    (_NO_DEEP_BREATH, "low lung volumes"),
    (_ONE_DIAPHRAGM_HIGHER, r"elevated \1 \2"),
    (_SOME_FLUID, r"\1 pleural fluid"),
    (_FLUID_AT, "pleural fluid"),
    (r"\bfluid (?:in|within|inside) the (?:sac|bag|lining) (?:a?round|of) the heart\b", "pericardial effusion"),
    (r"\bliquid\b(?= (?:in|on|around|at)\b)|(?<=pleural )liquid\b", "fluid"),
    (r"\bfluid in the pleura(?:l space)?\b", "pleural fluid"),
    (_FLUID_AROUND, "pleural fluid, "),
    (_STOMACH_MOVED, "stomach in the chest"),
    (rf"\bblood in the ((?:{SIDES} )?)chest(?: cavity)?\b", r"\1 hemothorax"),
    (r"\bair\s+(?:[a-z]+ing |[a-z]+ed )?under the skin\b", "subcutaneous emphysema"),
    (r"\blungs? (?:(?:is|are) )?(?:full of|filled with) (?:fluid|water)\b", "pulmonary edema"),
    (r"\blungs (?:that )?(?:are|look|appear|seem) (?:too )?(?:big|large)\b", "hyperinflation"),
    (r"\bheart (?:is|was) weak\b|\bweak heart\b", "heart failure"),
    (rf"\bfluid in the ((?:{SIDES} )?)chest(?: cavity)?\b", r"\1 pleural fluid"),
    (rf",?\s*\bboth (?=(?:on|in|at) the {SIDES}\b)", " "),
    (r"\b(air|gas) (under|beneath|below) both (hemi)?diaphragms\b", r"\1 \2 the diaphragm"),
    (r",?\s*\b(?:(?:on|in|at)\s+)?either (?:side|lung)\b", ""),
    (r"(\bor\s+[\w\s-]+?),\s*(?:left or right|right or left)(?=\s*(?:$|[,;.)]))", r"\1"),
    (
        r"\bheart (?:is |has been )?(?:shifted|displaced|pushed|pulled)(?: over)? (?=to the)",
        "mediastinum is shifted ",
    ),
    (r",?\s*\b(?:either\s+)?(?:(?:unilateral|bilateral)(?:ly)?\s+or\s+(?:unilateral|bilateral)(?:ly)?)\b", ""),
    (rf",?\s*\b(?:worse|greater|larger|bigger|more|predominantly|mostly)\s+(?=(?:on|in|at)\s+the\s+{SIDES}\b)", " "),
    (r"(?:^|(?<=[,;.(] )|(?<=\ba )|(?<=\bwith ))lines? (?=in (?:place|situ)\b)", "catheter "),
    (r"\bin (?:place|situ)\b(?! of\b)", ""),
    (r"\b(?:something|anything) round\b|\bround (?:thing|shape|spot|shadow)s?\b", "nodule or mass"),
    (r"\bglands? (?:in|of) the mediastinum\b", "mediastinal lymph nodes"),
    (r"(?<=hilar |tinal |cheal |lymph )glands?\b", "lymph nodes"),
    (r"\bhigh(?=(?:[ -](?:lying|sitting|standing))?\s(?:(?:left|right)\s)?(?:hemi-?\s?)?diaphragms?\b)", "elevated"),
    (_HIGH_DIAPHRAGM, r"\1 is elevated"),
)
"""Where a finding is and what it looks like, in everyday words."""
