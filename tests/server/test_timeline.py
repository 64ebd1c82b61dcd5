"""get_patient_timeline: what a model is given of a patient's studies, and how much of its context that takes."""

from __future__ import annotations

import csv
import json
import re
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client

from mcp_cxr.archive import open_archive
from mcp_cxr.server import build_server
from tests.server.archives import environment, settings
from tests.server.conftest import host_of
from tests.server.test_dates import REFUSED, WITHHELD
from tests.support import image_files

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from mcp_cxr.settings import Settings
    from tests.server.conftest import Host

TIMELINE = "get_patient_timeline"
_MANY = (
    *("pleural effusion", "pneumothorax", "consolidation", "atelectasis", "rib fracture", "nodule", "scar"),
    *("pacemaker", "endotracheal tube", "hiatal hernia", "pulmonary edema", "scoliosis", "emphysema", "granuloma"),
)
REPORTS = (
    "No pleural effusion.",
    "New left pleural effusion. " + " ".join(f"Left {name}." for name in _MANY),
    "The left pleural effusion has resolved. " + " ".join(f"Possible {name}." for name in _MANY[1:]),
    "Lungs are clear.",
)
TIMES = ("070000", "101500.5", "101500", None)
"""Of the studies; the second and the third are on one day, a second apart at most."""
DATES = ("20190131", "20190305", "20190305", "20200229")
LEFT = "pleural effusion, left"


async def ingest(into: Settings, folder: Path) -> None:
    async with open_archive(into) as archive:
        await archive.ingest(folder)


@pytest.fixture(scope="module", params=["hash", "keep"])
def own(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An archive of one patient's images that are not MIMIC's."""
    folder = tmp_path_factory.mktemp("own")
    for number, (date, time) in enumerate(zip(DATES, TIMES, strict=True)):
        tags = {"StudyDate": date, "StudyTime": time, "PatientID": "4711", "ViewPosition": "PA"}
        image_files.dicom(folder / "in" / f"{number}.dcm", number + 1, **tags)
    with (folder / "in" / "images.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "report"), *((f"{n}.dcm", text) for n, text in enumerate(REPORTS))])
    made = settings(environment(folder / "data") | {"MCP_CXR_IDS": request.param})
    anyio.run(partial(ingest, made, folder / "in"))
    return made


@asynccontextmanager
async def hosting(own: Settings, *share: str) -> AsyncGenerator[Host]:
    async with Client(build_server(lambda: open_archive(own), share=share)) as client:
        yield await host_of(client)


async def asked(host: Host, **arguments: Any) -> dict[str, Any]:
    """Return the timeline of the second study's image."""
    (first,) = (await host.ask("search_medical_images", query="new left pleural effusion", limit=1))["images"]
    return await host.ask(TIMELINE, image_id=first["image_id"], **arguments)


@pytest.mark.parametrize("share", [("reports", "dates"), ("dates",)])
async def test_the_findings_are_those_that_reports_state_whether_their_words_are_shared(
    own: Settings, share: tuple[str, ...]
):
    async with hosting(own, *share) as host:
        found = await asked(host)
    assert [(one["study_date"], one["days"], one.get("order")) for one in found["studies"]] == [
        ("2019-03-05", 0, None),
        ("2019-03-05", 0, "same time"),
        ("2019-01-31", -33, None),
        ("2020-02-29", 361, None),
    ]
    assert found["findings"][LEFT] == ["present, new", "absent, gone", "absent", None]
    assert "Lungs" not in json.dumps(found)


async def test_days_stand_for_dates_and_times_that_are_not_shared(own: Settings):
    async with hosting(own, "reports") as host:
        found = await asked(host)
        image = await host.ask("get_image_metadata", image_id=found["studies"][0]["image_id"])
    assert [(one["days_since_first_study"], one["days"]) for one in found["studies"]] == [
        (33, 0),
        (33, 0),
        (0, -33),
        (394, 361),
    ]
    assert found["warnings"] == [WITHHELD]
    told = json.dumps([found, image])
    assert not re.search(r"\b(?:2019|2020)(?:\d{4})?\b|10:15|07:00|study_?time", told, re.IGNORECASE)


async def test_a_date_that_is_not_shared_cannot_be_asked_for(own: Settings):
    async with hosting(own, "reports") as host:
        (first,) = (await host.ask("search_medical_images", query="new left effusion", limit=1))["images"]
        for date in ("2019-03-01", " 2019-03-01 "):
            refused = await host.refused(TIMELINE, image_id=first["image_id"], before=date)
            assert refused == REFUSED.replace("date_from and date_to", "before, or give it a study_id")


async def test_studies_before_another_one_can_be_asked_for(own: Settings):
    async with hosting(own) as host:
        found = await asked(host)
        earlier = await asked(host, before=found["studies"][0]["study_id"])
    assert [one["days"] for one in earlier["studies"]] == [0, -33]
    assert earlier["total_studies"] == 4


@pytest.mark.parametrize("limit", [1, 3])
async def test_a_model_is_given_sixty_tokens_a_study_at_most(own: Settings, limit: int):
    async with hosting(own, "reports") as host:
        found = await asked(host, limit=limit)
    spent = {name: value for name, value in found.items() if name not in ("note", "warnings")}
    assert len(json.dumps(spent, separators=(",", ":"))) / 4 <= 60 * len(found["studies"])
    assert found["findings_left_out"] > 0
    assert LEFT in found["findings"]


async def test_the_owner_is_given_every_finding(own: Settings):
    async with hosting(own, "reports", "dates", "paths") as host:
        found = await asked(host)
    assert "findings_left_out" not in found
    assert [one.get("study_time") for one in found["studies"]] == ["10:15:00", "10:15:00", "07:00:00", None]
    assert len(found["findings"]) >= len(_MANY)


async def test_an_unknown_image_is_refused(own: Settings):
    async with hosting(own) as host:
        assert "no image nothing" in await host.refused(TIMELINE, image_id="nothing")
