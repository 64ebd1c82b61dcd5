"""Makes the configuration of an encoder that runs in this process from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mcp_cxr.embeddings import LocalConfig, SessionOptions
from mcp_cxr.images import PREPROCESSING

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.settings import Settings

DEMO_MARK: Final = "demo-archive"
"""A file in the data folder of an archive that the demo made."""


def local_config(settings: Settings, folder: Path, *, allows_demo_encoder: bool = False) -> LocalConfig:
    """Return the configuration with which the encoder of a model folder is run."""
    return LocalConfig(
        folder=folder,
        preprocessing=PREPROCESSING,
        encoder_cache_file=settings.encoder_cache_file,
        options=SessionOptions(settings.providers),
        allows_demo_encoder=allows_demo_encoder or (settings.data_dir / DEMO_MARK).exists(),
    )
