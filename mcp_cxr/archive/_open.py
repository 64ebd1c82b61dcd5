"""Opens an archive: makes its store, embedder and image reader from the settings."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from mcp_cxr.archive._archive import Archive
from mcp_cxr.archive._local_encoder_config import DEMO_MARK, local_config
from mcp_cxr.embeddings import LocalEmbedder, OfflineEmbedder
from mcp_cxr.errors import ConfigError
from mcp_cxr.images import PREPROCESSING, ImageReader
from mcp_cxr.safe_files import create_private_file
from mcp_cxr.settings import Settings, StoreKind, load_settings
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.upkeep import CopySummary, copy

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.embeddings.nvclip import NvclipEmbedder
    from mcp_cxr.stores import Store
    from mcp_cxr.stores.iris import IrisConfig


@asynccontextmanager
async def open_archive(
    settings: Settings | None = None, *, allow_demo_encoder: bool = False
) -> AsyncGenerator[Archive]:
    """Open the archive that the settings, or else the environment, describe. Nothing is created, no service called.

    Args:
        settings: None: those of the environment.
        allow_demo_encoder: Whether the demonstration encoder, trained on drawings, may be used for an archive that the
            demo did not make.

    Raises:
        ConfigError: A setting is wrong.
    """
    settings = settings or load_settings()
    async with AsyncExitStack() as opened:
        store = await opened.enter_async_context(_store(settings, settings.store))
        embedder = await opened.enter_async_context(_embedder(settings, allows_demo_encoder=allow_demo_encoder))
        image_reader = await opened.enter_async_context(ImageReader())
        yield Archive(settings, store, embedder, image_reader)


async def copy_archive(
    to: StoreKind,
    settings: Settings | None = None,
    *,
    on_progress: Callable[[int], Awaitable[None]] | None = None,
) -> CopySummary:
    """Copy the archive of the other store into store `to`, without embedding again; see `mcp_cxr.upkeep.copy`.

    Raises:
        ConfigError: A setting is wrong, or the target's ids were hashed with another key.
        StoreError: A store fails, the source is empty, or the target holds another embedder's vectors.
    """
    settings = settings or load_settings()
    source: StoreKind = "embedded" if to == "iris" else "iris"
    async with _store(settings, source) as origin, _store(settings, to) as target:
        return await copy(origin, target, on_progress=on_progress)


def _store(settings: Settings, kind: StoreKind) -> Store:
    if kind == "embedded":
        return EmbeddedStore(settings.data_dir)
    from mcp_cxr.stores.iris import IrisStore  # loads the driver, which the embedded store does not need

    return IrisStore(iris_config(settings))


def iris_config(settings: Settings) -> IrisConfig:
    """Return the server of the settings; loads the driver."""
    from mcp_cxr.stores.iris import IrisConfig  # as above

    return IrisConfig(
        host=settings.iris_host,
        port=settings.iris_port,
        namespace=settings.iris_namespace,
        username=settings.iris_username or "",
        password=settings.iris_password.get_secret_value() if settings.iris_password else "",
        table=settings.iris_table,
        pool_size=settings.iris_pool_size,
        ssl_config=settings.iris_ssl_config,
    )


def mark_as_demo(data_dir: Path) -> None:
    """Mark the archive of a data folder as one of drawings, for which the demonstration encoder may be used.

    Raises:
        OSError: The folder cannot be written.
    """
    create_private_file(data_dir / DEMO_MARK, b"The images of this archive are drawings.\n")


def _embedder(settings: Settings, *, allows_demo_encoder: bool) -> Embedder:
    if settings.embedder == "offline":
        return OfflineEmbedder(preprocessing=PREPROCESSING)
    if settings.embedder == "local":
        if settings.model_dir is None:
            raise ConfigError("MCP_CXR_EMBEDDER=local needs MCP_CXR_MODEL_DIR, the folder of the model.")
        return LocalEmbedder(local_config(settings, settings.model_dir, allows_demo_encoder=allows_demo_encoder))
    return service_embedder(settings)


def service_embedder(settings: Settings) -> NvclipEmbedder:
    """Return the client of the embedding service of the settings, not opened."""
    from mcp_cxr.embeddings.nvclip import NvclipConfig, NvclipEmbedder  # loads the HTTP client

    return NvclipEmbedder(
        NvclipConfig(
            base_url=settings.nvclip_base_url,
            model=settings.nvclip_model,
            dialect=settings.nvclip_dialect,
            image_size=settings.nvclip_image_size,
            preprocessing=f"{PREPROCESSING}/{settings.nvclip_image_size}px",
            api_key=settings.nvidia_api_key.get_secret_value() if settings.nvidia_api_key else None,
            allow_remote=settings.allow_remote,
        )
    )
