"""Turns text into terms, and looks up the phrases of this package's tables.

Terms are the same for every store and for queries, so that all rank words alike.

`findings.csv` has the names and abbreviations of imaging findings, devices and clinical terms, the CheXpert label that
includes each, the broader findings that each is a kind of, the related ones that show it, whether it shares the side of
the findings listed with it, whether it is small or large rather than mild or severe, and its source: Fleischner 2008
(Hansell et al., Radiology 246:697), MeSH (entry terms, National Library of Medicine), CheXpert (Irvin et al., AAAI
2019: what its labels include), Hunter 2003 (Hunter and Taljanovic, RadioGraphics 23:195, devices), Radiopaedia, RadLex
(RSNA), or common usage.

`structures.csv` has the names of structures, and `predicates.csv` what is said of one rather than of a finding: "heart"
with "enlarged" is cardiomegaly, with "normal" it denies cardiomegaly.

`not_findings.csv` has phrases that hold the name of a finding and name none, `modifiers.csv` the sides, places, sizes,
changes, ages and patterns of findings, and `shorthand.csv` what words stand for in queries.

`cues.csv` has the phrases that negate or qualify a finding, after NegEx (Chapman et al., J Biomed Inform 2001; 34:301),
ConText (Harkema et al., 2009; 42:839) and NegBio (Peng et al., AMIA 2018), which it names, chosen and worded for chest
reports; the source `usage` marks our own. `absent`, `normal`, `resolved`, `possible`, `history` and `unstated` apply to
their scope, what comes after or before them in their clause; `end` closes a clause, and `present` is a phrase that only
looks like a cue ("not only").

In a phrase of any table a slash stands between alternative words: "is/are not seen/found" is four phrases.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from itertools import product
from typing import TYPE_CHECKING, Generic, Literal, TypeVar, cast

import snowballstemmer  # pyright: ignore[reportMissingTypeStubs]  # has none; used in `stem` alone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

T = TypeVar("T")

# Words that name no finding. "no", "not", "without" are kept: `mentions_in` reads them as negation.
STOP_WORDS = frozenset(
    "a an and are as at be been by for from has have in is it of on or that the there these this to was were which"
    " with image images show me film films xray x ray rays".split()
)
TOKEN = re.compile(r"[^\W_]+|[,;:?]")
WORD = re.compile(r"[^\W_]+")
_SLASH = re.compile(r"(?<=[a-z]{3})/(?=[a-z]{3})")  # "atelectasis/scarring", not "w/o"
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u1100-\u11ff]+")
"""Runs of scripts that do not divide words: Chinese, Japanese, and Korean as NFKD writes it."""
_PAIR = 2
_LONGEST_UNSTEMMED = 3  # letters
_stem_word = cast("Callable[[str], str]", snowballstemmer.EnglishStemmer().stemWord)  # pyright: ignore[reportUnknownMemberType]  # untyped

Kind = Literal["finding", "device", "clinical"]

_NOT_CONTRACTED = re.compile(r"\b(?P<verb>ca|wo|\w+)n['\u2019]t\b")
_HOW_SURELY = re.compile(
    r"\b(?:completely|entirely|fully|totally|absolutely|definitely|definitively|confidently|reliably|categorically)\s+"
    r"(?=(?:be )?(?:exclud|rule))"
)
"""Adverbs that change nothing of what is or is not excluded."""
_IN_FULL = {"ca": "cannot", "wo": "will not"}
_BRITISH = tuple(
    pair.split(":")
    for pair in (
        "aem:em oedem:edem oesoph:esoph pnoe:pne tumour:tumor favour:favor alise:alize alisi:alizi isation:ization"
        " trised:trized paeni:peni paed:ped laevo:levo coele:cele distens:distent calibre:caliber goitre:goiter"
    ).split()
)
"""British spelling, with the American."""


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Return the Porter2 stem of a normalized word; short words are abbreviations, and stay ("AMS" is not "am")."""
    return _stem_word(word) if len(word) > _LONGEST_UNSTEMMED else word


