"""Rewrites errors and warnings of a search for the command line: options in place of the names of arguments."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CALL = r"(?P<call>search_medical_images\((?:[^()\"]|\"[^\"]*\")*\))"
_QUOTED = r"(?<!\w)'[^']*'|\"[^\"]*\""
_PLAIN_WORDS = frozenset(("view", "matched"))
"""Arguments whose names messages also use as words: "Unknown view"."""


def with_option_names(message: str, command: click.Command, *, is_warning: bool = False) -> str:
    """Return a message with options instead of argument names: `--from` for `date_from`, `--mode words`.

    Args:
        message: Of a `QueryError`, or a warning of a result. What it quotes stays as it is.
        command: The command `search`, whose parameters are named as the arguments.
        is_warning: Whether names of one word stay, unless "the argument" is before them: "No image has split x".
    """
    options = {str(one.name): one.opts[0] for one in command.params if isinstance(one, click.Option)}
    names = _any_of(options)
    value = rf"\b(?P<name>{names})='(?P<value>\w+)'"
    argument = rf"\b[Tt]he argument (?P<argument>{names})\b"
    unmistakable = {name for name in options if "_" in name} if is_warning else options.keys() - _PLAIN_WORDS
    alone = rf"(?<![-\w])(?P<alone>{_any_of(unmistakable)})(?![-\w])"

    def replace(found: re.Match[str]) -> str:
        if found["call"]:
            return _shell_line(found["call"], options)
        if found["name"]:
            return f"{options[found['name']]} {found['value']}"
        name = found["argument"] or found["alone"]
        return options[name] if name else found[0]

    return re.sub(f"{_CALL}|{value}|{_QUOTED}|{argument}|{alone}", replace, message)


def with_shell_lines(message: str, search: click.Command) -> str:
    """Return a message with calls of the search tool as commands; all else stays as it is."""
    options = {str(one.name): one.opts[0] for one in search.params if isinstance(one, click.Option)}
    return re.sub(_CALL, lambda found: _shell_line(found["call"], options), message)


def _any_of(names: Iterable[str]) -> str:
    return "|".join(sorted(names, key=len, reverse=True))


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
