"""No name of a file or folder reaches a model, except in MIMIC-CXR's layout from `p10/` on."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from mcp_cxr.archive import Archive, open_archive
from mcp_cxr.errors import ConfigError, CxrError
from mcp_cxr.records import VIEWER_URI
from mcp_cxr.server import build_server
from mcp_cxr.server._redaction import HIDDEN_PATH_NOTE, redact_image_details
from tests.server.archives import environment, settings
from tests.support.archives import DATABASE, ingested, opened, rows
from tests.support.image_files import dicom, mimic, plain, report

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

NAMES = ("Roe", "roe", "Jane", "1950")
MIMIC_ID = "-".join(["00000001"] * 5)
SEARCH, FACTS, VIEW = "search_medical_images", "get_image_metadata", "view_image"


def everything(result: Any) -> str:
    """Return all that a host is given of a result."""
    return json.dumps(result.model_dump(mode="json"), ensure_ascii=False)


def hides_the_names(result: Any) -> str:
    told = everything(result)
    assert not [name for name in NAMES if name in told], told[:2000]
    return told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder named after a patient, as are its files; in it a tree of MIMIC's, under a patient's name, too."""
    folder = tmp_path / "Roe^Jane 1950-03-12 (a; b)"
    report(mimic(folder / "Jane", 1), "FINDINGS: Left pleural effusion.")
    dicom(folder / "Roe Jane" / "Roe^Jane, chest (1).dcm", 2)
    plain(folder / "Jane" / "p10" / "p10000009" / "s50000009" / "Roe_Jane.png", 3)
    (folder / "letter Jane Roe.dcm").write_text("Dear colleague,")
    (folder / "Roe_Jane.csv").write_text("Roe,Jane,1950\n1,2,3\n")
    (folder / "images.csv").write_text("path,Roe Jane\nroe.dcm,1950\n")
    (folder / "metadata Roe.csv").write_text("dicom_id,study_id\n1,2\n")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def host(folder: Path, data: Path) -> AsyncIterator[Client]:
    (data.parent / "link").symlink_to(folder)
    given = settings(environment(data, roots=data.parent / "link"))
    async with open_archive(given) as archive:
        await archive.ingest(folder, workers=1)
    server = build_server(lambda: open_archive(given), share=("reports", "images"))
    async with Client(server) as client:
        yield client


async def ids_of(host: Client) -> list[str]:
    page = (await host.call_tool(SEARCH, {"view": ["PA", "UNKNOWN", "OTHER"], "group": "none"})).structured_content
    assert page
    return [hit["image_id"] for hit in page["images"]]


async def test_no_tool_names_a_folder_or_file_of_a_patient(host: Client):
    image_ids = await ids_of(host)
    assert len(image_ids) == 3
    calls: list[tuple[str, dict[str, Any]]] = [
        (SEARCH, {"query": "effusion", "group": "none"}),
        (SEARCH, {"view": ["PA", "UNKNOWN"], "group": "none"}),
        (SEARCH, {"like": [image_ids[0]], "group": "none"}),
        ("get_archive_overview", {}),
        (VIEW, {"image_id": image_ids, "max_px": 64}),
        *((tool, {"image_id": image_id}) for tool in (FACTS, VIEW, "get_image_pixels") for image_id in image_ids),
    ]
    for tool, arguments in calls:
        result = await host.call_tool(tool, arguments)
        assert not result.is_error
        hides_the_names(result)


async def test_a_path_of_mimic_begins_with_its_patient_folder(host: Client):
    shown = [
        (await host.call_tool(FACTS, {"image_id": image_id})).structured_content for image_id in await ids_of(host)
    ]
    paths = {each["image_id"]: each["image_path"] for each in shown if each}
    assert paths.pop(MIMIC_ID) == f"p10/p10000001/s50000001/{MIMIC_ID}.dcm"
    assert set(paths.values()) == {HIDDEN_PATH_NOTE}


@pytest.mark.parametrize(
    "path",
    [
        "Roe/{id}.dcm",
        "p10/Roe/s50000001/{id}.dcm",
        "p10/p10000001/Roe/{id}.dcm",
        "p10/p10000001/s50000001/Roe/{id}.dcm",
        "p10/p10000001/s50000001/{id} Roe.dcm",
        "p10/p10000001/s50000001/{id}.Roe",
        "p10/p10000001/s50000001/{id}.dcm.roe",
        "p10/p10000001/s50000001/Roe{id}.dcm",
        "p10/p10001950/s50000001/{id}.dcm",
        "p10/p10000001/s50001950/{id}.dcm",
        "p19/p10000001/s50000001/{id}.1950",
        "Roe_p10/p10000001/s50000001/{id}.dcm/Roe",
        "p10/p10000001/s50000001/../Roe/{id}.dcm",
        "p10\\p10000001\\s50000001\\Roe{id}.dcm",
        "p10/p10000001/s50000001/{id}.dcm\nRoe",
        "p\u0661\u0660/p10000001/s50000001/{id}.roe",
    ],
)
async def test_a_path_that_is_not_wholly_of_mimics_shape_is_hidden(data: Path, tmp_path: Path, path: str):
    mimic(tmp_path / "images", 1)
    await ingested(data, tmp_path / "images")
    rows(data, "UPDATE images SET image_path = ?", path.format(id=MIMIC_ID))
    async with opened(data) as archive:
        assert redact_image_details(await archive.show(MIMIC_ID), ()).image_path == HIDDEN_PATH_NOTE


