"""Finds the mentions of a sentence: each finding, its status, and the side, place, size and change stated with it.

The status comes from cues in the finding's clause. Modifiers belong to the finding whose phrase they stand in: those
before it, back to the last comma, conjunction or finding; and those after it, up to the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

from mcp_cxr.language._vocabulary import (
    SIDES,
    STOP_WORDS,
    TOKEN,
    Cue,
    FindingEntry,
    Modifier,
    Predicate,
    Structure,
    cues,
    dimensions,
    findings,
    modifiers,
    normalize,
    phrases_without_finding,
    predicates,
    stem,
    structures,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SEPARATORS = frozenset({",", ";", ":", "or", "and", "nor", "plus", "versus", "vs"})
"""Tokens between the phrases of a list."""
_ALTERNATIVES = frozenset({"or", "versus", "vs"})
_NEAR = 3  # tokens between a finding and what is said of it alone
_LONGEST_LIST, _TWO_WORDS = 8, 2
_REACH = 7  # tokens between a structure and what is said of it
_MIDLINE_LABELS = frozenset({"Cardiomegaly", "Edema", "Enlarged Cardiomediastinum", "Support Devices"})
_MIDLINE_NAMES = (
    "aort|arter|atrial|cardi|coronary|degenerative|disc|heart|hernia|kypho|mediastin|mitral|osteop|scoliosis|spine"
    "|spondyl|stern|trache|ventric|vertebra"
).split("|")
"""Parts of the names of findings that have no side: they share none with a finding in their list."""
_PASSING_LABELS = frozenset({"Pneumonia", "Edema"})
"""Findings of these labels that are old are of the past: a previous pneumonia is not there now."""


class Status(StrEnum):
    """Whether a mentioned finding is there."""

    PRESENT = "present"
    POSSIBLE = "possible"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Mention:
    """A finding, or a word that names none, with its status."""

    text: str
    """As written, in lower case."""
    stems: tuple[str, ...]
    """Of its words, without stop words."""
    finding: FindingEntry | None
    status: Status
    starts_phrase: bool
    """Whether it starts a new phrase of a list, or follows a cue."""
    modifiers: frozenset[str] = frozenset()
    """Values of modifiers.csv: sides, places, sizes, changes, ages and patterns; `resolved` for what is gone."""
    is_history: bool = False
    """Whether it is said of the past, of the family, or of another examination."""
    joined_by: str = ""
    """The separator before it, such as "or"; empty if there is none."""

    @property
    def name(self) -> str:
        """Return the finding's name, else the word."""
        return self.finding.name if self.finding else self.text

    def modifiers_of(self, dimension: str) -> frozenset[str]:
        """Return its modifiers of one dimension, such as `side`."""
        return frozenset(value for value in self.modifiers if dimensions().get(value) == dimension)


_Entry: TypeAlias = "FindingEntry | Structure | Cue | Modifier | None"


@dataclass(frozen=True, slots=True)
class _Span:
    """The tokens of a finding, structure, cue or modifier, or a single other token."""

    start: int
    end: int
    entry: _Entry


@dataclass(frozen=True, slots=True)
class _Found:
    """A finding where it stands among the spans."""

    at: int
    """Index of its span."""
    entry: FindingEntry
    stated: str | None = None
    """What a predicate of a structure says: present, possible or absent."""


