"""What `forget` removes from cohorts, and what stays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import numpy as np
import pytest

from mcp_cxr.records import Filter, SubjectId
from mcp_cxr.research.cohorts import Cohort, CohortFolder
from tests.unit.evaluate.archives import random_vectors
from tests.unit.research.cohort_archives import FIVE, archive_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def test_forget_removes_a_patient_from_cohorts_and_the_manifest_says_so(tmp_path: Path):
    vectors = np.stack(random_vectors(5, seed=2))
    vectors[4] = vectors[0]
    async with archive_of(FIVE, tmp_path, vectors=vectors) as archive:
        await archive.make_cohort("all")
        await archive.make_cohort("one", subject_id="p000")
        await archive.make_cohort("others", subject_id="p002")
        untouched = (archive.settings.cohorts_folder / "others.jsonl").read_bytes()
        preview = await archive.forget_preview(Filter(subject_id=SubjectId("p000")))
        assert preview.cohorts == ["all", "one"]
        await archive.forget(Filter(subject_id=SubjectId("p000")))
        after = {name: await archive.cohort(name) for name in ("all", "one")}
        problems = (await archive.verify_cohort("all")).problems
        texts = [(archive.settings.cohorts_folder / f"{name}.jsonl").read_text() for name in after]
        assert (archive.settings.cohorts_folder / "others.jsonl").read_bytes() == untouched
    assert [row.subject_id for row in after["all"].rows] == ["p001", "p002", "p001"]
    assert after["all"].header["forgotten"] == 2
    assert after["all"].header["images"] == 3
    assert after["one"].rows == ()
    assert not any(gone in text for text in texts for gone in ("p000", "s000", "s003", "i000-0", "i003-0"))
    assert not any(problems.values())


async def test_an_edited_manifest_stays_edited_when_it_loses_images(tmp_path: Path):
    async with archive_of(FIVE, tmp_path) as archive:
        await archive.make_cohort("all")
        manifest = archive.settings.cohorts_folder / "all.jsonl"
        manifest.write_text(manifest.read_text().replace('"Edema":0', '"Edema":1'))
        await archive.forget(Filter(subject_id=SubjectId("p000")))
        assert not (await archive.cohort("all")).is_as_written


async def test_forgetting_an_id_that_is_a_number_spoils_no_other_number(tmp_path: Path):
    async with archive_of(FIVE, tmp_path) as archive:
        made = await archive.make_cohort("effusion-1", split="70/10/20")
        rows = [replace(row, subject_id="1") if row.subject_id == "p000" else row for row in made.rows]
        left = Cohort({**made.header, "query": "patient 1 and p0001"}, tuple(rows)).without(
            lambda row: row.subject_id == "1"
        )
        (archive.settings.cohorts_folder / "effusion-1.jsonl").write_bytes(left.to_bytes())
        again = await archive.cohort("effusion-1")
    kept = ("name", "format", "split", "versions", "fingerprint")
    assert {name: again.header[name] for name in kept} == {name: made.header[name] for name in kept}
    assert again.header["query"] == "patient (forgotten) and p0001"


async def test_a_copy_of_a_manifest_under_another_name_does_not_hinder_forget(tmp_path: Path):
    async with archive_of(FIVE, tmp_path) as archive:
        await archive.make_cohort("all")
        folder = archive.settings.cohorts_folder
        (folder / "Copy of all.jsonl").write_bytes((folder / "all.jsonl").read_bytes())
        await archive.forget(Filter(subject_id=SubjectId("p000")))
    assert [b"p000" in file.read_bytes() for file in folder.iterdir()] == [False, False]


async def test_what_is_forgotten_while_a_cohort_is_made_is_not_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async with archive_of(FIVE, tmp_path) as archive:
        write = CohortFolder.write

        def write_late(folder: CohortFolder, cohort: Cohort) -> None:
            anyio.from_thread.run(archive.forget, Filter(subject_id=SubjectId("p000")))
            write(folder, cohort)

        monkeypatch.setattr(CohortFolder, "write", write_late)
        made = await archive.make_cohort("all")
        text = (archive.settings.cohorts_folder / "all.jsonl").read_text()
    assert [row.subject_id for row in made.rows] == ["p001", "p002", "p001"]
    assert "p000" not in text


async def test_what_a_killed_process_left_is_removed_by_forget(tmp_path: Path):
    async with archive_of(FIVE, tmp_path) as archive:
        made = await archive.make_cohort("all")
        folder, data = archive.settings.cohorts_folder, archive.settings.data_dir
        left = [folder / ".other.jsonl.0a1b2c3d", folder / "all.jsonl.0a1b2c3d", data / ".probes.npz.0a1b2c3d.4e5f6a7b"]
        kept = [folder / "all.jsonl.bak", data / "access.jsonl.20261130"]
        for file in (*left, *kept):
            file.write_bytes(made.to_bytes())
        await archive.forget(Filter(subject_id=SubjectId("p000")))
    assert [file.exists() for file in (*left, *kept)] == [False] * 3 + [True] * 2
