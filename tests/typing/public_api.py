"""What a type checker knows of the public API, as notebooks use it; `make check` compares each type."""

from __future__ import annotations

# pyright: reportUnnecessaryTypeIgnoreComment=true
from typing import TYPE_CHECKING, assert_type

from mcp_cxr import Archive, __version__, open_archive
from mcp_cxr.embeddings import Embedder, LocalEmbedder, OfflineEmbedder
from mcp_cxr.errors import CxrError, PacsUnavailable, StoreError, StoreUnavailable
from mcp_cxr.records import (
    Filter,
    Fingerprint,
    Hit,
    ImageDetails,
    ImageId,
    IngestSummary,
    Overview,
    RankedImage,
    Rejection,
    SearchResult,
    StoredImage,
    Vector,
)
from mcp_cxr.stores import EmbeddedStore, MemoryStore, Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.embeddings.nvclip import NvclipEmbedder
    from mcp_cxr.records import Rendering
    from mcp_cxr.stores.iris import IrisStore


async def use_an_archive() -> None:
    async with open_archive() as archive:
        assert_type(archive, Archive)
        page = await archive.search("left pleural effusion", view=["PA"], limit=10)
        assert_type(page, SearchResult)
        assert_type(page.images, list[Hit])
        await archive.search(fields=["no", "such", "argument"])  # pyright: ignore[reportCallIssue]
        assert_type(await archive.ingest("/images", limit=3), IngestSummary)
        assert_type(await archive.show(page.images[0].image_id), ImageDetails)
        assert_type(await archive.overview(), Overview)
        assert_type(archive.store, Store)
        assert_type(archive.embedder, Embedder)


async def use_a_store(store: Store, vector: Vector) -> None:
    assert_type(await store.nearest(vector, Filter(), limit=10), list[RankedImage])
    assert_type(await store.get([ImageId("a")]), dict[ImageId, StoredImage])
    await store.get(["an id that is a plain string"])  # pyright: ignore[reportArgumentType]


async def use_an_embedder(embedder: Embedder, renderings: Sequence[Rendering]) -> None:
    assert_type(await embedder.fingerprint(), Fingerprint)
    assert_type(await embedder.embed_images(renderings), list[Vector | Rejection])


def stores(embedded: EmbeddedStore, memory: MemoryStore, iris: IrisStore) -> list[Store]:
    return [embedded, memory, iris]


def embedders(local: LocalEmbedder, nvclip: NvclipEmbedder, offline: OfflineEmbedder) -> list[Embedder]:
    return [local, nvclip, offline]


def wait_of(error: CxrError) -> float:
    if isinstance(error, StoreUnavailable):
        base: StoreError = error
        raise base
    return error.retry_after_s if isinstance(error, PacsUnavailable) else len(__version__)