@lru_cache(maxsize=8192)  # reports repeat sentences
def mentions_in(sentence: str, *, is_query: bool = False) -> tuple[Mention, ...]:
    """Return the mentions of a sentence or query in their order, without stop words, cues and modifiers of findings.

    Args:
        sentence: One statement.
        is_query: Whether "or" joins alternatives that are asked for; in a report it makes what it joins possible.
    """
    tokens = TOKEN.findall(normalize(sentence))
    spans = _spans(tokens)
    if len(whole := _with_finding_of_side(tokens, spans)) > len(tokens):
        tokens, spans = whole, _spans(whole)
    scopes = _Scopes(tokens, spans)
    found = [*_findings_of(spans, tokens)]
    attached = _modifiers_by_finding(spans, tokens, found, is_query=is_query)
    mentions = [*_finding_mentions(spans, tokens, scopes, found, attached)]
    if not is_query:
        stated = {spans[one.at].start for one in found if one.stated}
        mentions = _as_differential(mentions, tokens, stated)
    words = _word_mentions(spans, tokens, scopes, {one.at for one in found}, is_query=is_query)
    return tuple(one for _, one in sorted([*mentions, *words], key=lambda pair: pair[0]))


def modifiers_in(query: str) -> tuple[str, ...]:
    """Return the words of a query that state a side, place, size or change, as written."""
    tokens = TOKEN.findall(normalize(query))
    return tuple(
        " ".join(tokens[span.start : span.end])
        for span in _spans(tokens)
        if not isinstance(span.entry, FindingEntry) and _values(span, tokens, is_query=True)
    )


def _spans(tokens: Sequence[str]) -> list[_Span]:
    """Divide tokens into findings, structures, cues, modifiers and single tokens: at each token the longest phrase."""
    stems = [stem(token) for token in tokens]
    spans: list[_Span] = []
    start = 0
    while start < len(tokens):
        candidates = (
            _elliptic_at(tokens, stems, start),
            phrases_without_finding().longest_at(stems, start),
            findings().longest_at(stems, start),
            structures().longest_at(stems, start),
            cues().longest_at(tokens, start),
            _modifier_at(tokens, start),
        )
        best: tuple[int, _Entry] = (1, None)
        for candidate in candidates:
            if candidate and candidate[0] > best[0] * (best[1] is not None or best[0] > 1):
                best = candidate
        spans.append(_Span(start, start + best[0], best[1]))
        start += best[0]
    return spans


def _with_finding_of_side(tokens: list[str], spans: Sequence[_Span]) -> list[str]:
    """Return the tokens of "no left, small right effusion" as those of "no left effusion, small right effusion"."""
    for at in range(len(spans) - 5):
        denial, side, joined, size, other, finding = spans[at : at + 6]
        if (
            isinstance(denial.entry, Cue)
            and denial.entry.status == "absent"
            and tokens[joined.start] in (",", "and", "but")
            and isinstance(finding.entry, FindingEntry)
            and [_dimension(one) for one in (side, size, other)] == ["side", "size", "side"]
        ):
            return [*tokens[: side.end], *tokens[finding.start : finding.end], *tokens[side.end :]]
    return tokens


def _dimension(span: _Span) -> str | None:
    return dimensions()[span.entry.values[0]] if isinstance(span.entry, Modifier) else None


def _elliptic_at(tokens: Sequence[str], stems: Sequence[str], start: int) -> tuple[int, FindingEntry] | None:
    """Return the finding that a word names with the head of a list ("endotracheal and nasogastric tubes")."""
    if not tokens[start].isalpha() or start + 1 >= len(tokens) or tokens[start + 1] not in (",", "and", "or"):
        return None
    for at in range(start + 2, min(start + _LONGEST_LIST, len(tokens))):
        found = findings().longest_at(stems, at)
        if found and found[0] > 1:
            named = findings().longest_at([stems[start], stems[at + found[0] - 1]], 0)
            return (1, named[1]) if named and named[0] == _TWO_WORDS else None
        if not tokens[at].isalpha() and tokens[at] != ",":
            return None
    return None


def _modifier_at(tokens: Sequence[str], start: int) -> tuple[int, Modifier] | None:
    found = modifiers().longest_at(tokens, start)
    if found or not tokens[start].endswith("s"):
        return found
    singular = modifiers().longest_at([tokens[start][:-1]], 0)  # "bases", "ribs"
    return singular if tokens[start] not in ("l", "r") else None


