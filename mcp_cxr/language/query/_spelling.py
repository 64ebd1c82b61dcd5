"""Corrects misspelled words of a query by the words of this package's tables and of the archive."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import (
    STOP_WORDS,
    WORD,
    cues,
    dimensions,
    finding_entries,
    modifiers,
    normalize,
    phrases_of_findings,
    phrases_of_structures,
    stem,
)
from mcp_cxr.language.query._english import is_everyday_word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ONE_EDIT_FROM, _TWO_EDITS_FROM = 5, 9
"""Letters of a word in which one edit, or two, are taken as a misspelling."""
_MOST_EDITS = 2
_FEWEST_LETTERS = 3
"""Letters of a word that is corrected if that makes a phrase of the tables with the word beside it: "lower lob"."""
_MOST_LETTERS = 30  # letters: no longer word is corrected
_NOT_MISSPELLED = frozenset(
    "alveolitis blastomycosis bronchus dysphagia exostosis granulomatosis hyperemia induration inpatient inpatients"
    " interlobar intralobular intrapleural lobulated mycobacteria nonsmoker nonsmokers oligemic osteopetrosis"
    " outpatient outpatients pericarditis pleuritis pulmonale spondylitis spondylolysis synostosis".split()
)
"""Words of radiology that are one or two edits from other ones."""
_OPPOSITES = re.compile(r"hyper|hypo|macro|micro|inter|intra|infra|extra|supra|sub")
"""Beginnings of words that mean another thing with another one: "hypodense" is no "hyperdense"."""
_TYPED = re.compile(r"[^\W\d_]+")
"""A word of a query: letters alone."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Correction:
    """A word that was typed, and the words it may stand for."""

    typed: str
    candidates: tuple[str, ...]
    """One: it was taken for this word. Several, equally near: it was not changed, and a warning names them."""


@cache
def table_words() -> frozenset[str]:
    """Return every word of the tables of findings, structures, modifiers and cues."""
    texts = [*_texts_of_tables(), *cues().phrases()]
    return frozenset(word for text in texts for word in WORD.findall(text)) | STOP_WORDS


def _texts_of_tables() -> list[str]:
    return [*phrases_of_findings(), *phrases_of_structures(), *finding_entries(), *modifiers().phrases()]


@cache
def _neighbors_in_tables() -> frozenset[tuple[str, str]]:
    """Return each two words that stand side by side in a table, such as `lumbar spine`."""
    return frozenset(pair for text in _texts_of_tables() for pair in pairwise(WORD.findall(text)))


def is_word_of_reports(word: str) -> bool:
    """Return whether a word in small letters stands in the tables, such as `white` or `small`."""
    return word in table_words()


def is_known_word(word: str) -> bool:
    """Return whether a word in small letters stands in the tables or is everyday English."""
    return is_word_of_reports(word) or is_everyday_word(word)


@cache
def _finding_words() -> frozenset[str]:
    """Return the words of five letters or more that name findings and structures: what a query is corrected to."""
    located = (pair for pair in modifiers().items() if dimensions()[pair[1].values[-1]] in ("side", "place"))
    anatomy = [" ".join(words) for words, _ in located]
    texts = [*phrases_of_findings(), *phrases_of_structures(), *finding_entries(), *anatomy]
    return frozenset(
        word for text in texts for word in WORD.findall(text) if len(word) >= _ONE_EDIT_FROM - 1 and word.isalpha()
    )


def corrected(query: str, known: frozenset[str]) -> tuple[str, tuple[Correction, ...]]:
    """Return the query with misspelled words replaced, and what was done.

    A word of five letters or more that no table knows is taken for the word of the tables that is one edit away
    (Damerau-Levenshtein), from nine letters also for one that is two away; several equally near ones are only named.
    A shorter word and a word of everyday English are taken for another one only if that makes a phrase of the tables
    with the word beside it: "lumber spine" is the lumbar spine, but "every" is not "very".

    Args:
        query: The words.
        known: Further words that are spelled correctly, in lower case.
    """
    corrections: dict[str, Correction] = {}
    typed = [*_TYPED.finditer(query)]
    words = [normalize(match[0]) for match in typed]
    parts, end = list[str](), 0
    for index, match in enumerate(typed):
        word = words[index]
        parts.append(query[end : match.start()])
        end = match.end()
        candidates = _candidates(word) if _is_unknown(word, known) else ()
        if candidates and is_everyday_word(word):  # "through" is no short form of "throughout"
            candidates = tuple(one for one in candidates if len(one) - len(word) <= _MOST_EDITS)
        if candidates and (len(word) < _ONE_EDIT_FROM or is_everyday_word(word)):
            candidates = tuple(one for one in candidates if _fits(one, words[index - 1 : index], words[index + 1 :]))
        elif len(candidates) > 1:
            fitting = tuple(one for one in candidates if _fits(one, words[index - 1 : index], words[index + 1 :]))
            candidates = fitting if len(fitting) == 1 else candidates
        if candidates:
            corrections[word] = Correction(word, candidates)
        words[index] = candidates[0] if len(candidates) == 1 else word
        parts.append(words[index] if words[index] != word else match[0])
    return "".join([*parts, query[end:]]), tuple(corrections.values())


