"""A pull into a real archive from a PACS of files: what comes, what stays away, and what happens in between."""

from __future__ import annotations

import datetime as dt
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.errors import NotFound, PacsUnavailable
from mcp_cxr.images import why_ineligible
from mcp_cxr.pacs import PacsQuery, PullPlan
from mcp_cxr.records import Filter, StudyId, to_json
from tests.support.archives import opened
from tests.support.image_files import dicom
from tests.support.pacs import FilesPacs, structured_report

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.archive import Archive
    from mcp_cxr.pacs import PullSummary

NAME = "http://localhost/dicom-web"
DAY_1 = dt.datetime(2026, 11, 1, 8, tzinfo=dt.UTC)


def plan(**options: Any) -> PullPlan:
    return PullPlan(query=PacsQuery(), source_name=NAME, **options)


def image(folder: Path, seed: int, **tags: Any) -> Path:
    named = {"Modality": "DX", "StudyDate": f"202611{seed % 28 + 1:02}", "SeriesInstanceUID": f"2.25.8{seed}"}
    return dicom(folder / f"{seed}.dcm", seed, **(named | tags))


@pytest.fixture
def pacs(tmp_path: Path) -> FilesPacs:
    """Four images of three studies, a hand and a CT."""
    found = FilesPacs()
    for seed in (1, 2, 3):
        found.add(image(tmp_path / "pacs", seed))
    found.add(image(tmp_path / "pacs", 4, StudyInstanceUID="2.25.93", PatientID="MRN-3", StudyDate="20261104"))
    found.add(image(tmp_path / "pacs", 5, StudyInstanceUID="2.25.93", PatientID="MRN-3", BodyPartExamined="HAND"))
    found.add(image(tmp_path / "pacs", 6, Modality="CT"))
    return found


async def pulled(archive: Archive, pacs: FilesPacs, now: dt.datetime = DAY_1, **options: Any) -> PullSummary:
    return await archive.pull(plan(**options), pacs, now=now)


async def test_a_dry_run_changes_nothing(tmp_path: Path, pacs: FilesPacs):
    async with opened(tmp_path / "data") as archive:
        found = await pulled(archive, pacs, dry_run=True)
        assert (found.to_fetch, found.to_fetch_bytes, found.fetched) == (4, 4000, 0)
        assert dict(found.passed_over) == {"not a chest radiograph (body part)": 1}
        assert found.not_asked_for == 1
    assert not pacs.fetched
    assert not (tmp_path / "data" / "pacs").exists()


@pytest.mark.parametrize("keep", ["none", "files"])
async def test_a_second_pull_fetches_nothing(tmp_path: Path, pacs: FilesPacs, keep: str):
    async with opened(tmp_path / "data") as archive:
        first = await pulled(archive, pacs, keep=keep)
        again = await pulled(archive, pacs, keep=keep)
        assert json.loads(json.dumps(to_json(first)))["passed_over"] == {"not a chest radiograph (body part)": 1}
        assert (first.fetched, first.added, first.next) == (4, 4, None)
        assert (again.fetched, again.added, again.known) == (0, 0, 5)
        assert (await archive.overview()).images == 4
    assert set(pacs.fetched.values()) == {1}
    files = list((tmp_path / "data" / "pacs").rglob("*.dcm"))
    assert len(files) == (4 if keep == "files" else 0)


async def test_an_image_that_is_not_kept_needs_its_pacs_to_be_viewed(tmp_path: Path, pacs: FilesPacs):
    async with opened(tmp_path / "data") as archive:
        await pulled(archive, pacs)
        hit, *_ = (await archive.search(view=["UNKNOWN", "PA", "AP"], limit=1)).images
        with pytest.raises(NotFound, match="MCP_CXR_PACS_URL"):
            await archive.view(hit.image_id)


async def test_what_is_sent_instead_of_the_image_is_not_stored(tmp_path: Path, pacs: FilesPacs):
    other, another = list(pacs.files)[:2]
    pacs.sends[other] = pacs.files[another]
    pacs.sends[another] = b"<html>" * 100
    async with opened(tmp_path / "data") as archive:
        found = await pulled(archive, pacs)
        assert found.added == 2
        assert dict(found.failed) == {"The PACS sent another file than it was asked for.": 1}
        assert dict(found.refused) == {"not a DICOM file": 1}
        pacs.sends.clear()
        assert (await pulled(archive, pacs)).added == 1  # what was damaged is not tried again


