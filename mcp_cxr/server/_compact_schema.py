"""Shortens the JSON schemas of tools: a host may put them all into every conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_NULL = {"type": "null"}


def compact_input_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a tool's arguments without titles, which only repeat names, and without null.

    An argument that may be null or empty may be left out; a call that gives null all the same is understood.
    """
    compact = _not_null(_mapped(schema, compact_input_schema))
    if compact.get("default", "") in (None, []):
        del compact["default"]
    return compact


def compact_output_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a tool's result, with the names and types of its fields and no more.

    A type or null is written as `{"type": [type, "null"]}`. What is in a list or mapping of plain values is left out,
    as are defaults, descriptions, the words that a text may be, and `required` if every field is.
    """
    compact = _mapped(schema, compact_output_schema)
    for name in ("default", "description", "enum"):
        compact.pop(name, None)
    if "$ref" not in compact.get("items", {}):
        compact.pop("items", None)
    if "properties" not in compact:
        compact.pop("additionalProperties", None)
    elif sorted(compact.get("required", ())) == sorted(compact["properties"]):
        del compact["required"]
    plain = _not_null(compact)
    return {**plain, "type": [plain["type"], "null"]} if plain is not compact and "type" in plain else compact


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that allows null and one other type as that type; any other schema as it is."""
    given = [option for option in schema.get("anyOf", ()) if option != _NULL]
    if len(given) != 1:
        return schema
    return {**{name: value for name, value in schema.items() if name != "anyOf"}, **given[0]}


def _mapped(schema: dict[str, Any], compact: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Return a schema without its title and with `compact` applied to the schemas in it."""
    found = {name: value for name, value in schema.items() if name != "title"}
    for key in {"properties", "$defs"} & found.keys():
        found[key] = {name: compact(each) for name, each in found[key].items()}
    for key in {"items", "additionalProperties"} & found.keys():
        found[key] = compact(found[key]) if isinstance(found[key], dict) else found[key]
    if "anyOf" in found:
        found["anyOf"] = [compact(each) for each in found["anyOf"]]
    return found
