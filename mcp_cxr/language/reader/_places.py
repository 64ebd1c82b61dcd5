"""Replaces a finding by the narrower one that it is at its place, and adds places that reports leave out.

A fracture at a rib is a rib fracture. In a chest radiograph the spine is the thoracic one unless another part is named.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import SIDES, FindingEntry, dimensions, finding_entries, findings, is_any_of, stem
from mcp_cxr.language.reader._scopes import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTS_OF_SPINE = frozenset({"cervical spine", "thoracic spine", "lumbar spine"})
"""Places that are narrower than `spine`."""
SPINE = PARTS_OF_SPINE | {"spine"}
BONES = SPINE | {"rib", "clavicle", "humerus", "shoulder", "scapula", "sternum"}
"""Places that only findings of bones have: in "no rib fracture or pneumothorax" no pneumothorax is at the rib."""
_SKELETAL = frozenset(
    "fracture|dislocation|bone deformity|degenerative change|osteopenia|osteoporosis|bone lesion|sclerosis|osteophyte"
    "|scoliosis|kyphosis|lordosis|arthritis|orthopedic hardware|vertebroplasty|spondylolisthesis|schmorl node"
    "|metastasis|diffuse idiopathic skeletal hyperostosis|hypertrophic changes of the spine|bone abnormality".split("|")
)
"""Findings, with their narrower ones, that are at a level of the spine."""
_AT_PLACES = (
    ("scoliosis", frozenset({"left"}), "levoscoliosis"),
    ("scoliosis", frozenset({"right"}), "dextroscoliosis"),
    ("surgical clips", frozenset({"right", "abdomen"}), "cholecystectomy clips"),
)
"""Findings, each with sides and places, and the finding that it is there: a scoliosis is named by its convexity."""
_IMPLIED = {finding: places for _, places, finding in _AT_PLACES} | {
    "coronary bypass clips": frozenset({"mediastinum"})
}
"""Sides and places that go with a finding: added to it in reports, removed from it in queries."""
_BY_DEFAULT = {"mass": "lung mass"}
"""What a general name means in a report that says no more: a mass of the chest wall has a name of its own."""
_IN_BONES = {"lung lesion": "bone lesion"}
"""What a general name means at a place in a bone."""
_WITHOUT_SIDE = frozenset({"cardiomegaly", "enlarged cardiomediastinum", "widened mediastinum"})
"""What has no side, whatever is listed beside it: "normal heart and hila"."""
_WITHOUT_PLACE = frozenset(
    "cardiomegaly|left ventricular enlargement|pericardial effusion|tortuous aorta|ectatic aorta|aortic aneurysm"
    "|aortic calcification|aortic atherosclerosis|enlarged cardiomediastinum".split("|")
)
"""What has no place but that of its structure: "stable cardiomegaly and mediastinal contours"."""
_OUTSIDE_LUNGS = BONES | {"abdomen", "neck"}
"""Places at which a mass is no lung mass."""
_OF_SPINE = frozenset(
    "degenerative spine|vertebral fracture|compression deformity|kyphosis|kyphoscoliosis|spondylolisthesis|schmorl node"
    "|hypertrophic changes of the spine|diffuse idiopathic skeletal hyperostosis".split("|")
)
"""Findings, with their narrower ones, that a chest radiograph shows in the thoracic spine."""
_ALSO_OF_SPINE = frozenset({"scoliosis", "lordosis", "spinal hardware", "vertebroplasty", "neurostimulator"})
"""Other findings of the spine, of any part of it."""


def is_skeletal(finding: str) -> bool:
    """Return whether a finding may be at a level of the spine."""
    return is_any_of(finding, _SKELETAL)


def at_places(
    entry: FindingEntry, values: frozenset[str], status: Status, *, is_query: bool
) -> Iterator[tuple[FindingEntry, frozenset[str]]]:
    """Yield each finding that a finding is at its places, with the modifiers that are left.

    A fracture of clavicle and scapula is a clavicle fracture and a scapula fracture.

    Args:
        entry: The finding as named.
        values: Its modifiers.
        status: Its status; one that is denied gets no place that goes without saying.
        is_query: Whether a query is read; it asks for no place that is not stated.
    """
    if entry.name in _WITHOUT_SIDE:
        values -= {*SIDES}
    if entry.name in _WITHOUT_PLACE:
        values = frozenset(value for value in values if dimensions().get(value) != "place")
    values = _in_spine(entry, values, is_query=is_query, is_affirmed=status is not Status.ABSENT)
    narrower = {value: found for value in sorted(values) if (found := _narrower(entry, value))}
    for one in dict.fromkeys(narrower.values()):
        others = {place for place, other in narrower.items() if other != one}
        yield one, values - (others | {*SIDES} if others and is_any_of(one.name, _OF_SPINE) else others)
    if narrower:
        return
    if entry.name in _IN_BONES and values & BONES:
        entry = finding_entries()[_IN_BONES[entry.name]]
    sides = values & {*SIDES}
    for name, places, narrower_name in _AT_PLACES:
        if entry.name == name and places <= values and sides <= places:
            entry = finding_entries()[narrower_name]
    if not is_query and status is not Status.ABSENT and values.isdisjoint(_OUTSIDE_LUNGS):
        entry = finding_entries()[_BY_DEFAULT.get(entry.name, entry.name)]
    implied = _IMPLIED.get(entry.name, frozenset())
    yield entry, values - implied if is_query else values | implied


def _in_spine(entry: FindingEntry, values: frozenset[str], *, is_query: bool, is_affirmed: bool) -> frozenset[str]:
    """Return modifiers with the part of the spine instead of `spine`: the thoracic one if none is stated."""
    is_stated = "spine" in values
    values -= {"spine"}
    if values & PARTS_OF_SPINE:
        return values
    of_spine = is_any_of(entry.name, _OF_SPINE)
    if is_query:
        return values | {"spine"} if is_stated and not (of_spine or is_any_of(entry.name, _ALSO_OF_SPINE)) else values
    is_default = of_spine and not any(dimensions().get(value) == "place" for value in values)
    return values | {"thoracic spine"} if is_affirmed and (is_stated or is_default) else values


@cache
def _narrower(entry: FindingEntry, place: str) -> FindingEntry | None:
    """Return the narrower finding that a finding is at a place, also of one that is at another place already."""
    if dimensions().get(place) != "place":
        return None
    own = _named_at(entry.name, place)
    if own or not any(_named_at(broader, other) == entry for broader in entry.broader for other in dimensions()):
        return own
    return next((found for broader in entry.broader if (found := _named_at(broader, place))), None)


@cache
def _named_at(finding: str, place: str) -> FindingEntry | None:
    """Return the narrower finding whose name is that of a place and a finding: "rib fracture"."""
    words = [stem(word) for word in f"{place} {finding}".split()]
    found = findings().longest_at(words, 0)
    return found[1] if found and found[0] == len(words) and finding in found[1].broader else None