async def test_another_patient_s_file_is_not_stored(tmp_path: Path, pacs: FilesPacs):
    uid = next(iter(pacs.files))
    pacs.sends[uid] = dicom(tmp_path / "other.dcm", 1, PatientID="SOMEBODY-ELSE").read_bytes()
    async with opened(tmp_path / "data") as archive:
        found = await pulled(archive, pacs)
        assert found.added == 3
        assert sum(found.failed.values()) == 1


async def test_a_limit(tmp_path: Path, pacs: FilesPacs):
    async with opened(tmp_path / "data") as archive:
        first = await pulled(archive, pacs, limit=3)
        assert (first.added, first.limit_reached, first.next) == (3, True, None)
        rest = await pulled(archive, pacs, limit=3)
        assert (rest.added, rest.limit_reached) == (1, False)


async def test_a_study_is_gone_after_two_days_without_it(tmp_path: Path, pacs: FilesPacs):
    async with opened(tmp_path / "data") as archive:
        await pulled(archive, pacs)
        del pacs.files[next(iter(pacs.files))]
        later = [DAY_1 + dt.timedelta(hours=hours) for hours in (1, 20, 30)]
        counts = [(found.missing, found.gone) for found in [await pulled(archive, pacs, now) for now in later]]
        assert counts == [(1, 0), (1, 0), (0, 1)]
        (gone,) = await archive.pulled.gone_studies()
        assert (await archive.overview()).images == 4
        await archive.forget(Filter(study_id=StudyId(gone.study_id)))
        assert await archive.pulled.gone_studies() == []
        assert (await archive.overview()).images == 3


async def test_a_study_that_is_back_is_not_gone(tmp_path: Path, pacs: FilesPacs):
    async with opened(tmp_path / "data") as archive:
        await pulled(archive, pacs)
        uid, data = next(iter(pacs.files.items()))
        del pacs.files[uid]
        await pulled(archive, pacs)
        pacs.files[uid] = data
        found = await pulled(archive, pacs, DAY_1 + dt.timedelta(days=3))
        assert (found.missing, found.gone) == (0, 0)


async def test_an_empty_answer_marks_nothing(tmp_path: Path, pacs: FilesPacs):
    async with opened(tmp_path / "data") as archive:
        await pulled(archive, pacs)
        files = dict(pacs.files)
        pacs.files.clear()
        for days in (0, 2, 4):
            found = await pulled(archive, pacs, DAY_1 + dt.timedelta(days=days))
            assert found.next is not None
            assert "0 of 3 studies" in found.next
            assert (found.missing, found.gone) == (0, 0)
        pacs.files.update(files)
        assert (await pulled(archive, pacs)).next is None


async def test_forgetting_removes_what_was_kept(tmp_path: Path, pacs: FilesPacs):
    async with opened(tmp_path / "data") as archive:
        await pulled(archive, pacs, keep="files")
        hit, *_ = (await archive.search(view=["UNKNOWN", "PA", "AP"], limit=1)).images
        await archive.forget(Filter(study_id=StudyId(hit.study_id)))
        left = "".join(path.read_text() for path in (tmp_path / "data").rglob(".study.json"))
        assert hit.study_id not in left
        assert len(list((tmp_path / "data").rglob("*.dcm"))) == (await archive.overview()).images


async def test_reports_come_with_their_study(tmp_path: Path, pacs: FilesPacs):
    for number, (text, tags) in enumerate[tuple[str, dict[str, Any]]](
        [
            ("Old: small left effusion. Mrs. Sample.", {"ContentDate": "20261101"}),
            ("Large left effusion of Maria Sample, born 12.03.1950.", {"ContentDate": "20261103"}),
            ("Preliminary: no effusion.", {"ContentDate": "20261109", "verified": False}),
            ("Dose 5 mGy", {"title": "Radiation Dose Report"}),
        ]
    ):
        pacs.add(
            structured_report(
                tmp_path / f"{number}.dcm",
                text,
                StudyInstanceUID="2.25.91",
                PatientID="MRN-1",
                SOPInstanceUID=f"2.25.70{number}",
                **tags,
            )
        )
    async with opened(tmp_path / "data") as archive:
        found = await pulled(archive, pacs)
        assert (found.reports, found.passed_over["structured report without prose"]) == (1, 1)
        hit, *_ = (await archive.search("large left effusion")).images
        report = (await archive.show(hit.image_id)).report
        assert report == {"FINDINGS": "Large left effusion of ___, born ___."}
        assert archive.pulled.withholds_reports
        assert (await pulled(archive, pacs)).fetched == 0
        await archive.pulled.confirm_reports()
        assert not archive.pulled.withholds_reports


