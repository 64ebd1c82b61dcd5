"""Writes the shorthand of a query in full: "sm eff" becomes "small effusion".

`shorthand.csv` has forms that stand for the same words in any query. A form with capitals is read as written, others in
any case, and a dot that ends a form may be missing. What depends on the words beside it is in `_rewordings.py`.
"""

from __future__ import annotations

import re
from functools import cache

from mcp_cxr.language._vocabulary import table


def written_in_full(query: str) -> str:
    """Return a query with the words that its shorthand stands for."""
    pattern, words = _shorthand()
    return pattern.sub(lambda match: words[_key(match[0])], query)


@cache
def _shorthand() -> tuple[re.Pattern[str], dict[str, str]]:
    """Return a pattern of all forms, the longest first, and what each stands for."""
    words = {form: row["words"] for row in table("shorthand.csv") for form in row["forms"].split("|")}
    forms = "|".join(map(_pattern_of_form, sorted(words, key=len, reverse=True)))
    # as ASCII: else "i" would match the dotless i, too, which is no key
    pattern = re.compile(rf"(?<!\w)(?a:{forms})(?!\w)", re.IGNORECASE)
    return pattern, {_key(form): one for form, one in words.items()}


def _pattern_of_form(form: str) -> str:
    """Return the pattern of a form: its last full stop is optional, and one with capitals is matched as written."""
    pattern = re.sub(r"\\\.$", r"\\.?", re.escape(form))
    return rf"(?-i:{pattern})" if form != form.lower() else pattern


def _key(form: str) -> str:
    return form.lower().removesuffix(".")