@pytest.mark.parametrize(
    "name",
    [
        "Roe^Jane, chest (1).dcm",
        "Roe Jane/Roe^Jane, chest (1).dcm",
        "./Roe Jane/Roe^Jane, chest (1).dcm",
        "Jane/p10/p10000009/s50000009/Roe_Jane.png",
        "{elsewhere}/Roe^Jane.dcm",
        "Roe^Jane.dcm",
    ],
)
async def test_a_model_that_guesses_the_name_of_a_file_learns_nothing(
    host: Client, tmp_path: Path, data: Path, name: str
):
    """It may name files below MCP_CXR_ROOTS alone, by their whole path."""
    elsewhere = tmp_path / "elsewhere"
    dicom(elsewhere / "Roe^Jane.dcm", 7)
    async with open_archive(settings(environment(data))) as archive:
        await archive.ingest(elsewhere, workers=1)
    (image_id, *_) = await ids_of(host)
    named = name.format(elsewhere=elsewhere)
    guesses = named, named.replace("Jane", "Mary")
    calls: list[Callable[[str], tuple[str, dict[str, Any]]]] = [
        *(lambda each, tool=tool: (tool, {"image_id": each}) for tool in (FACTS, VIEW, "get_image_pixels")),
        lambda each: (VIEW, {"image_id": [image_id, each]}),
        lambda each: (SEARCH, {"like": [each]}),
        lambda each: (SEARCH, {"like": [image_id], "unlike": [each]}),
        lambda each: (SEARCH, {"view": ["PA"], "exclude_subject_of": each}),
    ]
    for call in calls:
        right, wrong = [await host.call_tool(*call(each)) for each in guesses]
        assert right.is_error
        assert everything(right).replace("Jane", "Mary") == everything(wrong)


async def test_a_model_may_name_a_file_below_the_roots_and_a_path_of_mimic(host: Client, data: Path):
    whole = data.parent / "link" / "Roe Jane" / "Roe^Jane, chest (1).dcm"
    for name in (str(whole), f"p10/p10000001/s50000001/{MIMIC_ID.upper()}.dcm", f"{MIMIC_ID}.dcm"):
        for tool, arguments in (
            (FACTS, {"image_id": name}),
            (VIEW, {"image_id": name}),
            (VIEW, {"image_id": [name]}),
            (SEARCH, {"like": [name]}),
        ):
            result = await host.call_tool(tool, arguments)
            assert not result.is_error, everything(result)


async def test_an_ingest_names_no_file_folder_or_column(host: Client, data: Path):
    result = await host.call_tool("ingest_directory", {"path": str(data.parent / "link")})
    told = hides_the_names(result)
    assert not result.is_error
    assert "notes on the tables beside the images" in told


async def test_an_ingest_names_no_folder_behind_a_link_in_an_error(host: Client, folder: Path, data: Path):
    shutil.rmtree(folder)
    folder.mkdir()  # noqa: ASYNC240 - a moment
    for path in (data.parent / "link", f"file://{data.parent / 'link'}"):
        result = await host.call_tool("ingest_directory", {"path": str(path)})
        assert result.is_error
        hides_the_names(result)


async def test_an_emptied_archive_names_no_folder_that_was_ingested(host: Client, folder: Path, data: Path):
    async with opened(data) as archive:
        for image_id in await ids_of(host):
            rows(data, "DELETE FROM images WHERE image_id = ?", image_id)
        assert str(folder) in map(str, (await archive.allowed_roots()).roots)
    told = hides_the_names(await host.call_tool("get_archive_overview", {}))
    assert str(data.parent / "link") in told, "the owner named this folder for the server"


ERRORS: list[Callable[[Path], CxrError]] = [
    lambda path: ConfigError(f"Cannot read {path / 'x y.dcm'} (Permission denied); check it."),
    lambda path: ConfigError(f"{path} is missing."),
    lambda path: ConfigError(f"The key '{path}' is lost; see {path.name}/x."),
    lambda path: CxrError(f"C:\\Users\\{path.name}\\x is missing"),
    lambda path: CxrError(f"~/{path.name} is missing"),
    lambda path: CxrError(f"file://{path} is missing"),
    lambda path: CxrError(f"\\\\server\\{path.name} is missing"),
]


@pytest.mark.parametrize("error", ERRORS)
async def test_an_error_of_any_kind_names_no_folder(
    host: Client, folder: Path, monkeypatch: pytest.MonkeyPatch, error: Callable[[Path], CxrError]
):
    async def fail(_: Archive) -> None:
        raise error(folder)

    monkeypatch.setattr(Archive, "overview", fail)
    result = await host.call_tool("get_archive_overview", {})
    assert result.is_error
    hides_the_names(result)


async def test_a_server_that_cannot_open_its_archive_names_no_folder(folder: Path):
    data = folder / "data"
    data.mkdir()
    (data / DATABASE).write_bytes(b"no database" * 500)
    server = build_server(lambda: open_archive(settings(environment(data))))
    async with Client(server) as client:
        for tool, arguments in ((SEARCH, {"query": "effusion"}), ("get_archive_overview", {})):
            result = await client.call_tool(tool, arguments)
            assert result.is_error
            hides_the_names(result)


async def test_the_lists_of_a_server_and_its_page_name_no_folder(host: Client):
    for listed in (await host.list_tools(), await host.list_resources(), await host.list_prompts()):
        hides_the_names(listed)
    hides_the_names(await host.read_resource(VIEWER_URI))
