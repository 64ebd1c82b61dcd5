"""`mcp-cxr pull` from a simulated PACS, and what `doctor` and `show` ask it afterwards."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.cli.conftest import told_by_tool
from tests.pacs.hospital import CHEST, image, text_report
from tests.server.archives import Ingested
from tests.standins.dicomweb import StandIn
from tests.support.archives import rows
from tests.support.image_files import dicom

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Command


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with StandIn(tmp_path_factory.mktemp("pacs")) as standin:
        yield standin


@pytest.fixture
def pacs(started: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_new: Command) -> StandIn:
    """A PACS of two images of today, which the settings name."""
    today = f"{dt.datetime.now(dt.UTC).date():%Y%m%d}"
    facts = {"Modality": "DX", "StudyDate": today}
    files = [dicom(tmp_path / f"{n}.dcm", n, **facts, SeriesInstanceUID=f"2.25.8{n}").read_bytes() for n in (1, 2)]
    started.serve(files)
    monkeypatch.setenv("MCP_CXR_PACS_URL", started.dicomweb)
    return started


def test_a_pull_says_what_it_would_fetch_what_it_added_and_what_it_knows(pacs: StandIn, on_new: Command) -> None:
    counted, pulled, again = on_new("pull", "--dry-run"), on_new("pull"), on_new("pull", pacs.dicomweb)
    assert [done.code for done in (counted, pulled, again)] == [0, 0, 0]
    for said in ("Nothing was fetched: a dry run.", "Would be fetched: 2 images", "Total images in database: 0"):
        assert said in counted.out
    for said in ("Pull complete.", "Fetched: 2 (", "Successfully added: 2", "Total images in database: 2"):
        assert said in pulled.out
    for said in ("Files known from earlier pulls: 2", "Fetched: 0 (", "Total images in database: 2"):
        assert said in again.out
    assert "Nothing was removed" in on_new("pull", "--remove-gone").out


def test_a_file_that_only_the_pacs_keeps_is_fetched_again_once(
    pacs: StandIn, on_new: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_new("pull")
    ((image_id,),) = rows(tmp_path / "data", "SELECT image_id FROM images ORDER BY image_id LIMIT 1")
    pacs.configure(folder=str(pacs.folder))
    for _ in range(2):
        assert on_new("show", image_id, "--png", tmp_path / "image.png").code == 0
    assert (tmp_path / "image.png").stat().st_size
    assert len(pacs.requests("retrieve")) == 1
    monkeypatch.delenv("MCP_CXR_PACS_URL")
    ((other,),) = rows(tmp_path / "data", "SELECT image_id FROM images ORDER BY image_id DESC LIMIT 1")
    assert "set MCP_CXR_PACS_URL" in on_new("show", other, "--png", tmp_path / "other.png").error


def test_a_model_is_given_reports_of_the_pacs_only_once_they_are_confirmed(
    pacs: StandIn, on_new: Command, tmp_path: Path
) -> None:
    pacs.serve([image(CHEST[0], 1, "PA"), text_report(CHEST[0], "Small left effusion beside the hilum.")])
    archive = Ingested(cast("Any", None), tmp_path / "data")
    given = []
    for flags in ([], ["--reports-as-they-are"]):
        assert "Reports: " in on_new("pull", *flags).out
        found = told_by_tool(archive, "search_medical_images", query="effusion")
        given.append((len(found["images"]), "beside the" in json.dumps(found)))
    assert given == [(1, False), (1, True)]
    assert "left effusion beside the hilum" in rows(tmp_path / "data", "SELECT report FROM studies")[0][0]


def test_doctor_names_the_step_at_which_a_pacs_fails(pacs: StandIn, on_new: Command) -> None:
    assert "retrieval: one file of" in on_new("doctor").out
    for at, step in (("query", "query"), ("retrieve", "retrieval")):
        pacs.configure(folder=str(pacs.folder), fault={"kind": "status", "status": 403, "at": at})
        done = on_new("doctor")
        assert done.code == 1
        assert re.search(rf"PACS +{step}\b", done.out)
    pacs.serve([])
    assert "no study of ten years with DX or CR" in on_new("doctor").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--modality", "D-X"], "--modality must be codes such as DX,CR."),
        (["--since", "2026-02-01", "--until", "2026-01-01"], "--since is after --until; swap them."),
        (["--patient", " "], "--patient is empty: name an id, or leave it out."),
        ([], "Name the PACS: "),
        (["http://pacs.example/dicom-web"], "The URL of a PACS must start with https://"),
    ],
)
def test_wrong_use_is_an_error(on_new: Command, words: list[str], message: str) -> None:
    url = ["http://127.0.0.1:1/dicom-web"] if words and words[0].startswith("--") else []
    done = on_new("pull", *url, *words)
    assert done.code == 2
    assert message in done.error


@pytest.mark.parametrize(
    ("login", "message"),
    [
        ({"TOKEN": "t", "USER": "u", "PASSWORD": "p"}, "Set either MCP_CXR_PACS_TOKEN, or"),
        ({"USER": "u"}, "Set both MCP_CXR_PACS_USER and MCP_CXR_PACS_PASSWORD, or neither."),
        ({"TOKEN": "\u00fc"}, "MCP_CXR_PACS_TOKEN holds a character that is not printable ASCII"),
        ({"TOKEN": "a\x7fb"}, "MCP_CXR_PACS_TOKEN holds a character that is not printable ASCII"),
    ],
)
def test_a_login_that_cannot_be_used_is_an_error(
    on_new: Command, monkeypatch: pytest.MonkeyPatch, login: dict[str, str], message: str
) -> None:
    for name, value in login.items():
        monkeypatch.setenv(f"MCP_CXR_PACS_{name}", value)
    done = on_new("pull", "http://127.0.0.1:1/dicom-web")
    assert done.code == 2
    assert message in done.error
