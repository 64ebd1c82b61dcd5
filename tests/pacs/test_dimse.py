"""The PACS asked by DIMSE: what C-FIND finds, what C-GET brings, and a pull that ends like one by DICOMweb."""

from __future__ import annotations

import datetime as dt
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.archive import open_pacs
from mcp_cxr.errors import PacsError, PacsRefused
from mcp_cxr.pacs import Dimse, DimseConfig, PacsQuery, PullPlan
from mcp_cxr.pacs._query_and_answers import PacsInstance, PacsStudy
from tests.pacs.hospital import CHEST, CHEST_IMAGES, CT, HAND
from tests.pacs.orthanc import AE_TITLE, CALLER
from tests.support.archives import opened, rows

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from mcp_cxr.pacs import PullSummary
    from tests.pacs.orthanc import Orthanc

pytestmark = pytest.mark.pacs


async def no_wait(_: float) -> None:
    """Retry at once."""


@asynccontextmanager
async def asked(pacs: Orthanc, calling: str = CALLER) -> AsyncGenerator[Dimse]:
    config = DimseConfig("127.0.0.1", pacs.dicom_port, AE_TITLE, calling)
    async with Dimse(config, sleep=no_wait) as source:
        yield source


async def found(source: Dimse, query: PacsQuery) -> list[PacsStudy]:
    return [study async for page in source.studies(query) for study in page]


async def test_studies_are_found_by_modality_date_and_accession_number(pacs: Orthanc):
    async with asked(pacs) as source:
        everything = await found(source, PacsQuery())
        assert {one.study_instance_uid for one in everything} == {*(study.uid for study in CHEST), HAND.uid}
        first, last = dt.date(2024, 1, 1), dt.date(2024, 1, 9)
        nine_days = await found(source, PacsQuery(since=first, until=last, modalities=("DX",)))
        expected = [one.date for one in CHEST if one.modality == "DX" and one.date <= "20240109"]
        assert sorted(str(one.study_date) for one in nine_days) == expected
        (one,) = await found(source, PacsQuery(accession_number=CHEST[3].accession, modalities=("DX",)))
        assert (one.study_instance_uid, one.patient_id) == (CHEST[3].uid, f"MRN{CHEST[3].patient:06}")
        assert await source.has_study(CT.uid)
        assert not await source.has_study("2.25.1")


async def test_instances_and_their_bytes(pacs: Orthanc, tmp_path: Path):
    study = CHEST[0]
    async with asked(pacs) as source:
        instances = await source.instances(PacsStudy(study.uid))
        assert [one.modality for one in instances] == ["DX", "DX", "SR"]
        first = next(one for one in instances if one.sop_instance_uid == f"{study.uid}.1.1")
        assert first.facts["BodyPartExamined"] == "CHEST"
        assert first.bytes_uncompressed
        size = await source.fetch(first, tmp_path / "got.dcm")
        assert size == (tmp_path / "got.dcm").stat().st_size
        with pytest.raises(PacsError):
            await source.fetch(PacsInstance(study.uid, f"{study.uid}.1", "2.25.1"), tmp_path / "none.dcm")
        assert not (tmp_path / "none.dcm").exists()


async def test_a_stranger_is_refused(pacs: Orthanc):
    async with asked(pacs, calling="STRANGER") as source:
        with pytest.raises(PacsError):
            await found(source, PacsQuery())
    config = DimseConfig("127.0.0.1", pacs.dicom_port, "NOBODY", CALLER)
    async with Dimse(config, sleep=no_wait) as source:
        with pytest.raises(PacsRefused, match="NOBODY"):
            await found(source, PacsQuery())


async def test_a_pull_brings_what_one_by_dicomweb_brings(pacs: Orthanc, tmp_path: Path):
    by_web = await pulled(tmp_path / "web", pacs.dicomweb)
    by_dimse = await pulled(tmp_path / "dimse", f"dicom://{AE_TITLE}@127.0.0.1:{pacs.dicom_port}?from={CALLER}")
    assert by_dimse.added == CHEST_IMAGES
    counts = ("studies", "passed_over", "to_fetch", "added", "reports", "refused", "failed", "next")
    assert [getattr(by_dimse, name) for name in counts] == [getattr(by_web, name) for name in counts]
    for statement in (
        "SELECT view_position, metadata, (SELECT hex(vector) FROM vectors WHERE slot = images.slot) FROM images",
        "SELECT study_date, report FROM studies",
    ):
        assert sorted(map(str, rows(tmp_path / "dimse", statement))) == sorted(
            map(str, rows(tmp_path / "web", statement))
        )


async def pulled(data: Path, url: str) -> PullSummary:
    """Pull everything into a new archive, then once more, which must fetch nothing."""
    async with opened(data) as archive, open_pacs(archive.settings, url) as source:
        plan = PullPlan(query=PacsQuery(), source_name=url)
        summary = await archive.pull(plan, source)
        assert (await archive.pull(plan, source)).fetched == 0
    return summary
