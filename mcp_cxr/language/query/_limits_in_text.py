"""Reads the number of results that a query's words name: "show me 5", "top ten", "12 normal and 8 abnormal films"."""

from __future__ import annotations

import re

_NUMBER_WORDS = {
    name: number
    for number, name in enumerate(
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split(), start=1
    )
} | {
    "twenty": 20,
    "twenty-five": 25,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "a hundred": 100,
    "a single": 1,
    "a couple": 2,
    "a couple of": 2,
    "half a dozen": 6,
    "a dozen": 12,
    "two dozen": 24,
}
_NOT_OF_RESULTS = (
    r"(?:(?:mm|cm|mg|ml|kg|years?|yrs?|yo|y\.?o|days?|weeks?|months?|hours?|percent|degrees?|views?|ribs?|th|rd|nd|st)\b"
    r"|%|-|\.\d|/|(?:[a-z]+\s+)?(?:per|(?:of|for|from)\s+(?:each|every))\b)"
)
"""What follows a number that is no number of results: "3 cm", "2 views", "one per patient"."""
_NUMBER = rf"(?:\d{{1,3}}|[3-9]\d{{3}}|[12]000|{'|'.join(sorted(_NUMBER_WORDS, key=len, reverse=True))})"
_FEW = r"(?:[1-5]|one|two|three|four|five|a single|a couple(?: of)?)"
"""Numbers that may count a finding: "no more than two nodules"."""
_RESULT_NOUNS = (
    r"(?:results?|hits?|examples?|cases?|stud(?:y|ies)|films?|images?|patients?|cxrs?|x-?rays?|radiographs?|reports?|exams?"
    r"|pictures?|scans?|normals?|wom[ae]n|m[ae]n|people|subjects|children)"
)
"""What is counted as results: "20 cases"."""
_VIEW = r"(?:pa|ap|frontal|lateral(?=\s+(?:chest|views?|films?|images?|radiographs?|x-?rays?|projections?|cxrs?)\b))"
"""A view of the image between a number of results and a finding: "5 PA pneumonia"."""
_EACH_NUMBER = re.compile(
    r"(?:^|(?<=[,;:.])\s*|\b(?:show|find|get|give|need|want|return|retrieve|me|us)\s+)"
    rf"(?P<named>(?P<first>{_NUMBER})\s+(?P<what>(?:(?!(?:and|or|with|of)\b)[a-z-]+\s+){{0,3}}"
    r"(?:with(?:out)?\s+(?:(?!and\b)[a-z-]+\s+){1,4})?)(?:and|plus)\s+(?:another\s+)?"
    rf"(?:(?!{_FEW}\b)(?P<same>(?P=first))\s+(?=[a-z])"
    rf"|(?P<second>{_NUMBER})\s+(?=(?:(?:[a-z-]+\s+){{0,3}}?{_RESULT_NOUNS}|(?:more\s+)?with)\b)))",
    re.IGNORECASE,
)
"""Numbers of two kinds of results: "10 normal and 10 abnormal studies"."""
_LIMIT = re.compile(
    r"\b(?:give|gimme|show|find|list|get|retrieve|return|fetch|display|open|pull|locate|bring|provide|grab|pick|select|send|collect|sample"
    r"|wants|requests|looking for|asks for|asked for"
    r"|(?:i|we)(?:['\u2019]d|\s+would|\s+only|\s+just)*\s+(?:want|need|like))"
    r"\s+(?:me\s+|us\s+|up\s+|out\s+|with\s+|just\s+|only\s+|to\s+(?:see|get|have)\s+)*"
    r"(?:(?:to|at\s+most|up\s+to|about|around|roughly|approximately|some|exactly)\s+)?"
    rf"(?:the\s+)?(?:top[\s-]+|first\s+|best\s+)?(?P<number>{_NUMBER})\b(?!\s*{_NOT_OF_RESULTS})"
    r"|\b(?:(?:top|first|best)[\s-]+|(?:limit(?:ed)?|max(?:imum)?)"
    rf"(?:\s+(?:to|of)(?!(?<!limit to)\s+{_FEW}\s+(?!{_RESULT_NOUNS}\b)[a-z])\s+|\s*[:=]\s*|\s+)"
    rf"|[nk]\s*=\s*)(?P<top>{_NUMBER})"
    rf"\b(?!\s*{_NOT_OF_RESULTS})(?:\s+(?:results|hits))?"
    rf"|\b(?:ideally|preferably|about|around|say)\s+(?P<about>{_NUMBER})\s+of\s+(?:them|these|those)\b"
    rf"|\b(?:(?:at most|no more than|up to|only)\s+)?(?P<results>{_NUMBER})\s+(?:results?|hits?|examples?)\b"
    rf"|(?:^\s*|[,;.:]\s*|\b(?:just|only|exactly|random|about|around|approximately|roughly"
    r"|at most|up to|no more than)\s+)"
    rf"(?P<counted>{_NUMBER})\b(?!\s*{_NOT_OF_RESULTS})(?!\s+{_RESULT_NOUNS}\s+(?:per|(?:of|for|from)\s+(?:each|every))\b)\s+(?=(?:(?!(?:of|with|on|in)\b)[a-z-]+\s+){{0,2}}{_RESULT_NOUNS}\b)"
    rf"|^\s*(?:need|want)(?:ed)?\s+(?P<needed>{_NUMBER})\b(?!\s*{_NOT_OF_RESULTS})"
    rf"|(?:^\s*|\bthe\s+)(?P<latest>{_NUMBER})\s+(?=(?:most recent|latest|newest|oldest|earliest)\b)"
    rf"|^\s*(?P<viewed>{_NUMBER})\s+(?={_VIEW}\b)"
    rf"|^\s*(?:up to|at most|no more than)\s+(?!{_FEW}\b)(?P<most>{_NUMBER})\b(?!\s*{_NOT_OF_RESULTS})"
    rf"|\b(?:just|only|at most|up to|no more than)\s+(?P<only>{_NUMBER})\s*(?=[:,.]|$)"
    rf"|(?:^|[,;.:])\s*(?P<random>{_NUMBER})\s+random\b"
    rf"|^\s*(?P<dozens>(?:half )?a dozen|two dozen|a single(?=\s+(?:[a-z-]+\s+){{0,2}}{_RESULT_NOUNS}\b))\b"
    r"|\b(?P<single>single)\s+(?:best\s+)?(?:example|case)\b",
    re.IGNORECASE,
)
"""A number of results: "show me 5", "top ten", "limit: 20", "a dozen"."""


