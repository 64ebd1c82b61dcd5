"""Parts of patterns that several modules share: whom or what a request asks for, and how it is said to be."""

from __future__ import annotations

from typing import Final, TypeAlias

Rewordings: TypeAlias = tuple[tuple[str, str], ...]
"""Patterns, in any case, each with what it is replaced by."""

STUDIES: Final = r"(?:cases?|images?|stud(?:y|ies)|films?|exams?|patients?|ones?)"
"""Nouns for what is searched: "cases", "films"."""
IS: Final = r"(?:is|are|was|were)"
PEOPLE: Final = r"patients?|people|persons?|those|individuals|subjects|adults?|wom[ae]n|m[ae]n"
"""Nouns for patients."""
ANYONE: Final = (
    rf"(?:any(?:one|body|thing)|every(?:one|body|thing)|{STUDIES}|{PEOPLE}|reports?|radiographs?|x-?\s?rays?|cxrs?"
    r"|examples?)"
)
"""Whom or what a request asks for or leaves out."""
SIDES: Final = r"(?:left|right)"
LEAVE_OUT: Final = r"(?:exclude|omit|skip|leave out|drop|filter out|discard|reject|remove|ignore|avoid)"
"""Verbs of a request that leaves something out."""
SEEN: Final = (
    r"(?:seen|present|visible|identified|found|detected|observed|noted|shown|demonstrated|evident|apparent|visualized"
    r"|mentioned|named|reported|described|documented|stated|there)"
)
"""What a report says of a finding that is there."""
AS_IT_SHOULD_BE: Final = r"(?:normal|usual|expected|(?:it|they) (?:should|ought to|is supposed to)(?: be)?)"
"""What something is compared with that is too large or too high: "bigger than normal"."""
RATIO: Final = r"\b(?:c/?t ratio|cardio-?\s?thoracic (?:ratio|index)|ctr)\s*(?:(?:is|was|of)\s+)?"
"""The width of the heart by that of the chest: "CT ratio of"."""
HEART: Final = r"(?:heart(?: size)?|cardiac (?:silhouette|size))"
"""The heart, before what is said of its size."""
DENIES_FILTER: Final = (
    rf"(?:not|no|non|without|w/o|neither|{LEAVE_OUT}|(?:exclud|omitt|skipp|avoid|dropp|ignor|discard|reject|remov)ing"
    r"|excludes|except(?:ing)?(?: for)?|other than|apart from|aside from|rather than|instead of|minus|never"
    r"|no ?(?:one|body)|none|not (?:including|interested in)|(?:leaving|(?:keep|screen|weed|sort)(?:ing)?) out"
    r"|(?:do not|don['\u2019]t) (?:want|need|include|show|give)(?: me)?"
    r"|(?:all|any(?:one|body|thing)?|every(?:one|body|thing)?) but)"
)
"""Before a sex, an age or a view that is not wanted: "excluding", "all but"."""
