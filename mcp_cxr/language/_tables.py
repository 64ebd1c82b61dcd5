"""The two tables of this room, findings.csv and cues.csv, as phrases to look for.

`findings.csv` has the names and abbreviations of findings and devices, a label of CheXpert where one stands for them,
and where each comes from: Fleischner 2008 (Hansell et al., Radiology 246:697), MeSH (entry terms, National Library of
Medicine), CheXpert (Irvin et al., AAAI 2019: what its labels take in), Hunter 2003 (Hunter and Taljanovic,
RadioGraphics 23:195, devices), Radiopaedia's "Lines and tubes (radiograph)", or common usage.

`cues.csv` has what turns a statement around, in the manner of NegEx (Chapman et al., J Biomed Inform 2001; 34:301),
ConText (Harkema et al., 2009; 42:839) and NegBio (Peng et al., AMIA 2018), which it names, chosen and worded for chest
reports; `usage` where it is ours. `absent` and `unsure` reach over what comes after or before them in their clause,
`end` closes a clause, and `present` is a phrase that only looks like a cue ("no change").
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from mcp_cxr.language._terms import folded, stem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

T = TypeVar("T")

TOKEN = re.compile(r"[a-z0-9]+|[,;:]")


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding or a device."""

    name: str
    label: str | None
    """The CheXpert label that takes it in."""
    denied: bool = False
    """Whether the phrase says that it is not there ("normal heart size")."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What turns a statement around."""

    status: Literal["absent", "unsure", "present", "end"]
    reach: Literal["after", "before", "both", ""]


class Phrases(Generic[T]):
    """Phrases, by the words they are made of; the longest that begins at a place is found."""

    def __init__(self, pairs: Iterable[tuple[Sequence[str], T]]) -> None:
        self._by_first: dict[str, list[tuple[tuple[str, ...], T]]] = defaultdict(list)
        for words, meaning in pairs:
            self._by_first[words[0]].append((tuple(words), meaning))
        for phrases in self._by_first.values():
            phrases.sort(key=lambda phrase: -len(phrase[0]))

    def at(self, words: Sequence[str], place: int) -> tuple[int, T] | None:
        """Return how many words from `place` on are the longest phrase there, and what it means."""
        for phrase, meaning in self._by_first.get(words[place], ()):
            if tuple(words[place : place + len(phrase)]) == phrase:
                return len(phrase), meaning
        return None


@cache
def findings() -> Phrases[Finding]:
    """Return every name of every finding, as stems."""
    return Phrases((_stems(form), finding) for finding, forms in _rows_of_findings() for form in forms)


@cache
def of_label(label: str) -> tuple[str, ...]:
    """Return the names of the findings that a label takes in."""
    return tuple(finding.name for finding, _ in _rows_of_findings() if finding.label == label)


@cache
def cues() -> Phrases[Cue]:
    """Return every cue, as tokens: "rule out" asks, "ruled out" denies."""
    return Phrases((TOKEN.findall(row["cue"]), Cue(row["status"], row["reach"])) for row in _read("cues.csv"))  # pyright: ignore[reportArgumentType]  # a test checks the table's values


@cache
def _rows_of_findings() -> tuple[tuple[Finding, tuple[str, ...]], ...]:
    return tuple(
        (_finding(row["finding"], row["label"]), tuple(row["forms"].split("|"))) for row in _read("findings.csv")
    )


def _finding(name: str, label: str) -> Finding:
    if label or not name.startswith("no "):
        return Finding(name, label or None)
    return Finding(name.removeprefix("no "), None, denied=True)


def _stems(form: str) -> list[str]:
    return [stem(token) for token in TOKEN.findall(folded(form))]


def _read(name: str) -> list[dict[str, str]]:
    text = resources.files("mcp_cxr.language").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
