"""What `mcp-cxr table verify` found, as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mcp_cxr.records import Verification

_NAMES = {
    "zero": "vector of zeros",
    "constant": "vector of equal numbers",
    "not finite": "vector with a number that is not finite",
    "wrong dimension": "vector of the wrong dimension",
    "orphaned": "vector without an image",
    "refused by newer rules": "file that this version refuses",
    "read differently by newer rules": "file that this version reads differently",
    "root gone": "folder gone (a root without images)",
    "external": "image written by another program",
    "reports read by an older version": "reports interpreted by an older version of mcp-cxr",
}
"""What people read instead of a key of the JSON."""
_FILES_NEEDED = "their files were not found or could not be read; mount their folder and repair again."
_ADVICE = {
    "duplicate vector": "the same image is stored under two ids; remove one with `mcp-cxr forget --image ID`.",
    "file changed": "ingest their folder again; `mcp-cxr ingest` says why a file cannot be read.",
    "file gone": "mount the folder, or ingest the files where they are now.",
    "external": "ingest their folder to make them searchable.",
}
"""What to do about images that a repair leaves as they are."""
_NEVER_REPAIRED = frozenset(("file gone",))


def verification_lines(found: Verification, repaired: Mapping[str, int]) -> Iterator[str]:
    """Yield the number of images, and of each problem the number of images and up to three examples."""
    yield f"Images: {found.images}"
    for problem, count in found.problems.items():
        yield f"  {_name(problem)}: {count}" + (f" ({repaired[problem]} repaired)" if repaired.get(problem) else "")
        yield from (f"    {example}" for example in found.examples.get(problem, []))
        if (more := count - len(found.examples.get(problem, []))) and problem in found.examples:
            yield f"    and {more} more"


def next_steps(found: Verification, *, is_repaired: bool) -> Iterator[str]:
    """Yield what to do about the problems that a repair leaves, and last whether to repair.

    Args:
        found: What was found, after a repair if there was one.
        is_repaired: Whether there was one.
    """
    problems = {problem: count for problem, count in found.problems.items() if count}
    for problem in problems:
        if is_repaired or problem in _NEVER_REPAIRED:
            yield f"{_name(problem)}: {_ADVICE.get(problem, _FILES_NEEDED)}"
    if not is_repaired and problems.keys() - _NEVER_REPAIRED:
        total = sum(problems.values())
        yield f"{total} {'problem' if total == 1 else 'problems'}. Run `mcp-cxr table verify --repair`."


def _name(problem: str) -> str:
    return _NAMES.get(problem, problem)
