"""A study's own identifiers in its report, in their usual spellings; words of the report stay."""

from __future__ import annotations

import pytest

from mcp_cxr.pacs._mask_identifiers import mask_identifiers


def masked(report: str) -> str:
    return mask_identifiers(
        report, names=["Müller-White^Anna Maria^J"], ids=["0012345", "ACC-77/2026"], birth_dates=["19500312"]
    )


@pytest.mark.parametrize(
    "written",
    [
        "Anna Müller-White",
        "MUELLER-WHITE, ANNA".replace("UE", "Ü"),
        "Muller-White Anna Maria",
        "Anna M. Müller",
        "anna maria white",
        "White, Anna J.",
    ],
)
def test_names_in_any_order(written: str):
    report = masked(f"Report on {written}: no effusion.")
    assert report.startswith("Report on ___")
    assert report.endswith("no effusion.")
    assert not {"anna", "müller", "white", "muller"} & set(report.lower().replace(",", " ").split())


def test_a_word_of_reports_is_masked_only_as_a_name():
    report = "Small left effusion. Mrs. Small is stable. Discussed with Anna Small. Small, Anna. Anna agreed."
    assert mask_identifiers(report, names=["Small^Anna"], ids=[], birth_dates=[]) == (
        "Small left effusion. Mrs. ___ is stable. Discussed with ___. ___. ___ agreed."
    )


@pytest.mark.parametrize("written", ["0012345", "12345", "00012345", "ACC-77/2026", "acc 77 2026", "ACC772026"])
def test_ids(written: str):
    assert masked(f"Id {written}, see above") == "Id ___, see above"


def test_an_id_within_a_number_is_not_one():
    assert masked("Serial 9123456 and 123457") == "Serial 9123456 and 123457"


@pytest.mark.parametrize(
    "written",
    [
        "19500312",
        "1950-03-12",
        "12.03.1950",
        "12.3.50",
        "3/12/1950",
        "12/03/1950",
        "12 March 1950",
        "12th of March, 1950",
        "March 12, 1950",
        "Mar 12, 1950",
        "12-Mar-1950",
    ],
)
def test_birth_dates(written: str):
    assert masked(f"born {written}.") == "born ___."


def test_other_dates_stay():
    assert masked("Compared with 12.03.2025 and 1950 cases.") == "Compared with 12.03.2025 and 1950 cases."


def test_nothing_to_mask():
    assert (
        mask_identifiers("Clear.", names=[None, "", "^^"], ids=[None, "", "1"], birth_dates=[None, "", "x"]) == "Clear."
    )
