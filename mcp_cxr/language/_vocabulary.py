"""Turns text into terms, and looks up the phrases of this package's two tables, findings.csv and cues.csv.

Terms are the same for every store and for queries, so that all rank words alike.

`findings.csv` has the names and abbreviations of findings and devices, the CheXpert label that includes each, if any,
and its source: Fleischner 2008 (Hansell et al., Radiology 246:697), MeSH (entry terms, National Library of
Medicine), CheXpert (Irvin et al., AAAI 2019: what its labels include), Hunter 2003 (Hunter and Taljanovic,
RadioGraphics 23:195, devices), Radiopaedia's "Lines and tubes (radiograph)", or common usage.

`cues.csv` has the phrases that negate or qualify a finding, after NegEx (Chapman et al., J Biomed Inform 2001; 34:301),
ConText (Harkema et al., 2009; 42:839) and NegBio (Peng et al., AMIA 2018), which it names, chosen and worded for chest
reports; the source `usage` marks our own. `absent` and `possible` apply to their scope, what comes after or before them
in their clause; `end` closes a clause, and `present` is a phrase that only looks like a cue ("no change").
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Generic, Literal, TypeVar, cast

import snowballstemmer  # pyright: ignore[reportMissingTypeStubs]  # has none; used in `stem` alone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")

# Words that name no finding. "no", "not", "without" are kept: `mentions_in` reads them as negation.
STOP_WORDS = frozenset(
    "a an and are as at be been by for from has have in is it of on or that the there these this to was were which"
    " with image images show me film films xray x ray rays".split()
)
TOKEN = re.compile(r"[a-z0-9]+|[,;:]")
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


@dataclass(frozen=True, slots=True)
class FindingEntry:
    """The finding or device that a phrase of findings.csv names."""

    name: str
    label: str | None
    """The CheXpert label that includes it."""
    denied: bool = False
    """Whether the phrase itself says that it is absent ("normal heart size")."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A phrase of cues.csv, which sets the status of the findings in its scope."""

    status: Literal["absent", "possible", "present", "end"]
    scope: Literal["after", "before", "both", ""]


class Phrases(Generic[T]):
    """Looks up the longest phrase at a position of a text."""

    def __init__(self, pairs: Iterable[tuple[Sequence[str], T]]) -> None:
        self._by_first: dict[str, list[tuple[tuple[str, ...], T]]] = defaultdict(list)
        for words, entry in pairs:
            self._by_first[words[0]].append((tuple(words), entry))
        for phrases in self._by_first.values():
            phrases.sort(key=lambda phrase: -len(phrase[0]))

    def longest_at(self, words: Sequence[str], start: int) -> tuple[int, T] | None:
        """Return the longest phrase that begins at `words[start]`: its number of words, and its entry."""
        for phrase, entry in self._by_first.get(words[start], ()):
            if tuple(words[start : start + len(phrase)]) == phrase:
                return len(phrase), entry
        return None


@cache
def findings() -> Phrases[FindingEntry]:
    """Return every name of every finding, as stems."""
    return Phrases(
        ([stem(token) for token in TOKEN.findall(normalize(form))], finding)
        for finding, forms in _finding_rows()
        for form in forms
    )


@cache
def findings_of_label(label: str) -> tuple[str, ...]:
    """Return the names of the findings that a label includes."""
    return tuple(finding.name for finding, _ in _finding_rows() if finding.label == label)


@cache
def cues() -> Phrases[Cue]:
    """Return every cue, as unstemmed tokens: "rule out" means possible, "ruled out" absent."""
    return Phrases((TOKEN.findall(row["cue"]), Cue(row["status"], row["scope"])) for row in _read("cues.csv"))  # pyright: ignore[reportArgumentType]  # a test checks the table's values


@cache
def _finding_rows() -> tuple[tuple[FindingEntry, tuple[str, ...]], ...]:
    return tuple(
        (_entry(row["finding"], row["label"]), tuple(row["forms"].split("|"))) for row in _read("findings.csv")
    )


def _entry(name: str, label: str) -> FindingEntry:
    if label or not name.startswith("no "):
        return FindingEntry(name, label or None)
    return FindingEntry(name.removeprefix("no "), None, denied=True)


def _read(name: str) -> list[dict[str, str]]:
    text = resources.files("mcp_cxr.language").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
