"""The demo: the main job from end to end."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from mcp_cxr.cli import main
from mcp_cxr.demo import _data_set, _run, draw_phantom, write_data_set
from mcp_cxr.demo._plan import plan_studies

if TYPE_CHECKING:
    from pathlib import Path

STUDIES = 24
"""The second dozen has no reports."""
draw_once = functools.cache(draw_phantom)


@pytest.fixture(autouse=True)
def few_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer images than the demo's, each drawn once, and its settings go again with the test."""
    monkeypatch.setattr(_run, "write_data_set", functools.partial(write_data_set, studies=STUDIES))
    monkeypatch.setattr(_data_set, "draw_phantom", draw_once)
    for name in ("MCP_CXR_DATA_DIR", "MCP_CXR_EMBEDDER", "MCP_CXR_MODEL_DIR", "MCP_CXR_SHARE"):
        monkeypatch.setenv(name, "")


def test_it_draws_ingests_asks_and_shows_and_does_so_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    folder = tmp_path / "demo"
    images = sum(len(study.images) for study in plan_studies(STUDIES, 0))
    for added, present in ((images, 0), (0, images)):
        out = demo_output(folder, capfd)
        assert f": {added} added, {present} already present" in out
        for title in (
            "By words: left pleural effusion",
            "By filter: ",
            "By example: like the very first hit",
            "By example and words: nodule",
        ):
            assert title in out
        assert "\ncosine: similarity to the words or the example, -1 to 1. z: standard deviations above the mean" in out
        assert_pixels_find(out)
        assert out.rstrip().endswith(str(folder / "contact-sheet.png"))
    with Image.open(folder / "contact-sheet.png") as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 1000
        assert len(sheet.convert("L").getcolors() or []) > 100
    assert len(list((folder / "images").rglob("*.dcm"))) == images


def assert_pixels_find(out: str) -> None:
    *_, compared = out.partition("Each query by words in reports, and by pixels in studies without a report")
    for question in ("pacemaker", "left pleural effusion", "enlarged heart"):
        best = compared.split(f"\n{question}\n")[1].splitlines()[1]
        assert re.fullmatch(r" +1  (s\d{8} +[A-Z]+ +drawn *){2}", best)
    assert "It recognizes nothing in real radiographs" in out


def test_without_the_extra_it_says_in_one_line_what_that_adds(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_run, "_ENCODER_NEEDS", ("no_such_package",))
    out = demo_output(tmp_path, capfd)
    assert "it cannot embed text" in out
    (line,) = [line for line in out.splitlines() if "mcp-cxr[local]" in line]
    assert line.endswith("finds findings by pixels, without a report.")
    assert "by pixels in studies without one" not in out


def demo_output(folder: Path, capfd: pytest.CaptureFixture[str]) -> str:
    assert main(["demo", "--keep", str(folder)]) == 0
    return capfd.readouterr().out