class _Scopes:
    """The status of each token of a sentence, by the cues in its clause."""

    def __init__(self, tokens: Sequence[str], spans: Sequence[_Span]) -> None:
        self._tokens, self._spans = tokens, spans
        self._ends = [span for span in spans if isinstance(span.entry, Cue) and span.entry.status == "end"]
        count = len(tokens)
        self._covered = {
            status: self._cover(status, count)
            for status in ("possible", "absent", "normal", "resolved", "history", "unstated")
        }

    def holds(self, status: str, token: int) -> bool:
        """Whether a token is in the scope of a cue for `status`."""
        return self._covered[status][token]

    def status(self, token: int) -> Status:
        """Return the status of what a token names; absent wins over possible."""
        if self.holds("absent", token) or self.holds("resolved", token):
            return Status.ABSENT
        return Status.POSSIBLE if self.holds("possible", token) else Status.PRESENT

    def _cover(self, status: str, count: int) -> list[bool]:
        covered = [False] * count
        for index, span in enumerate(self._spans):
            if isinstance(span.entry, Cue) and span.entry.status == status:
                for start, end in self._ranges(index, span, span.entry):
                    covered[start:end] = [True] * (end - start)
        return covered

    def _ranges(self, index: int, span: _Span, cue: Cue) -> Iterator[tuple[int, int]]:
        """Yield the ranges of tokens in the scope of a cue, each within its clause."""
        end = self._end_after(index, span, cue)
        is_last = cue.scope == "after" and not any(token.isalnum() for token in self._tokens[span.end : end])
        if cue.scope == "previous":
            before = next(
                (one for one in reversed(self._spans[:index]) if isinstance(one.entry, FindingEntry | Structure)), None
            )
            if before and span.start - before.end <= _NEAR:
                yield before.start, before.end
        if cue.scope == "next":
            following = (one for one in self._spans[index + 1 :] if isinstance(one.entry, FindingEntry | Structure))
            yield span.end, min(end, next((one.end for one in following), span.end))
        if cue.scope in ("after", "both"):
            yield span.end, end
        if cue.scope in ("before", "both") or is_last:
            tail = [one.end for one in self._ends if one.end <= span.start]
            if self._tokens[span.start] == ":":  # "effusion: none"
                tail = [one.end for one in self._ends if one.end < span.start]
            yield max(tail, default=0), span.start

    def _end_after(self, index: int, span: _Span, cue: Cue) -> int:
        ends = [one.start for one in self._ends if one.start >= span.end]
        if cue.status in ("absent", "unstated", "resolved"):
            ends += self._new_statements(index)
        if cue.status == "resolved":  # "removal of the tube without pneumothorax"
            ends += [one.start for one in self._spans[index + 1 :] if _is_denial(one)]
        return min(ends, default=len(self._tokens))

    def _new_statements(self, index: int) -> Iterator[int]:
        """Yield where, after a denial, something new is said: "and small effusion", ", heart is enlarged"."""
        seen_finding = False
        for at in range(index + 1, len(self._spans)):
            span, before = self._spans[at], self._spans[at - 1]
            joined = self._tokens[before.start] if before.entry is None else ""
            if isinstance(span.entry, FindingEntry):
                seen_finding = True
            if not seen_finding or joined not in ("and", ",", "the"):
                continue
            if (
                joined == "and"
                and isinstance(span.entry, Modifier)
                and isinstance(self._spans[at - 2].entry, FindingEntry)
            ):
                yield before.start
            if isinstance(span.entry, Structure) and self._has_verb(at):
                yield before.start
            if joined == "," and _dimension(span) == "size" and self._is_of_other_side(index, at):
                yield before.start

    def _is_of_other_side(self, denial: int, at: int) -> bool:
        """Whether a comma joins the denial of one side and what is said of the other: "no left X, small right X"."""
        end = next((n for n in range(at, len(self._spans)) if self._tokens[self._spans[n].start] in (",", ";")), None)
        sides = [
            {
                value
                for span in part
                if _dimension(span) == "side"
                for value in _values(span, self._tokens, is_query=False)
            }
            for part in (self._spans[denial:at], self._spans[at:end])
        ]
        return bool(sides[0] and sides[1]) and not sides[0] & sides[1]

    def _has_verb(self, at: int) -> bool:
        return any(
            self._tokens[span.start] in ("is", "are", "appears", "remains", "has") for span in self._spans[at : at + 4]
        )