def _fits(word: str, before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether a word and one of the words beside it stand side by side in the tables."""
    following = (_candidates(after[0]) or after[:1]) if after and after[0] not in table_words() else after[:1]
    pairs = {*((one, word) for one in before[-1:]), *((word, one) for one in following)}
    return not pairs.isdisjoint(_neighbors_in_tables())


def _is_unknown(word: str, known: frozenset[str]) -> bool:
    if not _FEWEST_LETTERS <= len(word) <= _MOST_LETTERS or not word.isascii():
        return False
    return word not in known and word not in table_words() | _NOT_MISSPELLED and stem(word) not in _known_stems()


@cache
def _known_stems() -> frozenset[str]:
    """Return the stems of the words of findings and structures, which are recognized by stems."""
    texts = [*phrases_of_findings(), *phrases_of_structures(), *finding_entries()]
    return frozenset(stem(word) for text in texts for word in WORD.findall(text))


@lru_cache(maxsize=4096)
def _candidates(word: str) -> tuple[str, ...]:
    """Return the words of the tables nearest to a word, forms of one stem as one."""
    furthest = _MOST_EDITS if len(word) >= _TWO_EDITS_FROM else 1
    by_distance: dict[int, dict[str, str]] = {}
    for candidate in _finding_words():
        if abs(len(candidate) - len(word)) <= furthest:
            distance = 1 if _sound(word) == _sound(candidate) else edit_distance(word, candidate, furthest)
            if distance <= furthest and _may_be(word, candidate, distance):
                by_stem = by_distance.setdefault(distance, {})
                by_stem[stem(candidate)] = min(candidate, by_stem.get(stem(candidate), candidate), key=_is_variant)
    if not by_distance:
        is_plural = word.endswith("s") and not word.endswith("ss") and len(word) > _ONE_EDIT_FROM
        return _candidates(word[:-1]) if is_plural else _longer_forms(word)
    nearest = sorted(by_distance[min(by_distance)].values())
    own_names = [one for one in nearest if one in _words_of_names()]
    return tuple(own_names if len(own_names) == 1 else nearest)


def _may_be(word: str, other: str, distance: int) -> bool:
    """Whether a word may stand for one that is near: not for its opposite, nor for one that begins otherwise.

    A first letter is seldom wrong besides another one, but "p" may be missing: "numothorax".
    """
    beginnings = [match[0] for one in (word, other) if (match := _OPPOSITES.match(one))]
    same_start = word[0] == other[0] or word[0] == other.removeprefix("p")[0]
    return len(set(beginnings)) < _MOST_EDITS and (same_start or distance == 1)


def _longer_forms(word: str) -> tuple[str, ...]:
    """Return the word that a word of six letters or more begins, if there is one: "consol", "atelect"."""
    if len(word) <= _ONE_EDIT_FROM or word[-1] in "aeiouy":  # "carina" is no short form of "carinatum"
        return ()
    forms = [one for one in _finding_words() if one.startswith(word)]
    names = [one for one in forms if one in _words_of_names()] or forms
    return tuple(sorted(names)[:1]) if len({stem(one) for one in names}) == 1 else ()


@lru_cache(maxsize=4096)
def _sound(word: str) -> str:
    """Return a word as it sounds: a doubled letter once ("efussion"), "ph" as "f", "y" as "i" ("osteofite")."""
    return re.sub(r"(.)\1", r"\1", word.replace("ph", "f").replace("y", "i"))


@cache
def _words_of_names() -> frozenset[str]:
    return frozenset(word for name in finding_entries() for word in WORD.findall(name))


def _is_variant(word: str) -> tuple[bool, str]:
    """Return what sorts words of findings' own names before their variants."""
    return word not in _words_of_names(), word


def edit_distance(first: str, second: str, furthest: int) -> int:
    """Return the edits that turn one word into another; a swap of neighbors is one (optimal string alignment).

    Args:
        first: A word.
        second: Another.
        furthest: Distances beyond this are returned as `furthest + 1`.
    """
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, start=1):
        current = [i]
        for j, other in enumerate(second, start=1):
            best = min(row[j] + 1, current[j - 1] + 1, row[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == second[j - 2] and first[i - 2] == other:
                best = min(best, before[j - 2] + 1)
            current.append(best)
        if min(current) > furthest:
            return furthest + 1
        before, row = row, current
    return row[-1]


def one_edit_away(word: str) -> Iterator[str]:
    """Yield every word that is one edit from a word of letters."""
    cuts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    for left, right in cuts:
        if right:
            yield left + right[1:]
            yield from (left + letter + right[1:] for letter in _LETTERS)
        if len(right) > 1:
            yield left + right[1] + right[0] + right[2:]
        yield from (left + letter + right for letter in _LETTERS)
