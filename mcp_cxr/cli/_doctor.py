"""mcp-cxr doctor."""

from __future__ import annotations

import click

from mcp_cxr.cli._common import DONE, FAILED, as_json, print_json, say, with_archive


@click.command()
@as_json
def doctor(*, as_json: bool) -> int:
    """Check the setup and say how to fix it. Covers the configuration, embedder, store and folders."""
    findings = with_archive(lambda archive: archive.doctor())
    if as_json:
        print_json({"ok": all(one.ok for one in findings), "checks": [one.as_dict() for one in findings]})
    else:
        for one in findings:
            say(f"{'ok  ' if one.ok else 'FAIL'}  {one.name:<14} {one.detail}")
            if one.advice:
                say(f"      {'':<14} -> {one.advice}")
    return DONE if all(one.ok for one in findings) else FAILED
