"""Puts words of reports that the tables cannot hold into words that they have, before a sentence is divided."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import SIDES, FindingEntry, Modifier, Structure
from mcp_cxr.language.reader._spans import VERBS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.language.reader._spans import Sentence, Span

_IN_FULL = {"extubation": "removal of endotracheal tube", "extubated": "endotracheal tube removed"}
_GONE = (
    r"(?:(?:has|have|having|is|are|was|were|been|now|since|completely|fully)\s+)*"
    r"(?:resolved|cleared|disappeared|gone|removed|withdrawn)"
)
"""That something has resolved: "has now completely cleared"."""
_ONE_OF_BOTH_GONE = re.compile(
    rf"\b(?:bilateral|both|bibasilar|bibasal|biapical)\s+(?P<finding>[^,;.]+?)\s*[,;]\s*(?:with\s+)?(?:the\s+)?(?P<side>left|right)"
    rf"(?:\s+(?:one|side|of which))?\s+(?P<gone>{_GONE})\b"
)
"""A side of two on which a finding is gone: "bilateral effusions, the left has resolved"."""
_GONE_ON_ONE_SIDE = re.compile(
    rf"^(?P<finding>[^,;.]+?)\s+(?P<gone>{_GONE})\s+on the (?P<side>left|right),?\s*(?:(?:but|and|while)\s+)?"
    r"(?=(?:(?:is|are|has|have|remains?|persists?|still|unchanged|stable|persistent|similar|increased|decreased|improved"
    r"|worse|larger|smaller)\b\s*)+on the (?:left|right)\b)"
)
"""The same with what it is on the other side: "effusions have cleared on the left, unchanged on the right"."""
_BOTH_GONE_ON_ONE_SIDE = re.compile(
    r"(?:\b(?:bilateral|both|bi(?=basilar|basal|apical))\s*(?P<finding>[^,;.]+?)"
    r"|(?P<placed>[^,;.]+? (?:at|in) )both (?P<place>bases|apices|lungs))\s*[,;]\s*"
    rf"(?P<gone>{_GONE}) on the (?P<side>left|right)"
    r"(?:\s*,?\s*(?:and|but)\s+(?P<other>[^,;.]+?) on the (?:left|right))?(?=\s*(?:[.,;]|$))"
)
"""Both sides named first: "bibasilar atelectasis, cleared on the right and unchanged on the left"."""
_PLACE_OF_ONE = {"bases": "base", "apices": "apex", "lungs": "lung"}
_GONE_BEFORE = re.compile(rf"({_GONE}), (?=the\b[^,;.]+ (?:is|are|persists?|remains?|has|have)\b)")
"""What has resolved, before another subject: "edema resolved, the effusion is unchanged"."""
_SIDE_NONE = re.compile(r"\b(left|right) (?:side )?none\b")
"""The same of a side: "effusion: left small, right none"."""
_HAS_NOT = re.compile(
    r"(\b(?:improved|cleared|resolved|disappeared|decreased|increased|worsened|progressed|changed)\b[^,;.]*), "
    r"(?:(?:but|and|while|whereas) )?(?!it\b|they\b)([^,;.]+?) (?:has|have) not(?=\s*(?:[.;]|$))"
)
"""What has not changed as the finding before has: "edema has cleared, effusions have not"."""
_COLON_BEHIND = re.compile(
    r"^((?:there (?:is|are) )?(?:no|without)(?: (?:definite |radiographic )?(?:evidence|signs?))?(?: (?:of|for))?"
    r"|negative for|none of the following|absent|denied|possible|probable|question of|suspicious for|resolved)"
    r"\s*[:;]\s*(?=\w)"
)
"""A cue apart from what it is said of: "no evidence of: edema", "possible: pneumonia"."""
_OTHER_SIDE = re.compile(r", (?:the )?(left|right)(?: side)? (?=(?:is|are|remains?|persists?)\b)")
"""What stays on the other side: "right pneumothorax has resolved, left is unchanged"."""
_SEEN = (
    r"(?:seen|there|present|visible|evident|apparent|identified|noted|visuali[sz]ed|appreciated|demonstrated|detected)"
)
_NOT_SEEN_BEFORE = re.compile(
    rf"\bnot (?:well |clearly )?{_SEEN} (?:yesterday\b|(?:on|in) (?:(?:the )?[a-z ]{{0,24}}\b(?:of|from|dated) )?"
    r"(?:_{2,}|(?:19|20)\d\d\b|\d{1,2}/\d|(?:early |late )?(?:january|february|march|april|may|june|july|august"
    r"|september|october|november|december)\b))"
)
"""What was not there at a date: "not seen on the study of ___"; "not seen on today's image" is gone."""
_POST = re.compile(
    r"\bpost (?=(?:[a-z]+ ){0,3}(?:insertion|placement|removal|extubation|intubation|thoracentesis|thoracocentesis"
    r"|bronchoscopy|biopsy|drainage|aspiration|procedure)\b)"
)
"""What was done before: "no pneumothorax post left drain insertion"."""
_CHANGE = "change|increase|decrease|improvement|progression|growth|reduction|worsening"
_NOR_OF_CHANGES = re.compile(rf"(\bno (?:[a-z]+ ){{0,2}}(?:{_CHANGE}) (?:in|of)\b[^.;,]*) nor\b")
"""A list whose change is denied: "no change in the effusion nor in the opacity"."""
_IS_CHANGED = (
    r"(has|have|is|are) (?=(?:[a-z]+ly )?(?:changed|increased|decreased|improved|progressed|worsened|grown|moved"
    r"|resolved|cleared|enlarged|enlarging|larger|smaller)\b)"
)
_NEITHER_NOR_CHANGED = re.compile(rf"\bneither ([^.;,]+?) nor ([^.;,]+?) {_IS_CHANGED}")
"""The same: "neither the effusion nor the opacity has changed"."""
_NEITHER_CHANGED = re.compile(rf"\bneither (?:of the )?([^.;,]+?) {_IS_CHANGED}")
"""The same of both sides: "neither effusion has changed"."""
_CHANGED_ON_ONE_SIDE = re.compile(
    rf"\b({_CHANGE}) (in|of) (the )?(left|right)((?: [a-z]+)?),? but not (?:in |of )?(?:the )?(left|right) ([^.;,]+)"
)
"""A change of one side alone: "improvement of the right but not the left effusion"."""
_ONE_REMOVED = re.compile(
    r"\bone of (?:the )?(?:two |three |both )?([a-z ]{0,30}?(?:tubes|drains|lines|catheters|leads))"
    r"(?: (?:has|have|is|was|now))*(?: been)? (?:removed|withdrawn|out|pulled|taken out)\b"
)
"""A device of several that was removed, so that others are there."""
_IT_ON_SIDE = re.compile(r"[;,] (?:and |but |while )?on the (left|right),? (?:it|this) (?=(?:has|is|was)\b)")
"""The same finding on the other side: "effusion is new on the left, on the right it has cleared"."""
_SIDE_IN_FRONT = re.compile(r"[;,] (?:and |but |while )?on the (left|right)(?: side)?, (?:there (?:is|are) )?")
"""A side before its statement: "; on the left, a nodule"."""
_LESS_AND_MORE = re.compile(
    r"\b(less|more) ([a-z]+) (in|on|at) the (left|right)([a-z ]*?),? (?:and|but|with) (less|more) (?:in|on|at) the"
    r" (left|right)\b"
)
"""What has become less on one side and more on the other."""
_VEIN_OF_LINE = re.compile(
    r"\b(ij|subclavian) (?=(?:(?:has|have|was|is|been) )*(?:removed|withdrawn|placed|placement|insertion|removal)\b)"
)
"""A line named by its vein: "left IJ removed"."""
_UNTICKED = re.compile(r"\[ ?\]\s*(?:(?:yes|no|present|absent)\b|[^\[\]]*)")
"""A box without a tick: "effusion [ ] yes"."""
_ANSWERED_NO = re.compile(r"(?<=\w)(?:\s*[:;]){1,2}\s*(?:-|n|neg|nil)(?=\s*(?:[,;.]|$|\s\s))")
"""A finding that a list answers with no: "edema: N", "edema (-)"."""
_NOT_ANSWERED = re.compile(r"[a-z ]+:\s*n/?a\b")
"""A finding that a list does not answer: "edema: N/A"."""
_ANOTHER_REMOVED = re.compile(
    r"((?:tubes|drains|lines|catheters)), (?:and )?one (?:(?:has|was|is|of which|been|now) )*removed"
)
"""The same: "two left chest tubes, one removed"."""
_NOT_ON_OTHER_SIDE = re.compile(rf", (?:but |and )?not {_SEEN} on the (left|right)(?! (?:lateral|view|image))")
"""A side on which a finding is not: "right effusion, not seen on the left"."""
_GONE_OF_LISTED = re.compile(rf"^([a-z ]+): (left|right) {_GONE}[;,] (?=(?:left|right) )")
"""The same in a list: "effusions: right resolved, left small"."""
_GONE_ALONE = re.compile(r"(?<!\bis)(?<!\bare)(?<!\bnot)(?<!ly)(?<!most) gone(?=\s*(?:[,;.]|$))")
"""What is gone, in shorthand: "right effusion gone"."""
_EXPANDED = re.compile(r"\b(collapse|atelectasis) (has|have) (now |completely |fully )*re-?expanded\b")
"""What is gone because a lung is full again."""
_OUT = re.compile(
    r"\b((?:tube|line|drain|catheter)s?|ett?|ngt|ogt|picc|sheath|swan)(?: (?:is|are|now|has|have|come))* out"
    r"(?=\s*[.,;]|\s*$|\s+and\b)"
)
"""A device that was taken out: "right chest tube out"; "out of view" is there."""
_TAKEN_FOR = re.compile(
    r"\bwhat (?:was|were|appears|appeared|seemed|looked|looks) (?:(?:previously|initially|originally) )?"
    r"(?:(?:thought|felt|believed|suspected|questioned) )?"
    r"(?:to be |to represent |called |described as |reported as |read as |interpreted as |like )?"
    r"(?=[^.;,]+? (?:is|was|are|represents?|reflects?) (?:in fact |actually )?"
    r"(?:an? |the |due |overl|superimpos|summation|artifact|scar|atelectasis|skin|old ))"
)
"""What was taken for a finding and is another: "what appeared to be a nodule is a rib end"."""

_ELSEWHERE = re.compile(r"\bclear elsewhere\b")
"""What denies nothing, since something is elsewhere: "the lungs are clear elsewhere"."""
_GIVEN = re.compile(
    r"^(?:given|in view of|in light of|because of|due to|in the setting of) (?:the |a |an |this |his |her )?(?:very )?"
    r"(?:recent|previous|prior|past|earlier) ([^,;.]+),"
)
"""What was there before, as the reason for what follows: "given recent pneumonia, follow-up is suggested"."""
_FROM_SIZE = re.compile(
    r"\b((?:increas|decreas|progress|worsen|enlarg|improv|grown|chang)[a-z]*(?: in size)?),? from (?:an? )?"
    r"(?:tiny|trace|minimal|small|mild|slight|moderate|moderately large|large|severe|marked)(?: sized?)? to\b"
)
"""A size that was there before: "increased from small to moderate"."""

_ANSWERED = re.compile(
    r"^([a-z][a-z /-]{2,40})\? (?=(?:no|none|nil|yes|absent|present|trace|tiny|small|minimal|mild|slight|moderate|large"
    r"|marked|severe|extensive|stable|unchanged|resolved|improved|worse)\b)"
)
"""A question that a template asks and answers: "effusion? small, bilateral"."""

_THE_OTHER_REMAINS = re.compile(
    r"^(?:one|a) (?:of the )?([a-z ]{0,30}?(?:tube|drain|line|catheter|lead))s? (?:(?:has|was|is|been|now) )*"
    r"(?:removed|withdrawn|out|pulled|taken out)[,;]? (?:and |but |while )?the (?:other|second)(?: one)?"
    r" (?=(?:remains?|is|stays|persists|in)\b)"
)
"""A device of two that was removed: "one drain removed, the other remains"."""
_LISTED_BEHIND = re.compile(
    r", ([a-z]+(?: [a-z]+){0,2}): (?=(?:tiny|trace|small|minimal|mild|moderate|large|left|right|bilateral|present|yes"
    r"|unchanged|stable|no|none)\b)"
)
"""What a list answers behind a comma: "no pneumothorax, effusion: small"."""

_BROKEN = re.compile(r"#(?!\s*\d)")
"""The British sign for a fracture: "rib # on the left"; "rib #5" is a number."""


_REWORDINGS = (
    (" elsewhere", _ELSEWHERE, "otherwise clear"),
    (" from ", _FROM_SIZE, r"\1 to"),
    ("#", _BROKEN, "fracture"),
    ("the ", _THE_OTHER_REMAINS, r"\1 "),
    (": ", _LISTED_BEHIND, r"; \1: "),
    ("? ", _ANSWERED, r"\1: "),
    ("", _GIVEN, r"history of \1;"),
    ("not ", _NOT_SEEN_BEFORE, "not seen on prior "),
    ("post ", _POST, "after "),
    (" nor", _NOR_OF_CHANGES, r"\1 or"),
    ("neither ", _NEITHER_NOR_CHANGED, r"\1 and \2 \3 not "),
    ("neither ", _NEITHER_CHANGED, r"\1 \2 not "),
    ("but not ", _CHANGED_ON_ONE_SIDE, r"\1 \2 \3\4 \7, \6 \7 unchanged"),
    ("one of ", _ONE_REMOVED, r"\1 remain"),
    (" on the ", _IT_ON_SIDE, r"; \1 one "),
    (" on the ", _SIDE_IN_FRONT, r"; on the \1 "),
    (" the ", _LESS_AND_MORE, r"\1 \2 \3 the \4\5; \6 \2 \3 the \7\5"),
    ("", _VEIN_OF_LINE, r"\1 line "),
    ("expanded", _EXPANDED, r"\1 \2 resolved"),
    (", ", _ANOTHER_REMOVED, r"\1"),
    (", ", _NOT_ON_OTHER_SIDE, r", not on the \1"),
    ("]", _UNTICKED, ""),
    (":", _NOT_ANSWERED, ""),
    ("", _ANSWERED_NO, ": none; "),
    (": ", _GONE_OF_LISTED, r"\2 \1 resolved; \1 "),
    (" gone", _GONE_ALONE, " has resolved"),
    (" out", _OUT, r"\1 removed"),
    (" not", _HAS_NOT, r"\1; \2 is unchanged"),
    (" none", _SIDE_NONE, r"none on the \1"),
    ("what ", _TAKEN_FOR, "mistaken for "),
)
"""A word that each pattern needs, the pattern, and what stands in its place."""

_LONGEST_SUBJECT = 6  # spans
_IN_PLACE = frozenset("in at tip tips intact ok okay".split())
"""Words after a device that say that it is there."""
_OLD = frozenset({"old", "healed", "unchanged"})
"""Modifiers of what has been there for long."""
_ARTICLES = frozenset({"the", "a", "an"})
_SEEN_BEFORE_SUBJECTS = frozenset(
    {"seen", "identified", "noted", "detected", "present", "evident", "side", "disease", "process"}
)
"""Words, beside findings, that may end a statement before one that begins without a mark."""
_SHOWING = frozenset({"shows", "demonstrates", "contains"})
_NORMAL = frozenset({"normal", "unremarkable", "clear"})
_COPULAS = frozenset({"is", "are", "appears", "remains"})
_STILL = frozenset({"still", "again", "now", "also", "present"})
"""Words after a verb that say that a finding is there: "is still seen"."""


def with_plain_words(words: str) -> str:
    """Return the words of a sentence of a report, normalized, with what the tables cannot hold in other words."""
    if "extubat" in words:
        for short, full in _IN_FULL.items():
            words = words.replace(short, full)
    words = _COLON_BEHIND.sub(r"\1 ", words).replace("none of the following", "no")
    for hint, pattern, plain in _REWORDINGS:
        if hint in words:  # in few
            words = pattern.sub(plain, words)
    return _with_sides_gone_apart(words)


def _with_sides_gone_apart(words: str) -> str:
    """Return words with what is on the one side and gone on the other: "right effusions; left effusions resolved"."""
    if not any(
        one in words for one in ("resolved", "cleared", "disappear", "gone", "removed", "withdrawn")
    ):  # nearly all
        return words

    def on_one(match: re.Match[str]) -> str:
        side = match["side"]
        finding = match["finding"] or f"{match['placed']}the {_PLACE_OF_ONE[match['place']]}"
        return f"{SIDES[1 - SIDES.index(side)]} {finding} {match['other'] or ''}; {side} {finding} {match['gone']}"

    def apart(match: re.Match[str]) -> str:
        side, finding = match["side"], match["finding"]
        return f"{SIDES[1 - SIDES.index(side)]} {finding}; {side} {finding} {match['gone']}"

    words = _GONE_BEFORE.sub(r"\1; ", _BOTH_GONE_ON_ONE_SIDE.sub(on_one, words))
    words = _GONE_ON_ONE_SIDE.sub(r"\g<side> \g<finding> \g<gone>; \g<finding> ", words)
    return _OTHER_SIDE.sub(r"; \1 one ", _ONE_OF_BOTH_GONE.sub(apart, words))


def with_marks(sentence: Sentence) -> Sequence[str]:
    """Return the tokens of "no effusion the heart is enlarged" as those of "no effusion; the heart is enlarged"."""
    spans = sentence.spans
    denials = (at for at, span in enumerate(spans) if span.is_cue("absent", "resolved", "possible"))
    first = next(denials, len(spans)) + 2
    starts = [spans[at].start for at in range(first, len(spans)) if _begins_without_mark(sentence, at)]
    tokens = sentence.tokens
    for start in reversed(starts):
        tokens = [*tokens[:start], ";", *tokens[start:]]
    return tokens


def _begins_without_mark(sentence: Sentence, at: int) -> bool:
    """Whether a subject with its verb begins right behind a finding, or behind "seen"."""
    before, subject = sentence.spans[at - 1], sentence.spans[at : at + _LONGEST_SUBJECT]
    is_seen = before.first in _SEEN_BEFORE_SUBJECTS
    is_behind = is_seen or isinstance(before.entry, FindingEntry)
    if sentence.spans[at].is_cue("absent") or not (is_behind or before.first == ","):
        return False
    clause = _until_denial(sentence.spans, at)
    if not is_behind:
        return _is_device_in_place(clause)
    if _is_device_in_place(clause) or _is_described(clause):
        return True
    last = next((n for n, one in enumerate(subject) if not _may_begin_subject(one)), len(subject) - 1)
    named, rest = subject[last], subject[last + 1 :]
    if isinstance(named.entry, Structure):
        return any(one.first in _COPULAS or one.first in _SHOWING or one.first in _NORMAL for one in rest[:3])
    if not isinstance(named.entry, FindingEntry):
        return subject[0].first == "the" and named.first in _SHOWING
    is_said = not _COPULAS.isdisjoint(sentence.words(named))  # "heart is enlarged"
    if last and subject[0].dimension in ("age", "size", "change"):  # "chronic scarring is noted"
        is_said = is_said or (bool(rest) and rest[0].first in VERBS and "noted" in [one.first for one in rest])
    return is_said or (is_seen and last > 0 and before.first != "side") or _is_said_to_be_there(rest)


def _until_denial(spans: Sequence[Span], at: int) -> Sequence[Span]:
    """Return the spans from one on, up to the next denial."""
    return spans[at : next((n for n in range(at, len(spans)) if spans[n].is_cue("absent")), len(spans))]


def _is_described(clause: Sequence[Span]) -> bool:
    """Whether a clause begins with how a finding is, as of one that is there: "small left effusion", "old fracture"."""
    at = next((n for n, one in enumerate(clause) if not _may_begin_subject(one)), len(clause) - 1)
    first = clause[0]
    values = first.entry.values if isinstance(first.entry, Modifier) else ()
    is_there = first.dimension in ("side", "size") or not _OLD.isdisjoint(values)
    is_list = any(one.first in ("or", "nor") for one in clause)
    return is_there and "large" not in values and not is_list and isinstance(clause[at].entry, FindingEntry)


def _is_device_in_place(clause: Sequence[Span]) -> bool:
    """Whether a clause that ends a sentence says where a device is: "no effusion, PICC in the SVC"."""
    at = next((n for n, one in enumerate(clause) if not _may_begin_subject(one)), len(clause) - 1)
    entry, following = clause[at].entry, clause[at + 1 : at + 2]
    is_device = isinstance(entry, FindingEntry) and entry.kind == "device"
    is_last = not any(one.first in ("or", "nor") for one in clause)
    return is_device and is_last and any(one.first in _IN_PLACE or one.first in _COPULAS for one in following)


def _may_begin_subject(span: Span) -> bool:
    return isinstance(span.entry, Modifier) or span.first in _ARTICLES


def _is_said_to_be_there(following: Sequence[Span]) -> bool:
    """Whether "unchanged", "is stable" or "is still seen" follows a finding."""
    verb = bool(following) and following[0].first in VERBS
    said = next(iter(following[verb : verb + 1]), None)
    if said is None:
        return False
    is_standing = isinstance(said.entry, Modifier) and "unchanged" in said.entry.values
    return is_standing or (verb and (isinstance(said.entry, Modifier) or said.first in _STILL))
