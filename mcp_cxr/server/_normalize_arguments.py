"""Brings the arguments of a call into one form before they are checked, because models and hosts write them in several.

`null`, `""`, `[]` and a missing argument are one; an id may be a number; a list may be JSON in a text.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, cast

from mcp_cxr.pasted_text import strip_pasted

_IDS = frozenset(("image_id", "study_id", "subject_id", "like", "unlike", "exclude_subject_of", "before"))
_FREE_TEXT = frozenset(("query",))
_NO_VALUE = ("", "null", "undefined")


def normalize_arguments(arguments: dict[str, Any], properties: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the arguments in the form that the tool's schema describes, without those that give no value.

    Unknown arguments are kept, so that they are refused.

    Args:
        arguments: As the host sent them.
        properties: The tool's parameters, as in its JSON schema.
    """
    plain = {
        name: _plain(name, value, properties[name]) if name in properties else value
        for name, value in arguments.items()
    }
    return {name: value for name, value in plain.items() if name not in properties or not _is_missing(value)}


def _plain(name: str, value: Any, schema: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Return one argument in its plain form; None if it gives no value."""
    if name in _FREE_TEXT and isinstance(value, str):
        return value if strip_pasted(value) else None
    kinds = [schema, *schema.get("anyOf", [])]
    is_list = any(kind.get("type") == "array" for kind in kinds)
    plain = _plain_list(name, value) if is_list or isinstance(value, list) else _plain_item(name, value)
    if isinstance(plain, list) and not is_list and len(cast("list[Any]", plain)) == 1:
        plain = cast("list[Any]", plain)[0]
    known = [choice for kind in kinds for choice in kind.get("enum", [])]
    return plain.lower() if isinstance(plain, str) and plain.lower() in known else cast("Any", plain)


def _plain_list(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a list without missing items; the text of a JSON list is read."""
    if isinstance(value, str) and strip_pasted(value)[:1] == "[":
        with suppress(ValueError, RecursionError):
            value = json.loads(strip_pasted(value))
    if not isinstance(value, list):
        return _plain_item(name, value)
    items = [_plain_item(name, item) for item in cast("list[Any]", value)]
    return [item for item in items if not _is_missing(item)]


def _plain_item(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    if name in _IDS and not isinstance(value, bool) and (isinstance(value, int) or _is_whole(value)):
        return str(int(value))
    if not isinstance(value, str):
        return value
    text = strip_pasted(value)
    return None if text in _NO_VALUE else text


def _is_whole(value: Any) -> bool:  # noqa: ANN401 - JSON
    return isinstance(value, float) and value.is_integer()


def _is_missing(value: Any) -> bool:  # noqa: ANN401 - JSON
    return value is None or value == []