_REQUESTED = re.compile(
    r"\b(?:show|find|get|give|need|want|return|retrieve|list|fetch|display|open|pull|pick|select)\b", re.IGNORECASE
)
_OF_PATIENTS = re.compile(
    r"\s*(?:[a-z-]+\s+){0,2}?(?:patients?|subjects?|people|persons?|wom[ae]n|m[ae]n|children)\b", re.IGNORECASE
)
"""Behind a number, whom it counts: " different patients"."""
_MOST_RESULTS = 100


def taken_limit(text: str) -> tuple[str, int | None, tuple[str, ...], bool]:
    """Return the text without numbers of results; the first, 100 at most; what is not applied; if it is of patients.

    Not applied are numbers of two kinds, as written, and a number over 100.
    """
    text, named = _numbers_joined(text)
    matches = [match for match in _LIMIT.finditer(text) if not _counts_finding(match)]
    number, first = next(((one, match) for match in matches if (one := _of_match(match)) >= 1), (None, None))
    kept = _LIMIT.sub(lambda match: match[0] if _counts_finding(match) else " ", text)
    if number is None or first is None:
        return kept, None, named, False
    named = (*named, str(number)) if number > _MOST_RESULTS else named
    return kept, min(number, _MOST_RESULTS), named, bool(_OF_PATIENTS.match(text, first.end()))


def _of_match(match: re.Match[str]) -> int:
    return _number(next(filter(None, match.groups())))


def _counts_finding(match: re.Match[str]) -> bool:
    """Whether "only one" behind a finding may count it: "effusion, only one"."""
    before = match.string[: match.start()]
    return (match["only"] or "").lower() in ("one", "1") and bool(before.strip()) and not _REQUESTED.search(before)


def _numbers_joined(text: str) -> tuple[str, tuple[str, ...]]:
    """Return "limit 20; normal or abnormal studies" for "10 normal and 10 abnormal studies", and this as written."""
    if not (match := _EACH_NUMBER.search(text)):
        return text, ()
    total = _number(match["first"]) + _number(match["second"] or match["same"])
    named = re.match(r"[^,;.:]{0,80}", text[match.start("named") :])
    rest = f"limit {total}; {text[: match.start('named')]} {match['what']} or {text[match.end() :]}"
    return rest, (named[0].strip(),) if named else ()


def _number(word: str) -> int:
    word = word.lower()
    return 1 if word == "single" else _NUMBER_WORDS.get(word) or int(word)
