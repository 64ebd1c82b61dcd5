"""Refused calls: one line that tells the model what to do; the text of crashes is withheld."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from mcp_cxr import errors
from mcp_cxr.archive import Archive, open_archive
from mcp_cxr.errors import CxrError
from mcp_cxr.server import build_server
from mcp_cxr.stores import MemoryStore
from tests.server.archives import Ingested, environment, settings
from tests.server.conftest import Host, host_of
from tests.support.archives import open_memory_archive, rows

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from mcp_cxr.settings import Settings

SEARCH = "search_medical_images"
UNKNOWN = "The archive has no image no-such-image. Use the image_id of a search result."
EXAMPLE = 'search_medical_images(query="left pleural effusion", view=["PA"])'
KINDS = sorted(
    (
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, CxrError) and kind is not errors.InternalError  # stays in ingest
    ),
    key=lambda kind: kind.__name__,
)
SECRET = "Mrs Jane Roe, born 1931"  # noqa: S105 - stands for what a crash may quote


@pytest.mark.parametrize(
    ("tool", "arguments", "line"),
    [
        (SEARCH, {}, f"Give words, an example image or a filter, such as {EXAMPLE}."),
        (SEARCH, {"query": "  "}, f"Give words, an example image or a filter, such as {EXAMPLE}."),
        (SEARCH, {"query": "effusion", "limt": 3}, "Unknown argument limt; did you mean limit?"),
        (SEARCH, {"query": "effusion", "limit": 0}, "limit: input should be greater than or equal to 1."),
        (SEARCH, {"query": "effusion", "limit": 10_000}, "limit: input should be less than or equal to 100."),
        (SEARCH, {"query": "effusion", "limit": "many"}, "limit: input should be a valid integer"),
        (SEARCH, {"query": 3}, "query: input should be a valid string."),
        (SEARCH, {"labels": {"a": 1}}, "labels: input should be a valid list."),
        (SEARCH, {"view": ["PA", 3]}, "view.1: input should be a valid string."),
        (SEARCH, {"view": "XX"}, "Unknown view 'XX'."),
        (SEARCH, {"labels": ["Pneumonai"]}, "Did you mean Pneumonia?"),
        (SEARCH, {"group": "patient", "query": "x"}, "group: input should be 'study', 'subject' or 'none'."),
        (SEARCH, {"date_from": "yesterday"}, "date_from must be a date such as 2026-11-01"),
        (SEARCH, {"like": "no-such-image"}, UNKNOWN),
        (SEARCH, {"query": "effusion", "exclude_subject_of": "no-such-image"}, UNKNOWN),
        (SEARCH, {"query": "effusion", "mode": "vector"}, "Use mode='auto'"),
        ("get_image_metadata", {"image_id": "no-such-image"}, UNKNOWN),
        ("get_image_metadata", {}, "image_id: field required."),
        ("get_image_metadata", {"image_id": 3}, "The archive has no image 3."),
        ("get_image_metadata", {"image_id": None}, "image_id: field required."),
        ("get_image_metadata", {"image_id": " "}, "image_id: field required."),
        ("get_image_metadata", {"image_id": True}, "image_id: input should be a valid string."),
        (SEARCH, {"query": None, "view": [], "labels": [""], "has_report": ""}, f"such as {EXAMPLE}."),
        (SEARCH, {"query": "effusion", "limt": None}, "Unknown argument limt; did you mean limit?"),
        (SEARCH, {"query": "effusion", "subject_id": 1.5}, "subject_id: input should be a valid string."),
        ("get_archive_overview", {"verbose": True}, "Unknown argument verbose"),
        ("view_image", {"image_id": "no-such-image"}, UNKNOWN),
        ("view_image", {"image_id": "x", "max_px": 1}, "max_px: input should be greater than or equal to 64."),
        ("view_image", {"image_id": "x", "window_center": 5}, "Give window_center and window_width together"),
        ("view_image", {"image_id": "x", "region": [0, 0, 1]}, "region: list should have at least 4 items"),
        ("view_image", {"image_id": "x", "region": [0.5, 0, 0.5, 1]}, "region must be [x0, y0, x1, y1] with"),
        (
            "ingest_directory",
            {"path": "/no/such/folder"},
            "'/no/such/folder' is outside the roots of this archive",
        ),
        ("ingest_directory", {"path": "/"}, "add its folder to MCP_CXR_ROOTS."),
        ("ingest_directory", {"path": "/", "limit": 0}, "limit: input should be greater than or equal to 1."),
        ("no_such_tool", {}, "Unknown tool: no_such_tool"),
    ],
)
async def test_a_wrong_call_is_refused_with_what_to_do(host: Host, tool: str, arguments: dict[str, Any], line: str):
    assert line in await host.refused(tool, **arguments)


@pytest.mark.parametrize("kind", KINDS)
async def test_every_cxr_error_reaches_the_model_as_one_line(
    host: Host, kind: type[CxrError], monkeypatch: pytest.MonkeyPatch
):
    async def fail(_: Archive) -> None:
        raise kind("Something is wrong; do this.")

    monkeypatch.setattr(Archive, "overview", fail)
    assert await host.refused("get_archive_overview") == "Something is wrong; do this."


async def test_the_text_of_a_crash_is_withheld(host: Host, monkeypatch: pytest.MonkeyPatch):
    async def crash(_: MemoryStore) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(MemoryStore, "totals", crash)
    assert await host.refused("get_archive_overview") == "Error executing tool get_archive_overview"


@pytest.mark.parametrize("tool", ["get_image_metadata", "view_image", SEARCH])
async def test_a_missing_archive_says_how_to_create_it(tmp_path: Path, tool: str):
    arguments: dict[str, Any] = {"query": "x"} if tool == SEARCH else {"image_id": "x"}
    async with connected(tmp_path / "data") as host:
        line = await host.refused(tool, **arguments)
    assert line == "Nothing has been stored in the archive yet. Run `mcp-cxr ingest PATH`."


async def test_an_archive_of_another_version_is_not_changed(tmp_path: Path):
    async with open_archive(settings(environment(tmp_path))) as archive:
        await archive.store.create()
    rows(tmp_path, "PRAGMA user_version = 77")
    async with connected(tmp_path, open_archive) as host:
        line = await host.refused("get_archive_overview")
    assert line.startswith("The archive has schema version 77")
    assert "table drop --force" in line


async def test_an_archive_that_cannot_be_opened_does_not_stop_the_handshake():
    def broken() -> AbstractAsyncContextManager[Archive]:
        return BrokenArchive()

    async with Client(build_server(broken)) as client:
        host = await host_of(client)
        assert await host.refused("get_archive_overview") == "MCP_CXR_STORE: use another one."


class BrokenArchive:
    async def __aenter__(self) -> Archive:
        raise errors.ConfigError("MCP_CXR_STORE: use another one.")

    async def __aexit__(self, *_: object) -> None:
        return None


class TestMissingAndChangedFiles:
    """An image is shown only if its file is as it was ingested; no error names a local path."""

    @pytest.fixture
    async def images(self, tmp_path: Path, demo: Ingested) -> Path:
        """A folder with one image of the demo, ingested."""
        folder = tmp_path / "images"
        folder.mkdir()
        (folder / "image.dcm").write_bytes(demo.drawn.images[0].path.read_bytes())
        async with open_memory_archive(settings(environment(tmp_path / "data"))) as archive:
            await archive.ingest(folder)
        return folder

    @pytest.fixture
    async def lone(self, images: Path) -> AsyncIterator[tuple[Host, str]]:
        async with connected(images.parent / "data") as host:
            page = await host.ask(SEARCH, view="FRONTAL")
            yield host, page["images"][0]["image_id"]

    async def test_a_missing_file_is_not_shown(self, images: Path, lone: tuple[Host, str]):
        host, image_id = lone
        (images / "image.dcm").unlink()
        line = await host.refused("view_image", image_id=image_id)
        assert line.startswith(f"The file of image {image_id} was not found below the roots.")

    async def test_a_changed_file_is_not_shown(self, images: Path, lone: tuple[Host, str]):
        host, image_id = lone
        (images / "image.dcm").write_bytes(b"something else")
        line = await host.refused("view_image", image_id=image_id)
        assert line == "The image's file was changed since it was ingested; ingest its folder again."

    async def test_a_file_that_leads_out_of_the_roots_is_not_shown(self, images: Path, lone: tuple[Host, str]):
        host, image_id = lone
        (images / "image.dcm").rename(images.parent / "elsewhere.dcm")
        (images / "image.dcm").symlink_to(images.parent / "elsewhere.dcm")
        line = await host.refused("view_image", image_id=image_id)
        assert line.startswith(f"The file of image {image_id} was not found below the roots.")


@asynccontextmanager
async def connected(
    data_dir: Path, opener: Callable[[Settings], AbstractAsyncContextManager[Archive]] = open_memory_archive
) -> AsyncGenerator[Host]:
    """Yield a host of an archive with default settings."""
    archive_settings = settings(environment(data_dir))
    server = build_server(lambda: opener(archive_settings), share=("reports", "images"))
    async with Client(server) as client:
        yield await host_of(client)
