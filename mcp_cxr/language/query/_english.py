"""Tells whether a query is in English, and whether a word is everyday English, which is not corrected.

A text is taken as another language if it has letters beyond ASCII, or one of a few common words that English lacks
("ohne", "sans"). Everyday words are those that pyspellchecker's word list counts more than 50 times.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spellchecker import WordFrequency

_MAX_RARE_COUNT = 50
"""A word that the list counts at most so often is rare, and may be corrected: "cingula" and "bronchia" are in the list,
and one edit from names of findings."""

_OTHER_LANGUAGES = frozenset(
    "mit ohne und oder kein keine keinen nicht rechts links beidseits rechte linke rechter linker das"
    " con sin del los las derecho derecha izquierdo izquierda ambos avec sans droite gauche droit dans chez les une aux"
    " bitte zeige zeigen mir bilder mostrar muestra montrez moi femme femmes mujer mujeres"
    " aucun aucune nessun nessuna nenhum nenhuma ningun ninguna"
    " senza della destra sinistra destro sinistro sem direito direita esquerdo esquerda met geen zonder een".split()
)
"""Words of German, Spanish, French, Italian, Portuguese and Dutch that English lacks, for "with", "no", "left"."""


def is_english(text: str) -> bool:
    """Return whether all letters of a text are ASCII, and it has no common word of another language."""
    is_latin = all(char.isascii() for char in unicodedata.normalize("NFC", text) if char.isalpha())
    return is_latin and not has_foreign_words(text)


def has_foreign_words(text: str) -> bool:
    """Return whether a text has a common word of another language that is none of English."""
    return not _OTHER_LANGUAGES.isdisjoint(re.findall(r"[^\W\d_]+", text.lower()))


def is_everyday_word(word: str) -> bool:
    """Return whether a word in small letters is an English word that is not rare."""
    return _word_list()[word] > _MAX_RARE_COUNT


@cache
def _word_list() -> WordFrequency:
    from spellchecker import SpellChecker  # 0.15 CPU seconds: few queries have a word that the tables do not know

    return SpellChecker("en").word_frequency
