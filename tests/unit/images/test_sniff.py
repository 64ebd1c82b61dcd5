"""What a walk looks at."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.images import is_image_candidate
from tests.unit.images.making import dicom_image, saved

if TYPE_CHECKING:
    from pathlib import Path

PART10 = b"\0" * 128 + b"DICM"
EXPLICIT = b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100"
IMPLICIT = b"\x08\x00\x16\x00\x1a\x00\x00\x001.2.840.10008.5.1.4.1.1.1\x00"
BIG_ENDIAN = b"\x00\x08\x00\x05CS\x00\x0aISO_IR 100"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.mark.parametrize(
    "name", ["a.dcm", "A.DCM", "b.dicom", "c.ima", "d.dcm.gz", "e.PNG", "f.jpg", "g.jpeg", "h.dic"]
)
def test_an_image_s_name_is_enough(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"whatever")
    assert is_image_candidate(tmp_path / name)


@pytest.mark.parametrize(
    "start",
    [
        PART10,
        EXPLICIT,
        IMPLICIT,
        BIG_ENDIAN,
        PNG,
        b"\xff\xd8\xff\xe0",
        gzip.compress(PART10, mtime=0),
        gzip.compress(PNG, mtime=0),
    ],
)
def test_first_bytes_are_enough(tmp_path: Path, start: bytes) -> None:
    (tmp_path / "IM0001").write_bytes(start)
    assert is_image_candidate(tmp_path / "IM0001")


@pytest.mark.parametrize(
    "start", [b"", b"text", b"\x08\x00\x05", gzip.compress(b"a report", mtime=0), b"\x1f\x8b\x08 no gzip", b"\0" * 200]
)
def test_other_bytes_are_no_image(tmp_path: Path, start: bytes) -> None:
    (tmp_path / "notes").write_bytes(start)
    assert not is_image_candidate(tmp_path / "notes")


@pytest.mark.parametrize("name", ["r.txt", "m.csv", "m.csv.gz", "p.html", "x.json", "README.md", "p.pdf"])
def test_a_document_s_name_rules_it_out(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(PART10)
    assert not is_image_candidate(tmp_path / name)


def test_fifos_links_folders_and_missing_files_are_no_candidates(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.dcm")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder.dcm").mkdir()
    (tmp_path / "link.dcm").symlink_to(saved(dicom_image(), tmp_path / "film.dcm"))
    names = ("fifo.dcm", "fifo", "folder.dcm", "link.dcm", "missing.dcm")
    assert [is_image_candidate(tmp_path / name) for name in names] == [False] * 5
