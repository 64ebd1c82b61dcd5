"""The project's pages: their blocks of commands, and their links."""

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
        needs: What its reader must have and the tests have not; empty where they run it.
    """

    page: Path
    language: str
    text: str
    needs: str

    @property
    def commands(self) -> list[str]:
        """Its lines, continued ones joined, without comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [command for line in lines if (command := re.sub(r"(^|\s+)#.*$", "", line).strip())]


def pages() -> list[Path]:
    """The README, the changes, and every page of docs."""
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """The page's fenced blocks, all or those of a language."""
    found = (
        Block(page, match["language"], match["text"], match["needs"] or "")
        for match in _FENCED.finditer(page.read_text())
    )
    return [block for block in found if language in (None, block.language)]


def commands(page: Path) -> list[str]:
    """Every command of the page's shell blocks, run by the tests or not."""
    return [command for block in blocks(page, "sh") for command in block.commands]


def links(page: Path) -> list[str]:
    """Every link that leads to a file of the project."""
    found = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    return [link for link in found if "://" not in link]
