"""Arguments as models and hosts write them, brought into one form before they are checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.request import pathname2url

import pytest
from mcp import Client

from mcp_cxr.archive import open_archive
from mcp_cxr.server import build_server
from mcp_cxr.server._normalize_arguments import normalize_arguments
from tests.server.archives import environment, settings, small_dicom, write_small_images
from tests.server.conftest import host_of
from tests.support.archives import open_memory_archive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.archives import Ingested
    from tests.server.conftest import Host

SEARCH = "search_medical_images"
TEXT, LIST = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
PROPERTIES: dict[str, dict[str, Any]] = {
    "query": {"anyOf": [TEXT, {"type": "null"}]},
    "subject_id": {"anyOf": [TEXT, {"type": "null"}]},
    "image_id": {"anyOf": [TEXT, LIST]},
    "view": LIST,
    "like": LIST,
    "limit": {"type": "integer"},
    "has_report": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
    "group": {"type": "string", "enum": ["study", "subject", "none"]},
}


@pytest.mark.parametrize("value", [None, "", "  ", "\ufeff", [], [""], [None], [" ", None], "[]", "null", '""'])
@pytest.mark.parametrize("name", ["subject_id", "image_id", "view", "like", "limit", "has_report", "group"])
def test_an_argument_without_a_value_is_missing(name: str, value: Any):
    assert normalize_arguments({name: value}, PROPERTIES) == {} or (
        name not in {"view", "like", "image_id"} and value == "[]"
    )


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({"subject_id": 10000764}, {"subject_id": "10000764"}),
        ({"subject_id": 10000764.0}, {"subject_id": "10000764"}),
        ({"subject_id": ["p1"]}, {"subject_id": "p1"}),
        ({"subject_id": '"p1"\n'}, {"subject_id": "p1"}),
        ({"subject_id": True}, {"subject_id": True}),
        ({"like": 3}, {"like": "3"}),
        ({"like": [3, None, " a "]}, {"like": ["3", "a"]}),
        ({"like": '["a", 3]'}, {"like": ["a", "3"]}),
        ({"view": ["PA", 3, ""]}, {"view": ["PA", 3]}),
        ({"limit": 0, "has_report": False}, {"limit": 0, "has_report": False}),
        ({"group": "Study"}, {"group": "study"}),
        ({"query": " null "}, {"query": " null "}),
        ({"query": " "}, {}),
        ({"unknown": None}, {"unknown": None}),
    ],
)
def test_an_argument_is_brought_into_the_form_of_the_schema(given: dict[str, Any], plain: dict[str, Any]):
    assert normalize_arguments(given, PROPERTIES) == plain


async def test_null_and_blank_filters_change_no_result(host: Host):
    plain = await host.ask(SEARCH, query="effusion")
    for empty in (None, "", [], [""]):
        given = dict.fromkeys(["view", "labels", "labels_absent", "like", "unlike", "subject_id", "study_id"], empty)
        page = await host.ask(SEARCH, query="effusion", **given, has_report="", limit=None, group="", split=None)
        assert {**page, "execution_time_ms": 0} == {**plain, "execution_time_ms": 0}


async def test_ids_of_patients_and_studies_may_be_numbers_and_have_either_case(host: Host, demo: Ingested):
    image = demo.drawn.images[0]
    for name, given in (("subject_id", image.subject_id), ("study_id", image.study_id)):
        expected = await host.ask(SEARCH, **{name: given})
        assert expected["images"]
        for other in (int(given[1:]), float(given[1:]), given[1:], f"{given[1:]}.0", given.upper(), f" '{given}' "):
            page = await host.ask(SEARCH, **{name: other})
            assert (page["images"], page["filters"]) == (expected["images"], expected["filters"])


async def test_several_views_may_be_one_text(host: Host):
    expected = await host.ask(SEARCH, view=["PA", "AP"])
    for views in ("PA,AP", "pa / ap", ["PA;AP"], "PA|AP"):
        assert (await host.ask(SEARCH, view=views))["images"] == expected["images"]


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1.5])
def test_a_number_that_is_no_id_is_left_for_the_schema_to_refuse(value: float):
    kept = normalize_arguments({"subject_id": value}, PROPERTIES)["subject_id"]
    assert repr(kept) == repr(value)


async def test_an_image_may_be_named_by_its_file(host: Host, demo: Ingested):
    image = demo.drawn.images[0]
    shown = await host.ask("get_image_metadata", image_id=image.image_id)
    names = [
        f"{image.image_id}.dcm",
        shown["image_path"],
        f'"{image.image_id}"',
        f"{image.image_id}.PNG",
        image.image_id.upper(),
        str(image.path),
    ]
    expected = await host.ask(SEARCH, like=image.image_id)
    without = await host.ask(SEARCH, query="effusion", exclude_subject_of=image.image_id)
    for name in names:
        assert await host.ask("get_image_metadata", image_id=name) == shown
        assert (await host.ask(SEARCH, like=name))["images"] == expected["images"]
        page = await host.ask(SEARCH, query="effusion", exclude_subject_of=name)
        assert page["images"] == without["images"]
        result = await host.client.call_tool("view_image", {"image_id": [name, image.image_id]})
        assert not result.is_error
    assert "has no image" in await host.refused("get_image_metadata", image_id="elsewhere/no-such-image.dcm")


async def test_a_file_may_be_an_address_or_in_quotes(host: Host, demo: Ingested):
    path = demo.drawn.images[0].path
    expected = await host.ask(SEARCH, like=str(path))
    for name in (f"file://{pathname2url(str(path))}", f'"{path}"', f" '{path}'\n"):
        assert (await host.ask(SEARCH, like=name))["images"] == expected["images"]


async def test_a_folder_may_be_an_address_or_in_quotes(demo: Ingested):
    folder = demo.drawn.folder
    with_root = settings(environment(demo.data_dir, roots=folder))
    async with Client(build_server(lambda: open_memory_archive(with_root), share=())) as client:
        host = await host_of(client)
        for name in (f"file://{folder}", f"'{folder}'"):
            assert (await host.ask("ingest_directory", path=name, dry_run=True))["would_add"] == 0


async def test_an_ingested_folder_may_be_read_but_not_named_for_ingest_or_as_an_example(host: Host, demo: Ingested):
    image = demo.drawn.images[0]
    assert not (await host.client.call_tool("view_image", {"image_id": image.image_id})).is_error
    assert "MCP_CXR_ROOTS" in await host.refused("ingest_directory", path=str(demo.drawn.folder))
    assert "MCP_CXR_ROOTS" in await host.refused(SEARCH, like=str(next(demo.drawn.folder.rglob("*.txt"))))
    missing = demo.drawn.folder / "missing.dcm"
    assert "MCP_CXR_ROOTS" in await host.refused(SEARCH, like=str(missing))  # nor does it say whether it exists


async def test_the_owner_may_name_a_file_without_its_folder_and_a_model_may_not(tmp_path: Path):
    (folder := tmp_path / "JANE DOE").mkdir()
    (folder / "IM000007.dcm").write_bytes(small_dicom(1))
    given = settings(environment(tmp_path / "data", roots=tmp_path))
    async with open_archive(given) as archive:
        await archive.ingest(folder)
        found = await archive.image_id("IM000007.dcm")
        assert (await archive.show(found)).path == str(folder / "IM000007.dcm")
        assert await archive.image_id("IM000007") == found
        assert await archive.image_id("IM00000") == "IM00000"  # an id that is not stored
    async with Client(build_server(lambda: open_archive(given), share=("images",))) as client:
        for name in ("IM000007.dcm", "IM000007"):
            assert (await client.call_tool("get_image_metadata", {"image_id": name})).is_error


@pytest.mark.parametrize("value", [2**31, 2**63, 10**30, -(10**30), 1e308, -1e308, 1e-320])
async def test_a_number_of_any_size_is_answered_or_refused_and_crashes_nothing(tmp_path: Path, value: float):
    folder = tmp_path / "images"
    image_id = write_small_images(folder, 2)[0]
    given = settings(environment(tmp_path / "data", roots=folder))
    async with open_archive(given) as archive:
        await archive.ingest(folder)
    async with Client(build_server(lambda: open_archive(given), share=("images", "dates"))) as client:
        await _try_as_every_number(client, image_id, folder, value)


async def _try_as_every_number(client: Client, image_id: str, folder: Path, value: float) -> None:
    required = {"search_medical_images": {"view": ["PA"]}, "ingest_directory": {"path": str(folder)}}
    tried = 0
    for tool in (await client.list_tools()).tools:
        for name, schema in tool.input_schema["properties"].items():
            kinds = {kind.get("type") for kind in (schema, *schema.get("anyOf", ()))}
            of_items = {kind.get("items", {}).get("type") for kind in (schema, *schema.get("anyOf", ()))}
            if not (kinds | of_items) & {"integer", "number"}:
                continue
            given = {
                name: [value] * schema.get("minItems", 4 if name == "region" else 2) if of_items - {None} else value
            }
            others = {"window_width": {"window_center": 1.0}, "window_center": {"window_width": 1.0}}.get(name, {})
            arguments = {**required.get(tool.name, {"image_id": image_id}), **others, **given}
            result = await client.call_tool(tool.name, arguments)
            told = " ".join(block.text for block in result.content if block.type == "text")
            assert "Error executing tool" not in told, f"{tool.name}({arguments}) crashed"
            tried += 1
    assert tried >= 12