def _is_denial(span: _Span) -> bool:
    return isinstance(span.entry, Cue) and span.entry.status == "absent"


def _findings_of(spans: Sequence[_Span], tokens: Sequence[str]) -> Iterator[_Found]:
    """Yield the findings that are named, and those that are said of a structure ("heart size is normal")."""
    for at, span in enumerate(spans):
        if isinstance(span.entry, FindingEntry):
            yield _Found(at, span.entry)
        elif isinstance(span.entry, Structure):
            all_said, cause = _said_of(spans, tokens, at), _named_cause(spans, tokens, at)
            if cause not in [said.finding for said in all_said]:  # else the finding takes the side of the structure
                for said in all_said:
                    yield _Found(at, said.finding, said.status)


def _named_cause(spans: Sequence[_Span], tokens: Sequence[str], at: int) -> FindingEntry | None:
    """Return the finding named as the cause of what is said of a structure: "angle is blunted by an effusion"."""
    end = min(at + 1 + _REACH, len(spans))
    by = next((n for n in range(at + 1, end) if tokens[spans[n].start] == "by"), None)
    if by is None:
        return None
    return next((one.entry for one in spans[by:end] if isinstance(one.entry, FindingEntry)), None)


def _said_of(spans: Sequence[_Span], tokens: Sequence[str], at: int) -> tuple[Predicate, ...]:
    """Return what a clause says of the structure at a span: after it, else directly before it."""
    structure = spans[at].entry
    assert isinstance(structure, Structure)  # noqa: S101  # for the type checker
    phrases = predicates(structure.name)
    stems = [stem(token) for token in tokens]
    said: list[Predicate] = []
    start, end = spans[at].end, _reach_after(spans, tokens, at)
    while start < end:
        found = phrases.longest_at(stems, start)
        if found and not _qualifies_a_finding(spans, start + found[0]):
            said += found[1]
            start += found[0]
        elif said and tokens[start] not in ("and", "or", ",", "mildly", "slightly", "somewhat"):
            break
        else:
            start += 1
    if said:
        return tuple(dict.fromkeys(said))
    for start in range(max(0, spans[at].start - 3), spans[at].start):
        found = phrases.longest_at(stems, start)
        if found and all(_is_adjective(token) for token in tokens[start : spans[at].start]):
            return found[1]
    return ()


def _is_adjective(token: str) -> bool:
    """Whether a token may stand between an adjective and its noun."""
    return token.isalnum() and token not in ("and", "or", "with", "without", "no", "of")


def _reach_after(spans: Sequence[_Span], tokens: Sequence[str], at: int) -> int:
    """Return the token at which the predicate of a structure must have begun.

    Structures in a list share it ("heart and mediastinum are normal").
    """
    limit = spans[at].end + _REACH
    for index in range(at + 1, len(spans)):
        span = spans[index]
        if span.start >= limit:
            break
        if tokens[span.start] in (";", "with", "but", "without"):
            return span.start
        if isinstance(span.entry, FindingEntry) and not _is_said(spans[at], tokens, span):
            return span.start
        if isinstance(span.entry, Structure):
            between = tokens[spans[index - 1].start : span.start]
            if not all(token in ("and", ",", "the", "or") for token in between[-1:]):
                return span.start
            limit = span.end + _REACH
        elif isinstance(span.entry, Cue) and span.entry.status == "end" and tokens[span.start] != ":":
            return span.start
    return min(limit, len(tokens))


