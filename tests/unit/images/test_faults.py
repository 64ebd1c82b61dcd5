"""Whatever a file holds, it is a picture or a typed reason: no hang, no warning, no other error."""

from __future__ import annotations

import gzip
import logging
import os
import struct
import zlib
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom.dataelem import RawDataElement
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import JPEG2000, MPEG2MPML, DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless

from mcp_cxr.errors import CorruptImage, ImageError, UnreadableFile, UnsupportedImage
from mcp_cxr.images import read_header, read_image
from mcp_cxr.records import ImageSpec
from tests.unit.images.making import coded, dicom_image, phantom, saved

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.uid import UID

SPEC = ImageSpec(64, "L")
CT, SR, SEG, MG = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "88.11", "66.4", "1.2"))
CR, SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.7"


OTHER_PARTS = (
    *(
        "Knie",
        "Kniegelenk",
        "LWS",
        "HWS",
        "BWS",
        "Becken",
        "Schulter",
        "Hand",
        "Füße",
        "Hüfte",
        "Schädel",
        "Wirbelsäule",
    ),
    *("genou", "épaule", "bassin", "RODILLA", "MUÑECA", "hombro", "joelho", "mão", "ginocchio", "spalla", "bekken"),
)


def refused(path: Path, **options: Any) -> tuple[type[ImageError], str]:
    with pytest.raises(ImageError) as caught:
        read_image(path, SPEC, **options)
    return type(caught.value), caught.value.reason


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # pydicom's, while the test writes words of people
@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"SOPClassUID": CT}, "not a radiograph (CT)"),
        ({"SOPClassUID": MG}, "not a radiograph (MG)"),
        ({"SOPClassUID": SECONDARY_CAPTURE, "Modality": "US"}, "not a radiograph (US)"),
        ({"SOPClassUID": SECONDARY_CAPTURE, "Modality": "PX"}, "not a radiograph (PX)"),
        ({"SOPClassUID": SECONDARY_CAPTURE, "Modality": "SOMETHING"}, "not a radiograph"),
        ({"SOPClassUID": SR, "PixelData": None}, "not an image (SR)"),
        ({"SOPClassUID": SEG}, "not an image (SEG)"),
        ({"SOPClassUID": SECONDARY_CAPTURE, "Modality": "PR"}, "not an image (PR)"),
        ({"PixelData": None}, "no pixel data"),
        ({"BodyPartExamined": "HAND"}, "not a chest radiograph (body part)"),
        ({"BodyPartExamined": "LEFT KNEE"}, "not a chest radiograph (body part)"),
        ({"BodyPartExamined": "THORACIC SPINE"}, "not a chest radiograph (body part)"),
        ({"AnatomicRegionSequence": coded("T-11100", "Skull")}, "not a chest radiograph (body part)"),
        ({"Modality": "MG"}, "not a chest radiograph (body part)"),
        ({"StudyDescription": "XR KNEE LEFT 2 VIEWS"}, "not a chest radiograph (body part)"),
        ({"BodyPartExamined": "", "SeriesDescription": "hands ap"}, "not a chest radiograph (body part)"),
        ({"ProtocolName": "L-SPINE LAT"}, "not a chest radiograph (body part)"),
        ({"RequestedProcedureDescription": "KUB"}, "not a chest radiograph (body part)"),
        ({"ProcedureCodeSequence": coded("1", "Shoulder 2 views")}, "not a chest radiograph (body part)"),
        *(({"BodyPartExamined": word}, "not a chest radiograph (body part)") for word in OTHER_PARTS),
        *(({"SeriesDescription": f"{word} 2 Ebenen"}, "not a chest radiograph (body part)") for word in OTHER_PARTS),
        ({"BodyPartExamined": "CHEST", "StudyDescription": "KNEE 2V"}, "not a chest radiograph (body part)"),
        ({"BodyPartExamined": "THORAX", "SeriesDescription": "Knie ap li"}, "not a chest radiograph (body part)"),
        ({"NumberOfFrames": 3}, "more than one frame"),
        ({"Rows": 65535, "Columns": 65535}, "more than 64 megapixels"),
        ({"BitsAllocated": 32}, "neither 8 nor 16 bits, or neither one nor three samples"),
        ({"PhotometricInterpretation": "HSV"}, "photometric interpretation not supported"),
    ],
)
def test_what_is_no_chest_image_is_refused_by_its_header(tmp_path: Path, elements: dict[str, Any], reason: str) -> None:
    path = saved(dicom_image(**elements), tmp_path / "film.dcm")
    assert refused(path) == (UnsupportedImage, reason)
    with pytest.raises(UnsupportedImage):
        read_header(path, any_body_part=False)


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # pydicom's, while the test writes words of people
@pytest.mark.parametrize(
    "elements",
    [
        {"BodyPartExamined": "CHEST"},
        {"BodyPartExamined": "CHEST ABDOMEN"},
        {"BodyPartExamined": "SOMEWHERE"},
        *({"BodyPartExamined": word} for word in ("RIBS", "Rippen", "THORAXAUFNAHME", "Poumons", "PULMÃO", "TÓRAX")),
        {"StudyDescription": "XR KNEE", "SeriesDescription": "CHEST PA"},
        {"ProcedureCodeSequence": Sequence([*coded("1", "Knee 2 views"), *coded("2", "Chest PA")])},
        {"StudyDescription": "R/O PE, MAIN CAMPUS"},
        {"AnatomicRegionSequence": coded("T-D3000", "Chest")},
        {"Modality": "CR"},
        {"Modality": "OT"},
        {"Modality": ""},
        {"SOPClassUID": SECONDARY_CAPTURE, "Modality": "SC"},
        {"SOPClassUID": SECONDARY_CAPTURE, "Modality": "DR"},
        *({"Modality": code} for code in ("DR", "XR", "RF", "US", "PR", "SOMETHING")),
        *({"SOPClassUID": CR, "Modality": code} for code in ("DR", "XR")),
        {"BodyPartExamined": "TSPINE", "StudyDescription": "XR CHEST 2 VIEWS"},
        {"BodyPartExamined": "ABDOMEN", "SeriesDescription": "RX DE TÓRAX"},
        {"BodyPartExamined": "SHOULDER", "ProcedureCodeSequence": coded("1", "Chest PA")},
        {"BodyPartExamined": "CHEST", "StudyDescription": "CHEST AND ABDOMEN"},
        {"StudyDescription": "PORTABLE", "SeriesDescription": "C-ARM AP"},
    ],
)
def test_what_may_be_a_chest_image_is_read(tmp_path: Path, elements: dict[str, Any]) -> None:
    assert read_image(saved(dicom_image(**elements), tmp_path / "film.dcm"), SPEC).grayscale["voi"] == "stretch"


