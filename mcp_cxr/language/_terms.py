"""Turns text into terms, the same for every store and for queries, so that all rank words alike."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import snowballstemmer  # pyright: ignore[reportMissingTypeStubs]  # has none; used in `stem` alone

if TYPE_CHECKING:
    from collections.abc import Callable

# Words that name no finding. "no", "not", "without" are kept: `mentions_in` reads them as negation.
STOP_WORDS = frozenset(
    "a an and are as at be been by for from has have in is it of on or that the there these this to was were which"
    " with image images show me film films xray x ray rays".split()
)
_WORD = re.compile(r"[a-z0-9]+")
_stem_word = cast("Callable[[str], str]", snowballstemmer.EnglishStemmer().stemWord)  # pyright: ignore[reportUnknownMemberType]  # untyped


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Return the Porter2 stem of a normalized word."""
    return _stem_word(word)


def normalize(text: str) -> str:
    """Return `text` in lower case, without accents."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def terms(text: str) -> list[str]:
    """Return the terms of `text` in its order: lower case, without accents and stop words, as Porter2 stems."""
    return [stem(word) for word in _WORD.findall(normalize(text)) if word not in STOP_WORDS]
