"""Restricts processes that read untrusted files: few environment variables, limited memory, no writing of files."""

from __future__ import annotations

import os
from contextlib import suppress

_INHERITED_VARIABLES = (
    "PATH",
    "LANG",
    "LC_",
    "LD_LIBRARY_PATH",
    "DYLD_",
    "PYTHON",
    "VIRTUAL_ENV",
    "SYSTEMROOT",
    "TMP",
)


def inherited_environment() -> dict[str, str]:
    """Return the environment variables that Python needs: no keys and passwords."""
    return {name: value for name, value in os.environ.items() if name.upper().startswith(_INHERITED_VARIABLES)}


def set_limits(memory_bytes: int) -> None:
    """Limit this process's memory; forbid core files, which would contain a patient's image; forbid writing files."""
    try:
        import resource  # there is none on Windows
    except ImportError:
        return
    for limit, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_AS, memory_bytes)):
        with suppress(OSError, ValueError):  # macOS has no limit on address space
            resource.setrlimit(limit, (most, most))
