"""Cohorts: what is drawn, what the manifest says, and what is found when something changes."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import tempfile
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_cxr.errors import ConfigError, NotFound, QueryError
from mcp_cxr.records import CohortRequest, Filter, ImageId
from mcp_cxr.research.cohorts import Cohort, csv_table, json_lines, link_files
from tests.unit.evaluate.archives import random_vectors
from tests.unit.research.cohort_archives import FIVE, MadeUpStudy, archive_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_cxr.archive import Archive

pytestmark = pytest.mark.anyio

STUDIES = st.lists(
    st.builds(
        MadeUpStudy,
        subject=st.integers(0, 8),
        label=st.sampled_from([1, 0, -1, None]),
        split=st.sampled_from(["train", "validate", "test", None]),
        images=st.integers(1, 3),
    ),
    min_size=1,
    max_size=20,
)


def drawn(studies: list[MadeUpStudy], **request: Any) -> Cohort | None:
    """Return a cohort of an archive in memory; None if no image was left."""

    async def make(folder: Path) -> Cohort | None:
        async with archive_of(studies, folder) as archive:
            with suppress(QueryError):
                return await archive.make_cohort("drawn", **request)
            return None

    with tempfile.TemporaryDirectory() as folder:
        return anyio.run(make, Path(folder))


@given(
    studies=STUDIES,
    split=st.sampled_from(["70/10/20", "50/50", "90/10"]),
    seed=st.integers(-5, 5),
    per_subject=st.none() | st.integers(1, 3),
)
@settings(max_examples=12, deadline=None)
def test_no_patient_is_in_two_splits_and_shares_are_met(
    studies: list[MadeUpStudy], split: str, seed: int, per_subject: int | None
):
    cohort = drawn(studies, split=split, seed=seed, per_subject=per_subject)
    assert cohort
    known = len({study.subject for study in studies}) not in {1, len(studies)} or len(studies) == 1
    groups = {getattr(row, "subject_id" if known else "study_id"): row.split for row in cohort.rows}
    assert all(groups[getattr(row, "subject_id" if known else "study_id")] == row.split for row in cohort.rows)
    assert cohort.header["patient_safe"] is known
    shares = dict(
        zip(
            ("train", "validate", "test") if split.count("/") > 1 else ("train", "test"),
            map(int, split.split("/")),
            strict=True,
        )
    )
    for name, share in shares.items():
        assert abs(sum(one == name for one in groups.values()) - len(groups) * share / 100) < 1 + 1e-9
    images = Counter(row.subject_id for row in cohort.rows)
    assert per_subject is None or max(images.values()) <= per_subject


@given(studies=STUDIES, split=st.sampled_from([None, "none", "60/40"]), seed=st.integers(0, 3))
@settings(max_examples=12, deadline=None)
def test_a_balanced_label_is_as_often_1_as_0_in_each_split(studies: list[MadeUpStudy], split: str | None, seed: int):
    cohort = drawn(studies, split=split, seed=seed, balance="edema")
    if cohort is None:
        return
    values: dict[str | None, Counter[int]] = defaultdict(Counter)
    for study, (of_split, value) in {row.study_id: (row.split, row.labels["Edema"]) for row in cohort.rows}.items():
        assert study
        values[of_split][value] += 1
    assert all(set(found) == {0, 1} and found[0] == found[1] for found in values.values())
    stored = {f"s{number:03}": study for number, study in enumerate(studies)}
    assert Counter(row.study_id for row in cohort.rows) == {
        study: stored[study].images for study in {row.study_id for row in cohort.rows}
    }


@given(studies=STUDIES, split=st.sampled_from([None, "70/10/20"]), seed=st.integers(0, 3))
@settings(max_examples=6, deadline=None)
def test_the_same_archive_and_request_give_the_same_bytes(studies: list[MadeUpStudy], split: str | None, seed: int):
    async def make(folder: Path) -> tuple[bytes, bytes]:
        async with archive_of(studies, folder) as archive:
            file = archive.settings.cohorts_folder / "same.jsonl"
            made = await archive.make_cohort("same", split=split, seed=seed, per_subject=2)
            once = file.read_bytes()
            assert once == made.to_bytes()
            await archive.make_cohort("same", split=split, seed=seed, per_subject=2)
            first = file.read_bytes()
            file.unlink()
            await archive.make_cohort("same", split=split, seed=seed, per_subject=2)
            return first, file.read_bytes()

    with tempfile.TemporaryDirectory() as folder:
        first, second = anyio.run(make, Path(folder))
    assert first == second


async def test_the_seed_decides_what_is_drawn(tmp_path: Path):
    studies = [MadeUpStudy(number // 2) for number in range(40)]
    async with archive_of(studies, tmp_path) as archive:
        splits = [
            tuple(row.split for row in (await archive.make_cohort(f"seed-{seed}", split="50/50", seed=seed)).rows)
            for seed in range(3)
        ]
    assert len(set(splits)) == 3


async def test_the_official_split_is_the_default_and_a_new_one_counts_test_studies_in_train(tmp_path: Path):
    studies = [MadeUpStudy(number // 2, split="test" if number < 6 else "train") for number in range(40)]
    async with archive_of(studies, tmp_path) as archive:
        official = await archive.make_cohort("official")
        new = await archive.make_cohort("new", split="80/20")
    assert official.header["split"] == "official"
    assert official.header["splits"]["test"] == {"images": 6, "studies": 6, "subjects": 3}
    train = {row.study_id for row in new.rows if row.split == "train"}
    moved = len(train & {f"s{number:03}" for number in range(6)})
    assert new.header["warnings"] == [
        f"This split is not the archive's own: {moved} of 6 official test studies are in train."
    ]


async def test_an_archive_without_a_split_gives_a_cohort_without_one(tmp_path: Path):
    async with archive_of([MadeUpStudy(0), MadeUpStudy(0), MadeUpStudy(1)], tmp_path) as archive:
        made = await archive.make_cohort("all")
        asked = await archive.make_cohort("asked", split="none")
    assert list(made.header["splits"]) == ["all"]
    assert "records no split" in made.header["warnings"][0]
    assert asked.header["warnings"] == []


@pytest.mark.parametrize("subjects", [range(10), [0] * 10], ids=["each study its own", "all the same"])
async def test_unknown_patients_are_split_by_study_and_the_manifest_says_why(tmp_path: Path, subjects: Any):
    async with archive_of([MadeUpStudy(subject, images=2) for subject in subjects], tmp_path) as archive:
        made = await archive.make_cohort("unsafe", split="50/50")
    assert made.header["patient_safe"] is False
    assert "split is by study" in made.header["patients"]
    assert {name: one["studies"] for name, one in made.header["splits"].items()} == {"train": 5, "test": 5}
    assert any("One patient may be in two splits" in line for line in made.header["warnings"])


async def test_leaks_of_the_official_split_are_found_by_patient_and_by_vector(tmp_path: Path):
    vectors = np.stack(random_vectors(8, seed=2))
    vectors[6] = vectors[1]
    studies = [MadeUpStudy(number // 2, split="train" if number < 5 else "test") for number in range(8)]
    async with archive_of(studies, tmp_path, vectors=vectors) as archive:
        made = await archive.make_cohort("leaky")
    leaks = made.header["leaks"]
    assert leaks["subject_ids"] == ["p002"]
    assert leaks["near_duplicates"] == {"pairs": 1, "image_ids": [["i001-0", "i006-0"]]}
    assert made.header["patient_safe"] is False
    assert [line.split()[:2] for line in made.header["warnings"]] == [["1", "patients"], ["1", "pairs"]]


REPORTS = (
    *("FINDINGS: Left pleural effusion.", "FINDINGS: Small right pleural effusion.", "FINDINGS: No effusion."),
    *("FINDINGS: Possible left pleural effusion.", "FINDINGS: Clear lungs."),
)


async def test_words_are_read_as_in_a_search_and_parts_of_a_match_are_marked(tmp_path: Path):
    studies = [MadeUpStudy(number // 2, report=report) for number, report in enumerate(REPORTS)]
    async with archive_of(studies, tmp_path) as archive:
        found = await archive.search("left pleural effusion", mode="words", limit=100)
        full = await archive.make_cohort("full", "left pleural effusion")
        part = await archive.make_cohort("part", "left pleural effusion", matched="part", view=["PA"])
        with pytest.raises(QueryError, match="Studies left out because they have no sex recorded: 3"):
            await archive.make_cohort("women", "effusion", sex="F")
    assert [row.study_id for row in full.rows] == ["s000", "s003"]
    assert {row.study_id: row.matched for row in part.rows} == {"s000": "full", "s001": "part", "s003": "full"}
    assert full.header["counts"] == found.counts
    assert full.header["understood"]["findings"] == ["pleural effusion, left"]
    assert part.header["filters"] == {"view": ["PA"]}


CHANGES: dict[str, Callable[[Archive, Path, Path], Any]] = {
    "file gone": lambda _, file, __: file.unlink(),
    "file changed": lambda _, file, __: file.write_bytes(b"longer than before"),
    "content changed": lambda _, file, __: _write_unnoticed(file),
    "forgotten": lambda archive, file, _: archive.store.forget(Filter(image_id=ImageId(file.stem))),
    "facts changed": lambda archive, file, _: _relabel(archive, file.stem),
    "manifest changed": lambda _, __, manifest: manifest.write_bytes(
        manifest.read_bytes().replace(b'"PA"', b'"AP"', 1)
    ),
}


def _write_unnoticed(file: Path) -> None:
    status = file.stat()
    file.write_bytes(file.read_bytes()[::-1])
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


async def _relabel(archive: Archive, image: str) -> None:
    study = (await archive.store.get([ImageId(image)]))[ImageId(image)].study
    await archive.store.put_studies([type(study)(study.study_id, study.subject_id, labels={"Edema": -1})])


@given(changes=st.dictionaries(st.integers(0, 7), st.sampled_from(sorted(CHANGES)), max_size=5))
@settings(max_examples=12, deadline=None)
def test_verify_finds_every_change(changes: dict[int, str]):
    async def verify(folder: Path) -> tuple[dict[str, int], dict[str, list[str]]]:
        async with archive_of([MadeUpStudy(number // 2, label=1) for number in range(8)], folder) as archive:
            await archive.make_cohort("kept", digests=True)
            manifest = archive.settings.cohorts_folder / "kept.jsonl"
            for number, change in changes.items():
                done = CHANGES[change](archive, folder / "images" / f"i{number:03}-0.dcm", manifest)
                if hasattr(done, "__await__"):
                    await done
            found = await archive.verify_cohort("kept", digests=True)
            return found.problems, found.examples

    with tempfile.TemporaryDirectory() as folder:
        problems, examples = anyio.run(verify, Path(folder))
    expected = Counter(changes.values())
    expected["content changed"] += expected["file changed"]
    if expected["manifest changed"]:  # in each of the first rows that says PA
        expected["facts changed"] += len(
            {*range(expected["manifest changed"])}
            - {number for number, change in changes.items() if change in {"forgotten", "facts changed"}}
        )
        expected["manifest changed"] = 1
    assert {name: count for name, count in problems.items() if count} == +expected
    assert examples.keys() == (+expected).keys()


async def test_another_embedder_or_reader_is_found(tmp_path: Path):
    async with archive_of(FIVE, tmp_path) as archive:
        made = await archive.make_cohort("old")
        header = dict(made.header)
        header["fingerprint"] = {**header["fingerprint"], "model": "another"}
        header["versions"] = {**header["versions"], "report_reader": 1, "image_reader": 0}
        (archive.settings.cohorts_folder / "old.jsonl").write_bytes(type(made)(header, made.rows).to_bytes())
        found = await archive.verify_cohort("old")
    assert {name for name, count in found.problems.items() if count} == {
        "embedder changed",
        "report reader changed",
        "image reader changed",
    }


async def test_what_is_refused_is_said_and_nothing_is_written(tmp_path: Path):
    async with archive_of(FIVE, tmp_path) as archive:
        refused: list[tuple[dict[str, Any], str]] = [
            ({"name": "Bad Name"}, "1 to 40 characters of a-z"),
            ({"name": "a" * 41}, "1 to 40 characters of a-z"),
            ({"name": "x", "split": "70/20"}, "70/20 adds up to 90"),
            ({"name": "x", "split": "half"}, "such as 70/10/20"),
            ({"name": "x", "split": "100/0"}, "such as 70/10/20"),
            ({"name": "x", "per_subject": 0}, "per_subject must be 1 or more"),
            ({"name": "x", "balance": "Edma"}, "Did you mean Edema?"),
            ({"name": "x", "labels": ["Fracture"]}, "No image matches"),
            ({"name": "x", "balance": "Fracture"}, "Leave out balance"),
        ]
        for request, message in refused:
            with pytest.raises(QueryError, match=message):
                await archive.make_cohort(**request)
        with pytest.raises(NotFound, match=r"no cohort x\. Cohorts: none yet"):
            await archive.cohort("x")
        with pytest.raises(QueryError, match="1 to 40 characters"):
            await archive.cohort("../archive")
        assert await archive.cohorts() == []
        assert not archive.settings.cohorts_folder.exists()


async def test_a_name_is_taken_once_and_a_hundred_are_kept(tmp_path: Path):
    async with archive_of(FIVE, tmp_path) as archive:
        await archive.make_cohort("c7")
        await archive.make_cohort("c7")
        with pytest.raises(QueryError, match="A cohort c7 with other images or options exists"):
            await archive.make_cohort("c7", labels=["Edema"])
        folder = archive.settings.cohorts_folder
        for number in range(99):
            (folder / f"old-{number}.jsonl").write_bytes(b"{}")
        with pytest.raises(QueryError, match="There are 100 cohorts"):
            await archive.make_cohort("another")
        assert len(await archive.cohorts()) == 100
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "c7.jsonl").stat().st_mode) == 0o600


async def test_a_damaged_manifest_is_listed_by_name_and_refused(tmp_path: Path):
    async with archive_of(FIVE, tmp_path) as archive:
        await archive.make_cohort("torn")
        (archive.settings.cohorts_folder / "torn.jsonl").write_bytes(b"{")
        assert await archive.cohorts() == [{"name": "torn"}]
        with pytest.raises(Exception, match="manifest of cohort torn is damaged"):
            await archive.cohort("torn")


async def test_exports_hold_every_image_with_its_labels(tmp_path: Path):
    async with archive_of(FIVE, tmp_path) as archive:
        made = await archive.make_cohort("all")
    rows = list(csv.DictReader(io.StringIO(csv_table(made), newline="")))
    assert [(row["image_id"], row["split"], row["Edema"]) for row in rows] == [
        (row.image_id, row.split, str(row.labels["Edema"])) for row in made.rows
    ]
    lines = [json.loads(line) for line in json_lines(made).splitlines()]
    assert [line["path"] for line in lines] == [row.path for row in made.rows]
    assert link_files(made, tmp_path / "links") == 5
    assert link_files(made, tmp_path / "links") == 0
    assert (tmp_path / "links" / "test" / "i004-0.dcm").read_bytes() == b"i004-0"
    assert len(list((tmp_path / "links" / "train").iterdir())) == 4


async def test_two_cohorts_are_compared(tmp_path: Path):
    async with archive_of(FIVE, tmp_path) as archive:
        await archive.make_cohort("one")
        await archive.make_cohort("same")
        await archive.make_cohort("some", labels=["Edema"], split="50/50")
        assert (await archive.compare_cohorts("one", "same")).is_empty
        found = await archive.compare_cohorts("one", "some")
    assert found.only_in_first == ["i000-0", "i002-0", "i004-0"]
    assert found.only_in_second == []
    assert found.made_differently["split"] == ["official", "50/50"]
    assert found.made_differently["filters"] == [{}, {"labels": ["Edema"]}]


def test_a_request_in_a_notebook_has_the_parameters_of_its_arguments():
    with pytest.raises(TypeError):
        CohortRequest("x", "query", ["PA"])  # pyright: ignore[reportCallIssue]  # filters are named


@pytest.mark.parametrize("content", ["[]", "3", '{"images": 3}', '{"digest": "", "format": "mcp-cxr cohort 1"}'])
async def test_a_manifest_of_another_form_is_listed_by_name_or_refused(tmp_path: Path, content: str):
    async with archive_of(FIVE, tmp_path) as archive:
        await archive.make_cohort("odd")
        (archive.settings.cohorts_folder / "odd.jsonl").write_text(f"{content}\n")
        (header,) = await archive.cohorts()
        assert "images" not in header
        with pytest.raises(ConfigError, match="manifest of cohort odd is damaged"):
            await archive.cohort("odd")


async def test_a_split_of_any_name_is_linked_below_the_folder(tmp_path: Path):
    studies = [MadeUpStudy(0, split=".."), MadeUpStudy(1, split="../up"), MadeUpStudy(1, split="train")]
    async with archive_of(studies, tmp_path / "archive") as archive:
        made = await archive.make_cohort("all")
    assert link_files(made, tmp_path / "out" / "links") == 3
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["links"]
