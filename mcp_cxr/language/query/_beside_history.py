"""Reads a query of a history and of what the image shows: "indication: cough; findings: edema"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcp_cxr.language.query._nested import both

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_cxr.language.query._meaning import QueryMeaning

_IMAGE_BEHIND_HISTORY = re.compile(
    r"^(?P<history>[^.;]{0,80}?\b(?:indications?|history|reason)\b[^.;]{0,160}?)(?:\.\s+|;\s*(?:with|now)\s+"
    r"|[,;.]\s*(?:the\s+)?(?=(?:findings?|impression|conclusion|images?|films?|x-?\s?rays?|radiographs?|cxrs?)\b))"
    r"(?P<image>.+)$",
    re.IGNORECASE,
)
"""A history and what the image shows: "indication: cough. Edema"."""
_HISTORY_BEHIND_IMAGE = re.compile(
    r"^(?P<image>[^.;]+?)[,;.]\s*(?P<history>(?:(?:clinical|medical)\s+)?(?:indications?|history|reason for)\b"
    r"(?!\s+of\b)[^.;]*\.?)$",
    re.IGNORECASE,
)
"""The same the other way round: "edema; indication: cough"."""


def parsed_beside_history(text: str, parse: Callable[[str], QueryMeaning]) -> QueryMeaning | None:
    """Return the meaning of a query that asks for a history and for what the image shows; None if it does not.

    Args:
        text: The query.
        parse: Reads a part of it.
    """
    match = _IMAGE_BEHIND_HISTORY.match(text) or _HISTORY_BEHIND_IMAGE.match(text)
    if match is None:
        return None
    history, image = parse(match["history"]), parse(match["image"])
    is_apart = history.findings and not image.is_empty and all(one.in_history for one in history.findings)
    return both(history, image) if is_apart else None
