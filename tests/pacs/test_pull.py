"""`mcp-cxr pull` from Debian's Orthanc: what comes, what does not, and what changes at the source."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.pacs.hospital import CHEST, CHEST_IMAGES, CHEST_STUDIES, PATIENTS, image, whole_hospital
from tests.pacs.orthanc import Orthanc
from tests.pacs.pulling import Archive

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.pacs


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "data", {"PATH": os.environ["PATH"]})


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


def test_what_is_added_and_changed_at_the_source_comes_and_what_is_deleted_stays(
    tmp_path: Path, archive: Archive
) -> None:
    with Orthanc(tmp_path / "pacs") as pacs:
        pacs.add(whole_hospital())
        assert archive.pull(pacs.dicomweb).code == 0
        before = archive.images()
        added = image(CHEST[7], 3, "PA")
        pacs.add([added, image(CHEST[1], 1, "PA", seed=999)])
        pacs.remove_study(CHEST[2].uid)
        archive.pull(pacs.dicomweb)
    after = archive.images()
    assert len(after) == CHEST_IMAGES + 1
    assert {one[0] for one in before} < {one[0] for one in after}
    assert len(set(before) - set(after)) == 1, "one image has another vector"


def test_a_wrong_password_is_refused_and_named_nowhere(tmp_path: Path) -> None:
    login = {"MCP_CXR_PACS_USER": "reader", "MCP_CXR_PACS_PASSWORD": "not-the-secret"}
    with Orthanc(tmp_path / "pacs", users={"reader": "secret"}) as pacs:
        pacs.add([image(CHEST[0], 1, "PA")])
        refused = Archive(tmp_path / "data", login).pull(pacs.dicomweb)
        assert refused.code != 0
        assert "MCP_CXR_PACS_PASSWORD" in refused.err
        assert "not-the-secret" not in refused.out + refused.err
        accepted = Archive(tmp_path / "data", login | {"MCP_CXR_PACS_PASSWORD": "secret"})
        assert accepted.pull(pacs.dicomweb).code == 0
        assert len(accepted.images()) == 1
