"""Generates docs/reliability.md from the names of the tests; `make reliability` runs it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = ROOT / "docs" / "reliability.md"
FOLDERS = ("hostile", "http", "faults", "faults/int8_copy", "fuzz")
FILES = (
    *("chat/test_request_checks.py", "server/test_access_log.py", "server/test_refusals.py", "stdio/test_wire.py"),
    "local_encoder/test_hostile_folders.py",
    "unit/images/test_faults.py",
)
_HEAD = """\
# Reliability

What happens with hostile inputs and faults. Each row is the name of a test with real files, processes and connections,
and a simulated server for each service; `make test` runs them, `make reliability` writes this page. A number in
brackets counts the variants listed in the test.

`make soak` reads 2,000 DICOM files whose structure was changed, and prints their seeds: none may take more than ten
seconds or 512 MiB, or end without an image or a reason. Then it sends 10,000 calls from 40 concurrent clients, 32 over
HTTP and 8 over stdio. It fails if a result is wrong, or if memory, threads, descriptors or processes grow by more than
5 % after they have settled.
"""


class TestedBehavior(NamedTuple):
    """One test."""

    sentence: str
    variants: int
    """0 if the test has no variants, or none listed in it."""


def page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(section for path in _files() for section in _section(path))])


def _files() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted((ROOT / "tests" / folder).glob("test_*.py"))
    yield from (ROOT / "tests" / name for name in FILES)


def _section(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    title = " ".join((ast.get_docstring(tree) or path.stem).split("\n\n")[0].split()).rstrip(".")
    name = path.relative_to(ROOT).as_posix()
    rows = [f"| {one.sentence}{f' ({one.variants})' if one.variants else ''} |" for one in _behaviors(tree)]
    return [f"## {title}", "", f"[{name}](../{name})", "", "| behavior |", "|---|", *rows, ""]


def _behaviors(tree: ast.AST) -> Iterator[TestedBehavior]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield TestedBehavior(_sentence(node.name), _variants(node))


def _sentence(name: str) -> str:
    text = name.removeprefix("test_").replace("_", " ").replace(" s ", "'s ")
    return text[0].upper() + text[1:]


def _variants(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of cases of a test: the product of the lists in its `parametrize` decorators."""
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
