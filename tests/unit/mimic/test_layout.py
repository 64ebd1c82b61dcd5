"""Ids and report paths derived from MIMIC-CXR paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_cxr.mimic import ids_of, report_paths

IMAGE = "02aa804e-bde0afdd-112c0b34-7bc16630-4e384014"


@pytest.mark.parametrize("ending", [".dcm", ".dcm.gz", ".jpg", ".jpeg", ".png"])
def test_a_mimic_path_contains_all_ids(ending: str) -> None:
    ids = ids_of(Path(f"/data/files/p10/p10000032/s50414267/{IMAGE}{ending}"))
    assert ids
    assert (ids.image_id, ids.study_id, ids.subject_id) == (IMAGE, "s50414267", "p10000032")


@pytest.mark.parametrize(
    "path",
    [
        f"/data/files/p11/p10000032/s50414267/{IMAGE}.dcm",  # not the subject's group
        f"/data/files/p10/p1000003/s50414267/{IMAGE}.dcm",
        f"/data/files/p10/p10000032/50414267/{IMAGE}.dcm",
        f"/data/files/p10/p10000032/s50414267/{IMAGE}.txt",
        "/data/files/p10/p10000032/s50414267/image.dcm",
        f"/data/xp10/p10000032/s50414267/{IMAGE}.dcm",
    ],
)
def test_any_other_path_contains_no_ids(path: str) -> None:
    assert ids_of(Path(path)) is None


def test_a_report_is_searched_beside_the_study_then_in_companion_folders() -> None:
    image = Path(f"/data/files/p10/p10000032/s50414267/{IMAGE}.dcm")
    assert tuple(report_paths(image, (Path("/reports"),))) == (
        Path("/data/files/p10/p10000032/s50414267.txt"),
        Path("/reports/files/p10/p10000032/s50414267.txt"),
        Path("/reports/mimic-cxr-reports/files/p10/p10000032/s50414267.txt"),
    )
