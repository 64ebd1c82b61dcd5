"""Corrects misspelled words of reports that name findings: "pneumothroax", "effussion".

A word of seven letters or more is taken for the one word of a finding's name that is one edit away, if that has eight
letters or more and does not end in -ed or -ing; a few others are named in `_ALSO_CORRECTED_TO`. Words are compared by
deletions, as SymSpell (Garbe 2012) does, so that none is compared with all others.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import chain
from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import (
    WORD,
    cues,
    finding_entries,
    findings,
    modifiers,
    phrases_of_findings,
    phrases_of_structures,
    stem,
    stems_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_FEWEST_LETTERS = 7
"""Of a word that is corrected."""
_FEWEST_LETTERS_OF_NAME = 8
"""Letters of a word of a name that others are corrected to; shorter ones have too many neighbors in English."""
_VERB_ENDINGS = ("ed", "ing")
"""How words end that are not corrected to, for the same reason: "scarring" is near to "scaring" and "starring"."""
_ALSO_CORRECTED_TO = frozenset("calcified loculated opacity pleural thickening".split())
"""Shorter words, and words with these endings, that are corrected to all the same."""
_SINGULAR_ENDINGS = ("is", "ss", "us")
"""Endings of words with "s" that are no plurals."""
_SPELLED_CORRECTLY = frozenset(
    "affusion aneurism aneurismal arteria arteriae arteritis avascular avascularity branchial bronchia calcitic"
    " chickening contract contras contrasty detraction dialyses diaphragma dissension dotation eventuation facture"
    " fibrosus gastrostoma gastrotomy granulosa hepatoma inflection inflective infraction injection injective interior"
    " interstitia invective invectives kyphoses lobulated lobulation lordoses makings materia materiel maternal"
    " mediastina mistress modularity multivocal notation notational osteoporoses peacemaker pericardia pericardiac"
    " pneumoconioses potation prominens prothesis refection refraction regenerative rejection reorder respirator"
    " respirators reticula retroaction rogation scleroses stereotomy stimulatory stipulator surgicel tortious"
    " torturous tracheostoma tuberculoses watchmen".split()
)
"""Words of English and of medicine that are one edit from a word of a name."""


def with_correct_spelling(tokens: Sequence[str]) -> list[str]:
    """Return the tokens of a statement of a report, those corrected that misspell a word of a finding's name."""
    return [correctly_spelled(token) for token in tokens]


@lru_cache(maxsize=65_536)
def correctly_spelled(word: str) -> str:
    """Return the word of a finding's name that is one edit from a word of seven letters or more, if there is but one.

    Else the word itself; also if a table knows it, or it is another word.
    """
    if len(word) < _FEWEST_LETTERS or word in _SPELLED_CORRECTLY:
        return word
    corrected = _one_edit_away(word)
    return word if corrected == word or stem(word) in _known_stems() else corrected  # few are stemmed, which is slow


def _one_edit_away(word: str) -> str:
    """Return the word of a finding's name that is one edit away, if there is but one; else the word itself."""
    near = chain.from_iterable(_by_deletion().get(part, ()) for part in (word, *_deletions(word)))
    by_stem = {stem(one): one for one in near if _is_one_edit(word, one)}
    if not by_stem and word.endswith("s") and not word.endswith(_SINGULAR_ENDINGS):
        singular = correctly_spelled(word[:-1])
        return singular if singular != word[:-1] else word
    return next(iter(by_stem.values())) if len(by_stem) == 1 else word


@cache
def _known_stems() -> frozenset[str]:
    """Return the stems of every word of the tables."""
    texts = [*finding_entries(), *phrases_of_structures(), *modifiers().phrases(), *cues().phrases()]
    words = {word for text in texts for word in WORD.findall(text)}
    return frozenset({*map(stem, words), *chain.from_iterable(names for names, _ in findings().items())})


@cache
def _by_deletion() -> Mapping[str, Sequence[str]]:
    """Return the words that others are corrected to, by what is left of each without one letter, and by itself."""
    names = {part for name, entry in finding_entries().items() if entry.kind != "clinical" for part in stems_of(name)}
    found: dict[str, list[str]] = {}
    for word in {word for form in phrases_of_findings() for word in WORD.findall(form) if stem(word) in names}:
        if word in _ALSO_CORRECTED_TO or (len(word) >= _FEWEST_LETTERS_OF_NAME and not word.endswith(_VERB_ENDINGS)):
            for part in {word, *_deletions(word)}:
                found.setdefault(part, []).append(word)
    return found


def _deletions(word: str) -> Iterator[str]:
    """Yield a word without each of its letters."""
    return (word[:at] + word[at + 1 :] for at in range(len(word)))


def _is_one_edit(first: str, second: str) -> bool:
    """Whether one letter is missing, added or wrong between two words, or two neighbors are swapped."""
    both = zip(first, second, strict=False)
    at = next((at for at, (one, other) in enumerate(both) if one != other), min(len(first), len(second)))
    rest, other = first[at:], second[at:]
    is_swapped = rest[:2] == other[1::-1] and rest[2:] == other[2:]
    return is_swapped or rest[1:] in (other, other[1:]) or rest == other[1:]
