"""mcp-cxr doctor."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcp_cxr.cli._common import DONE, FAILED, allow_demo_encoder, as_json, print_result, with_archive
from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from mcp_cxr.upkeep import CheckResult

_STATUS = {True: "ok", False: "FAIL", None: "-"}


@click.command()
@click.option(
    "--deep",
    is_flag=True,
    help="Send IRIS and the embedding service the test requests that docs/server-check.md lists.",
)
@click.option(
    "--write",
    is_flag=True,
    help="With --deep: test writing in new IRIS tables, which are dropped at the end; asks you to type yes.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --deep: write the results to a JSON file: numbers and codes, no text from a server.",
)
@as_json
@allow_demo_encoder
def doctor(*, deep: bool, write: bool, out: Path | None, as_json: bool) -> int:
    """Check the setup and say how to fix it. Covers the configuration, embedder, store and folders."""
    if deep:
        from mcp_cxr.cli._doctor_deep import ask_servers  # loaded late: it is rarely needed

        return ask_servers(write=write, out=out, as_json=as_json)
    if write or out:
        raise ConfigError("--write and --out need --deep; add it.")
    results = with_archive(lambda archive: archive.doctor())
    ok = all(result.ok is not False for result in results)
    print_result({"ok": ok, "checks": [asdict(result) for result in results]}, map(_text, results), as_json=as_json)
    return DONE if ok else FAILED


def _text(result: CheckResult) -> str:
    advice = f"\n      {'':<14} -> {result.advice}" if result.advice else ""
    return f"{_STATUS[result.ok]:<4}  {result.name:<14} {result.detail}{advice}"
