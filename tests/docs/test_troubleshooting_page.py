"""The messages quoted in docs/troubleshooting.md exist in the code."""

from __future__ import annotations

import ast
import re

import pytest

from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
QUOTED = re.findall(r"^> (.+)$", PAGE.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def strings() -> str:
    """Return every string of the package; parts on several lines are joined."""
    trees = (ast.parse(path.read_text()) for path in sorted((ROOT / "mcp_cxr").rglob("*.py")))
    texts = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return "\n".join(text for text in texts if isinstance(text, str))


@pytest.mark.parametrize("text", QUOTED)
def test_quoted_messages_exist_in_the_code(text: str, strings: str):
    assert text in strings


@pytest.mark.parametrize(
    "title", ["The archive is empty", "NV-CLIP not available", "Ingestion slow", "Images already exist"]
)
def test_the_topics_of_the_original_manual_have_sections(title: str):
    """Each section quotes a message that exists."""
    section = PAGE.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert any(f"\n> {text}\n" in section for text in QUOTED)
