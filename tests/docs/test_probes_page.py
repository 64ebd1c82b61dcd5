"""docs/probes.md shows what the commands print, and Python that runs."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from mcp_cxr import open_archive
from mcp_cxr.cli._probe_lines import fit_notes, probe_lines
from mcp_cxr.embeddings import OfflineEmbedder
from mcp_cxr.images import PREPROCESSING
from mcp_cxr.records import SearchArguments
from mcp_cxr.settings import Settings
from mcp_cxr.stores import EmbeddedStore
from tests.docs.pages import ROOT, blocks
from tests.support.planted import fill, planted

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PAGE = ROOT / "docs" / "probes.md"


async def test_the_python_of_the_page_runs_and_the_table_is_what_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings.model_validate({"MCP_CXR_DATA_DIR": str(tmp_path / "data"), "MCP_CXR_EMBEDDER": "offline"})
    fingerprint = await OfflineEmbedder(preprocessing=PREPROCESSING).fingerprint()
    async with EmbeddedStore(settings.data_dir) as store:
        images = planted(700, dimension=fingerprint.dimension)
        await fill(store, images, fingerprint=fingerprint, unlabeled=100)
    names: dict[str, Any] = {
        "open_archive": open_archive,
        "settings": settings,
        "SearchArguments": SearchArguments,
    }
    (python,) = blocks(PAGE, "python")
    code = compile(python.text, PAGE, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    await eval(code, names)  # noqa: S307  # the page's own code
    assert len(names["edema"]) == 700
    assert capsys.readouterr().out.count("(") == len(names["page"].images) > 0

    small, table = [block.text.splitlines() for block in blocks(PAGE, "")]
    assert [_form(line) for line in probe_lines(names["fitted"])] == [_form(line) for line in table]
    none = names["fitted"].__class__(
        names["fitted"].choices,
        (),
        {
            "Cardiomegaly": "present in 12 images of 6 patients",
            "Pleural Effusion": "present in 21 images of 12 patients",
        },
        (),
        names["fitted"].values[:0, :0],
        names["fitted"].linear,
    )
    assert list(probe_lines(none)) == small
    (note,) = fit_notes(none)
    assert note.replace("600", "63").split(" Ingest")[0] in PAGE.read_text()


def _form(line: str) -> str:
    """Return a line without its numbers, which differ in their last digits between processors."""
    return re.sub(r" +[\d.,]+", " N", line)
