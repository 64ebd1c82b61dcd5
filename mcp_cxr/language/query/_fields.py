"""Reads requests as programs and agents write them: in fields ("side = left"), in steps and in numbered conditions."""

from __future__ import annotations

import re

from mcp_cxr.language._document_terms import dimension_of
from mcp_cxr.language._vocabulary import SIDES
from mcp_cxr.language.reader import mentions_in, modifier_values

_START = r"(?:^|(?<=[;,.({\n]))\s*"
"""The beginning of a field: that of the text, or behind a mark."""
_STEP = re.compile(_START + r"(?:and\s+)?(?:step|part|query)\s+\d+(?:\s*(?:of|/)\s*\d+)?\s*[:.)-]\s*", re.IGNORECASE)
"""The number of a step: "Step 1 of 2:"."""
_NUMBER = re.compile(
    r"(?P<join>[,;]?\s*(?:\b(?:and|or|plus)\s+)?)(?:^|(?<=[\s,;:]))\(?(?P<number>[a-f]|i{1,3}|iv|v|\d{1,2})\)\s+",
    re.IGNORECASE,
)
"""What numbers a condition: "(1) edema, (2) no effusion"."""
_LABEL = re.compile(
    _START
    + r"(?:(?:target|requested|required|wanted|desired)\s+)?(?:tasks?|goals?|aims?|objectives?|requests?|constraints?"
    r"|conditions?|qualifiers?|modifiers?|required|wanted|desired|target|eligible|positives?|present"
    r"|must(?:\s+(?:have"
    r"|include|"
    r"contain|show))?|findings?|needs?)\s*[:=]\s*",
    re.IGNORECASE,
)
"""What names a field whose value is a part of the request."""
_FINDINGS_BEHIND_HISTORY = re.compile(
    r"(?P<history>\b(?:history|indications?|reason for)\b[^.;]{0,160}?)[;,]\s*"
    r"(?:findings?|impression|conclusion)\s*[:=]\s*",
    re.IGNORECASE,
)
"""What the image shows, behind the history: "history: COPD; findings: mass"."""
_ABOUT_REQUEST = re.compile(
    _START
    + r"(?:(?:intended|planned|expected)\s+)?(?:use(?:\s+case)?|usage|purpose|application|audience|requester|user"
    r"|output|format|limit|max(?:imum)?(?:[\s_]results)?|top[\s_]k|language|priority)\s*[:=]\s*[^;.}\n]*[;.]?",
    re.IGNORECASE,
)
"""A field that describes no image: "intended use = negative examples"."""
_YES = re.compile(
    r"\s*(?::\s*(?:yes|true|present|positive)(?:\s+please)?|\(\s*(?:yes|true|present|positive|confirmed|\+)\s*\)|\[\+\]"
    r"|\s(?:is\s+(?:true|not\s+null)|(?<!not )in\s+(?:findings|labels))\b|[\u2713\u2714])(?!\w)",
    re.IGNORECASE,
)
"""The answers "edema: yes", "edema (+)" and "edema is true", behind the finding."""
_NO = re.compile(
    r"\b(?!(?:where|and|or|but|with)\b)(?P<what>[a-z](?:(?!\b(?:where|and|or|but|with)\b)[\w -]){0,60}?)\s*"
    r"(?::\s*(?:none|no|false|absent|negative)(?:\s+(?:thanks|thank you))?"
    r"|\(\s*(?:none|no|false|absent|negative|refuted|excluded|[-\u2212\u2013])\s*\)|\[[-\u2212\u2013]\]"
    r"|\sis\s+(?:false|null|not\s+true)|\snot\s+in\s+(?:findings|labels)|[\u2717\u2718\u2716])"
    r"(?=\s*(?:$|[,;.)}]|and\b|but\b|[a-z]+\s*[(\[]))",
    re.IGNORECASE,
)
"""The answers "mass: false", "mass (no)" and "mass(-)"."""
_CALL = re.compile(r"\b(?P<operator>AND|OR|NOT)\((?P<operands>[^()]*)\)")
"""Operators written as functions: "AND(mass, NOT(edema))"."""
_PLACE_BEFORE = re.compile(r"^(?P<place>[^:;.,?]{1,40}?)\s*(?::|\s[-\u2013])\s+(?P<rest>[^:;.?]+)(?P<end>[.?]?)$")
"""A place before its finding: "Left base: opacity"."""
_FEWEST_NUMBERED = 2


def without_fields(query: str) -> str:
    """Return a request in running text: without its steps, the numbers of its conditions and the names of its fields.

    "Task: find; finding = mass; intended use = control" becomes "find; mass", and "mass: false" "without mass".
    """
    query = _FINDINGS_BEHIND_HISTORY.sub(r"\g<history>; with ", query)
    query = _without_numbers(_STEP.sub("", _with_operators_between(query)))
    rest = _ABOUT_REQUEST.sub(" ", query)
    query = rest if any(one.finding for one in mentions_in(rest, is_query=True)) else query
    query = _NO.sub(r"; without \g<what>; ", _YES.sub("; ", query.replace('"', "")))
    return _with_place_behind(_LABEL.sub(" ", query))


def _with_operators_between(query: str) -> str:
    """Return a request with operators between what they join: "(mass and (not (edema)))"."""

    def joined(match: re.Match[str]) -> str:
        join, operands = match["operator"].lower(), match["operands"].strip()
        return f"not \u27e8{operands}\u27e9" if join == "not" else f"\u27e8{operands.replace(',', f' {join} ')}\u27e9"

    while _CALL.search(query):  # from the innermost; what is done has other brackets
        query = _CALL.sub(joined, query)
    return query.translate(str.maketrans("\u27e8\u27e9", "()"))


def _without_numbers(query: str) -> str:
    found = list(_NUMBER.finditer(query))
    if len(found) < _FEWEST_NUMBERED or found[0]["number"].lower() not in ("1", "a", "i"):
        return query
    is_choice = any("or" in match["join"].split() for match in found)

    def joined(match: re.Match[str]) -> str:
        words = match["join"].strip(" ,;")
        return f" {words} " if words else ", " if is_choice else "; "

    return _NUMBER.sub(joined, query)


def _with_place_behind(query: str) -> str:
    """Return a request with its place behind its finding: "opacity in the lingula" for "lingula: opacity"."""
    match = _PLACE_BEFORE.match(query)
    if match is None:
        return query
    mentions = mentions_in(match["place"], is_query=True)
    values = modifier_values(match["place"])
    is_place = bool(values - {*SIDES}) and all(dimension_of(value) in ("side", "place") for value in values)
    is_list = "," in match["rest"] and not re.search(r"\b(?:or|and)\b", match["rest"])
    if not is_place or is_list or any(one.finding or not modifier_values(one.text) for one in mentions):
        return query
    place = re.sub(r"^(?:(?:in|on|at)\s+)?(?:the\s+)?", "", match["place"].strip(), flags=re.IGNORECASE)
    return f"{match['rest']} in the {place}{match['end']}"
