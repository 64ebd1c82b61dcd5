"""`mcp-cxr pull` from a PACS that fails: nothing hangs, nothing foreign is stored, and the next pull completes it."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.pacs.hospital import CHEST, CHEST_IMAGES, CT, HAND, deep_report, pdf_report, text_report, whole_hospital
from tests.pacs.pulling import Archive
from tests.standins.dicomweb import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.pacs
KILLS = 30
DEEP_JSON = '[{"0040A730":{"vr":"SQ","Value":' * 10_000


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with StandIn(tmp_path_factory.mktemp("standin")) as started:
        started.serve(whole_hospital())
        yield started


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "data", {})


@pytest.fixture(scope="module")
def whole(standin: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Return the archive of one undisturbed pull."""
    archive = Archive(tmp_path_factory.mktemp("whole"), {})
    standin.configure()
    assert archive.pull(standin.dicomweb).code == 0
    assert len(archive.images()) == CHEST_IMAGES
    return archive


def share_key(whole: Archive, archive: Archive) -> None:
    """Let an archive give the ids that another one gives."""
    archive.data.mkdir(exist_ok=True)
    shutil.copy(whole.data / "id.key", archive.data)


@pytest.mark.parametrize(
    "fault",
    [
        *(
            {"kind": "status", "status": status, "at": at}
            for at in ("query", "retrieve")
            for status in (401, 403, 404, 500)
        ),
        *({"kind": kind, "at": "query"} for kind in ("yes", "cut", "drop", "gzip", "empty")),
        *({"kind": kind, "at": "retrieve"} for kind in ("yes", "cut", "drop", "gzip", "empty", "other", "endless")),
        *({"kind": kind, "at": "retrieve"} for kind in ("wrong boundary", "no boundary")),
        {"kind": "raw", "at": "query", "body": DEEP_JSON},
        {"kind": "raw", "at": "query", "body": '[{"0020000D": null}, {"0020000D": {"Value": ["../../etc"]}}, 7]'},
        {"kind": "raw", "at": "query", "body": '{"not": "a list"}'},
    ],
    ids=lambda fault: f"{fault['kind']} {fault.get('status', '')} at {fault['at']}",
)
def test_a_failed_pull_ends_with_a_message_and_the_next_one_completes_the_archive(
    fault: dict[str, Any], standin: StandIn, archive: Archive, whole: Archive
) -> None:
    share_key(whole, archive)
    standin.configure(fault=fault)
    failed = archive.pull(standin.dicomweb)
    assert failed.code == 1
    assert "Error: " in failed.err
    assert set(archive.images()) <= set(whole.images())
    standin.configure()
    assert archive.pull(standin.dicomweb).code == 0
    assert archive.images() == whole.images()
    assert archive.studies() == whole.studies()


def test_a_busy_pacs_is_asked_again_after_the_time_it_names(standin: StandIn, archive: Archive) -> None:
    fault = {"kind": "status", "status": 503, "headers": {"Retry-After": "1"}, "times": 2, "at": "retrieve"}
    standin.configure(fault=fault)
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
def test_a_pacs_that_ignores_pages_does_not_keep_a_pull_running(
    ignored: list[str], page: int, standin: StandIn, archive: Archive
) -> None:
    standin.configure(ignores=ignored, page=page)
    pulled = archive.pull(standin.dicomweb)
    complete = page == 1000 or ignored == ["limit"]
    assert (pulled.code, len(archive.images()) == CHEST_IMAGES) == ((0, True) if complete else (1, False))


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
    assert len(reports) == 2
    assert max(map(len, reports)) < 1 << 20


def test_thirty_killed_pulls_lose_and_double_nothing(standin: StandIn, tmp_path: Path, whole: Archive) -> None:
    draw = random.Random(24)  # noqa: S311  # the same kills in every run
    archive = Archive(tmp_path / "0", {})
    share_key(whole, archive)
    for number in range(1, KILLS + 1):
        left = CHEST_IMAGES - len(archive.images())
        if left < 4:
            archive = Archive(tmp_path / str(number), {})
            share_key(whole, archive)
        standin.fail("hang", at="retrieve", after=draw.randrange(4))
        with archive.start(standin.dicomweb) as process:
            standin.wait_for_held()
            process.kill()
        assert set(archive.images()) <= set(whole.images())
    standin.configure()
    assert archive.pull(standin.dicomweb).code == 0
    assert archive.images() == whole.images()
