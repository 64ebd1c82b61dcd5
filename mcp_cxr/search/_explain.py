"""Why a hit is a hit, and the sentence of its report to show."""

from __future__ import annotations

from string import punctuation
from typing import TYPE_CHECKING

from mcp_cxr.mimic import main_text, sections, sentences
from mcp_cxr.stores import SEARCHED_TAGS, terms

if TYPE_CHECKING:
    from mcp_cxr.records import Stored

_MAX_EXCERPT = 300  # characters


def matched(query: str | None, hit: Stored) -> list[str]:
    """Return what of the query's words stands in the report, the labels and the tags: `report: pleural effusion`."""
    if not query:
        return []
    tags = " ".join(str(hit.image.tags.get(tag, "")) for tag in SEARCHED_TAGS)
    present = [label for label, value in hit.study.labels.items() if value == 1]
    wanted = set(terms(query))
    reasons = [
        _words("report", query, hit.study.report or ""),
        *(f"label: {label}" for label in present if wanted & set(terms(label))),
        _words("tags", query, f"{tags} {hit.image.view_position}"),
    ]
    return [reason for reason in reasons if reason]


def excerpt(query: str | None, report: str | None) -> str | None:
    """Return the sentence with most of the query's words, else the impression; at most 300 characters."""
    if not report:
        return None
    wanted = set(terms(query or ""))
    said = [sentence for body in sections(report).values() for sentence in sentences(body)]
    best = max(said, key=lambda sentence: len(wanted & set(terms(sentence))), default="")
    text = best if wanted & set(terms(best)) else main_text(report)
    return text if len(text) <= _MAX_EXCERPT else f"{text[: _MAX_EXCERPT - 1].rstrip()}…"


def _words(kind: str, query: str, text: str) -> str | None:
    """Return the query's words whose term stands in `text`."""
    there = set(terms(text))
    asked = dict.fromkeys(word.strip(punctuation) for word in query.lower().split())
    words = [word for word in asked if (found := terms(word)) and set(found) <= there]
    return f"{kind}: {' '.join(words)}" if words else None
