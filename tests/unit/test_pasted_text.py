"""Text and paths as people paste them."""

from __future__ import annotations

import pytest

from mcp_cxr.pasted_text import pasted_path, strip_pasted


@pytest.mark.parametrize(
    ("pasted", "meant"),
    [
        (" a b\r\n", "a b"),
        ("\ufeffa", "a"),
        ("\"'a' \"", "a"),
        ("\u201ca\u201d", "a"),
        ('a"', 'a"'),
        ('"', '"'),
        ('""', ""),
        ("it's", "it's"),
    ],
)
def test_what_pasting_puts_around_a_text_is_removed(pasted: str, meant: str):
    assert strip_pasted(pasted) == meant


@pytest.mark.parametrize(
    ("pasted", "meant"),
    [
        ("file:///a%20b/c#1.dcm", "/a b/c#1.dcm"),
        ("FILE://localhost/a", "/a"),
        ("file:/a", "/a"),
        ('"/a b"', "/a b"),
        ("'~/x'", "/home/ada/x"),
        ("file://host/share", "file://host/share"),
        ("a/b", "a/b"),
    ],
)
def test_a_pasted_path_is_a_plain_one(monkeypatch: pytest.MonkeyPatch, pasted: str, meant: str):
    monkeypatch.setenv("HOME", "/home/ada")
    assert pasted_path(pasted) == meant


def test_the_home_of_an_unknown_user_is_refused():
    with pytest.raises(ValueError, match="no such user"):
        pasted_path("~nobody-of-this-name/x")
