"""Finds where in the body a query wants a device, and of what type, which findings cannot hold: "ETT too low"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mcp_cxr.language._vocabulary import is_any_of
from mcp_cxr.language.query._shared_patterns import ANYONE, DENIES_FILTER, IS, SIDES
from mcp_cxr.language.reader import mentions_in

_DEVICES: Final = frozenset(
    {"support device", "monitoring leads", "sternal wires", "stent", "inferior vena cava filter"}
)
_WRONG = (
    r"(?:mal-?position(?:ed|ing)?|mis-?(?:placed|positioned|directed)|mal-?placed|displaced|dislodged|dislocated|migrated"
    r"|coiled|looped|kinked|knotted|curled|bent|twisted|fractured|broken|disconnected|retracted|repositioned"
    r"|(?:(?:in)?correctly|(?:im)?properly|(?:in)?appropriately|wrongly|abnormally|suboptimally|optimally|well|badly"
    r"|poorly)[\s-](?:positioned|placed|located|sited))"
)
_HOW_FAR = r"(?:(?:too|very|abnormally|rather|relatively|slightly|somewhat|a\s+(?:bit|little))\s+)"
_DEPTH = (
    rf"(?:{_HOW_FAR}?(?:low|high)[\s-](?:lying|riding|positioned|placed|seated|sitting)"
    rf"|{_HOW_FAR}?(?:low|high|deep|shallow|far)(?:\s+(?:down|up|in|out))?)"
)
_COUNT = r"(?:single|one|dual|double|two|bi|triple|three|quad(?:ruple)?|four|multi|[1-4])"
_TYPE = (
    rf"(?:{_COUNT}[\s-]?(?:leads?|leaded|chamber(?:ed|s)?|lumens?|ventricular)|biventricular|leadless"
    r"|(?:non-?)?tunnel(?:l)?ed|(?:un)?cuffed|(?:small|large|wide)[\s-]bore|pig-?tail(?!\s+drains?\b))"
)
_NOUN = (
    r"(?:mal-?position(?:ing)?|misplacement|dislodge?ment|displacement|migration|kink(?:s|ing)?|coiling"
    r"|(?<=lead )fractures?)"
)
_INTUBATION = (
    rf"(?:(?:{SIDES}\s+)?(?:main[\s-]?stem(?:\s+bronch(?:us|ial))?|main\s+bronch(?:us|ial)|(?:endo)?bronchial"
    r"|o?esophageal)(?=\s+(?:re-?)?intubation))"
)
_BRONCHUS = r"main[\s-]?stem(?:\s+bronch(?:us|i))?|bronch(?:us|i)|bronchus\s+intermedius"
_VESSEL = (
    r"(?:[sr]vc|ivc|vena\s+cava|(?:cavo|atrio)[\s-]?(?:atrial|caval)(?:\s+junction)?|atri(?:um|a)|ventricles?"
    r"|coronary\s+sinus|pulmonary\s+(?:artery|outflow\s+tract)|(?:brachiocephalic|innominate|azygos|subclavian|jugular"
    r"|axillary)(?:\s+veins?)?|veins?|[lr][av]\b|(?<=right )pa\b|(?<=left )pa\b|heart)"
)
_ORGAN = (
    r"(?:carina|trachea|thoracic\s+inlet|vocal\s+cords?|larynx|(?:oro|hypo|naso)?pharynx|stomach|gastric\s+(?:body|fundus"
    r"|antrum)|fundus|antrum|pylorus|duodenum|jejunum|(?:small\s+)?bowel|o?esophagus|(?:ge|gastro-?\s?o?esophageal|eg)"
    r"\s+junction|gej|(?:hemi)?diaphragms?|midline|abdomen|upper\s+quadrant|neck|aortic\s+(?:arch|knob)"
    r"|clavic(?:les?|ular\s+heads?)|t\d{1,2}(?:\s*[-/]\s*t?\d{1,2})?\b)"
)
_SIDED = r"(?:fissures?|pleural\s+(?:space|cavity))"
"""Where a side is that of the tube, too: "chest tube in the left fissure"."""
_AT = (
    r"(?:in(?:to|side)?|within|at|above|below|beneath|under|over|past|beyond|near|across|crossing|from|proximal\s+to"
    r"|distal\s+to|short\s+of|overlying|reach(?:es|ing)?|enter(?:s|ing)?|projecting\s+(?:over|in)|through)"
)
_DISEASE = (
    r"(?:failure|disease|obstruction|dilat\w+|disten[st]\w+|surgery|transplant\w*|rupture|hernia|cancer|perforation|mass"
    r"|injury|enlargement|thrombosis|clot|aneurysm|fractures?|stenosis|resection|attack|block|size|elevation)"
)
"""What makes an organ a finding: "PICC in heart failure"."""
_WHICH = (
    rf"(?:the|an?|its|{SIDES}|lt|rt|distal|proximal|mid|upper|lower|middle|lobe|main|superior|inferior|internal|external|low"
    r"|high|level|third|portion|part|just|of|first|second|major|minor|large|big|great|neck|central)"
)
_TARGET = rf"(?:{_WHICH}\s+){{0,5}}?(?:{_BRONCHUS}|{_VESSEL}|{_ORGAN}|{_SIDED})(?!\s+{_DISEASE})"
_PLACE = (
    rf"(?:(?:\d+(?:\.\d+)?\s*(?:-\s*\d+\s*)?[cm]m\s+)?{_AT}\s+{_TARGET}(?:(?:\s*[,/]\s*|\s+(?:and|or)\s+){_TARGET})*"
    r"|in\s+(?:an?\s+)?(?!(?:position|supine|upright|semi\w*|erect|sitting|prone|lateral|decubitus)\b)"
    r"(?:(?!(?:and|or|with|the)\b)[\w-]+\s+){1,2}(?:position|location)s?"
    r"|(?:in|out\s+of)\s+position)"
)
_PART = r"(?:(?:(?:distal|proximal)\s+)?(?:tips?|ends?|side\s?(?:ports?|holes?)|leads?|position|placement)\s+)"
_VERB = (
    rf"(?:(?:(?:that|which)\s+)?(?:{IS}|has|do(?:es)?|sits?|lies|ends?|terminat(?:es?|ing)|ending|sitting|lying|going|went"
    r"|extend(?:s|ing)|located|positioned|placed|coiled|curled|looped|kinked|been|advanced|pushed)\s+)"
)
_END = r"(?=\s*(?:$|[,;.:)?!]|(?:and|or|but|with|without|in|on|for|after|causing|plus)\b))"
_BEHIND: Final = re.compile(
    rf"(?:(?<=\s)|(?<=,))(?P<behind>(?:(?:with|whose)\s+)?(?:(?:the|its|an?)\s+)?{_PART}?{_VERB}{{0,3}}"
    rf"(?P<is_denied>not\s+|without\s+)?(?:{_PLACE}|(?:{_WRONG}|{_NOUN})(?:\s+{_PLACE})?|{_DEPTH}(?:\s+{_PLACE}|{_END})|{_TYPE}{_END}))\b",
    re.IGNORECASE,
)
"""Behind a device: "tip in the right atrium", "not too low", "with two leads"."""
_BEFORE: Final = re.compile(
    rf"\b(?P<before>(?:{_INTUBATION}|{_WRONG}|{_NOUN}\s+of|{_DEPTH}|{_TYPE})(?:(?:\s*,\s*|\s+(?:or|and)\s+|\s+)"
    rf"(?:{_WRONG}|{_DEPTH}|{_TYPE}))*)(?=\s+(?P<device>(?:(?!(?:and|or|with|without|but|in|on)\b)[\w'-]+\s*){{1,5}}))",
    re.IGNORECASE,
)
"""Before a device: "malpositioned", "dual-lead"."""
_DENIAL = re.compile(
    rf"\b{DENIES_FILTER}\s+(?:(?:(?:the|any|all)\s+)?{ANYONE}\s+(?:with|having|(?:who|that|which)\s+have)\s+)?"
    r"(?:(?:(?!\b(?:but|with|and)\b)[^;.])*(?P<last>,(?!\s*(?:show|find|give|get|list|include|only|just|want|need|i)\b)\s*"
    r"(?:n?or\s+)?|\s+n?or\s+))?(?:(?!\b(?:but|with|and|n?or)\b)[^,;.])*$",
    re.IGNORECASE,
)
"""Before a condition, with the device that is denied: "no ETT" of "no ETT in the right mainstem"."""
_MOST_BEFORE = 100  # characters before a position that are read for its device
_SIDE_OF_DEVICE = re.compile(rf"\b({SIDES})\s+(?:[\w-]+\s+){{0,2}}?{_SIDED}", re.IGNORECASE)
_SIDE = re.compile(rf"\b{SIDES}\b", re.IGNORECASE)
_IN_CENTRAL_VEIN = re.compile(
    r"\b(?:svc|superior vena cava|cavo|atri|jugular|subclavian|brachiocephalic|innominate|azygos"
    r"|(?:large|big|great|central|neck) vein)",
    re.IGNORECASE,
)
_BARE_LINE = re.compile(r"(?<!pleural )(?<!fissure )(?<!skin )(?<!kerley )(?<!kerley b )\blines?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Condition:
    start: int
    end: int
    replacement: str = ""
    is_denied: bool = False


def without_device_positions(query: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return a query without positions and types of devices, these as written, and words of them that may rank.

    A denied device is left out with its position: "no ETT" would rule out more than "no ETT in the esophagus".
    """
    named, ranking, has_bare_line = list[str](), list[str](), False
    for pattern, read in ((_BEFORE, _read_before), (_BEHIND, _read_behind)):
        at = 0
        while match := pattern.search(query, at):
            found, is_line = read(match, is_line=False), False
            if found is None and _BARE_LINE.search(query):
                found, is_line = read(match, is_line=True), True
            if found is None:
                at = match.start() + 1
                continue
            named.append(query[found.start : found.end].strip(" ,"))
            ranking += () if found.is_denied else _words_in(match[0])
            has_bare_line |= is_line
            query = f"{query[: found.start]}{found.replacement}{query[found.end :]}"
            at = found.start + len(found.replacement)
    query = " ".join(query.split())
    return _BARE_LINE.sub("catheter", query) if has_bare_line else query, tuple(named), tuple(ranking)