def _is_said(structure: _Span, tokens: Sequence[str], span: _Span) -> bool:
    """Whether the name of a finding is said of a structure ("aorta is calcified")."""
    entry = structure.entry
    stems = [stem(token) for token in tokens]
    return isinstance(entry, Structure) and predicates(entry.name).longest_at(stems, span.start) is not None


def _qualifies_a_finding(spans: Sequence[_Span], token: int) -> bool:
    """Whether the word that ends at a token stands directly before a finding ("large effusion")."""
    return any(span.start == token and isinstance(span.entry, FindingEntry) for span in spans)


def _modifiers_by_finding(
    spans: Sequence[_Span], tokens: Sequence[str], found: Sequence[_Found], *, is_query: bool
) -> list[tuple[frozenset[str], ...]]:
    """Return the modifiers of each finding, once for each part of it that is described apart.

    In a report, a finding without any shares those of its list; in a query, only the alternatives of "or" do.
    """
    own: list[list[tuple[int, tuple[str, ...]]]] = [[] for _ in found]
    places = [one.at for one in found]
    for index, span in enumerate(spans):
        values = _values(span, tokens, is_query=is_query)
        if values and (owner := _owner(spans, tokens, places, index)) is not None:
            own[owner].append((index, values))
    described = [_parts(values, at, spans, tokens) for values, at in zip(own, places, strict=True)]
    _share(spans, tokens, found, described, only_alternatives=is_query)
    return [tuple(map(frozenset, parts)) for parts in described]


def _parts(
    of_finding: Sequence[tuple[int, tuple[str, ...]]], at: int, spans: Sequence[_Span], tokens: Sequence[str]
) -> list[set[str]]:
    """Return the modifiers of one finding, divided where sides differ in more ("small left and large right").

    Args:
        of_finding: The index of each span with modifiers of the finding, and the modifiers.
        at: The index of the span of the finding.
        spans: Of the sentence.
        tokens: Of the sentence.
    """
    parts: list[set[str]] = [set()]
    previous = 0
    for index, values in of_finding:
        between = spans[previous + 1 : index]
        is_apart = any(tokens[span.start] in _SEPARATORS for span in between)
        if parts[-1] and (is_apart or (previous < at < index and not parts[-1].isdisjoint(SIDES))):
            parts.append(set())
        parts[-1].update(values)
        previous = index
    sided = [part for part in parts if not part.isdisjoint(SIDES)]
    if not any(_differ(first, second) for first, second in combinations(sided, 2)):
        return [set().union(*parts)]
    common = set[str]().union(*(part for part in parts if part not in sided))
    return [part | common for part in sided if not any(part < other for other in sided)]


def _differ(first: set[str], second: set[str]) -> bool:
    """Whether two parts of a finding have other values of the same dimension, sides aside, or one side in common."""
    if first & second & set(SIDES):
        return first != second
    by_dimension = [{(dimensions()[value], value) for value in part if value not in SIDES} for part in (first, second)]
    return any(one[0] == other[0] and one != other for one in by_dimension[0] for other in by_dimension[1])


def _values(span: _Span, tokens: Sequence[str], *, is_query: bool) -> tuple[str, ...]:
    """Return the modifiers in a span: its own, and those in the name of a structure or finding ("lung base").

    A query for "rib fracture" need not be answered by a report that says in which bone: of a name it takes the side,
    and the place with a side ("collapse of the left lower lobe").
    """
    if isinstance(span.entry, Modifier):
        return span.entry.values
    if not isinstance(span.entry, Structure | FindingEntry):
        return ()
    within = (_modifier_at(tokens[: span.end], at) for at in range(span.start, span.end))
    stated = [found[1].values for found in within if found]
    if is_query and isinstance(span.entry, FindingEntry):
        stated = [values for values in stated if not set(SIDES).isdisjoint(values)]
    return tuple(value for values in stated for value in values)


