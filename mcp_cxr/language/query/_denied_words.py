"""Divides denied words that name no finding: one that names a thing rules studies out, others are named to the user.

"No stent" leaves out studies that state a stent. "No active disease" and "no drain that needs flushing" leave out none
for the words "active", "disease" and "flushing", which many reports have.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import normalize, stem
from mcp_cxr.language.query._kinds import query_mentions

if TYPE_CHECKING:
    from collections.abc import Collection

_GENERAL = frozenset(
    map(
        stem,
        "abnormal abnormality active activity anomaly aorta appearance aspect atypical baseline being benign"
        " body bone cause change chest clear clinical clue comparison complaint complication concern contour"
        " course cure current day diaphragm difference difficulty discomfort disease disorder distress doubt"
        " effect entity episode error event explanation extent fact feature follow followup form group growth"
        " heart hila hilum hint history idea illness important impression improvement indication interest"
        " intervention involvement issue kind last level limit limitation lobe location lung management mark"
        " material matter mediastinum medical medication mind minute morphology name need normal note number"
        " object obvious ongoing option order organ other pathology patient pattern place pleura point"
        " position problem process progress progression quality question reason recurrence relevant rib risk"
        " severe severity shape sharp side significance significant size sort source specific spine spot stage"
        " structure suspicion suspicious symptom syndrome system technique therapy thing time trachea"
        " treatment trend trouble type typical urgency use view visible visit way word work worry".split(),
    )
)
"""Stems of words that say too little to leave a study out for: most reports have some of them."""
_BETWEEN = re.compile(
    r"[,;.:()]+|(?:^|(?<=\s))[-!~\u00ac\u2212\u2013](?=\w)"
    r"|\b(?:and|or|nor|but|with|without|no|not|neither|never|except|excluding|minus|plus)\b",
    re.IGNORECASE,
)
"""Between what a denial lists."""


def ruled_out_and_told(
    text: str, denied: Collection[str], not_applied: Collection[str] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the denied words that rule studies out, and the others as conditions that are not applied.

    A word rules out if it stands alone in what is denied and is not general. A general one behind a finding is dropped.

    Args:
        text: The query.
        denied: Its words that name no finding and are denied.
        not_applied: Conditions that are named already.
    """
    if not denied:
        return (), ()
    left, told = dict.fromkeys(denied), list[str]()
    named = {stem(word) for condition in not_applied for word in normalize(condition).split()}
    for part in _BETWEEN.split(normalize(text)):
        mentions = query_mentions(part)
        words = list(dict.fromkeys(one.text for one in mentions if not one.finding and one.text in left))
        findings_at = [at for at, one in enumerate(mentions) if one.finding]
        if not words or (len(words) == 1 and not findings_at and stem(words[0]) not in _GENERAL):
            continue
        for word in words:
            del left[word]
        behind = {one.text for one in mentions[findings_at[-1] :]} if findings_at else set[str]()
        said = [one for one in words if one not in behind or stem(one) not in _GENERAL]
        if not named.issuperset(map(stem, said)):
            told.append(" ".join(said if findings_at else ["no", *said]))
    return tuple(left), tuple(told)
