"""A view that was rendered before is shown again only while store, file and sharing allow it, in every process."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client

from mcp_cxr.archive import open_archive
from mcp_cxr.images import ImageReader
from mcp_cxr.records import Filter, ImageId
from mcp_cxr.server import build_server
from tests.server.archives import environment, settings, small_dicom, write_small_images

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from mcp_types import CallToolResult


async def forget(data_dir: Path, image_id: str) -> None:
    async with open_archive(settings(environment(data_dir))) as archive:
        await archive.forget(Filter(image_id=ImageId(image_id)))


async def ingest(data_dir: Path, folder: Path) -> None:
    async with open_archive(settings(environment(data_dir))) as archive:
        await archive.ingest(folder)


async def is_refused_without_images(data_dir: Path, image_id: str) -> bool:
    server = build_server(lambda: open_archive(settings(environment(data_dir))), share=("reports",))
    async with Client(server) as client:
        return (await client.call_tool("view_image", {"image_id": image_id})).is_error is True


@pytest.fixture(scope="module")
def second_process() -> Iterator[Executor]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        yield process


class Watched:
    """A server on an archive of three images, and how often it rendered one."""

    def __init__(self, client: Client, folder: Path, image_ids: list[str], rendered: list[Path]) -> None:
        self.client, self.data_dir, self.images = client, folder / "data", folder / "images"
        self.image_ids, self.rendered = image_ids, rendered

    async def look(self, image_id: str | list[str], **arguments: Any) -> CallToolResult:
        return await self.client.call_tool("view_image", {"image_id": image_id, **arguments})


@pytest.fixture
async def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    image_ids = write_small_images(tmp_path / "images", 3)
    rendered: list[Path] = []
    render_view = ImageReader.render_view

    def counted(reader: ImageReader, path: Path, options: Any) -> Any:
        rendered.append(path)
        return render_view(reader, path, options)

    monkeypatch.setattr(ImageReader, "render_view", counted)
    served = settings(environment(tmp_path / "data"))
    async with open_archive(served) as archive:
        await archive.ingest(tmp_path / "images")
    async with Client(build_server(lambda: open_archive(served), share=("images",))) as client:
        yield Watched(client, tmp_path, image_ids, rendered)


async def test_the_same_view_is_rendered_once(watched: Watched):
    first = await watched.look(watched.image_ids[0])
    again = await watched.look(watched.image_ids[0])
    assert first.content == again.content
    assert len(watched.rendered) == 1
    for other in ({"invert": True}, {"region": [0, 0, 0.5, 0.5]}, {"max_px": 64}):
        await watched.look(watched.image_ids[0], **other)
    await watched.look(watched.image_ids[1])
    assert len(watched.rendered) == 5


async def test_an_image_that_another_process_forgot_is_not_shown(watched: Watched, second_process: Executor):
    image_id, other = watched.image_ids[:2]
    for each in (image_id, other):
        assert not (await watched.look(each)).is_error
    second_process.submit(anyio.run, forget, watched.data_dir, image_id).result()
    assert (await watched.look(image_id)).is_error
    assert (await watched.look([image_id, other])).is_error
    assert not (await watched.look(other)).is_error


async def test_an_image_that_another_process_ingested_again_is_rendered_again(
    watched: Watched, second_process: Executor
):
    image_id = watched.image_ids[0]
    before = await watched.look(image_id)
    (file,) = watched.images.rglob(f"{image_id}.dcm")
    file.write_bytes(small_dicom(7))
    assert (await watched.look(image_id)).is_error  # until it is ingested
    second_process.submit(anyio.run, ingest, watched.data_dir, watched.images).result()
    after = await watched.look(image_id)
    assert not after.is_error
    assert after.content[0] != before.content[0]


async def test_a_process_that_shares_no_images_shows_none(watched: Watched, second_process: Executor):
    image_id = watched.image_ids[0]
    first = await watched.look(image_id)
    assert second_process.submit(anyio.run, is_refused_without_images, watched.data_dir, image_id).result()
    assert (await watched.look(image_id)).content == first.content
