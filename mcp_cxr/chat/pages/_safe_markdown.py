"""Makes text safe for Streamlit's Markdown: escapes it, or leaves out images that a browser would load."""

from __future__ import annotations

import re

_MARKS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")
_IMAGE = re.compile(r"!\s*\[")


def escape_markdown(text: str) -> str:
    """Return `text` with all Markdown escaped: a report can neither draw a link nor load an image."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def without_images(markdown: str) -> str:
    """Return a model's Markdown with images as text: loading one would send data to the host in its URL."""
    return _IMAGE.sub(r"!\\[", markdown)
