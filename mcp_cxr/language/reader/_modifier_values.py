"""Says which sides, places, sizes and changes words state."""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from mcp_cxr.language._vocabulary import (
    TOKEN,
    Cue,
    FindingEntry,
    Modifier,
    dimensions,
    normalize,
)
from mcp_cxr.language.reader._sentences import divide_sentence
from mcp_cxr.language.reader._spans import modifier_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_cxr.language.reader._spans import Sentence, Span

IndexedValues: TypeAlias = "tuple[int, tuple[str, ...]]"
"""The index of a span, and the modifiers that it states."""
_NAMED_BY_OTHER_WORDS = frozenset(
    {
        "abdominal pain",
        "aortic aneurysm",  # "abdominal aortic aneurysm"
        "bowel",  # "small bowel"
        "fat pad",  # "mediastinal fat"
        "heart, mediastinum and hila",
        "left ventricular enlargement",
        "low lung volumes",  # "lower lung volumes"
        "neurostimulator",  # "spinal stimulator"
        "pacemaker",  # "right ventricular lead"
        "pneumomediastinum",  # "air in the mediastinum"
        "pneumoperitoneum",  # "free abdominal air"
        "rotator cuff disease",  # "high riding humeral head"
        "sternal wires",
        "vascular congestion",  # "upper lobe diversion"
        "ventricular assist device",  # "left ventricular assist device"
    }
)
"""Findings and structures whose names have words for a side, place or size that state none."""
_OTHERWISE_IN_NAMES = frozenset({"thoracic", "cervical", "neck", "minor"})
"""Words that state nothing in a name: "thoracic aorta", "cervical rib", "humeral neck", "minor fissure"."""
SIZES = frozenset({"small", "moderate", "large", "borderline"})
"""Of a finding that a predicate denies they say how sure that is: "the heart is not grossly enlarged"."""
NAMING_SIZES = frozenset({"large", "big", "small"})


def values_of(sentence: Sentence, span: Span) -> tuple[str, ...]:
    """Return the modifiers in a span: its own, and those in the name of a structure or finding ("lung base").

    A word for a change in a name states none ("increased markings"), and "thoracic aorta" is not at the spine.
    In a query, a modifier inside a finding's name counts only if it states a side or a place that the finding need not
    have: "hilar mass" requires the hilum, but "big heart" no size and "air in the mediastinum" no place.
    """
    if span.entry is None or isinstance(span.entry, Cue):
        return ()
    if isinstance(span.entry, Modifier):
        return span.entry.values
    if span.entry.name in _NAMED_BY_OTHER_WORDS:
        return ()
    is_sized = not isinstance(span.entry, FindingEntry) or span.entry.is_sized
    words = tuple(sentence.words(span))
    stated = _stated_in_name(words, is_of_spine=_is_of_spine(span.entry.name), is_sized=is_sized)
    if sentence.is_query and isinstance(span.entry, FindingEntry):
        stated = tuple(values for values in stated if dimensions()[values[-1]] in ("side", "place"))
    return tuple(chain.from_iterable(stated))


def modifiers_in(query: str) -> tuple[str, ...]:
    """Return the words of a query that state a side, place, size or change, as written."""
    sentence = divide_sentence(query, is_query=True)
    return tuple(
        " ".join(sentence.words(span))
        for span in sentence.spans
        if not isinstance(span.entry, FindingEntry) and values_of(sentence, span)
    )


def modifier_values(text: str) -> frozenset[str]:
    """Return the values of the modifiers that the words of a text state."""
    return frozenset(value for values in _stated(tuple(TOKEN.findall(normalize(text)))) for value in values)


@lru_cache(maxsize=8192)
def _stated_in_name(tokens: tuple[str, ...], *, is_of_spine: bool, is_sized: bool) -> tuple[tuple[str, ...], ...]:
    """Return the values of the modifiers in a name; "large" in "large heart" is no degree."""
    stated = (
        values
        for first, length, values in _stated_at(tokens)
        if (is_of_spine or length > 1 or first.removesuffix("s") not in _OTHERWISE_IN_NAMES)
        and (is_sized or first not in NAMING_SIZES)
    )
    return tuple(values for values in stated if dimensions()[values[0]] != "change")


@lru_cache(maxsize=8192)
def _stated(tokens: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the values of each modifier among tokens."""
    return tuple(values for _, _, values in _stated_at(tokens))


def _stated_at(tokens: tuple[str, ...]) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Yield the first token of each modifier, its number of tokens, and its values."""
    at = 0
    while at < len(tokens):
        length, modifier = modifier_at(tokens, at) or (1, None)
        if modifier:
            yield tokens[at], length, modifier.values
        at += length


@cache
def _is_of_spine(name: str) -> bool:
    return any(part in name for part in ("spin", "spondyl", "vertebr"))
