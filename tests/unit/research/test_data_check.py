"""The check of the data: planted faults are found, few others are listed, and a list that cannot be made says why."""

from __future__ import annotations

import datetime as dt
import json
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.errors import ConfigError, NotFound, QueryError
from mcp_cxr.records import Filter, ImageId, SubjectId
from mcp_cxr.research import data_check
from mcp_cxr.research.data_check import LIST_NAMES, CheckEntry, CheckFiles, CheckList, CheckPlan, DataCheck, ListName
from tests.support.archives import all_bytes
from tests.support.planted_faults import PlantedFaults, images_of

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.stores import Store

TODAY = dt.date(2026, 11, 30)


@pytest.fixture(scope="module")
def clean() -> PlantedFaults:
    """Many studies without a planted fault; must not be changed."""
    return PlantedFaults.drawn(800)


def copied(planted: PlantedFaults) -> PlantedFaults:
    return replace(planted, studies=list(planted.studies), images=list(planted.images), vectors=planted.vectors.copy())


def modes_of(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def the_list(planted: PlantedFaults, name: ListName, data: Path, *, most: int = 1000) -> CheckList:
    async with planted.archive(data) as archive:
        check = await archive.check_data(CheckPlan(lists=(name,), most=most, today=TODAY))
    (found,) = check.lists
    assert found.name == name
    return found


async def test_most_of_the_first_200_labels_listed_are_wrong_where_chance_finds_a_twentieth(
    tmp_path: Path,
):
    planted = PlantedFaults.drawn(1500, strength=2.5)
    wrong = planted.flip_labels(0.05)
    found = await the_list(planted, "labels", tmp_path, most=200)
    listed = {(entry.key.split("|")[1], entry.studies[0]) for entry in found.entries}
    assert len(listed) == 200
    assert len(listed & wrong) > 130  # of about 300 wrong labels of 6,000; 10 by chance


async def test_labels_that_images_do_not_show_are_not_listed(tmp_path: Path):
    found = await the_list(PlantedFaults.drawn(800, strength=0), "labels", tmp_path)
    assert found.not_made is None
    assert found.total < 10  # of 3,200


async def test_an_entry_says_how_a_study_is_labeled_and_what_its_score_is(clean: PlantedFaults, tmp_path: Path):
    planted = copied(clean)
    has = next(number for number, study in enumerate(planted.studies) if study.labels["Edema"])
    planted.change_study(has, labels={**planted.studies[has].labels, "Edema": 0})
    found = await the_list(planted, "labels", tmp_path)
    (entry,) = [one for one in found.entries if one.key == f"labels|Edema|{planted.studies[has].study_id}"]
    assert entry.reason.startswith("Edema is labeled absent; its score is 0.")
    assert entry.suggestion == "Edema present"
    assert entry.images == (planted.images[has].image_id,)


async def test_wrong_views_are_found_and_unknown_ones_get_the_right_suggestion(clean: PlantedFaults, tmp_path: Path):
    planted = copied(clean)
    views = [image.view_position for image in planted.images]
    for number in range(10):
        other = "AP" if views[number] != "AP" else "LL"
        planted.images[number] = replace(planted.images[number], view_position=other)
    for number in range(10, 40):
        planted.images[number] = replace(planted.images[number], view_position="UNKNOWN")
    async with planted.archive(tmp_path) as archive:
        check = await archive.check_data(CheckPlan(lists=("views", "unknown_views")))
    wrong, unknown = check.lists
    assert {entry.images[0] for entry in wrong.entries[:10]} == set(images_of(planted, range(10)))
    assert wrong.total <= 12
    assert unknown.total == 30
    truth = dict(zip(images_of(planted, range(40)), views[:40], strict=True))
    assert {entry.images[0]: entry.suggestion for entry in unknown.entries} == dict(list(truth.items())[10:])


async def test_near_duplicates_over_splits_come_before_those_of_patients_and_studies(
    clean: PlantedFaults, tmp_path: Path
):
    planted = copied(clean)
    for number in range(len(planted.studies)):
        planted.change_study(number, split="test" if number < 100 else "train")
    planted.copy_image(of=50, to=500)
    planted.copy_image(of=600, to=700)
    planted.copy_image(of=1, to=2)  # of one patient
    found = await the_list(planted, "duplicates", tmp_path)
    assert [entry.images for entry in found.entries] == [
        tuple(images_of(planted, (50, 500))),
        tuple(images_of(planted, (600, 700))),
        tuple(images_of(planted, (1, 2))),
    ]
    assert [entry.reason.split(":")[0] for entry in found.entries] == [
        "Nearly the same image is in test and in train, of two patients.",
        "Two patients have nearly the same image",
        "Two studies of one patient have nearly the same image",
    ]
    assert found.total == 3


async def test_images_unlike_the_others_are_found(clean: PlantedFaults, tmp_path: Path):
    planted = copied(clean)
    planted.vectors[:8] = planted.rng.normal(size=planted.vectors[:8].shape) * 3
    found = await the_list(planted, "outliers", tmp_path)
    assert {entry.images[0] for entry in found.entries[:8]} == set(images_of(planted, range(8)))
    assert found.total <= 8 + 0.03 * 800


async def test_an_image_whose_header_names_another_body_part_is_listed_even_in_a_small_archive(tmp_path: Path):
    planted = PlantedFaults.drawn(10)
    planted.images[3] = replace(planted.images[3], tags={"StudyDescription": "HANDGELENK"})
    found = await the_list(planted, "outliers", tmp_path)
    assert [entry.images[0] for entry in found.entries] == images_of(planted, [3])
    assert "body part" in found.entries[0].reason


async def test_reports_that_contradict_labels_are_found_with_the_finding(clean: PlantedFaults, tmp_path: Path):
    planted = copied(clean)
    for number, study in enumerate(planted.studies[:60]):
        has = bool(study.labels["Pleural Effusion"])
        says = has if number >= 5 else not has
        planted.change_study(number, report=f"FINDINGS: {'Small left' if says else 'No'} pleural effusion.")
    found = await the_list(planted, "reports", tmp_path)
    assert {entry.studies[0] for entry in found.entries} == {one.study_id for one in planted.studies[:5]}
    assert found.total == 5
    assert all(entry.reason.startswith("pleural effusion: label ") for entry in found.entries)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ([{"study_date": "2031-05-06"}], "date"),
        ([{"study_date": "1890-05-06"}], "date"),
        ([{"age": 140}], "age"),
        ([{"age": -3}], "age"),
        ([{"sex": "F"}, {"sex": "M"}], "sex"),
        ([{"study_date": "2010-01-01", "age": 50}, {"study_date": "2020-01-01", "age": 48}], "age"),
        ([{"study_date": "2010-01-01", "age": 50}, {"study_date": "2012-01-01", "age": 60}], "age"),
    ],
)
async def test_dates_ages_and_sexes_that_cannot_be_right_are_found(
    tmp_path: Path, changes: list[dict[str, Any]], kind: str
):
    planted = PlantedFaults.drawn(12)
    for number, change in zip((1, 2), changes, strict=False):  # two studies of one patient
        planted.change_study(number, **change)
    found = await the_list(planted, "dates", tmp_path)
    (entry,) = found.entries
    assert entry.key.startswith(f"dates|{kind}|")
    assert entry.subjects == (planted.studies[1].subject_id,)