@pytest.mark.parametrize("elements", [{"BodyPartExamined": "HAND"}, {"SOPClassUID": CT}, {"Modality": "MR"}])
def test_any_body_part_lets_other_pictures_in(tmp_path: Path, elements: dict[str, Any]) -> None:
    path = saved(dicom_image(**elements), tmp_path / "film.dcm")
    assert read_image(path, SPEC, any_body_part=True).rendering.pixels.shape == (64, 64)


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"Rows": None}, "no rows or columns"),
        ({"Rows": 97}, "truncated pixel data"),
        ({"BitsStored": 20}, "more bits stored than allocated"),
        ({"PixelData": b""}, "truncated pixel data"),
    ],
)
def test_what_its_header_contradicts_is_corrupt(tmp_path: Path, elements: dict[str, Any], reason: str) -> None:
    assert refused(saved(dicom_image(**elements), tmp_path / "film.dcm")) == (CorruptImage, reason)


@pytest.mark.parametrize(
    "content",
    [b"", b"Findings: none", b"\0" * 4096, gzip.compress(b"a report", mtime=0), b"GIF89a" * 30, b"PK\3\4"],
)
def test_what_is_no_image_is_not_dicom(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "film.dcm").write_bytes(content)
    assert refused(tmp_path / "film.dcm") == (UnsupportedImage, "not DICOM")


def test_a_file_cut_off_anywhere_gives_a_reason(tmp_path: Path) -> None:
    whole = saved(dicom_image(WindowCenter=2000, WindowWidth=3000), tmp_path / "whole.dcm").read_bytes()
    for length in (*range(0, 900, 13), len(whole) - 1):
        (tmp_path / "film.dcm").write_bytes(whole[:length])
        assert refused(tmp_path / "film.dcm")[1]


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_pictures_cut_off_give_a_reason(tmp_path: Path, kind: str) -> None:
    Image.fromarray((phantom() >> 4).astype(np.uint8)).save(tmp_path / "whole", kind)
    whole = (tmp_path / "whole").read_bytes()
    for length in range(12, len(whole) - 20, 97):
        (tmp_path / "film").write_bytes(whole[:length])
        assert refused(tmp_path / "film") in {
            (CorruptImage, "pixel data cannot be decoded"),
            (CorruptImage, "damaged header"),
        }


