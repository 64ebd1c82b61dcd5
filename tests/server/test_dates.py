"""Without `dates` in MCP_CXR_SHARE a model is given days since the first study, except of MIMIC's shifted dates."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client

from mcp_cxr.archive import open_archive
from mcp_cxr.server import build_server
from tests.server.archives import environment, settings, write_small_images
from tests.server.conftest import host_of
from tests.support import image_files

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from mcp_cxr.settings import Settings
    from tests.server.conftest import Host

SEARCH = "search_medical_images"
EVERY = {"view": ["PA"], "limit": 100}
FIRST = ("20190131", "20190131", "20200229", None)
"""Study dates of the first patient."""
OTHER = "20180704"
WITHHELD = (
    "Study dates are not shared; days since the patient's first study here are given. To share dates, add dates to"
    " MCP_CXR_SHARE and restart the server."
)
REFUSED = (
    "The model is given no study dates: leave out date_from and date_to. To share dates, add dates to MCP_CXR_SHARE and"
    " restart the server."
)


def dated(folder: Path, number: int, patient: str, date: str | None) -> None:
    """Write one image, a study of its own."""
    image_files.dicom(folder / f"{number}.dcm", number, PatientID=patient, StudyDate=date, ViewPosition="PA")


async def ingest(into: Settings, folder: Path, *, images: int) -> None:
    async with open_archive(into) as archive:
        assert (await archive.ingest(folder)).added == images


@pytest.fixture(scope="module", params=["hash", "keep"])
def own(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An archive of images that are not MIMIC's."""
    folder = tmp_path_factory.mktemp("own")
    for number, date in enumerate(FIRST, start=1):
        dated(folder / "in", number, "4711", date)
    dated(folder / "in", 9, "0815", OTHER)
    made = settings(environment(folder / "data") | {"MCP_CXR_IDS": request.param})
    anyio.run(partial(ingest, made, folder / "in", images=5))
    return made


@asynccontextmanager
async def hosting(own: Settings, *share: str) -> AsyncGenerator[Host]:
    async with Client(build_server(lambda: open_archive(own), share=share)) as client:
        yield await host_of(client)


async def everything(host: Host) -> list[Any]:
    """Return the answers that could hold a date."""
    page = await host.ask(SEARCH, **EVERY)
    images = [await host.ask("get_image_metadata", image_id=hit["image_id"]) for hit in page["images"]]
    return [page, *images, await host.ask("get_archive_overview")]


async def test_days_since_the_first_study_stand_for_dates(own: Settings):
    async with hosting(own, "reports", "images") as host:
        page, *images = await everything(host)
        patients: dict[str, list[int | None]] = {}
        for hit in page["images"]:
            patients.setdefault(hit["subject_id"], []).append(hit.get("days_since_first_study"))
        assert sorted(patients.values(), key=len) == [[0], [394, 0, 0, None]]  # newest first
        assert page["warnings"].count(WITHHELD) == 1
        for hit, image in zip(page["images"], images, strict=False):
            assert image["days_since_first_study"] == hit.get("days_since_first_study")
            assert (WITHHELD in image["warnings"]) == ("days_since_first_study" in hit)
        told = json.dumps([page, *images])
        assert not any(date in told for date in ("2018-", "2019-", "2020-", *filter(None, FIRST), OTHER))


@pytest.mark.parametrize("dates", [{"date_from": "2019-01-31"}, {"date_to": " 2019-01-31 "}, {"date_from": "nonsense"}])
@pytest.mark.parametrize("other", [{}, {"query": "effusion"}, {"offset": 50}])
async def test_date_filters_are_refused_whatever_they_would_find(
    own: Settings, dates: dict[str, str], other: dict[str, Any]
):
    async with hosting(own) as host:
        assert await host.refused(SEARCH, **dates, **other) == REFUSED


async def test_blank_date_filters_are_no_filters(own: Settings):
    async with hosting(own) as host:
        assert (await host.ask(SEARCH, date_from=" ", date_to="", **EVERY))["results_count"] == 5


async def test_dates_that_are_shared_are_given_and_searched(own: Settings):
    async with hosting(own, "dates") as host:
        page, *images = await everything(host)
        assert [hit.get("study_date") for hit in page["images"]] == [
            "2020-02-29",
            "2019-01-31",
            "2019-01-31",
            "2018-07-04",
            None,
        ]
        assert images[0]["study_date"] == "2020-02-29"
        assert "days_since_first_study" not in page["images"][0]
        assert (await host.ask(SEARCH, date_from="2019-02-01"))["results_count"] == 1
        assert WITHHELD not in json.dumps([page, *images])


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
async def test_kept_ids_of_mimic_s_shape_give_no_date(tmp_path: Path):
    """A header may have any id; only files in MIMIC-CXR's layout have its dates."""
    ids = {
        "PatientID": "p10000001",
        "StudyInstanceUID": "s50000001",
        "SOPInstanceUID": "-".join(["00000001"] * 5),
    }
    image_files.dicom(tmp_path / "in" / "1.dcm", 1, **ids, StudyDate=OTHER, ViewPosition="PA")
    made = settings(environment(tmp_path / "data") | {"MCP_CXR_IDS": "keep"})
    await ingest(made, tmp_path / "in", images=1)
    async with hosting(made) as host:
        page, image, _ = await everything(host)
        assert page["images"][0]["subject_id"] == "p10000001"
        assert "study_date" not in page["images"][0]
        assert (image["study_date"], image["days_since_first_study"]) == (None, 0)


async def test_shifted_dates_of_mimic_are_given_unless_other_images_are_in_the_archive(tmp_path: Path):
    images = tmp_path / "in"
    (image_id,) = write_small_images(images, 1)
    (images / "mimic-cxr-2.0.0-metadata.csv").write_text(
        f"dicom_id,subject_id,study_id,ViewPosition,StudyDate,StudyTime\n{image_id},10000000,50000000,PA,21800506,1.0\n"
    )
    mixed = settings(environment(tmp_path / "data"))
    await ingest(mixed, images, images=1)
    async with hosting(mixed) as host:
        (hit,) = (await host.ask(SEARCH, date_from="2180-05-06"))["images"]
        assert hit["study_date"] == "2180-05-06"
        assert (await host.ask("get_image_metadata", image_id=image_id))["study_date"] == "2180-05-06"
    dated(tmp_path / "own", 7, "4711", OTHER)
    await ingest(mixed, tmp_path / "own", images=1)
    async with hosting(mixed) as host:
        shown = {hit.get("study_date") for hit in (await host.ask(SEARCH, **EVERY))["images"]}
        assert shown == {"2180-05-06", None}
        assert await host.refused(SEARCH, date_from="2180-05-06") == REFUSED
