"""`mcp-cxr pull` from a PACS that answers in its own way, with documents that are bombs, and pulls that are killed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.pacs.hospital import CHEST, CHEST_IMAGES, CT, HAND, deep_report, pdf_report, text_report, whole_hospital
from tests.pacs.pulling import Archive
from tests.standins.dicomweb import StandIn

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.pacs
KILLS = 30


def test_a_busy_pacs_is_asked_again_after_the_time_it_names(standin: StandIn, archive: Archive) -> None:
    fault = {"kind": "status", "status": 503, "headers": {"Retry-After": "1"}, "times": 2, "at": "retrieve"}
    standin.configure(fault=fault)
    assert archive.pull(standin.dicomweb).code == 0
    assert len(archive.images()) == CHEST_IMAGES


def test_a_file_that_comes_byte_by_byte_comes(standin: StandIn, archive: Archive) -> None:
    standin.fail("trickle", at="retrieve", times=1)
    assert archive.pull(standin.dicomweb).code == 0
    assert len(archive.images()) == CHEST_IMAGES


def test_a_redirect_to_another_server_is_not_followed(standin: StandIn, archive: Archive, tmp_path: Path) -> None:
    with StandIn(tmp_path / "elsewhere") as elsewhere:
        elsewhere.serve(whole_hospital())
        standin.configure(fault={"kind": "status", "status": 302, "headers": {"Location": elsewhere.dicomweb}})
        assert archive.pull(standin.dicomweb).code == 1
        assert elsewhere.record()["requests"] == []
    assert archive.images() == []


@pytest.mark.parametrize("ignored", [["limit"], ["offset"], ["limit", "offset"]])
@pytest.mark.parametrize("page", [5, 1000])
def test_a_pacs_that_ignores_pages_keeps_no_pull_running_and_is_named(
    ignored: list[str], page: int, standin: StandIn, archive: Archive
) -> None:
    standin.configure(ignores=ignored, page=page)
    pulled = archive.pull(standin.dicomweb)
    assert pulled.code == (1 if "offset" in ignored else 0)
    assert ("may have more than these" in pulled.err) is ("offset" in ignored)
    assert (len(archive.images()) == CHEST_IMAGES) is (page == 1000 or ignored == ["limit"])


def test_studies_beyond_the_asked_dates_are_not_stored(standin: StandIn, archive: Archive) -> None:
    """The server ignores the date range, and answers with everything it has."""
    standin.configure(ignores=["StudyDate"])
    archive.pull(standin.dicomweb, "--since", "2024-01-08")
    assert {date.replace("-", "") for _, date, _ in archive.studies()} <= {
        study.date for study in CHEST if study.date >= "20240108"
    }


def test_an_empty_answer_after_a_full_one_marks_and_removes_nothing(standin: StandIn, archive: Archive) -> None:
    standin.configure()
    assert archive.pull(standin.dicomweb).code == 0
    before = archive.images()
    standin.fail("empty", at="query")
    pulled = archive.pull(standin.dicomweb)
    assert pulled.code == 1
    assert archive.images() == before


def test_a_second_pull_fetches_nothing_again(standin: StandIn, archive: Archive) -> None:
    standin.configure()
    assert archive.pull(standin.dicomweb).code == 0
    assert not any(uid in target for target in standin.requests("retrieve") for uid in (HAND.uid, CT.uid))
    assert {one["accept-encoding"] for one in standin.record()["requests"]} == {"identity"}
    standin.configure()
    assert archive.pull(standin.dicomweb).code == 0
    assert standin.requests("retrieve") == []


def test_a_report_10000_levels_deep_and_bombs_are_not_read_and_images_come(tmp_path: Path, archive: Archive) -> None:
    bombs = [
        deep_report(CHEST[3], 10_000),
        text_report(CHEST[4], "FINDINGS: " + "Very long. " * (1 << 21)),
        pdf_report(CHEST[5], "FINDINGS: A bomb.", spaces=1 << 29),
    ]
    with StandIn(tmp_path / "standin") as standin:
        standin.serve([*whole_hospital(), *bombs])
        archive.pull(standin.dicomweb)
    assert len(archive.images()) == CHEST_IMAGES
    reports = [report for *_, report in archive.studies() if report]
    assert len(reports) == 3, "the long one is cut"
    assert max(map(len, reports)) <= 1 << 20


def test_thirty_killed_pulls_lose_and_double_nothing(standin: StandIn, tmp_path: Path, whole: Archive) -> None:
    draw = random.Random(24)  # noqa: S311  # the same kills in every run
    archive = Archive(tmp_path / "0", {})
    archive.share_key_of(whole)
    for number in range(1, KILLS + 1):
        left = CHEST_IMAGES - len(archive.images())
        if left < 4:
            archive = Archive(tmp_path / str(number), {})
            archive.share_key_of(whole)
        standin.fail("hang", at="retrieve", after=draw.randrange(4))
        with archive.start(standin.dicomweb) as process:
            standin.wait_for_held()
            process.kill()
        assert set(archive.images()) <= set(whole.images())
    standin.configure()
    assert archive.pull(standin.dicomweb).code == 0
    assert archive.images() == whole.images()
