"""The output files that a user names: checked before the work, written after it."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, TextIO

from mcp_cxr.cli._common import note
from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def check_output_files(**paths: Path | None) -> None:
    """Refuse one file for two options, and a file in a folder that does not exist.

    Args:
        **paths: By the option's name without hyphens; None: not given.

    Raises:
        ConfigError: There is such a file.
    """
    given = {f"--{name}": path.resolve() for name, path in paths.items() if path}
    for first, second in combinations(given, 2):
        if given[first] == given[second]:
            raise ConfigError(f"{first} and {second} name the same file; name two.")
    for option, path in given.items():
        if not path.parent.is_dir():
            raise ConfigError(f"{option}: there is no folder {path.parent}. Create it, or name another file.")


def cannot_write(path: Path, exc: OSError, advice: str = "Name another file.") -> ConfigError:
    """Return the error of a file that cannot be written."""
    return ConfigError(f"Cannot write {path} ({exc.strerror}). {advice}")


def open_csv_file(path: Path) -> TextIO:
    """Return a new file for a `CsvWriter`; bytes of paths that are not UTF-8 are kept.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        return path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as exc:
        raise cannot_write(path, exc) from exc


def write_private(path: Path, text: str, *, content: str = "", advice: str = "Name another file.") -> None:
    """Write a file of patient data, which only its owner may read, and say so.

    Args:
        path: Of the file; bytes of paths in `text` that are not UTF-8 are kept.
        text: To write.
        content: What the file holds, for the line that says so.
        advice: What to do if it cannot be written.

    Raises:
        ConfigError: It cannot be written.
    """
    from mcp_cxr.safe_files import replace_private_file

    try:
        replace_private_file(path, text.encode("utf-8", "surrogateescape"))
    except OSError as exc:
        raise cannot_write(path, exc, advice) from exc
    note(f"Wrote {path}{f' ({content})' if content else ''}.")
