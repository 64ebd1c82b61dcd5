"""`mcp-cxr doctor --deep`: checks the servers that the settings name, IRIS and the embedding service."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING

from mcp_cxr import __version__
from mcp_cxr.archive._open import iris_config, service_embedder
from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_cxr.server_check import CheckRecord, Parts
    from mcp_cxr.server_check.iris import WriteSize
    from mcp_cxr.settings import Settings

_DRIVER = "intersystems-irispython"
_NO_SERVER = (
    "There is no server to ask: the embedded store and this embedder run in the process. Set MCP_CXR_STORE=iris or"
    " MCP_CXR_EMBEDDER=nvclip."
)
_NOT_IRIS = "--write is for InterSystems IRIS; set MCP_CXR_STORE=iris, or leave it out."


async def check_servers(
    settings: Settings,
    *,
    write: WriteSize | None = None,
    on_start: Callable[[str, float], None] | None = None,
) -> CheckRecord:
    """Ask IRIS and the embedding service, as far as the settings name them, and compare the answers.

    Args:
        settings: Those of the archive, which is not opened.
        write: How much is written into tables of its own, which are dropped; None: no row changes.
        on_start: Called with the title of each part and its share of the time in seconds.

    Raises:
        ConfigError: The settings name no server, or with `write` not IRIS.
        StoreError: Tables that a killed run left cannot be dropped.
    """
    from mcp_cxr.server_check import CheckRecord, Parts, with_differences  # not loaded by `serve`

    if write and settings.store != "iris":
        raise ConfigError(_NOT_IRIS)
    if settings.store != "iris" and settings.embedder != "nvclip":
        raise ConfigError(_NO_SERVER)
    parts = Parts(on_start)
    record = CheckRecord(mcp_cxr=_release(__version__), python=_release(platform.python_version()))
    if settings.embedder == "nvclip":
        record = await _check_embedding_service(record, settings, parts)
    if settings.store == "iris":
        record = await _check_iris(record, settings, write, parts)
    return with_differences(record)


async def _check_embedding_service(record: CheckRecord, settings: Settings, parts: Parts) -> CheckRecord:
    from mcp_cxr.server_check import check_embedding_service  # as above

    async with service_embedder(settings) as embedder:
        found = await check_embedding_service(
            embedder.probes,
            parts,
            dialect=settings.nvclip_dialect,
            model=settings.nvclip_model,
            image_size=settings.nvclip_image_size,
        )
    return record.model_copy(update={"embedder": found})


async def _check_iris(record: CheckRecord, settings: Settings, write: WriteSize | None, parts: Parts) -> CheckRecord:
    from mcp_cxr.server_check.iris import check_iris, check_iris_by_writing  # loads the driver

    config = iris_config(settings)
    found = await check_iris(config, parts)
    if write:
        found = await check_iris_by_writing(config, found, write, settings.data_dir, parts)
    return record.model_copy(update={"driver": _release(version(_DRIVER)), "iris": found})


def _release(text: str) -> str:
    """Return the first three numbers of a version."""
    numbers = [part for part in text.split(".")[:3] if part.isdecimal()]
    return ".".join(numbers if len(numbers) > 1 else ["0", "0"])
