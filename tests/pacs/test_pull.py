"""`mcp-cxr pull` from Debian's Orthanc: what comes, what does not, and what changes at the source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pacs.hospital import CHEST, CHEST_IMAGES, CHEST_STUDIES, PATIENTS, image, text_report, whole_hospital
from tests.pacs.orthanc import Orthanc
from tests.pacs.pulling import Archive
from tests.pacs.tls_relay import tls_relay
from tests.standins.iris import make_authority

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.pacs


def test_chest_images_come_with_their_reports_and_a_hand_and_a_ct_do_not(pacs: Orthanc, archive: Archive) -> None:
    assert archive.pull(pacs.dicomweb).code == 0
    images = archive.images()
    assert len(images) == CHEST_IMAGES
    assert len({study for _, study, *_ in images}) == CHEST_STUDIES
    assert len({subject for _, _, subject, *_ in images}) == PATIENTS
    assert sorted(view for *_, view, _ in images) == ["LL"] * 10 + ["PA"] * 10
    reports = [report for *_, report in archive.studies() if report]
    assert any("Moderate left pleural effusion" in report for report in reports)
    assert any("Cardiomegaly without edema" in report for report in reports)
    assert len(reports) == 2


def test_a_dry_run_counts_and_stores_nothing(pacs: Orthanc, archive: Archive) -> None:
    shown = archive.pull(pacs.dicomweb, "--dry-run")
    assert shown.code == 0
    assert str(CHEST_IMAGES) in shown.out + shown.err
    assert archive.images() == []


def test_a_date_a_modality_an_accession_number_and_a_limit_narrow_a_pull(pacs: Orthanc, tmp_path: Path) -> None:
    expected = {
        ("--since", "2024-01-08"): 6,
        ("--modality", "CR"): 4,
        ("--accession", CHEST[3].accession): 2,
    }
    for number, (flags, images) in enumerate(expected.items()):
        archive = Archive(tmp_path / str(number), {})
        assert archive.pull(pacs.dicomweb, *flags).code == 0
        assert len(archive.images()) == images, flags


def test_what_is_added_comes_a_final_report_replaces_its_draft_and_what_is_deleted_stays(
    tmp_path: Path, archive: Archive
) -> None:
    """An image changed under its UID, which DICOM forbids, is not fetched again."""
    study = CHEST[1]
    with Orthanc(tmp_path / "pacs") as pacs:
        draft = text_report(study, "IMPRESSION: Possible pneumonia.", verified=False, complete=False)
        pacs.add([*whole_hospital(), draft])
        assert archive.pull(pacs.dicomweb).code == 0
        before = archive.images()
        assert reports_with("Possible pneumonia", archive) == 1
        final = text_report(study, "IMPRESSION: No pneumonia.", instance=2)
        pacs.add([image(CHEST[7], 3, "PA"), image(study, 1, "PA", seed=999), final])
        pacs.remove_study(CHEST[2].uid)
        assert archive.pull(pacs.dicomweb).code == 0
    assert set(before) < set(archive.images())
    assert len(archive.images()) == CHEST_IMAGES + 1
    assert (reports_with("Possible pneumonia", archive), reports_with("No pneumonia", archive)) == (0, 1)


def reports_with(text: str, archive: Archive) -> int:
    return sum(text in (report or "") for *_, report in archive.studies())


def test_a_wrong_password_is_refused_and_named_nowhere(tmp_path: Path) -> None:
    login = {"MCP_CXR_PACS_USER": "reader", "MCP_CXR_PACS_PASSWORD": "not-the-secret"}
    with Orthanc(tmp_path / "pacs", users={"reader": "secret"}) as pacs:
        pacs.add([image(CHEST[0], 1, "PA")])
        refused = Archive(tmp_path / "data", login).pull(pacs.dicomweb)
        assert refused.code != 0
        assert "MCP_CXR_PACS_USER" in refused.err
        assert "not-the-secret" not in refused.out + refused.err
        accepted = Archive(tmp_path / "data", login | {"MCP_CXR_PACS_PASSWORD": "secret"})
        assert accepted.pull(pacs.dicomweb).code == 0
        assert len(accepted.images()) == 1


def test_tls_needs_the_file_of_a_private_authority(tmp_path: Path) -> None:
    make_authority(tmp_path / "tls")
    with Orthanc(tmp_path / "pacs") as pacs, tls_relay(tmp_path / "tls", pacs.port) as port:
        pacs.add([image(CHEST[0], 1, "PA")])
        url = f"https://localhost:{port}/dicom-web"
        refused = Archive(tmp_path / "data", {}).pull(url)
        assert refused.code == 1
        assert "MCP_CXR_PACS_CA_FILE" in refused.err
        trusting = Archive(tmp_path / "data", {"MCP_CXR_PACS_CA_FILE": str(tmp_path / "tls" / "ca.pem")})
        assert trusting.pull(url).code == 0
        assert len(trusting.images()) == 1
