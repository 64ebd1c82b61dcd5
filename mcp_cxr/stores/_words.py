"""Text to terms, the same for every store and for the question, so that all of them rank words alike."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, cast

import snowballstemmer  # pyright: ignore[reportMissingTypeStubs]  # has none; used in `_stem` alone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from mcp_cxr.records import ImageId, Study

SEARCHED_TAGS = (
    "BodyPartExamined",
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "PerformedProcedureStepDescription",
)
"""Header facts whose words are searched; the view position is searched too."""

# Words that carry no finding. "no", "not", "without" stay in: a report's negations are for search to judge.
_STOP = frozenset(
    "a an and are as at be been by for from has have in is it of on or that the there these this to was were which"
    " with image images show me film films xray x ray rays".split()
)
_WORD = re.compile(r"[a-z0-9]+")
_stem_word = cast("Callable[[str], str]", snowballstemmer.EnglishStemmer().stemWord)  # pyright: ignore[reportUnknownMemberType]  # untyped


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    return _stem_word(word)


def terms(text: str) -> list[str]:
    """Return the terms of `text` in its order: accents folded, lower case, stop words left out, Porter2 stems."""
    folded = unicodedata.normalize("NFKD", text.lower())
    plain = "".join(char for char in folded if not unicodedata.combining(char))
    return [_stem(word) for word in _WORD.findall(plain) if word not in _STOP]


def document(study: Study, images: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Return the terms a study is found by.

    Args:
        study: Report and labels are taken from it.
        images: View position and tags of each of its images; what several share counts once.
    """
    shared = {str(tags[tag]) for _, tags in images for tag in SEARCHED_TAGS if tag in tags}
    shared |= {view for view, _ in images if view != "UNKNOWN"}  # which nobody looks for
    present = [label for label, value in study.labels.items() if value == 1]
    return terms(" ".join([study.report or "", *present, *sorted(shared)]))


def sample_key(image_id: ImageId) -> int:
    """Return the hash by which an image is drawn into the reference sample: 63 bits, so that any database orders it."""
    return int.from_bytes(blake2b(image_id.encode(), digest_size=8).digest()) >> 1
