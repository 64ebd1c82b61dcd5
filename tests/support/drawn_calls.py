"""Calls drawn from the schemas of a server's tools, good ones and bad ones, so that later tools join by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping, Sequence

    from mcp_types import Tool

_GIVEN = (0, 1, 1, 1, 2, 2, 3, 6)
"""How many of the arguments that are not required are given: with many, most answers are empty."""
_BAD = 0.04


@dataclass(frozen=True, slots=True)
class Pool:
    """What texts are drawn from.

    Args:
        by_name: Values for the arguments whose name contains a key; the longest key counts.
        words: For all other texts, and now and then for any.
    """

    by_name: Mapping[str, Sequence[str]]
    words: Sequence[str]

    def texts(self, name: str) -> Sequence[str]:
        """Return all texts for the argument `name`."""
        keys = [key for key in self.by_name if key in name]
        return self.by_name[max(keys, key=len)] if keys else self.words

    def text(self, draw: random.Random, name: str) -> str:
        """Return a text for the argument `name`."""
        return draw.choice(self.texts(name) if draw.random() > _BAD else self.words)


def calls_with_each_text(
    draw: random.Random, tools: Sequence[Tool], pool: Pool, *, only: Sequence[str] = ()
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield, for each argument that is a text or a list of texts, a call with each value of the pool.

    Args:
        draw: For the other arguments that are required.
        tools: To call.
        pool: Texts.
        only: Names of arguments; empty: all.
    """
    for tool in tools:
        schema = tool.input_schema
        for name, one in schema["properties"].items():
            if only and name not in only:
                continue
            if (is_list := _is(one, "array")) or _is(one, "string"):
                for text in pool.texts(name):
                    required = {
                        each: _value(draw, each, schema["properties"][each], schema, pool)
                        for each in schema.get("required", [])
                    }
                    most = {"limit": 100} if "limit" in schema["properties"] else {}
                    yield tool.name, {**most, **required, name: [text] if is_list else text}


def _is(one: dict[str, Any], kind: str) -> bool:
    return "enum" not in one and kind in (one.get("type"), *(option.get("type") for option in one.get("anyOf", ())))


def drawn_call(draw: random.Random, tools: Sequence[Tool], pool: Pool) -> tuple[str, dict[str, Any]]:
    """Return the name of a tool and arguments for it; tools with many arguments are drawn more often."""
    tool = draw.choices(tools, [1 + len(tool.input_schema["properties"]) for tool in tools])[0]
    schema = tool.input_schema
    required = schema.get("required", [])
    others = [name for name in schema["properties"] if name not in required]
    given = [*required, *draw.sample(others, min(draw.choice(_GIVEN), len(others)))]
    arguments = {name: _value(draw, name, schema["properties"][name], schema, pool) for name in given}
    if draw.random() < _BAD:
        arguments[draw.choice(("quiry", "label", draw.choice(pool.words)[:20]))] = "x"
    if arguments and draw.random() < _BAD:
        arguments[draw.choice(list(arguments))] = draw.choice(
            (None, -1, 10**9, "", [], {}, True, draw.choice(pool.words))
        )
    return tool.name, arguments


def _value(draw: random.Random, name: str, one: dict[str, Any], schema: dict[str, Any], pool: Pool) -> Any:
    if "$ref" in one:
        return _value(draw, name, schema["$defs"][one["$ref"].rsplit("/", 1)[1]], schema, pool)
    if options := one.get("anyOf"):
        given = [option for option in options if option.get("type") != "null"]
        return _value(draw, name, draw.choice(given), schema, pool)
    if one.get("type") == "array":
        least = one.get("minItems", 1)
        count = draw.randint(least, max(least, min(one.get("maxItems", 3), 3)))
        values = [_value(draw, name, one["items"], schema, pool) for _ in range(count)]
        return sorted(values) if all(isinstance(value, int | float) for value in values) else values
    low = one.get("minimum", 0)
    choices: dict[str, Sequence[Any]] = {
        "boolean": (True, False),
        "integer": range(low, min(one.get("maximum", low + 60), low + 60) + 1),
        "number": (0, 0.25, 0.5, 1, 400, 2000),
    }
    return draw.choice(one.get("enum") or choices.get(one.get("type", ""), [pool.text(draw, name)]))