def normalize(text: str) -> str:
    """Return `text` in lower case, without accents, with "not" in full and "completely exclude" as "exclude"."""
    plain = text.lower() if text.isascii() else _without_accents(text).lower()
    if "n't" in plain or "n\u2019t" in plain:
        plain = _NOT_CONTRACTED.sub(lambda one: _IN_FULL.get(one["verb"], f"{one['verb']} not"), plain)
    for british, american in _BRITISH:
        plain = plain.replace(british, american)
    if "exclu" in plain or "rul" in plain:
        plain = _HOW_SURELY.sub("", plain)
    return _SLASH.sub(" or ", plain.replace("(", "; ").replace(")", " "))


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)  # first: it makes capitals of some letters of mathematics
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def terms(text: str) -> list[str]:
    """Return the terms of `text` in its order: lower case, without accents and stop words, as Porter2 stems."""
    words = (part for word in WORD.findall(normalize(text)) for part in _parts(word))
    return [stem(word) for word in words if word not in STOP_WORDS]


def _parts(word: str) -> Iterator[str]:
    """Yield a word; of one in a script without spaces, every pair of neighboring characters."""
    if len(word) > _PAIR and _UNSPACED.fullmatch(word):
        yield from (word[at : at + _PAIR] for at in range(len(word) - 1))
    else:
        yield word


@dataclass(frozen=True, slots=True)
class FindingEntry:
    """The finding, device or clinical term that a phrase of findings.csv names."""

    name: str
    kind: Kind
    label: str | None
    """The CheXpert label that includes it."""
    broader: tuple[str, ...] = ()
    """Names of the findings that it is a kind of."""
    related: tuple[str, ...] = ()
    """Names of findings that reports use for it or that show it: a query for it matches them in part."""
    shares_side: bool = True
    """Whether it takes the side and place of the findings in its list; the heart and the spine have none."""
    is_sized: bool = False
    """Whether it is said to be small or large, as an effusion is; else it is mild or severe, as edema is."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """What a phrase says of a structure: that a finding is present, possible or absent."""

    finding: FindingEntry
    status: Literal["present", "possible", "absent"]


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure, such as the heart, of which reports state predicates."""

    name: str


@dataclass(frozen=True, slots=True)
class Cue:
    """A phrase of cues.csv, which sets the status of the findings in its scope."""

    status: Literal["absent", "normal", "resolved", "possible", "history", "unstated", "present", "end"]
    scope: Literal["after", "before", "both", "nearest", "next", "previous", ""]
    """`nearest`: what follows if a finding does, else what precedes; `next`: only the finding that follows; `previous`:
    only the one before."""


@dataclass(frozen=True, slots=True)
class Modifier:
    """What a phrase of modifiers.csv states of a finding."""

    values: tuple[str, ...]
    """Such as "right" and "lower lobe" for "RLL"."""


class Phrases(Generic[T]):
    """Looks up the longest phrase at a position of a text; of equal phrases the first counts."""

    def __init__(self, pairs: Iterable[tuple[Sequence[str], T]]) -> None:
        self._entries: dict[tuple[str, ...], T] = {}
        for words, entry in pairs:
            self._entries.setdefault(tuple(words), entry)
        lengths: dict[str, set[int]] = defaultdict(set)
        for words in self._entries:
            lengths[words[0]].add(len(words))
        self._lengths = {first: sorted(of_first, reverse=True) for first, of_first in lengths.items()}

    def phrases(self) -> list[str]:
        """Return every phrase, its words joined by blanks."""
        return [" ".join(words) for words in self._entries]

    def items(self) -> Iterable[tuple[tuple[str, ...], T]]:
        """Return every phrase as its words, with its entry."""
        return self._entries.items()

    def has_first(self, word: str) -> bool:
        """Whether a phrase begins with a word."""
        return word in self._lengths

    def longest_at(self, words: Sequence[str], start: int) -> tuple[int, T] | None:
        """Return the longest phrase that begins at `words[start]`: its number of words, and its entry."""
        for length in self._lengths.get(words[start], ()):
            phrase = tuple(words[start : start + length])
            if phrase in self._entries:
                return len(phrase), self._entries[phrase]  # which the end of the text may have cut
        return None