async def test_dates_ages_and_sexes_that_may_be_right_are_not_listed(tmp_path: Path):
    planted = PlantedFaults.drawn(12)
    planted.change_study(1, study_date="2010-12-31", age=50, sex="F")
    planted.change_study(2, study_date="2020-01-01", age=60, sex="F")
    planted.change_study(4, study_date="2010-01-01", age=89, sex="M")  # ages from 85 on are cut by some tables
    planted.change_study(5, study_date="2020-01-01", age=89, sex="M")
    assert (await the_list(planted, "dates", tmp_path)).entries == ()


async def test_shifted_dates_are_not_compared_with_today(tmp_path: Path):
    planted = PlantedFaults.drawn(50)
    for number in range(50):
        planted.change_study(number, study_date=f"21{number:02}-01-01")
    found = await the_list(planted, "dates", tmp_path)
    assert found.entries == ()
    assert "shifted" in found.notes[0]


async def test_each_list_that_cannot_be_made_says_why(tmp_path: Path):
    planted = PlantedFaults.drawn(12)
    for number in range(12):
        planted.change_study(number, labels={}, study_date=None)
    async with planted.archive(tmp_path) as archive:
        check = await archive.check_data()
    assert [one.name for one in check.lists] == list(LIST_NAMES)
    assert {one.name: one.not_made for one in check.lists if one.name != "duplicates"} == {
        "labels": "The archive has no labels.",
        "views": "Fewer than two view positions have 20 images of 10 patients: too few to learn from.",
        "unknown_views": "Fewer than two view positions have 20 images of 10 patients: too few to learn from.",
        "outliers": "The archive has fewer than 50 images: too few to compare.",
        "orientation": "Altered copies cannot be embedded: The service is down.",
        "reports": "The archive has no reports.",
        "dates": "No study has a date, an age or a sex.",
    }


