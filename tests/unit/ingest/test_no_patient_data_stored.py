"""Rule 6: data that identifies a patient reaches neither the archive nor a log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tests.support.archives import all_bytes, ingested, opened, rows
from tests.support.image_files import dicom, mimic, report, truncated

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NAMING: dict[str, Any] = {
    "PatientID": "MRN-4711",
    "PatientName": "DOE^JANE",
    "PatientBirthDate": "19330507",
    "AccessionNumber": "ACC-0815",
    "ReferringPhysicianName": "HOUSE^GREGORY",
    "InstitutionName": "St. Elsewhere",
    "PatientComments": "lives at Baker Street",
    "SOPInstanceUID": "1.2.826.0.1.3680043.123456",
    "StudyInstanceUID": "1.2.826.0.1.3680043.654321",
    "StudyID": "STUDY-77",
}


async def test_raw_ids_and_names_appear_nowhere_in_the_archive(data: Path, image_dir: Path) -> None:
    dicom(image_dir / "a.dcm", 1, **NAMING, SeriesDescription="CHEST PA")
    truncated(image_dir / "b.dcm", 2, **(NAMING | {"SOPInstanceUID": "1.2.826.0.1.3680043.999"}))
    await ingested(data, image_dir)
    stored = all_bytes(data)
    assert b"CHEST PA" in stored
    for value in (*NAMING.values(), "1.2.826.0.1.3680043.999"):
        assert value.encode() not in stored
        assert value.encode("utf-16-le") not in stored


async def test_reports_tags_and_ids_are_never_logged(
    data: Path, image_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    naming: dict[str, Any] = NAMING | {"SeriesDescription": "PORTABLE IN BED SEVEN"}
    report(mimic(image_dir, 1, **naming), "IMPRESSION: Mister Smith has edema.")
    dicom(image_dir / "a.dcm", 2, **naming)
    truncated(image_dir / "b.dcm", 3, **naming)
    await ingested(data, image_dir)
    async with opened(data) as archive:
        await archive.search("edema Smith")
        await archive.verify()
        for (image_id,) in rows(data, "SELECT image_id FROM images"):
            await archive.show(image_id)
            await archive.view(image_id)
    logged = "\n".join(f"{record.getMessage()} {record.args}" for record in caplog.records)
    for value in (*naming.values(), "Smith", "edema", str(image_dir)):
        assert value not in logged