async def test_an_amended_report_replaces_the_first(tmp_path: Path, pacs: FilesPacs):
    def report(number: int, text: str, *, verified: bool) -> Path:
        tags = {"StudyInstanceUID": "2.25.91", "PatientID": "MRN-1", "SOPInstanceUID": f"2.25.70{number}"}
        tags["ContentDate"] = f"2026110{number}"
        return structured_report(tmp_path / f"{number}.dcm", text, verified=verified, **tags)

    async with opened(tmp_path / "data") as archive:
        pacs.add(report(1, "No effusion.", verified=False))
        assert (await pulled(archive, pacs)).reports == 1
        pacs.add(report(2, "Right effusion.", verified=True))
        assert (await pulled(archive, pacs)).reports == 1
        pacs.add(report(3, "Perhaps none.", verified=False))
        assert (await pulled(archive, pacs)).reports == 0
        hit, *_ = (await archive.search("right effusion")).images
        assert (await archive.show(hit.image_id)).report == {"FINDINGS": "Right effusion."}


async def test_reports_from_a_table(tmp_path: Path, pacs: FilesPacs):
    table = tmp_path / "reports.csv"
    pacs.people["2.25.92"] = ("Sample^Maria", "19500312")
    text = "FINDINGS: Maria Sample, born 12.03.1950, has a large right pneumothorax, MRN-2."
    table.write_text(f'Study_UID,accession,Report\n2.25.92,,"{text}"\n')
    async with opened(tmp_path / "data") as archive:
        await pulled(archive, pacs)
        assert (await pulled(archive, pacs, report_tables=(table,))).reports == 1
        assert (await pulled(archive, pacs, report_tables=(table,))).reports == 0
        hit, *_ = (await archive.search("pneumothorax")).images
        assert (await archive.show(hit.image_id)).report == {
            "FINDINGS": "___, born ___, has a large right pneumothorax, ___."
        }


async def test_a_document_that_is_none_is_refused_and_the_pull_goes_on(tmp_path: Path, pacs: FilesPacs):
    uid = pacs.add(structured_report(tmp_path / "1.dcm", "No effusion.", StudyInstanceUID="2.25.91", PatientID="MRN-1"))
    pacs.sends[uid] = b"<html>" * 100
    async with opened(tmp_path / "data") as archive:
        found = await pulled(archive, pacs)
        assert (found.added, found.reports, found.next) == (4, 0, None)
        assert found.passed_over["not a DICOM file"] == 1
        assert (await pulled(archive, pacs)).fetched == 0
    assert pacs.fetched[uid] == 1


async def test_verify_finds_no_fault_with_images_that_only_the_pacs_keeps(tmp_path: Path, pacs: FilesPacs):
    async with opened(tmp_path / "data") as archive:
        await pulled(archive, pacs)
        assert (await archive.verify()).problems["file gone"] == 0
        await pulled(archive, pacs)
        for state in archive.pulled.spool.studies():
            state.is_gone = True
            archive.pulled.spool.save(state)
        assert (await archive.verify()).problems["file gone"] == 4


async def test_names_in_the_spool_tell_no_uid(tmp_path: Path, pacs: FilesPacs):
    folders = []
    for name in ("data", "other"):
        async with opened(tmp_path / name) as archive:
            await pulled(archive, pacs)
            folders.append({path.parent.name for path in (tmp_path / name).rglob(".study.json")})
    assert len(folders[0]) == 3
    assert folders[0].isdisjoint(folders[1])  # a digest that needs no key could be computed of any known UID


async def test_a_state_that_was_half_written_when_a_pull_was_killed_is_removed(tmp_path: Path, pacs: FilesPacs):
    async with opened(tmp_path / "data") as archive:
        await pulled(archive, pacs)
        (state, *_) = (tmp_path / "data").rglob(".study.json")
        draft = state.with_name(".draft-0a1b2c3d")
        draft.write_text("{")
        os.utime(draft, (0, 0))
        await pulled(archive, pacs)
        assert not draft.exists()


def test_a_value_that_the_standard_does_not_allow_is_not_printed():
    """A warning, which is an error here, would quote it."""
    assert why_ineligible({"BodyPartExamined": "chest of Maria Sample, 1950"}) is None


async def test_failures_in_a_row_end_the_pull(tmp_path: Path):
    pacs = FilesPacs()
    for seed in range(1, 20):
        pacs.add(image(tmp_path / "pacs", seed))

    async def fails(*_: object) -> int:
        raise PacsUnavailable("The PACS did not answer in time.")

    pacs.fetch = fails  # pyright: ignore[reportAttributeAccessIssue]  # of this one
    async with opened(tmp_path / "data") as archive:
        found = await pulled(archive, pacs)
        assert found.next is not None
        assert "10 times in a row" in found.next
        assert sum(found.failed.values()) < 19
