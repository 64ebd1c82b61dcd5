"""Says which modifiers of a sentence are of no finding: of what is normal, of another noun, of where a tube ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import SIDES, FindingEntry, Modifier, Structure, is_any_of
from mcp_cxr.language.reader._span_index import is_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.language.reader._modifier_values import IndexedValues
    from mcp_cxr.language.reader._spans import Span

_OTHER_NOUNS = frozenset(
    "aeration ventilation expansion inflation visualization penetration rotation obliquity motion retraction"
    " advancement withdrawal repositioning".split()
)
"""What may be improved or small, and is no finding."""
_MOST_MODIFIERS = 6  # before such a noun
_CONTRASTING = frozenset({"but", "although", "though", "however", "while", "whereas", "yet"})
"""Words behind which modifiers are those of another finding."""
_NORMAL = frozenset({"clear", "normal", "unremarkable", "sharp", "intact", "spared", "aerated", "expanded"})
_BEFORE_NORMAL = frozenset(
    "is are was appears appear remains remain now well fully grossly lung lungs zone side the".split()
)
"""Words between a side or place and the word that calls it normal."""
_ENTERIC_TUBES = frozenset({"enteric tube"})


def is_of_other(spans: Sequence[Span], places: Sequence[int], index: int) -> bool:
    """Return whether a modifier is said of something that is no finding.

    Args:
        spans: Of the sentence.
        places: The indices of its findings.
        index: Of the modifier.
    """
    return (
        _is_of_other_noun(spans, index) or _is_of_contrast(spans, places, index) or _is_of_normal(spans, places, index)
    )


def _is_of_normal(spans: Sequence[Span], places: Sequence[int], index: int) -> bool:
    """Whether a side or place is called normal: "right lower lobe mass, left lung normal"."""
    if spans[index].dimension not in ("side", "place") and not isinstance(spans[index].entry, Structure):
        return False
    for at in range(index, min(index + _MOST_MODIFIERS, len(spans))):
        span = spans[at]
        if at in places:
            return False
        if span.is_cue("normal") or (span.entry is None and span.first in _NORMAL):
            following = spans[at + 1 : at + 2]  # "left base is clear without effusion": of no effusion there
            return not any(is_named(one) or one.first in ("without", "with") for one in following)
        if not isinstance(span.entry, Modifier | Structure) and span.first not in _BEFORE_NORMAL:
            return False
    return False


def _is_of_other_noun(spans: Sequence[Span], index: int) -> bool:
    """Whether a modifier stands before a noun that is no finding: "improved left basal aeration"."""
    after = next((one for one in spans[index : index + _MOST_MODIFIERS] if not isinstance(one.entry, Modifier)), None)
    if index and spans[index - 1].first in ("or", ",") and spans[index].first == "both" and after is None:
        is_alone = spans[index].end == spans[index].start + 1  # "atelectasis, pneumonia, or both", ", both unchanged"
        return is_alone and all(one.dimension not in ("side", "place") for one in spans[index + 1 :])
    if after and after.first in ("in", "of") and spans[index].dimension == "change":  # "improvement in aeration"
        after = next(iter(spans[index + 2 : index + 3]), None)
    return isinstance(spans[index].entry, Modifier) and after is not None and after.first in _OTHER_NOUNS


def _is_of_contrast(spans: Sequence[Span], places: Sequence[int], index: int) -> bool:
    """Whether a modifier is of a structure in a clause that has no finding: "but the right apex is excluded"."""
    last = max(places)
    clause = next((at for at in range(last + 1, index) if spans[at].first in _CONTRASTING), None)
    if clause is None or spans[index].dimension == "change":
        return False
    structure = next((at for at in range(clause, len(spans)) if isinstance(spans[at].entry, Structure)), len(spans))
    return any(span.first in ("is", "are") for span in spans[structure + 1 : structure + 3])


def is_where_it_ends(spans: Sequence[Span], device: int, index: int, own: Sequence[IndexedValues]) -> bool:
    """Whether a side after a device is where it ends: "left PICC in the right atrium", "tip in the left SVC"."""
    sides = {value for _, values in own for value in values if value in SIDES}
    entry, end = spans[device].entry, spans[index : index + 3]
    if isinstance(entry, Structure):
        return spans[index].dimension == "side"
    if any(one.entry == Structure("pulmonary artery") for one in end) and spans[index].dimension == "side":
        return True
    if isinstance(entry, FindingEntry) and is_any_of(entry.name, _ENTERIC_TUBES):
        return any(one.entry == Structure("diaphragm") for one in end)
    is_joined = any(span.first == "and" for span in spans[device + 1 : index])
    return spans[index].dimension == "side" and len(sides) == 1 and spans[index].first not in sides and not is_joined


def without_other_clauses(spans: Sequence[Span], at: int, own: list[IndexedValues]) -> list[IndexedValues]:
    """Return the modifiers of a finding without those of a clause before it, if it has a side of its own.

    "Left base unchanged; right effusion" has the side of the second clause alone.
    """
    last = next((n for n in range(at - 1, 0, -1) if spans[n].first == ";"), 0)
    is_sided = any(index > last and not {*SIDES}.isdisjoint(values) for index, values in own)
    return [one for one in own if one[0] > last] if last and is_sided else own