@cache
def finding_entries() -> dict[str, FindingEntry]:
    """Return every finding, device and clinical term by name."""
    return {
        row["finding"]: FindingEntry(
            row["finding"],
            cast("Kind", row["kind"]),
            row["label"] or None,
            tuple(phrases_of_cell(row["broader"])),
            tuple(phrases_of_cell(row["related"])),
            row["shares_side"] != "no",
            row["sized"] == "yes",
        )
        for row in table("findings.csv")
    }


@cache
def findings() -> Phrases[FindingEntry]:
    """Return every name of every finding, as stems."""
    entries = finding_entries()
    return Phrases(
        (stems_of(form), entries[row["finding"]])
        for row in table("findings.csv")
        for form in phrases_of_cell(row["forms"])
    )


@cache
def structures() -> Phrases[Structure]:
    """Return the names of the structures of which reports state predicates, as stems."""
    return Phrases(
        (stems_of(form), Structure(row["structure"]))
        for row in table("structures.csv")
        for form in phrases_of_cell(row["forms"])
    )


@cache
def phrases_without_finding() -> Phrases[None]:
    """Return the phrases that hold the name of a finding and name none ("thoracic cavity"), as stems."""
    return Phrases(
        (stems_of(form), None) for row in table("not_findings.csv") for form in phrases_of_cell(row["forms"])
    )


@cache
def predicates(structure: str) -> Phrases[tuple[Predicate, ...]]:
    """Return the phrases that say something of a structure, as stems; one phrase may deny several findings."""
    found: dict[tuple[str, ...], list[Predicate]] = defaultdict(list)
    for row in _predicate_rows()[structure]:
        said = [Predicate(finding_entries()[name], row["status"]) for name in phrases_of_cell(row["finding"])]  # pyright: ignore[reportArgumentType]  # a test checks the table's values
        for phrase in phrases_of_cell(row["predicates"]):
            found[tuple(stems_of(phrase))] += said
    return Phrases((words, tuple(said)) for words, said in found.items())


@cache
def _predicate_rows() -> Mapping[str, list[dict[str, str]]]:
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in table("predicates.csv"):
        rows[row["structure"]].append(row)
    return rows


@cache
def cues() -> Phrases[Cue]:
    """Return every cue, as unstemmed tokens: "rule out" means possible, "ruled out" absent."""
    return Phrases(
        (TOKEN.findall(phrase), Cue(row["status"], row["scope"]))  # pyright: ignore[reportArgumentType]  # a test checks the table's values
        for row in table("cues.csv")
        for phrase in phrases_of_cell(row["cue"])
    )


@cache
def modifiers() -> Phrases[Modifier]:
    """Return every phrase that states a side, place, size, change, age or pattern, as unstemmed tokens."""
    values: dict[str, list[str]] = defaultdict(list)
    for row in table("modifiers.csv"):
        for form in phrases_of_cell(row["forms"]):
            values[form] += row["value"].split("+")
    values |= {_plural(form): values[form] for form in [*values] if " " in form and form.endswith(_IN_THE_PLURAL)}
    for side in SIDES:
        for form in [form for form in values if form.startswith(f"{side} ")]:
            values[form] = [side, *(value for value in values[form] if value != side)]
    for form in [form for form in values if form.endswith(_INTERRUPTED) and form.count(" ") == 1]:
        if not {*SIDES}.intersection(values[form]):
            values |= {form.replace(" ", f" {side} "): [side, *values[form]] for side in SIDES}
    values |= {form: [side, *values[form]] for form, side in _SIDED_ABBREVIATIONS.items()}
    return Phrases((form.split(), Modifier(tuple(dict.fromkeys(values[form])))) for form in values)


