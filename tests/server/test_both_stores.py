"""The same calls over MCP give the same results with either store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from mcp_cxr.archive import open_archive
from mcp_cxr.server import build_server
from tests.server.archives import Ingested, ingested, settings
from tests.server.conftest import host_of
from tests.support.iris import plain_server, variables

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.conftest import Host

SEARCH = "search_medical_images"
FLOATS = ("similarity_score", "similarity_z")
QUESTIONS: list[dict[str, Any]] = [
    {"query": "left pleural effusion"},
    {"query": "pneumothorax", "view": ["FRONTAL"], "limit": 100, "group": "none"},
    {"labels": ["Cardiomegaly"], "limit": 100},
    {"labels_absent": ["Pneumothorax"], "has_report": True, "limit": 3, "offset": 3},
    {"date_from": "1900-01-01", "group": "subject", "limit": 100},
    {"query": "zeppelin"},
]


@pytest.fixture
def demo(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """The demo's first studies in the embedded store; must not be changed."""
    return ingested(tmp_path_factory.getbasetemp() / "demo")


async def conversation(environment: dict[str, str], example: str) -> list[Any]:
    """Return the results, without the store's location and the times."""
    answers: list[Any] = []
    server = build_server(lambda: open_archive(settings(environment)), share=("reports", "images"))
    async with Client(server) as client:
        host = await host_of(client)
        overview = await host.ask("get_archive_overview")
        for of_one_store in ("kind", "schema_version"):
            overview["store"].pop(of_one_store)
        answers.append(overview)
        by_example = [
            {"like": [example]},
            {"like": [example], "view": ["LATERAL"], "limit": 100},
            {"like": [example], "query": "effusion", "exclude_subject_of": example},
            {"like": [example], "unlike": [await most_like(host, example)]},
        ]
        for question in [*QUESTIONS, *by_example]:
            page = await host.ask(SEARCH, **question)
            page.pop("execution_time_ms")
            for hit in page["images"]:
                for name in FLOATS:  # one store has the cosine of float32, the other of double
                    if name in hit:
                        hit[name] = pytest.approx(hit[name], rel=1e-4, abs=1e-5)
            answers.append(page)
        answers.append(await host.ask("get_image_metadata", image_id=example))
        image = await client.call_tool("view_image", {"image_id": example, "max_px": 64})
        answers.append((image.is_error, image.content))
    return answers


async def most_like(host: Host, example: str) -> str:
    page = await host.ask(SEARCH, like=[example], limit=1)
    return page["images"][0]["image_id"]


async def test_both_stores_give_the_same_results(demo: Ingested, tmp_path: Path) -> None:
    roots = {"MCP_CXR_ROOTS": str(demo.drawn.folder)}
    here = {**demo.environment, **roots}
    there = {**here, **variables(plain_server()), "MCP_CXR_DATA_DIR": str(tmp_path)}
    async with open_archive(settings(there)) as archive:
        summary = await archive.ingest(demo.drawn.folder)
    assert summary.added == len(demo.drawn.images)
    example = demo.drawn.images[0].image_id
    one, other = await conversation(here, example), await conversation(there, example)
    assert one == other
    assert sum(len(page["images"]) for page in one[1:-2]) > 40


async def test_images_are_ingested_over_mcp_into_iris(demo: Ingested, tmp_path: Path) -> None:
    where = {**demo.environment, **variables(plain_server()), "MCP_CXR_DATA_DIR": str(tmp_path)}
    for roots, taken in (("", False), (str(demo.drawn.folder), True)):
        server = build_server(lambda roots=roots: open_archive(settings({**where, "MCP_CXR_ROOTS": roots})))
        async with Client(server) as client:
            host = await host_of(client)
            call = {"path": str(demo.drawn.folder), "limit": 3}
            if not taken:
                assert "MCP_CXR_ROOTS" in await host.refused("ingest_directory", **call)
            else:
                assert (await host.ask("ingest_directory", **call))["added"] == 3
                assert (await host.ask("get_archive_overview"))["images"] == 3
