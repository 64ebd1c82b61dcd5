"""A patient's timeline over every store: the order of studies, and what reports say of each finding."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.errors import QueryError
from mcp_cxr.records import ImageId, Study, StudyId, SubjectId
from mcp_cxr.timeline import _patient_timeline, patient_timeline
from tests.contract.stores.making import at_cosine, image, vectors

if TYPE_CHECKING:
    from mcp_cxr.records import PatientTimeline
    from mcp_cxr.stores import Store

PATIENT = SubjectId("p1")


@dataclass(frozen=True, slots=True)
class Planted:
    """A study to put into an archive."""

    name: str
    date: str | None = "2180-05-01"
    time: str | None = "12:00:00"
    report: str | None = None
    views: tuple[str, ...] = ("PA",)
    labels: tuple[tuple[str, int], ...] = ()


async def put(store: Store, *planted: Planted) -> None:
    images = [
        image(f"{one.name}-{view}", one.name, view_position=view, tags={"StudyTime": one.time} if one.time else {})
        for one in planted
        for view in one.views
    ]
    await store.put(images, vectors(len(images)))
    await store.put_studies(
        [Study(StudyId(one.name), PATIENT, one.date, None, dict(one.labels), one.report) for one in planted]
    )


async def timeline(store: Store, image_id: str, **how: Any) -> PatientTimeline:
    asked = (await store.get([ImageId(image_id)]))[ImageId(image_id)]
    return await patient_timeline(store, asked, **how)


async def statuses(store: Store, *reports: str | None, asked: int = 0, **other: Any) -> dict[str, list[str | None]]:
    """Return the findings of studies a day apart with these reports, in the order of their dates."""
    await put(
        store, *(Planted(f"s{n}", f"2180-05-0{n + 1}", report=report, **other) for n, report in enumerate(reports))
    )
    found = await timeline(store, f"s{asked}-PA", limit=100)
    order = sorted(range(len(reports)), key=lambda n: str(found.studies[n].study_date))
    return {name: [cells[n] for n in order] for name, cells in found.findings.items()}


async def test_nearest_studies_come_first_by_date_and_time_whatever_their_ids(store: Store) -> None:
    await put(
        store,
        Planted("s7", "2180-05-06", "10:00:00"),
        Planted("s9", "2180-05-01"),
        Planted("s1", "2180-05-06", "07:00:00"),
        Planted("s4", "2180-05-06", "12:00:00"),
        Planted("s2", "2180-05-07", "09:00:00"),
        Planted("s8", "2180-05-06", "10:00:00"),
        Planted("s5", "2180-05-06", None),
        Planted("s3", None),
    )
    found = await timeline(store, "s7-PA")
    assert [(one.study_id, one.days, one.order) for one in found.studies] == [
        ("s7", 0, None),
        ("s5", 0, "time missing"),
        ("s8", 0, "same time"),
        ("s4", 0, "later"),
        ("s1", 0, "earlier"),
        ("s2", 1, None),
        ("s9", -5, None),
        ("s3", None, "date missing"),
    ]
    assert (found.total_studies, found.subject_id) == (8, PATIENT)


async def test_only_so_many_of_the_nearest_studies_are_shown(store: Store) -> None:
    await put(store, *(Planted(f"s{day}", f"2180-05-0{day}") for day in range(1, 8)))
    found = await timeline(store, "s4-PA", limit=2)
    assert [one.study_id for one in found.studies] == ["s4", "s3", "s5"]
    assert found.total_studies == 7


@pytest.mark.parametrize("before", ["s4", "4", "2180-05-04", " 2180-05-04 "])
async def test_only_studies_before_another_one_or_a_date_are_shown(store: Store, before: str) -> None:
    await put(store, *(Planted(f"s{day}", f"2180-05-0{day}") for day in range(1, 8)))
    found = await timeline(store, "s4-PA", before=before)
    assert [one.study_id for one in found.studies] == ["s4", "s3", "s2", "s1"]


@pytest.mark.parametrize(
    "wrong", [{"before": "s99"}, {"before": "May"}, {"before": "s0"}, {"limit": 0}, {"limit": 101}]
)
async def test_a_wrong_argument_is_refused(store: Store, wrong: dict[str, Any]) -> None:
    await put(store, Planted("s1"), Planted("s0", None))
    with pytest.raises(QueryError, match=next(iter(wrong))):
        await timeline(store, "s1-PA", **wrong)


async def test_the_image_of_the_same_view_stands_for_a_study_and_of_two_as_near_the_one_that_has_it(
    store: Store,
) -> None:
    await put(
        store,
        Planted("s5", "2180-05-05", views=("LATERAL", "PA")),
        Planted("s4", "2180-05-04", views=("LATERAL", "AP", "PA")),
        Planted("s6", "2180-05-06", views=("LATERAL",)),
        Planted("s7", "2180-05-07", views=("LATERAL", "AP")),
        Planted("s3", "2180-05-03", views=("PA",)),
    )
    found = await timeline(store, "s5-PA")
    assert [(one.image_id, one.views) for one in found.studies] == [
        ("s5-PA", ["PA", "LATERAL"]),
        ("s4-PA", ["PA", "AP", "LATERAL"]),
        ("s6-LATERAL", ["LATERAL"]),
        ("s3-PA", ["PA"]),
        ("s7-AP", ["AP", "LATERAL"]),
    ]
    assert (await timeline(store, "s5-LATERAL")).studies[1].image_id == "s4-LATERAL"


async def test_likeness_is_the_cosine_with_the_asked_image(store: Store) -> None:
    images = [image("a", "s1"), image("b", "s2")]
    await store.put(images, at_cosine(1.0, 0.5))
    found = await timeline(store, "a")
    assert [one.likeness for one in found.studies] == [None, 0.5]


async def test_another_patient_s_studies_are_left_out(store: Store) -> None:
    await store.put([image("a", "s1"), image("b", "s2", "p2")], vectors(2))
    assert [one.study_id for one in (await timeline(store, "a")).studies] == ["s1"]


async def test_of_a_patient_with_too_many_images_the_newest_are_read_and_the_asked_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_patient_timeline, "_MOST_IMAGES", 3)
    await put(store, *(Planted(f"s{day}", f"2180-05-0{day}") for day in range(1, 7)))
    found = await timeline(store, "s1-PA")
    assert [one.study_id for one in found.studies] == ["s1", "s4", "s5", "s6"]
    assert found.warnings == [
        "The patient has 6 images; only the newest 3 were read: check that it is one patient.",
    ]


# What reports say

LEFT = "pleural effusion, left"


async def test_a_finding_is_first_mentioned_then_not_mentioned_since(store: Store) -> None:
    found = await statuses(store, "Lungs are clear.", "Left pleural effusion.", "Heart size is normal.")
    assert found[LEFT] == [None, "present, first mentioned, not mentioned since", None]


async def test_a_finding_is_new_if_the_report_says_so(store: Store) -> None:
    found = await statuses(store, "Heart size is normal.", "New left pleural effusion.")
    assert found[LEFT] == [None, "present, new"]


async def test_a_finding_is_new_if_an_earlier_report_denied_it(store: Store) -> None:
    found = await statuses(store, "No pleural effusion.", "Heart size is normal.", "Left pleural effusion.")
    assert found[LEFT] == ["absent", None, "present, new"]


async def test_a_finding_is_gone_if_a_later_report_denies_it_or_says_that_it_is_resolved(store: Store) -> None:
    found = await statuses(
        store,
        "Left pleural effusion. Right pneumothorax.",
        "No pleural effusion. The right pneumothorax has resolved.",
        "Left pleural effusion.",
    )
    assert found[LEFT] == ["present, first mentioned", "absent, gone", "present, new"]
    assert found["pneumothorax, right"] == ["present, first mentioned", "absent, gone", None]


async def test_what_was_only_possible_is_not_gone_when_it_is_denied(store: Store) -> None:
    found = await statuses(store, "Possible pneumothorax.", "No pneumothorax.", "No pneumothorax.")
    assert found["pneumothorax"] == ["possible, first mentioned", "absent", "absent"]


async def test_a_denial_repeated_is_gone_once(store: Store) -> None:
    found = await statuses(store, "Pneumothorax.", "No pneumothorax.", "No pneumothorax.")
    assert found["pneumothorax"] == ["present, first mentioned", "absent, gone", "absent"]


async def test_one_side_says_nothing_of_the_other(store: Store) -> None:
    found = await statuses(store, "Left pleural effusion.", "Right pleural effusion.", "No left pleural effusion.")
    assert found[LEFT] == ["present, first mentioned", None, "absent, gone"]
    assert found["pleural effusion, right"] == [None, "present, first mentioned, not mentioned since", None]
    assert "pleural effusion" not in found


async def test_a_finding_without_a_side_has_a_row_of_its_own(store: Store) -> None:
    found = await statuses(store, "Left pleural effusion.", "Pleural effusion.")
    assert found["pleural effusion"] == ["present, first mentioned", "present"]
    assert found[LEFT] == ["present, first mentioned, not mentioned since", None]


async def test_no_new_finding_denies_nothing(store: Store) -> None:
    found = await statuses(store, "Pneumothorax.", "No new pneumothorax.")
    assert found["pneumothorax"] == ["present, first mentioned, not mentioned since", None]


async def test_a_broader_finding_continues_in_a_narrower_one(store: Store) -> None:
    found = await statuses(store, "Rib fracture.", "No fracture.")
    assert found["rib fracture"] == ["present, first mentioned", "absent, gone"]


async def test_a_blank_label_is_no_absence_and_a_label_alone_makes_nothing_new_or_gone(store: Store) -> None:
    await put(
        store,
        Planted("s1", "2180-05-01", labels=(("Edema", 0), ("Fracture", 1))),
        Planted("s2", "2180-05-02", labels=(("Edema", 1), ("Fracture", 0))),
        Planted("s3", "2180-05-03", labels=(("Pneumonia", -1),)),
    )
    found = await timeline(store, "s1-PA")
    assert [one.study_id for one in found.studies] == ["s1", "s2", "s3"]
    assert found.findings["pulmonary edema"] == ["absent", "present", None]
    assert found.findings["fracture"] == ["present, first mentioned", "absent", None]
    assert found.findings["pneumonia"] == [None, None, "possible, first mentioned"]
    assert [one.has_report for one in found.studies] == [False, False, False]


async def test_a_study_without_a_report_does_not_say_that_a_finding_is_not_mentioned(store: Store) -> None:
    found = await statuses(store, "Left pleural effusion.", None)
    assert found[LEFT] == ["present, first mentioned", None]


@pytest.mark.parametrize("times", [("10:00:00", "10:00:00"), (None, "10:00:00"), (None, None)])
async def test_studies_whose_order_is_not_known_change_nothing(
    store: Store, times: tuple[str | None, str | None]
) -> None:
    await put(
        store,
        Planted("s8", time=times[0], report="No pneumothorax. Left pleural effusion. Nodule."),
        Planted("s3", time=times[1], report="Pneumothorax. No pleural effusion."),
    )
    found = await timeline(store, "s8-PA")
    assert found.findings["pneumothorax"] == ["absent", "present"]
    assert found.findings[LEFT] == ["present", "absent"]
    assert found.findings["nodule"] == ["present, first mentioned", None]


async def test_what_is_present_in_the_asked_study_comes_first_and_what_no_study_affirms_last(store: Store) -> None:
    found = await statuses(store, "No nodule. Cardiomegaly.", "Left pleural effusion. No pneumothorax. No nodule.")
    assert list(found) == ["cardiomegaly", LEFT, "nodule", "pneumothorax"]


async def test_studies_that_are_not_shown_decide_too_what_is_new(store: Store) -> None:
    await put(
        store,
        Planted("s1", "2180-01-01", report="Left pleural effusion."),
        Planted("s2", "2180-02-01", report="No pleural effusion."),
        Planted("s3", "2180-03-01", report="Left pleural effusion."),
        Planted("s4", "2180-03-02", report="Left pleural effusion."),
    )
    assert (await timeline(store, "s3-PA", limit=1)).findings == {LEFT: ["present, new", "present"]}


# Planted truth

FINDINGS = ("pleural effusion, left", "pleural effusion, right", "pneumothorax, left", "cardiomegaly", "nodule")
SAID = {
    "present": ("There is {}.", "{} is seen."),
    "new": ("New {}.",),
    "possible": ("Possible {}.",),
    "absent": ("No {}.",),
    "resolved": ("The {} has resolved.",),
}
STATUS = {"new": "present", "resolved": "absent"}


@dataclass(frozen=True, slots=True)
class PlantedReport:
    """A planted study with what its report says of each finding; None: it has no report."""

    planted: Planted
    said: dict[str, str] | None


def plant(draw: random.Random, number: int) -> PlantedReport:
    said = {name: draw.choice((*SAID, *[""] * 4)) for name in FINDINGS} if draw.random() < 0.85 else None
    sentences = [
        draw.choice(SAID[what]).format(" ".join(reversed(name.split(", "))))
        for name, what in (said or {}).items()
        if what
    ]
    report = " ".join([*sentences, "Compared with the film before."]) if said is not None else None
    day, hour = draw.randint(1, 6), draw.choice((None, 8, 8, 17))
    return PlantedReport(
        Planted(
            f"s{draw.randint(10, 99)}{number}",
            f"2180-05-0{day}" if draw.random() < 0.9 else None,
            None if hour is None else f"{hour:02}:00:00",
            report,
            draw.choice((("PA",), ("AP", "LATERAL"), ("PA", "LATERAL"))),
        ),
        said,
    )


def before(one: Planted, other: Planted) -> bool:
    if not (one.date and other.date):
        return False
    if one.date == other.date:
        return bool(one.time and other.time and one.time < other.time)
    return one.date < other.date


def truth(name: str, at: PlantedReport, all_of: list[PlantedReport]) -> str | None:
    """Return what a timeline must say of one finding in one study, derived from what was planted."""
    what = (at.said or {}).get(name, "")
    if not what:
        return None
    others = [one for one in all_of if one is not at and (one.said or {}).get(name)]
    earlier = [one for one in others if before(one.planted, at.planted)]
    later = [one for one in others if before(at.planted, one.planted)]
    known = len(earlier) + len(later) == len(others)
    kinds = {id(one): STATUS.get((one.said or {})[name], (one.said or {})[name]) for one in others}
    last = [one for one in earlier if not any(before(one.planted, other.planted) for other in earlier)]
    status = STATUS.get(what, what)
    if status == "absent":
        present_since = [
            one
            for one in earlier
            if kinds[id(one)] == "present"
            and not any(kinds[id(other)] == "absent" and before(one.planted, other.planted) for other in earlier)
        ]
        return "absent, gone" if what == "resolved" or present_since else "absent"
    parts = [status]
    if what == "new" or (known and last and {kinds[id(one)] for one in last} == {"absent"}):
        parts.append("new")
    elif not earlier and known:
        parts.append("first mentioned")
    if known and not later and any(one.said is not None and before(at.planted, one.planted) for one in all_of):
        parts.append("not mentioned since")
    return ", ".join(parts)


@pytest.mark.parametrize("seed", range(5))
async def test_every_status_is_what_was_planted(store: Store, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311  # not a secret
    drawn = [plant(draw, number) for number in range(9)]
    await put(store, *(one.planted for one in drawn))
    by_name = {one.planted.name: one for one in drawn}
    asked = drawn[0].planted
    found = await timeline(store, f"{asked.name}-{asked.views[0]}", limit=100)
    assert {one.study_id for one in found.studies} == set(by_name)
    for name in FINDINGS:
        expected = [truth(name, by_name[one.study_id], drawn) for one in found.studies]
        if any(expected):
            assert found.findings[name] == expected, name
    assert set(found.findings) <= set(FINDINGS)
