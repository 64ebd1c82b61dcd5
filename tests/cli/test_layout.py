"""mcp-cxr layout, and --layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.image_files import plain

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command

TABLE = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n"


def nih(folder: Path) -> Path:
    plain(folder / "images_001" / "images" / "00000001_000.png", 1)
    plain(folder / "other.png", 2)
    (folder / "Data_Entry_2017_v2020.csv").write_text(f"{TABLE}00000001_000.png,Effusion,0,1,57,M,PA\n")
    return folder


def test_a_layout_is_recognized_before_anything_is_read(run: Command, tmp_path: Path) -> None:
    done = run("layout", nih(tmp_path / "nih"))
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "NIH ChestX-ray14: 1 of 2 files"
    assert "patient 1" in lines[1]
    assert "  Label Effusion is also kept as Pleural Effusion" in lines
    assert lines[-2:] == [
        "Files of no known layout: 1 of 2; only their headers are read.",
        "Companion Data_Entry_2017_v2020.csv: 1 of 1 rows joined",
    ]


def test_an_unknown_layout_is_refused_with_the_known_names(run: Command, tmp_path: Path) -> None:
    done = run("layout", nih(tmp_path / "nih"), "--layout", "nhi")
    assert done.code == 2
    assert "Unknown layout 'nhi'. Known: mimic-cxr, nih," in done.err


def test_a_layout_that_is_named_and_has_no_table_is_told(run: Command, tmp_path: Path) -> None:
    done = run("layout", nih(tmp_path / "nih"), "--layout", "padchest")
    assert done.code == 0
    assert "Note: No table of PadChest was found" in done.out