def modifier_values(text: str) -> frozenset[str]:
    """Return the values of the modifiers that the words of a text state."""
    tokens = TOKEN.findall(normalize(text))
    found = (_modifier_at(tokens, at) for at in range(len(tokens)))
    return frozenset(value for one in found if one for value in one[1].values)


def _owner(spans: Sequence[_Span], tokens: Sequence[str], places: Sequence[int], index: int) -> int | None:
    """Return which finding a modifier belongs to, as an index of `places`."""
    if index in places:
        return places.index(index)
    before = max((n for n, at in enumerate(places) if at < index), default=None)
    after = min((n for n, at in enumerate(places) if at > index), default=None)
    if before is None or after is None:
        return before if after is None else after
    between = spans[index + 1 : places[after]]
    if any(_separates(span, tokens) for span in between):
        return before
    gap = spans[places[before] + 1 : index]
    return after if any(_separates(span, tokens) for span in gap) else before


def _separates(span: _Span, tokens: Sequence[str]) -> bool:
    return isinstance(span.entry, Cue) or tokens[span.start] in _SEPARATORS or tokens[span.start] == "with"


def _share(
    spans: Sequence[_Span],
    tokens: Sequence[str],
    found: Sequence[_Found],
    own: list[list[set[str]]],
    *,
    only_alternatives: bool,
) -> None:
    """Give the side and place of a finding to those listed with it, and to what explains it, that have none."""
    located = [{value for part in parts for value in part if dimensions()[value] in ("side", "place")} for parts in own]
    pairs = [(n - 1, n) for n in range(1, len(found))]
    for source, target in (*pairs, *((b, a) for a, b in reversed(pairs))):
        first, second = sorted((source, target))
        gap = spans[found[first].at + 1 : found[second].at]
        if found[first].stated or found[second].stated or located[target] or not _continues(gap, tokens):
            continue
        if only_alternatives and (target < source or _ALTERNATIVES.isdisjoint(tokens[one.start] for one in gap)):
            continue
        if not _is_midline(found[target].entry):
            own[target][0] |= located[source]
            located[target] = located[source]


def _is_midline(entry: FindingEntry) -> bool:
    return entry.label in _MIDLINE_LABELS or any(part in entry.name for part in _MIDLINE_NAMES)


def _continues(gap: Sequence[_Span], tokens: Sequence[str]) -> bool:
    """Whether nothing between two findings begins another statement or changes the polarity."""
    for span in gap:
        if isinstance(span.entry, Cue) and span.entry.status in ("absent", "end", "resolved", "unstated", "history"):
            return False
        if tokens[span.start] in (";", ":", "?"):
            return False
    return True


def _finding_mentions(
    spans: Sequence[_Span],
    tokens: Sequence[str],
    scopes: _Scopes,
    found: Sequence[_Found],
    attached: Sequence[tuple[frozenset[str], ...]],
) -> Iterator[tuple[int, Mention]]:
    """Yield the mentions of findings with their token; those of which nothing is stated are left out."""
    for one, parts in zip(found, attached, strict=True):
        token = spans[one.at].start
        if scopes.holds("unstated", token) and not scopes.holds("resolved", token):
            continue
        status = scopes.status(token)
        if scopes.holds("normal", token) and one.stated in (None, "present"):
            status = Status.ABSENT  # "engorgement within normal limits"
        elif one.stated is not None:
            if status is Status.ABSENT and one.stated != "present":
                continue  # "not normal" names no finding
            status = min(status, Status(one.stated), key=[Status.ABSENT, Status.POSSIBLE, Status.PRESENT].index)
        words = tokens[token : spans[one.at].end]
        for values in parts:
            gone = scopes.holds("resolved", token) or "resolved" in values
            yield (
                token,
                Mention(
                    " ".join(words),
                    tuple(stem(word) for word in words if word not in STOP_WORDS and word.isalnum()),
                    _at_place(one.entry, values),
                    Status.ABSENT if gone else status,
                    starts_phrase=_starts_phrase(spans, tokens, one.at),
                    modifiers=values | {"resolved"} if gone else values,
                    is_history=scopes.holds("history", token) or _is_past(one.entry, tokens[:token]),
                    joined_by=_joined_by(spans, tokens, one.at),
                ),
            )


