"""Tells what a query says of a study as a whole: normal, without a finding, with nothing acute, or abnormal."""

from __future__ import annotations

import re
from itertools import dropwhile
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mcp_cxr.language._vocabulary import WORD, normalize
from mcp_cxr.language.query._shared_patterns import SEEN
from mcp_cxr.language.reader import NOTHING_ACUTE

if TYPE_CHECKING:
    from collections.abc import Collection

Judgment: TypeAlias = Literal["normal", "no finding", "no acute finding", "abnormal"]

_SEEN: Final = rf"(?: (?:{SEEN}|of any (?:sort|kind|type)|whatsoever|at all))?"
_NO: Final = (
    r"(?:(?:no|without|free (?:of|from)|lacking|not (?:show|have|demonstrate|contain)|(?:have|show|with|contain)\w* no)"
    r"(?: any)?(?: evidence of)?)"
)
"""Denies that there is anything: "no evidence of", "free of"."""
_NORMAL = re.compile(
    r"^(?:(?P<normal>(?:(?:completely|entirely|perfectly|totally) )?"
    r"(?:normals?|unremarkable|negative|clear|clean|healthy|wnl|nad|within normal limits)"
    r"(?:\s+(?:chests?|frontal|pa|ap|lateral))*"
    r"(?:\s+(?:x\s?rays?|radiographs?|cxrs?|stud(?:y|ies)|exams?|examinations?|images?|films?|reads?|ones?"
    r"|patients?|controls?))?"
    r"|(?:nothing|not) (?:abnormal|wrong|of note|remarkable|to report)(?: findings?)?)"
    r"|no (?:abnormal|wrong|of note|remarkable)(?: findings?)?"
    rf"|(?P<acute>{NOTHING_ACUTE}{_SEEN})"
    rf"|{_NO} (?:active |significant |other |abnormal )?(?:cardiopulmonary |intrathoracic |pulmonary |chest )?"
    rf"(?:findings?|abnormalit(?:y|ies)|process|disease|pathology){_SEEN})"
    r"(?:\s+(?:please|in|for|of|among|with|an?|only|examples?|cases?|on|the|cxr|chest|x\s?ray|radiograph|image|film))*$"
)
"""A study that is normal or has no finding, with nothing else: "normal chest x ray", "no acute abnormality"."""
_ABNORMAL = re.compile(
    r"\b(?:not normal|not an? normal (?:chest|x\s?ray|film|study|radiograph|cxr|exam|image)"
    r"|(?:without|no) normal(?: (?:stud\w+|films?|images?|exams?|cases?|ones?)|$)"
    r"|(?<!no )(?<!not )(?<!nothing )abnormal"
    r"|(?<!without )(?<!free of )(?<!free from )(?<!lacking )(?<!not show )(?<!not have )any (?:finding|abnormality)"
    r"|(?:any|some)thing (?:is )?wrong|any kind of abnormality)\b"
)
"""A study that is not normal: "abnormal", "not a normal film", "anything wrong"."""


_PLACE = re.compile(
    r"\b(?:(?:in|of|at|on|with|within) (?:(?:the|either|both) )?)?"
    r"(?:(?:left|right) )?(?:lungs?|lung fields?|heart|bones|ribs|spine|pleura|pleural space|chest wall|hila|aorta"
    r"|diaphragm|trachea|soft tissues)\b"
)
"""Where something is abnormal: "in the lungs"."""


def judgment_of(text: str, request_words: Collection[str]) -> Judgment | None:
    """Return what a query says of a study as a whole; None if it asks for something else, too.

    Args:
        text: The query.
        request_words: Words before it that describe no image.
    """
    judgments: set[Judgment | None] = {
        _judgment_of_statement(one, request_words) for one in re.split(r"[,.;:]\s+", text.rstrip(" .;"))
    }
    if len(judgments) == 1:
        return judgments.pop()
    if judgments <= {"normal", "no finding", "no acute finding"}:
        return "normal" if "normal" in judgments else "no finding"
    return _judgment_of_statement(text, request_words)


def place_of_abnormal(text: str, named: Collection[str]) -> tuple[str, ...]:
    """Return where a query asks for anything abnormal, as written, if its findings or modifiers do not name it."""
    return tuple(
        one[0]
        for one in _PLACE.finditer(normalize(text))
        if not any(name in one[0] or one[0] in name for name in named)
    )


def without_abnormal(text: str) -> str:
    """Return a query without the words that ask for anything abnormal."""
    return _ABNORMAL.sub(" ", normalize(text))


def _judgment_of_statement(text: str, request_words: Collection[str]) -> Judgment | None:
    """Return what one statement of a query says of a study as a whole; None if nothing."""
    words = WORD.findall(normalize(text))
    plain = " ".join(words)
    asked = " ".join(dropwhile(request_words.__contains__, words))
    if match := _NORMAL.match(asked) or _NORMAL.match(plain):
        if match["acute"]:
            return "no acute finding"
        return "normal" if match["normal"] else "no finding"
    return "abnormal" if _ABNORMAL.search(plain) else None
