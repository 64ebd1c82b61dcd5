#!/usr/bin/env python3
"""Check the configuration, the store and the embedder: `mcp-cxr doctor`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # runs from a checkout without installation

from mcp_cxr.cli import doctor, run

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(doctor, argv, name=Path(__file__).name)


if __name__ == "__main__":
    sys.exit(main())
