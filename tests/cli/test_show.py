"""mcp-cxr show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from PIL import Image

from tests.cli.conftest import told_by_tool
from tests.support.image_files import plain

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command
    from tests.server.archives import Ingested


def test_everything_known_is_printed(on_demo: Command, demo: Ingested):
    image = demo.drawn.images[0]
    done = on_demo("show", image.image_id)
    assert done.code == 0
    for known in (image.image_id, image.study_id, image.subject_id, str(image.path), "IMPRESSION", "DX"):
        assert known in done.out


def test_json_equals_the_result_of_the_tool(on_demo: Command, demo: Ingested):
    image_id = demo.drawn.images[0].image_id
    done = on_demo("show", image_id, "--json")
    assert done.code == 0
    told = told_by_tool(demo, "get_image_metadata", image_id=image_id)
    assert told.pop("note"), "which is for models alone"
    path = str(demo.drawn.images[0].path)
    assert path.endswith(f"/files/{told['image_path']}")
    assert done.json == {**told, "path": path, "image_path": f"files/{told['image_path']}"}


def test_png_writes_the_image(on_demo: Command, demo: Ingested, tmp_path: Path):
    done = on_demo("show", demo.drawn.images[0].image_id, "--png", tmp_path / "image.png")
    assert done.code == 0
    with Image.open(tmp_path / "image.png") as picture:
        assert picture.format == "PNG"
        assert f"({picture.width} x {picture.height})" in done.err


def test_png_refuses_the_name_of_another_kind_of_image(on_demo: Command, demo: Ingested, tmp_path: Path):
    done = on_demo("show", demo.drawn.images[0].image_id, "--png", tmp_path / "image.jpg")
    assert done.code == 2
    assert "end the name in .png" in done.error
    assert not (tmp_path / "image.jpg").exists()


def test_an_unwritable_png_path_is_one_line(on_demo: Command, demo: Ingested, tmp_path: Path):
    done = on_demo("show", demo.drawn.images[0].image_id, "--png", tmp_path / "no" / "image.png")
    assert done.code == 2
    assert "there is no folder" in done.error


def test_a_timeline_of_one_study_without_findings_has_no_legend(on_new: Command, tmp_path: Path):
    plain(tmp_path / "images" / "1.png", 1)
    on_new("ingest", tmp_path / "images")
    image_id = on_new("search", "--limit", "1", "--view", "UNKNOWN", "--json").json["images"][0]["image_id"]
    assert re.fullmatch(r"1 of 1 study of patient \w+, closest in time first\.\n", on_new("timeline", image_id).err)
    assert re.search(r"View: +UNKNOWN\n", on_new("show", image_id).out)


def test_an_unknown_image_exits_with_1(on_demo: Command):
    done = on_demo("show", "no-such-image")
    assert done.code == 1
    assert done.error == "Error: The archive has no image no-such-image. Use the image_id of a search result."
    study, patient = (
        on_demo(command, one).error for command, one in (("show", "s50000001"), ("timeline", "p10000001"))
    )
    assert study == (
        "Error: The archive has no image s50000001: it is the id of a study. List its images: mcp-cxr search --study"
        " s50000001 --group none"
    )
    assert patient.endswith("is the id of a patient. List its images: mcp-cxr search --subject p10000001 --group none")
    assert "no image '.'. Use" in on_demo("search", "--like", ".").error
