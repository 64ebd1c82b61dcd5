"""`make bench`: every bench, or those named: `python -m tests.bench start nvclip`.

The exit code is the highest that a bench returned: 1 if a target was not reached, 2 if a bench lacks what it measures.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main(names: list[str]) -> None:
    known = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    if unknown := set(names) - set(known):
        sys.exit(f"Unknown bench {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    codes = [importlib.import_module(f"tests.bench.bench_{name}").main() for name in names or known]
    sys.exit(max(code or 0 for code in codes))


if __name__ == "__main__":
    main(sys.argv[1:])
