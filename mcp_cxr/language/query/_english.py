"""The words of everyday English, from the word list of pyspellchecker: what is spelled correctly is not corrected."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spellchecker import WordFrequency

_RARE = 50
"""How often the list counts the words that its source texts hardly have; single edits of names of findings are among
them, such as cingula and bronchia."""


def is_everyday_word(word: str) -> bool:
    """Return whether a word in small letters is an English word that is not rare."""
    return _word_list()[word] > _RARE


@cache
def _word_list() -> WordFrequency:
    from spellchecker import SpellChecker  # 0.15 CPU seconds: few queries have a word that the tables do not know

    return SpellChecker("en").word_frequency
