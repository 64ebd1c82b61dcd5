"""mcp-cxr doctor."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from mcp_cxr.cli._common import DONE, FAILED, allow_demo_encoder, as_json, print_result, with_archive

if TYPE_CHECKING:
    from mcp_cxr.upkeep import CheckResult


@click.command()
@as_json
@allow_demo_encoder
def doctor(*, as_json: bool) -> int:
    """Check the setup and say how to fix it. Covers the configuration, embedder, store and folders."""
    results = with_archive(lambda archive: archive.doctor())
    ok = all(result.ok for result in results)
    print_result({"ok": ok, "checks": [asdict(result) for result in results]}, map(_text, results), as_json=as_json)
    return DONE if ok else FAILED


def _text(result: CheckResult) -> str:
    advice = f"\n      {'':<14} -> {result.advice}" if result.advice else ""
    return f"{'ok  ' if result.ok else 'FAIL'}  {result.name:<14} {result.detail}{advice}"
