"""Words that are never right here, in names or in prose; docs/glossary.md has the right ones."""

from __future__ import annotations

import io
import re
import subprocess
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
NAMES = frozenset("film films grey centre lightbox desk".split())
"""Never one of the words that an identifier is made of."""
CLASSES = frozenset("Asked Counted Met Mine Parted Said Scored Sealed Shown Told".split())
"""Never the name of a class: a participle says nothing of what the thing is."""
PHRASES = (
    "film",
    "films",
    "grey",
    "greyscale",
    "centre",
    "anew",
    "whoever",
    "of ours",
    "told of",
    "foreign rows",
    "audit log",
    "stands for is",
)
"""Never in a docstring, comment, message, document or page."""
_PROSE = re.compile(r"\b(" + "|".join(PHRASES) + r")\b", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_TEXTS = (".md", ".js", ".css", ".html", ".sql", ".toml", ".yml", ".yaml")
_EXCEPT = (
    *("tests/docs/test_words.py", "tests/old_archives/", "docs/glossary.md", "CHANGELOG.md", "requirements.lock"),
    *("mcp_cxr/language/_vocabulary.py", "mcp_cxr/language/query/"),  # what users type
    "scripts/demo_encoder/sentences.py",  # as well
    *("mcp_cxr/language/reader/_sections.py",),  # and headings of reports
)


def tracked() -> list[str]:
    """Return the checkout's files, apart from those that must name a wrong word."""
    command = ["git", "ls-files"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.splitlines() if not name.startswith(_EXCEPT) and (ROOT / name).exists()]


def is_wrong(identifier: str) -> bool:
    return identifier in CLASSES or not NAMES.isdisjoint(word.lower() for word in _WORD.findall(identifier))


def wrong_in_python(source: str, *, all_strings: bool) -> Iterator[tuple[int, str]]:
    """Yield line and word of each wrong identifier, and of each wrong phrase in comments and strings.

    Args:
        all_strings: Whether every string is prose, not only docstrings: a test's data may say what users type.
    """
    fresh_line = True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        line = token.start[0]
        if token.type == tokenize.NAME and is_wrong(token.string):
            yield line, token.string
        elif token.type == tokenize.COMMENT or (token.type == tokenize.STRING and (all_strings or fresh_line)):
            yield from ((line, found.group()) for found in _PROSE.finditer(token.string))
        if token.type not in {tokenize.NL, tokenize.COMMENT}:
            fresh_line = token.type in {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}


def wrong_in_text(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        yield from ((number, found.group()) for found in _PROSE.finditer(line))


def wrong_in_file(name: str) -> Iterator[str]:
    text = (ROOT / name).read_text()
    wrong = (
        wrong_in_python(text, all_strings=name.startswith(("mcp_cxr/", "scripts/")))
        if name.endswith(".py")
        else wrong_in_text(text)
    )
    yield from (f"{name}:{line}: {word}" for line, word in wrong)


def test_no_wrong_word_stands_in_a_file():
    names = [name for name in tracked() if name.endswith((".py", *_TEXTS))]
    assert [one for name in names for one in wrong_in_file(name)] == []


def test_no_wrong_word_stands_in_a_file_name():
    assert [name for name in tracked() if is_wrong(Path(name).stem)] == []


def test_the_list_stays_short():
    assert len(NAMES) + len(CLASSES) + len(PHRASES) <= 30


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("class Asked: ...", "Asked"),
        ("def read_film(): ...", "read_film"),
        ("def f():\n    '''Makes it anew.'''", "anew"),
        ("x = 1  # of ours", "of ours"),
    ],
)
def test_a_wrong_word_is_found(source: str, word: str):
    assert word in {found for _, found in wrong_in_python(source, all_strings=False)}


def test_data_of_a_test_may_say_what_users_type():
    assert not list(wrong_in_python("QUERY = 'lateral films'\n", all_strings=False))
