"""docs/reliability.md, made from the tests: their names say what was tried and what comes of it.

`make reliability` writes it.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = ROOT / "docs" / "reliability.md"
FOLDERS = ("hostile", "http", "faults", "fuzz")
FILES = ("server/test_access_log.py", "server/test_refusals.py", "stdio/test_wire.py", "unit/images/test_faults.py")
_HEAD = """\
# What was tried, and what comes of it

Hostile inputs and faults, each a test of real behaviour: real files, processes and connections, a stand-in where a
service is meant. The rows are the names of the tests; `make test` runs them; `make reliability` writes this page.
A number in brackets is how many variants are written out beside it.

`make soak` asks 10,000 times from 40 clients at once, 32 over HTTP and 8 over stdio, and fails where an answer is
wrong, or memory, threads, descriptors or processes grow by more than 5 % after they have settled.
"""
_APOSTROPHES = ("pydicom", "film", "worker", "service")


class Tried(NamedTuple):
    """One test."""

    sentence: str
    variants: int
    """0 where it is not repeated, or its variants are made elsewhere."""


def page() -> str:
    """Return the page as the tests would have it."""
    return "\n".join([_HEAD, *(section for path in _files() for section in _section(path))])


def _files() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted((ROOT / "tests" / folder).glob("test_*.py"))
    yield from (ROOT / "tests" / name for name in FILES)


def _section(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    title = " ".join((ast.get_docstring(tree) or path.stem).split("\n\n")[0].split()).rstrip(".")
    name = path.relative_to(ROOT).as_posix()
    rows = [f"| {one.sentence}{f' ({one.variants})' if one.variants else ''} |" for one in _tried(tree)]
    return [f"## {title}", "", f"[{name}](../{name})", "", "| tried, and what comes of it |", "|---|", *rows, ""]


def _tried(tree: ast.AST) -> Iterator[Tried]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield Tried(_sentence(node.name), _variants(node))


def _sentence(name: str) -> str:
    text = name.removeprefix("test_").replace("_", " ")
    for word in _APOSTROPHES:
        text = text.replace(f"{word} s ", f"{word}'s ")
    return text[0].upper() + text[1:]


def _variants(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many cases are listed in the `parametrize` above a test, all of them multiplied."""
    count = 1
    for decorator in function.decorator_list:
        match decorator:
            case ast.Call(
                func=ast.Attribute(attr="parametrize"), args=[_, ast.List(elts=cases) | ast.Tuple(elts=cases)]
            ):
                count *= len(cases)
            case _:
                continue
    return count if count > 1 else 0


if __name__ == "__main__":
    PAGE.write_text(page())