async def test_an_archive_of_equal_images_is_checked(tmp_path: Path):
    planted = PlantedFaults.drawn(60)
    planted.vectors[:] = planted.vectors[0]
    async with planted.archive(tmp_path) as archive:
        check = await archive.check_data(CheckPlan(lists=("labels", "views", "duplicates", "outliers", "dates")))
    totals = {one.name: one.total for one in check.lists}
    images = len(planted.images)
    assert (totals["duplicates"], totals["outliers"]) == (images * (images - 1) // 2, 0)


async def test_labels_of_too_few_studies_are_named_with_the_reason(tmp_path: Path):
    found = await the_list(PlantedFaults.drawn(60), "labels", tmp_path)
    assert found.not_made
    assert "each needs 50 images of 20 patients that have it" in found.not_made


async def test_reports_without_labels_are_not_called_free_of_contradictions(tmp_path: Path):
    planted = PlantedFaults.drawn(12)
    for number in range(12):
        planted.change_study(number, labels={}, report="No pleural effusion.")
    assert (await the_list(planted, "reports", tmp_path)).not_made == "No study has both a report and labels."


async def test_an_empty_archive_and_an_unknown_list_are_refused(tmp_path: Path):
    async with PlantedFaults.drawn(2).archive(tmp_path) as archive:
        with pytest.raises(ConfigError, match=r"Unknown list 'label'\. Known: labels, views"):
            await archive.check_data(CheckPlan(lists=("label",)))  # pyright: ignore[reportArgumentType]
        await archive.forget(Filter(view=("PA", "AP", "LATERAL")))
        with pytest.raises(ConfigError, match="no images to check"):
            await archive.check_data()


async def test_decisions_are_kept_for_their_owner_alone_and_shown_by_the_next_check(tmp_path: Path):
    planted = PlantedFaults.drawn(60)
    planted.copy_image(of=1, to=40)
    async with planted.archive(tmp_path) as archive:
        plan = CheckPlan(lists=("duplicates",))
        (entry,) = (await archive.check_data(plan)).lists[0].entries
        files = archive.data_check_files()
        files.decide(entry.key, "wrong")
        assert (await archive.check_data(plan)).lists[0].entries == (replace(entry, decision="wrong"),)
        assert files.read_check().lists[0].entries[0].decision == "wrong"
        assert files.as_csv().splitlines()[1].startswith("duplicates,wrong,20")
        files.decide(entry.key, None)
        assert files.decisions() == {}
    assert modes_of(tmp_path) == {"data_check.json": 0o600, "data_check_decisions.json": 0o600}


async def test_decisions_about_nothing_are_refused(tmp_path: Path):
    async with PlantedFaults.drawn(12).archive(tmp_path) as archive:
        files = archive.data_check_files()
        with pytest.raises(NotFound, match="not checked yet"):
            files.decide("duplicates|a|b", "wrong")
        await archive.check_data(CheckPlan(lists=("duplicates",)))
        with pytest.raises(NotFound, match="no such entry"):
            files.decide("duplicates|a|b", "wrong")
        with pytest.raises(QueryError, match=r"Unknown decision 'bad'\. Known: right, wrong, ignore"):
            files.decide("duplicates|a|b", "bad")


async def test_forget_removes_the_entries_and_decisions_of_a_patient(tmp_path: Path):
    planted = PlantedFaults.drawn(60)
    planted.copy_image(of=1, to=40)
    planted.copy_image(of=10, to=50)
    async with planted.archive(tmp_path) as archive:
        check = await archive.check_data(CheckPlan(lists=("duplicates",)))
        files = archive.data_check_files()
        for entry in check.lists[0].entries:
            files.decide(entry.key, "ignore")
        await archive.forget(Filter(subject_id=SubjectId(planted.images[1].subject_id)))
        (kept,) = files.read_check().lists[0].entries
        assert kept.images == tuple(images_of(planted, (10, 50)))
        assert list(files.decisions()) == [kept.key]
    assert planted.images[1].image_id.encode() not in all_bytes(tmp_path)


async def test_forget_keeps_decisions_about_images_that_the_archive_does_not_have_now(tmp_path: Path):
    """They are of an archive that was dropped to be made again, or of another one in the same data folder."""
    planted = PlantedFaults.drawn(60)
    async with planted.archive(tmp_path) as archive:
        files = kept_check(tmp_path)
        await archive.forget(Filter(subject_id=SubjectId(planted.images[1].subject_id)))
        assert list(files.decisions()) == ["views|i0"]
        await archive.forget(Filter(image_id=ImageId("i0")))
        assert files.decisions() == {}


def overwrite(folder: Path, name: str, content: str) -> None:
    (check,) = folder.rglob("data_check.json")
    check.with_name(name).write_text(content)


@pytest.mark.parametrize("content", ["{", "[1]", '{"check": {"lists": 3}}'])
@pytest.mark.parametrize("name", ["data_check.json", "data_check_decisions.json"])
async def test_nothing_is_forgotten_while_a_file_that_may_name_it_cannot_be_read(
    tmp_path: Path, name: str, content: str
):
    planted = PlantedFaults.drawn(60)
    async with planted.archive(tmp_path) as archive:
        images = (await archive.overview()).images
        await archive.check_data(CheckPlan(lists=("duplicates",)))
        overwrite(tmp_path, name, content)
        with pytest.raises(ConfigError, match=f"{name} cannot be read"):
            await archive.forget(Filter(subject_id=SubjectId(planted.images[1].subject_id)))
        assert (await archive.overview()).images == images


async def test_what_is_forgotten_while_the_data_is_checked_is_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    planted = PlantedFaults.drawn(60)
    planted.copy_image(of=1, to=40)
    planted.copy_image(of=10, to=50)
    async with planted.archive(tmp_path) as archive:
        files = archive.data_check_files()
        kept_check(tmp_path)  # of an image of another archive
        check = data_check.check_data

        async def checked_before(store: Store, *given: Any, **named: Any) -> DataCheck:
            found = await check(store, *given, **named)
            await store.forget(Filter(subject_id=SubjectId(planted.images[1].subject_id)))
            return found

        monkeypatch.setattr(data_check, "check_data", checked_before)
        (found,) = (await archive.check_data(CheckPlan(lists=("duplicates",)))).lists
        assert [entry.images for entry in found.entries] == [tuple(images_of(planted, (10, 50)))]
        assert list(files.decisions()) == ["views|i0"]


async def test_a_check_of_another_store_in_the_same_folder_is_not_shown(tmp_path: Path):
    async with PlantedFaults.drawn(12).archive(tmp_path) as archive:
        await archive.check_data(CheckPlan(lists=("dates",)))
        archive.store.is_private = False
        with pytest.raises(NotFound, match="not checked yet"):
            archive.data_check_files().read_check()


def test_damaged_files_are_named(tmp_path: Path):
    (tmp_path / "data_check.json").write_text("{")
    with pytest.raises(ConfigError, match=r"data_check\.json cannot be read"):
        CheckFiles(tmp_path, None).read_check()
    (tmp_path / "data_check_decisions.json").write_text('{"a": {}}')
    with pytest.raises(ConfigError, match=r"data_check_decisions\.json cannot be read"):
        CheckFiles(tmp_path, None).decisions()


def kept_check(folder: Path, entries: int = 1) -> CheckFiles:
    """Return the files of a check of one list, with a decision about its first entry."""
    files = CheckFiles(folder, None)
    listed = tuple(CheckEntry(f"views|i{one}", (ImageId(f"i{one}"),), (), (), "r", 0.5) for one in range(entries))
    files.write_check(DataCheck("2026", "1", "m", 1, 1, 1, 1.0, (CheckList("views", listed, entries),)))
    files.decide("views|i0", "wrong")
    return files


@pytest.mark.parametrize("changed", [{"lists": []}, {"images": None}, {"date": 3}, {"lists": [{"name": "x"}]}])
def test_a_check_that_was_changed_by_hand_is_refused(tmp_path: Path, changed: dict[str, Any]):
    files, path = kept_check(tmp_path), tmp_path / "data_check.json"
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "check": {**kept["check"], **changed}}))
    with pytest.raises(NotFound, match="cannot be read"):
        files.read_check()


def test_a_decision_that_was_changed_by_hand_is_refused(tmp_path: Path):
    files, path = kept_check(tmp_path), tmp_path / "data_check_decisions.json"
    path.write_text(path.read_text().replace('"wrong"', '"perhaps"'))
    with pytest.raises(ConfigError, match="was changed or damaged"):
        files.decisions()


def test_forgetting_does_not_compare_all_entries_with_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files, equal, compared = kept_check(tmp_path, 400), CheckEntry.__eq__, list[CheckEntry]()

    def counted(self: CheckEntry, other: object) -> bool:
        compared.append(self)
        return equal(self, other)

    monkeypatch.setattr(CheckEntry, "__eq__", counted)
    assert files.remove(lambda entry: ImageId("i0") in entry.images) == 1
    assert len(files.read_check().lists[0].entries) == 399
    assert len(compared) < 2000
