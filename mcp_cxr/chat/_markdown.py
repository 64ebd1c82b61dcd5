"""Words of others in a page that reads Markdown."""

from __future__ import annotations

import re

_MARKS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")
_PICTURE = re.compile(r"!\s*\[")


def as_written(text: str) -> str:
    """Return a text whose marks are shown and mean nothing: a report cannot draw a link, nor fetch a picture."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def without_pictures(markdown: str) -> str:
    """Return a model's Markdown in which pictures are words: a picture's URL would carry off what stands in it."""
    return _PICTURE.sub(r"!\\[", markdown)