def _plural(form: str) -> str:
    return f"{form[:-1]}ies" if form.endswith("y") else f"{form}s"


SIDES = ("left", "right")
_IN_THE_PLURAL = (" lobe", " lung", " zone", " field", " vertebral body")
"""How names of places end that are also stated of both sides: "in both lower lobes"."""
_INTERRUPTED = (" lobe", " lung", " zone")
"""How names of places end that a side may interrupt: "upper left lung"."""
_SIDED_ABBREVIATIONS = {f"{side[0]}{place}": side for side in SIDES for place in "ul ll uq uz mz lz".split()}
_SIDED_ABBREVIATIONS["rml"] = "right"


@cache
def dimensions() -> Mapping[str, str]:
    """Return the dimension of each modifier: `left` is a side, `base` a place."""
    return {value: row["dimension"] for row in table("modifiers.csv") for value in row["value"].split("+")}


@cache
def ancestors(finding: str) -> tuple[str, ...]:
    """Return the names of all findings that a finding is a kind of, nearest first."""
    found: dict[str, None] = {}
    queue = list(finding_entries()[finding].broader)
    for name in queue:
        if name not in found:
            found[name] = None
            queue += finding_entries()[name].broader
    return tuple(found)


@cache
def descendants(finding: str) -> tuple[str, ...]:
    """Return the names of all findings that are a kind of a finding."""
    return tuple(_descendants().get(finding, ()))


@cache
def _descendants() -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in finding_entries():
        for broader in ancestors(name):
            found[broader].append(name)
    return found


_COUNTED = frozenset(
    "lung lesion|nodule|granuloma|mass|bulla|cyst|cavity|metastasis|calcified lymph node|pleural plaque|fracture"
    "|bone lesion|compression deformity|osteophyte|schmorl node".split("|")
)


@cache
def is_any_of(finding: str, names: frozenset[str]) -> bool:
    """Return whether a finding is one of some findings or a kind of one."""
    return not names.isdisjoint((finding, *ancestors(finding)))


def is_counted(finding: str) -> bool:
    """Return whether a finding is a thing that is counted, as a nodule is, and edema is not."""
    return is_any_of(finding, _COUNTED)


@cache
def finding_of_label(label: str) -> FindingEntry | None:
    """Return the finding that a label states by its whole name; None if it is not in the table of findings.

    Every CheXpert label is; other data sets have names of their own.
    """
    stems = stems_of(label.replace("_", " "))
    found = findings().longest_at(stems, 0) if stems else None
    return found[1] if found and found[0] == len(stems) else None


@cache
def forms_of_findings() -> tuple[tuple[str, str], ...]:
    """Return every name of every finding, as written in the table, each after the finding's own name."""
    return tuple(
        (row["finding"], normalize(form)) for row in table("findings.csv") for form in phrases_of_cell(row["forms"])
    )


def phrases_of_findings() -> frozenset[str]:
    """Return every name of every finding, as written in the table."""
    return frozenset(form for _, form in forms_of_findings())


@cache
def phrases_of_structures() -> frozenset[str]:
    """Return every name of every structure and every predicate, as written in the tables."""
    names = [row["forms"] for row in table("structures.csv")]
    predicates_ = [row["predicates"] for row in table("predicates.csv")]
    return frozenset(normalize(form) for cell in [*names, *predicates_] for form in phrases_of_cell(cell))


def stems_of(phrase: str) -> list[str]:
    """Return the stems of the tokens of a phrase, stop words included."""
    return [stem(token) for token in TOKEN.findall(normalize(phrase))]


def phrases_of_cell(cell: str) -> Iterator[str]:
    """Yield the phrases of a cell of a table: of "left/right lung|chest" "left lung", "right lung" and "chest"."""
    for words in map(str.split, filter(None, cell.split("|"))):
        yield from map(" ".join, product(*(word.split("/") for word in words)))


def table(name: str) -> list[dict[str, str]]:
    """Return the rows of a table of this package."""
    text = resources.files("mcp_cxr.language").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
