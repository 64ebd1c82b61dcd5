"""Rewrites the errors of a search for the command line: options in place of the names of arguments."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

_CALL = r"(?P<call>search_medical_images\((?:[^()\"]|\"[^\"]*\")*\))"
_QUOTED = r"(?<!\w)'[^']*'|\"[^\"]*\""
_PLAIN_WORDS = frozenset(("view", "matched"))
"""Arguments whose names messages also use as words: "Unknown view"."""


def with_option_names(message: str, command: click.Command) -> str:
    """Return a message with options instead of argument names: `--from` for `date_from`, `--mode words`.

    Args:
        message: Of a `QueryError`. What it quotes stays as it is.
        command: The command `search`, whose parameters are named as the arguments.
    """
    options = {str(one.name): one.opts[0] for one in command.params if isinstance(one, click.Option)}
    names = "|".join(sorted(options.keys() - _PLAIN_WORDS, key=len, reverse=True))
    value = rf"\b(?P<name>{names})='(?P<value>\w+)'"
    alone = rf"(?<![-\w])(?P<alone>{names})(?![-\w])"

    def replace(found: re.Match[str]) -> str:
        if found["call"]:
            return _shell_line(found["call"], options)
        if found["name"]:
            return f"{options[found['name']]} {found['value']}"
        return options[found["alone"]] if found["alone"] else found[0]

    return re.sub(f"{_CALL}|{value}|{_QUOTED}|{alone}", replace, message)


def _shell_line(call: str, options: dict[str, str]) -> str:
    """Return a call of the tool, whose arguments are literals by name, as a command: `mcp-cxr search --view PA`."""
    tree = ast.parse(call, mode="eval").body
    keywords = tree.keywords if isinstance(tree, ast.Call) else []
    arguments = {keyword.arg or "": ast.literal_eval(keyword.value) for keyword in keywords}
    return " ".join(["mcp-cxr search", *_words(arguments, options)])


def _words(arguments: dict[str, Any], options: dict[str, str]) -> Iterator[str]:
    for name, value in arguments.items():
        for one in value if isinstance(value, list) else [value]:  # pyright: ignore[reportUnknownVariableType]  # literals
            yield f"{options[name]} {one}" if name in options else f'"{one}"'