def _read_before(match: re.Match[str], *, is_line: bool) -> _Condition | None:
    device = _BARE_LINE.sub("catheter", match["device"]) if is_line else match["device"]
    if not (name := _device_in(device, 0)):
        return None
    whole = _device_in(f"{match['before']} {device}", 0)
    is_name = whole not in (name, "")
    if denied := _denied(match, match.end("device")):
        return None if is_name and whole == "chest tube" else denied  # "no pigtail drain" denies a chest tube
    return _Condition(match.start(), match.end(), match["before"] if is_name else "")


def _read_behind(match: re.Match[str], *, is_line: bool) -> _Condition | None:
    position = match["behind"]
    before = match.string[max(match.start() - _MOST_BEFORE, 0) : match.start()]
    if not (name := _device_in(_BARE_LINE.sub("catheter", before) if is_line else before, -1)):
        return None
    if denied := _denied(match, match.end()):
        return denied
    replacement = " ".join(_SIDE_OF_DEVICE.findall(position))
    if _device_in(f"{before} {position}", -1) not in (name, ""):
        replacement = _SIDE.sub("", position)
    elif name == "catheter" and _IN_CENTRAL_VEIN.search(position):
        replacement = "central venous catheter"
    return _Condition(match.start(), match.end(), replacement, bool(match["is_denied"]))


def _denied(match: re.Match[str], end: int) -> _Condition | None:
    """Return a condition with its device if that is denied; of a list only this one."""
    if denial := _DENIAL.search(match.string, max(match.start() - _MOST_BEFORE, 0), match.start()):
        return _Condition(denial.start("last" if denial["last"] else 0), end, is_denied=True)
    return None


def _device_in(text: str, at: int) -> str:
    """Return the device that a text begins (0) or ends (-1) with; empty if that is another finding or a word."""
    mentions = mentions_in(text, is_query=True)
    one = mentions[at] if mentions else None
    return one.name if one and one.finding and is_any_of(one.name, _DEVICES) else ""


def _words_in(condition: str) -> list[str]:
    """Return the words of a condition but sides and measures: "stomach" of "in the stomach"."""
    found = (one.text for one in mentions_in(condition, is_query=True))
    return [word for word in found if not word.isdigit() and word not in ("mm", "cm")]