def _is_past(entry: FindingEntry, before: Sequence[str]) -> bool:
    """Whether the word before the name of a finding says that it was there before ("previous pneumonia")."""
    return entry.label in _PASSING_LABELS and before[-1:] in (["previous"], ["prior"])


def _at_place(entry: FindingEntry, values: frozenset[str]) -> FindingEntry:
    """Return the narrower finding that a finding at a place is: a fracture of a rib is a rib fracture."""
    for value in values:
        if dimensions().get(value) == "place":
            words = [stem(word) for word in f"{value} {entry.name}".split()]
            found = findings().longest_at(words, 0)
            if found and found[0] == len(words) and entry.name in found[1].broader:
                return found[1]
    return entry


def _as_differential(
    mentions: list[tuple[int, Mention]], tokens: Sequence[str], stated: set[int]
) -> list[tuple[int, Mention]]:
    """Return mentions with those that "or" joins as possible: a report that names alternatives is sure of none.

    "No change in the effusion or atelectasis" names no alternatives, nor does "tortuous or ectatic aorta".

    Args:
        mentions: Each with its token.
        tokens: Of the sentence.
        stated: Tokens of structures, of which the findings are said.
    """
    alternatives: set[int] = set()
    for index, (_, one) in enumerate(mentions):
        if index and one.joined_by in _ALTERNATIVES:
            alternatives |= {index - 1, index}
    unchanged = not {"no", "not", "without"}.isdisjoint(tokens[: mentions[0][0]] if mentions else ())
    return [
        (token, replace(one, status=Status.POSSIBLE))
        if index in alternatives and not unchanged and token not in stated and _is_observed(one)
        else (token, one)
        for index, (token, one) in enumerate(mentions)
    ]


def _is_observed(mention: Mention) -> bool:
    return mention.finding is not None and mention.finding.kind != "device" and mention.status is Status.PRESENT


def _word_mentions(
    spans: Sequence[_Span], tokens: Sequence[str], scopes: _Scopes, taken: set[int], *, is_query: bool
) -> Iterator[tuple[int, Mention]]:
    """Yield the words that are no finding, each with its token; cues and stop words are left out."""
    starts = True
    for index, span in enumerate(spans):
        words = tokens[span.start : span.end]
        if index in taken or isinstance(span.entry, Cue) or words[0] in _SEPARATORS or not words[0].isalnum():
            starts = True
            continue
        if is_query and _values(span, tokens, is_query=True):
            continue
        stems = tuple(stem(word) for word in words if word not in STOP_WORDS)
        if stems:
            history = scopes.holds("history", span.start)
            yield (
                span.start,
                Mention(" ".join(words), stems, None, scopes.status(span.start), starts, is_history=history),
            )
            starts = False


def _starts_phrase(spans: Sequence[_Span], tokens: Sequence[str], at: int) -> bool:
    before = next((span for span in reversed(spans[:at]) if not isinstance(span.entry, Modifier)), None)
    return before is None or isinstance(before.entry, Cue | FindingEntry) or tokens[before.start] in _SEPARATORS


def _joined_by(spans: Sequence[_Span], tokens: Sequence[str], at: int) -> str:
    """Return the separator between a finding and the one before it."""
    for span in reversed(spans[:at]):
        if isinstance(span.entry, FindingEntry | Structure):
            break
        if tokens[span.start] in _SEPARATORS:
            return tokens[span.start]
        if isinstance(span.entry, Cue) and span.entry.status == "end":
            break
    return ""
