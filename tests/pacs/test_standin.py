"""The simulated PACS answers as Orthanc does, until it is told to fail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.pacs.hospital import CHEST, deep_report, pdf_report, whole_hospital
from tests.standins.dicomweb import StandIn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pacs.orthanc import Orthanc

pytestmark = pytest.mark.pacs
UID = CHEST[0].uid
FILES = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*', "Accept-Encoding": "identity"}


@pytest.fixture(autouse=True)
def without_faults(standin: StandIn) -> None:
    standin.configure()


@pytest.mark.parametrize(
    "target",
    [
        "studies",
        "studies?ModalitiesInStudy=DX&StudyDate=20240101-20240107",
        "studies?StudyDate=20240105-",
        "studies?AccessionNumber=ACC00003",
        "studies?PatientID=MRN000001",
        "studies?StudyDates=20240101",
        f"studies?StudyInstanceUID={UID}",
        f"studies?StudyInstanceUID={UID}0",
        f"studies/{UID}/series?includefield=BodyPartExamined",
        f"studies/{UID}/instances?includefield=00180015&includefield=00185101",
        f"studies/{UID}/series/{UID}.1/instances",
        "instances?includefield=ViewPosition,BodyPartExamined",
        f"studies/{UID}/series/{UID}.9/instances/{UID}.9.1/metadata",
    ],
)
def test_an_answer_has_what_orthanc_answers(target: str, pacs: Orthanc, standin: StandIn) -> None:
    real, simulated = (_results(f"{root}/{target}") for root in (pacs.dicomweb, standin.dicomweb))
    names = set.intersection(*(set(one) for one in simulated)) if simulated else set()
    assert _values(simulated, names) == _values(real, names)


def test_pages_have_the_length_of_orthancs_and_all_studies_once(pacs: Orthanc, standin: StandIn) -> None:
    for root in (pacs.dicomweb, standin.dicomweb):
        pages = [_results(f"{root}/studies?limit=5&offset={offset}") for offset in (0, 5, 10, 15)]
        assert [len(page) for page in pages] == [5, 5, 2, 0]
        assert len({one["0020000D"]["Value"][0] for page in pages for one in page}) == 12


def test_a_retrieved_file_is_the_file_that_orthanc_sends(pacs: Orthanc, standin: StandIn) -> None:
    target = f"studies/{UID}/series/{UID}.1/instances/{UID}.1.2"
    real, simulated = (_parts(f"{root}/{target}") for root in (pacs.dicomweb, standin.dicomweb))
    assert simulated == real
    assert len(simulated) == 1
    assert len(_parts(f"{standin.dicomweb}/studies/{UID}")) == 3


def test_an_unknown_study_is_not_there(pacs: Orthanc, standin: StandIn) -> None:
    for root in (pacs.dicomweb, standin.dicomweb):
        assert httpx.get(f"{root}/studies/{UID}0", headers=FILES).status_code == 404


def test_it_fails_as_it_is_told_and_counts_what_was_requested(tmp_path: Path) -> None:
    with StandIn(tmp_path) as standin:
        standin.serve([*whole_hospital(), deep_report(CHEST[3], 10_000), pdf_report(CHEST[4], "", spaces=1 << 27)])
        studies, study = f"{standin.dicomweb}/studies", f"{standin.dicomweb}/studies/{UID}"
        standin.fail("status", status=503, headers={"Retry-After": "7"}, at="query", after=1, times=1)
        replies = [httpx.get(studies) for _ in range(3)]
        assert [reply.status_code for reply in replies] == [200, 503, 200]
        assert replies[1].headers["Retry-After"] == "7"
        assert standin.requests("query") == ["/dicom-web/studies"] * 3
        standin.configure(login=["Bearer right"])
        for token, status in (("right", 200), ("wrong", 401)):
            assert httpx.get(studies, headers={"Authorization": f"Bearer {token}"}).status_code == status
        standin.configure(ignores=["limit", "offset"])
        assert len(_results(f"{studies}?limit=5&offset=10")) == 12
        standin.fail("empty")
        assert _results(studies) == []
        standin.fail("other")
        assert not any(UID.encode() in part for part in _parts(study))
        standin.fail("cut", at="retrieve")
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(study, headers=FILES)
        standin.fail("endless", at="retrieve")
        with httpx.stream("GET", study, headers=FILES) as reply:
            assert sum(len(chunk) for chunk, _ in zip(reply.iter_raw(), range(500), strict=False)) > 1 << 20
        standin.configure()
        assert len(httpx.get(f"{standin.dicomweb}/studies/{CHEST[3].uid}", headers=FILES).content) > 1 << 19


def _results(url: str) -> list[dict[str, Any]]:
    return httpx.get(url, headers={"Accept": "application/dicom+json"}).raise_for_status().json()


def _values(found: list[dict[str, Any]], names: set[str]) -> list[str]:
    """Return the values of these attributes, in an order that does not depend on the server's."""
    return sorted(json.dumps({name: one.get(name, {}).get("Value") for name in names}, sort_keys=True) for one in found)


def _parts(url: str) -> list[bytes]:
    reply = httpx.get(url, headers=FILES).raise_for_status()
    boundary = reply.headers["Content-Type"].partition("boundary=")[2].strip('"').encode()
    return [part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for part in reply.content.split(b"--" + boundary)[1:-1]]
