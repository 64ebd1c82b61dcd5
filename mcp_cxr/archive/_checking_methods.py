"""Use cases that check an archive, its encoder and its search: verify, evaluate, doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr import __version__
from mcp_cxr.archive._archive_base import ArchiveBase
from mcp_cxr.archive._local_encoder_config import local_config
from mcp_cxr.embeddings import LocalEmbedder
from mcp_cxr.errors import (
    ConfigError,
    StoreError,
    StoreMissing,
)
from mcp_cxr.upkeep import check_encoder, quantize_encoder, run_checks, verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp_cxr.embeddings import LocalConfig
    from mcp_cxr.evaluate import Evaluation, EvaluationPlan
    from mcp_cxr.records import (
        Verification,
    )
    from mcp_cxr.upkeep import CheckResult, EncoderCheck, QuantizedEncoder


class CheckingMethods(ArchiveBase):
    """Checks an archive and what it depends on."""

    async def verify(self) -> Verification:
        """Check every row of the archive, and count the problems.

        Raises:
            StoreError: The store fails or was never made.
        """
        return await verify(self.store, await self._compare_reading(), self.pulled.has_file)

    async def check_encoder(self, folder: Path) -> EncoderCheck:
        """Try the encoder of a model folder; see `mcp_cxr.upkeep.check_encoder`.

        Raises:
            EmbeddingError: The folder cannot be used.
            StoreError: The store fails.
        """
        try:
            images = (await self.store.totals()).images
        except StoreMissing:
            images = 0
        return await check_encoder(self._local_config(folder), archive_images=images)

    async def quantize_encoder(self, folder: Path, target: Path, *, compared: int) -> QuantizedEncoder:
        """Write an int8 copy of a model folder; see `mcp_cxr.upkeep.quantize_encoder`.

        Args:
            folder: The float32 export.
            target: The folder to write.
            compared: Images of the archive to compare, at most; those whose files can be read.

        Raises:
            ConfigError: `target` exists or cannot be written.
            EmbeddingError: The folder cannot be used or quantized.
            StoreError: The store fails.
        """
        config = self._local_config(folder)
        renderings = await self._image_files.sample_renderings(LocalEmbedder(config).image_spec, compared)
        return await quantize_encoder(config, self._local_config(target), renderings)

    def _local_config(self, folder: Path) -> LocalConfig:
        return local_config(self.settings, folder, allows_demo_encoder=True)  # nothing is stored

    async def evaluate(
        self, plan: EvaluationPlan | None = None, *, on_progress: Callable[[str], None] | None = None
    ) -> Evaluation:
        """Measure the quality of the search.

        Args:
            plan: What to measure; None: everything.
            on_progress: Called with a line of text for each step.

        Raises:
            CxrError: As `mcp_cxr.evaluate.evaluate` says.
        """
        from mcp_cxr.evaluate import EvaluationPlan, evaluate

        return await evaluate(
            self.store,
            self.embedder,
            plan or EvaluationPlan(),
            version=__version__,
            check_fingerprint=self._fingerprint_check.check_fingerprint,
            on_progress=on_progress or (lambda _: None),
        )

    async def doctor(self) -> list[CheckResult]:
        """Check the services and files the archive depends on; what fails is reported, not raised."""
        try:
            roots = (await self.allowed_roots()).roots
        except (StoreError, ConfigError):  # reported by `run_checks` itself
            roots = self.settings.roots
        checks = await run_checks(self.store, self.embedder, roots, self._id_key(), self.settings.is_shared)
        return [*checks, *await self.pulled.check()]
