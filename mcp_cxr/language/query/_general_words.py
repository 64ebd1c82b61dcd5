"""Tells words that say nothing of one finding: those of requests, and those that the names of many findings share."""

from __future__ import annotations

from functools import cache
from importlib import resources

from mcp_cxr.language._vocabulary import ancestors, forms_of_findings, stem, terms
from mcp_cxr.language.query._filters_in_text import VIEW_WORDS

REQUEST_WORDS = frozenset(
    resources.files("mcp_cxr.language").joinpath("request_words.txt").read_text(encoding="utf-8").split()
)
"""Words of a request that describe no image: "please show me all patients with"."""


def is_general_word(stem_: str) -> bool:
    """Whether a word is part of the names of several findings or names a view, and so no sign of a finding."""
    return stem_ in _general_stems() or stem_ in {stem(word) for word in (*REQUEST_WORDS, *VIEW_WORDS)}


@cache
def _general_stems() -> frozenset[str]:
    """Return the stems of the words that the names of more than one family of findings share ("pleural", "lung")."""
    families: dict[str, set[str]] = {}
    for name, form in forms_of_findings():
        for word in terms(form):
            families.setdefault(word, set()).add((name, *ancestors(name))[-1])
    return frozenset(word for word, names in families.items() if len(names) > 1)
