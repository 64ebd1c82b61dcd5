"""MIMIC-CXR's paths spell out ids, and say where reports may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_cxr.mimic import ids_of, report_places

IMAGE = "02aa804e-bde0afdd-112c0b34-7bc16630-4e384014"


@pytest.mark.parametrize("ending", [".dcm", ".dcm.gz", ".jpg", ".jpeg", ".png"])
def test_a_path_of_mimic_spells_out_all_ids(ending: str) -> None:
    ids = ids_of(Path(f"/data/files/p10/p10000032/s50414267/{IMAGE}{ending}"))
    assert ids
    assert (ids.image_id, ids.study_id, ids.subject_id) == (IMAGE, "s50414267", "p10000032")


@pytest.mark.parametrize(
    "path",
    [
        f"/data/files/p11/p10000032/s50414267/{IMAGE}.dcm",  # the group is not the subject's
        f"/data/files/p10/p1000003/s50414267/{IMAGE}.dcm",
        f"/data/files/p10/p10000032/50414267/{IMAGE}.dcm",
        f"/data/files/p10/p10000032/s50414267/{IMAGE}.txt",
        "/data/files/p10/p10000032/s50414267/film.dcm",
        f"/data/xp10/p10000032/s50414267/{IMAGE}.dcm",
    ],
)
def test_any_other_path_spells_out_nothing(path: str) -> None:
    assert ids_of(Path(path)) is None


def test_a_report_is_looked_for_beside_the_study_then_in_companion_trees() -> None:
    film = Path(f"/data/files/p10/p10000032/s50414267/{IMAGE}.dcm")
    assert tuple(report_places(film, (Path("/reports"),))) == (
        Path("/data/files/p10/p10000032/s50414267.txt"),
        Path("/reports/files/p10/p10000032/s50414267.txt"),
        Path("/reports/mimic-cxr-reports/files/p10/p10000032/s50414267.txt"),
    )
