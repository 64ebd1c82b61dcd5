"""`make bench`: every bench, or those named: `python -m tests.bench start nvclip`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main(names: list[str]) -> None:
    known = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    if unknown := set(names) - set(known):
        sys.exit(f"Unknown bench {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    for name in names or known:
        importlib.import_module(f"tests.bench.bench_{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
