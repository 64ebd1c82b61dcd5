"""Companions made to do harm: each is refused within bounds, named, and the images are read."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from mcp_cxr.layouts import _tables, read_layouts
from tests.support.archives import ingested
from tests.support.image_files import mimic, plain

if TYPE_CHECKING:
    from pathlib import Path

ENTITIES = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]>
<eCitation><uId id="CXR1"/><parentImage id="CXR1_1_IM-0001-3001"/>&y;</eCitation>"""


def notes(folder: Path) -> str:
    with read_layouts((folder,)) as layouts:
        layouts.facts_of(f"{folder}/x.png")
        return "\n".join(layouts.warnings(is_complete=False))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32"])
def test_xml_with_a_doctype_is_refused_before_it_is_parsed(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "1.xml").write_bytes(ENTITIES.encode(encoding))
    with patch("mcp_cxr.layouts._xml_and_zip.ET.fromstring") as parse:
        assert "1 XML files were not used, 1.xml among them: each has a DOCTYPE" in notes(tmp_path)
    parse.assert_not_called()


def test_xml_in_a_tar_file_has_the_same_bounds(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "NLMCXR_reports.tgz", "w:gz") as file:
        for name, text in (("a/1.xml", ENTITIES), ("../../2.xml", "<a/>"), ("/3.xml", "<a>" + " " * (1 << 21))):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            file.addfile(member, io.BytesIO(text.encode()))
    assert "has a DOCTYPE" in notes(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["NLMCXR_reports.tgz"], "nothing is unpacked"


def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    header = b"Image Index,Finding Labels,Patient ID,Patient Age,Patient Gender,View Position\n"
    bomb = gzip.compress(header + b"0,0,0,0,0,0\n" * (3 << 20))
    (tmp_path / "Data_Entry_2017.csv.gz").write_bytes(bomb)
    assert len(bomb) < 1 << 17
    assert "Data_Entry_2017.csv.gz unpacks to more than 200 times its size" in notes(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Image Index," + b"x," * 5000, "has more than 4096 columns"),
        (b"x" * (2 << 20), "has a line of more than a million characters"),
        (b"Image Index,Finding Labels,Patient ID\n1,2,3\n" + b"x" * (2 << 20), "has a line of more than a million"),
        (b'Image Index,Finding Labels,Patient ID\n1,2,"' + b"x\n" * (1 << 17), "is damaged or not a table"),
        (b"Image Index,Finding Labels,Patient ID\n" + b"1,2,3\n" * 20, "has more than 10 rows"),
    ],
)
def test_tables_have_bounds(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "Data_Entry_2017.csv").write_bytes(content)
    with patch.object(_tables, "MAX_ROWS", 10):
        assert f"Data_Entry_2017.csv {message}" in notes(tmp_path)


async def test_a_zip_bomb_in_place_of_reports_costs_a_report(tmp_path: Path) -> None:
    images = tmp_path / "images"
    image = mimic(images, 1)
    with zipfile.ZipFile(images / "mimic-cxr-reports.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(f"files/p10/{image.parent.parent.name}/{image.parent.name}.txt", "0" * (64 << 20))
        file.writestr("../../../escape.txt", "x")
    summary = await ingested(tmp_path / "data", images)
    assert summary.added == 1
    assert summary.notes == ["1 reports in mimic-cxr-reports.zip are damaged or too large; left out."]
    assert sorted(path.name for path in images.iterdir()) == ["files", "mimic-cxr-reports.zip"]


async def test_a_damaged_zip_is_named(tmp_path: Path) -> None:
    images = tmp_path / "images"
    mimic(images, 1)
    (images / "mimic-cxr-reports.zip").write_bytes(b"PK\x03\x04 not a zip")
    summary = await ingested(tmp_path / "data", images)
    assert summary.notes == ["mimic-cxr-reports.zip is damaged; copy or download it again; nothing of it was used."]


async def test_label_names_of_one_s_own_table_have_bounds(tmp_path: Path) -> None:
    images = tmp_path / "images"
    plain(images / "1.png", 1)
    labels = "|".join([f"label {number}" for number in range(1500)] + ["x" * 500])
    (images / "images.csv").write_text(f"path,labels\n1.png,{labels}\n")
    summary = await ingested(tmp_path / "data", images)
    assert summary.notes == ["images.csv: labels left out, over 100 characters long or beyond the first 1000: 501."]
