"""The blocks and links of the README and the docs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCED = re.compile(
    r"^(?:<!-- needs: (?P<needs>[^\n]+) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Args:
        needs: What it needs that the tests do not have; empty if they run it.
    """

    page: Path
    language: str
    text: str
    needs: str

    @property
    def commands(self) -> list[str]:
        """Return its commands, with continued lines joined and comments removed."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [command for line in lines if (command := re.sub(r"(^|\s+)#.*$", "", line).strip())]


def pages() -> list[Path]:
    """Return the pages of the project's root, and every page of the docs."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """Return the page's fenced blocks, all or those of one language."""
    found = (
        Block(page, match["language"], match["text"], match["needs"] or "")
        for match in _FENCED.finditer(page.read_text())
    )
    return [block for block in found if language in (None, block.language)]


def commands(page: Path) -> list[str]:
    """Return every command of the page's shell blocks, whether or not the tests run it."""
    return [command for block in blocks(page, "sh") for command in block.commands]


def links(page: Path) -> list[str]:
    """Return every link to a file of the project; what stands in backticks is no link."""
    found = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", re.sub(r"`[^`\n]*`", "", page.read_text()))
    return [link for link in found if "://" not in link]