def test_a_frame_cut_off_is_told_from_a_file_without_pixels(tmp_path: Path) -> None:
    facts = dicom_image()
    facts.file_meta.TransferSyntaxUID = JPEG2000
    facts.add_new("PixelData", "OB", encapsulate([bytes(imagecodecs.jpeg2k_encode(phantom()))]))
    facts["PixelData"].is_undefined_length = True
    whole = saved(facts, tmp_path / "film.dcm").read_bytes()
    (tmp_path / "film.dcm").write_bytes(whole[:-2000])
    assert refused(tmp_path / "film.dcm") == (CorruptImage, "truncated pixel data")


@pytest.mark.parametrize(
    ("syntax", "frame"),
    [
        (JPEGBaseline8Bit, b"no jpeg at all"),
        (JPEGBaseline8Bit, b"\xff\xd8\xff"),
        (JPEG2000, b"\xff\x4f\xff\x51" + b"\0" * 50),
        (RLELossless, b"\1\0\0\0" + b"\xff" * 200),
        (RLELossless, struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\x07" * 200_000),
    ],
)
def test_a_frame_that_is_none_is_corrupt(tmp_path: Path, syntax: UID, frame: bytes) -> None:
    facts = dicom_image()
    facts.file_meta.TransferSyntaxUID = syntax
    facts.add_new("PixelData", "OB", encapsulate([frame]))
    facts["PixelData"].is_undefined_length = True
    kind, reason = refused(saved(facts, tmp_path / "film.dcm"))
    assert kind is CorruptImage
    assert reason.startswith("pixel data")


def test_a_frame_larger_than_its_header_is_not_decoded(tmp_path: Path) -> None:
    """A stream of a few bytes may ask for gigabytes; what it asks for is read first."""
    huge = bytearray(imagecodecs.jpeg8_encode((phantom() >> 4).astype(np.uint8)))
    at = huge.index(b"\xff\xc0")
    huge[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    facts = dicom_image(BitsAllocated=8, BitsStored=8, HighBit=7)
    facts.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    facts.add_new("PixelData", "OB", encapsulate([bytes(huge)]))
    facts["PixelData"].is_undefined_length = True
    path = saved(facts, tmp_path / "film.dcm")
    assert refused(path) == (CorruptImage, "pixel data does not match rows and columns")


def test_a_syntax_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    facts = dicom_image()
    facts.file_meta.TransferSyntaxUID = MPEG2MPML
    facts.add_new("PixelData", "OB", encapsulate([b"a film of films"]))
    facts["PixelData"].is_undefined_length = True
    reason = "transfer syntax not supported (MPEG2 Main Profile / Main Level)"
    assert refused(saved(facts, tmp_path / "film.dcm")) == (UnsupportedImage, reason)


@pytest.mark.parametrize("layer", ["deflated", "gzip"])
def test_a_bomb_is_refused_before_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layer: str) -> None:
    monkeypatch.setattr("mcp_cxr.images.files._untrusted_files.MAX_BYTES", 2**20)
    start = saved(dicom_image(), tmp_path / "film.dcm").read_bytes()
    if layer == "gzip":
        (tmp_path / "film.dcm").write_bytes(gzip.compress(start + bytes(2**21)))
    else:
        facts = dicom_image()
        facts.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        head = saved(facts, tmp_path / "film.dcm").read_bytes()
        head = head[: 144 + int.from_bytes(head[140:144], "little")]
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        (tmp_path / "film.dcm").write_bytes(head + packer.compress(bytes(2**21)) + packer.flush())
    assert refused(tmp_path / "film.dcm") == (UnsupportedImage, "unpacks to more than 256 MiB")


def test_a_huge_png_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    Image.new("1", (8001, 8000)).save(tmp_path / "film.png")
    assert refused(tmp_path / "film.png") == (UnsupportedImage, "more than 64 megapixels")


def test_what_is_no_regular_file_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert refused(tmp_path / "fifo") == (UnsupportedImage, "not a regular file")
    assert refused(tmp_path) == (UnsupportedImage, "not a regular file")
    assert refused(tmp_path / "missing.dcm") == (UnreadableFile, "file not found")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = saved(dicom_image(), tmp_path / "film.dcm")
    path.chmod(0)
    assert refused(path) == (UnreadableFile, "permission denied")


def test_pydicom_s_logs_never_quote_a_value(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    facts = dicom_image()
    tag = Tag("StudyDate")
    facts[tag] = RawDataElement(tag, "DA", 10, b"SECRET-DOE", 0, is_implicit_VR=False, is_little_endian=True)
    path = saved(facts, tmp_path / "film.dcm")
    with caplog.at_level(logging.DEBUG):
        caplog.clear()
        read_image(path, SPEC)
    assert "SECRET" not in caplog.text
