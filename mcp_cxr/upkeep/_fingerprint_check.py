"""Checks that an embedder makes vectors that are comparable with the stored ones, also after its service changed."""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import CxrError, EmbeddingError, FingerprintMismatch, StoreMissing
from mcp_cxr.records import LOCAL_ENCODER, Rejection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.records import Fingerprint, ImageId, Rendering, StoredImage, Vector, Vectors
    from mcp_cxr.stores import Store

_log = logging.getLogger(__name__)

_COMPARED = 8
"""Stored images that are embedded again."""
_MAX_READ = 8 * _COMPARED  # files tried: a query waits meanwhile, and if the folder is not mounted none can be read
_MIN_COSINE = 0.999
"""Between old and new vector: more than another GPU or batch size changes it, less than other weights do."""

_MIN_CANNED_COSINE = 0.9999
"""Another export of the same weights is above it in float16, and below it in int8."""

WITHOUT_A_SERVICE = "To begin without a service, set MCP_CXR_EMBEDDER=local or offline (docs/models.md)."


class FingerprintCheck:
    """Allows queries and writes only with the service that made the stored vectors, or one that makes the same.

    Args:
        render: Renders a stored image's file as it was rendered for its vector.
    """

    def __init__(self, store: Store, embedder: Embedder, render: Callable[[StoredImage], Awaitable[Rendering]]) -> None:
        self._store = store
        self._embedder = embedder
        self._render = render

    async def check_before_ingest(self) -> None:
        """Check that the embedder is of the archive's model and answers, before files are read.

        Raises:
            FingerprintMismatch: The archive was made with another model; the embedder was not asked.
            EmbeddingError: The embedder fails; if a service does, and the archive has no vectors yet, the message names
                the ways without one.
        """
        try:
            made_with = (await self._store.info()).fingerprint
        except StoreMissing:
            made_with = None
        if made_with:
            self._require_model_of(made_with)
        try:
            await self._embedder.fingerprint()
        except EmbeddingError as exc:
            if made_with or self._embedder.name == LOCAL_ENCODER:
                raise
            exc.args = (f"{exc} {WITHOUT_A_SERVICE}",)
            raise

    async def reason_against(self) -> str | None:
        """Return why the embedder's vectors cannot be added; None if nothing is known against it, or it fails.

        Raises:
            StoreError: The store fails.
        """
        try:
            if made_with := (await self._store.info()).fingerprint:
                self._require_model_of(made_with)
                current = await self._embedder.fingerprint()
                return None if current.is_comparable_with(made_with) else made_with.mismatch(current)
        except FingerprintMismatch as exc:
            return str(exc)
        except (EmbeddingError, StoreMissing):
            pass
        return None

    async def check_query_fingerprint(self) -> Fingerprint:
        """Return the embedder's fingerprint as `check_fingerprint` does; no round trip to the store if unchanged."""
        made_with = await self._store.query_fingerprint()
        if made_with:
            self._require_model_of(made_with)
        current = await self._embedder.fingerprint()
        return current if current == made_with else await self.check_fingerprint()

    async def check_fingerprint(self) -> Fingerprint:
        """Return the embedder's fingerprint if it matches that of the store.

        If only the service's version or dialect differs, some stored images are embedded again; if all cosines are at
        least 0.999, the new version is recorded.

        Raises:
            FingerprintMismatch: It does not match, or no stored image's file could be read to compare.
            EmbeddingError: The embedder fails.
            StoreError: The store fails or was never created.
        """
        made_with = (await self._store.info()).fingerprint
        if made_with:
            self._require_model_of(made_with)
        current = await self._embedder.fingerprint()
        if made_with is None or current == made_with:
            return current
        if not current.is_comparable_with(made_with):
            raise FingerprintMismatch(made_with.mismatch(current))
        old, new = made_with.service_description, current.service_description
        if current.canned and made_with.canned:
            _compare_canned(made_with, current)
        else:
            await self._compare(old, new)
        await self._store.update_fingerprint(current)
        _log.warning("The embedder changed from %s to %s; its vectors are the same.", old, new)
        return current

    def _require_model_of(self, made_with: Fingerprint) -> None:
        """Refuse an embedder of another model without asking it: its service may not even run."""
        if advice := made_with.other_model_advice(self._embedder.name):
            raise FingerprintMismatch(advice)

    async def _compare(self, old: str, new: str) -> None:
        """Embed stored images again; a store without images matches any service.

        Args:
            old: The service that made the vectors, for messages.
            new: The current service.
        """
        ids = (await self._store.reference_sample()).ids
        if not ids:
            return
        before, renderings = await self._rendered(ids[:_MAX_READ])
        if not renderings:
            raise FingerprintMismatch(
                f"The embedding service changed from {old} to {new}, and no stored image's file can be read to compare "
                "vectors. Mount the folder of the files, or use mode='words'."
            )
        after = await self._embedder.embed_images(renderings)
        if not all(_are_same(*pair) for pair in zip(before, after, strict=True)):
            raise FingerprintMismatch(
                f"The embedding service changed from {old} to {new}, and its vectors changed; go back to {old}, use "
                "mode='words', or set MCP_CXR_DATA_DIR to a new folder and ingest."
            )

    async def _rendered(self, ids: Sequence[ImageId]) -> tuple[list[Vector], list[Rendering]]:
        """Return vectors and renderings of the first images whose files can be read."""
        vectors: list[Vector] = []
        renderings: list[Rendering] = []
        for stored in (await self._store.get(ids, with_vectors=True)).values():
            if stored.vector is None:
                continue
            try:
                rendering = await self._render(stored)
            except CxrError:  # this file cannot be read now; another one may be
                continue
            vectors.append(stored.vector)
            renderings.append(rendering)
            if len(renderings) == _COMPARED:
                break
        return vectors, renderings


def _compare_canned(made_with: Fingerprint, current: Fingerprint) -> None:
    """Compare what two encoders make of the canned images and texts.

    Raises:
        FingerprintMismatch: A cosine is below 0.9999: another model, or an export that is not exact enough.
    """
    before, after = (_decoded(each.canned or "", each.dimension) for each in (made_with, current))
    cosine = float((before * after).sum(axis=1).min()) if before.shape == after.shape else 0.0
    if cosine < _MIN_CANNED_COSINE:
        raise FingerprintMismatch(
            f"This archive was made with the encoder {made_with.service}; {current.service} is another (cosine "
            f"{cosine:.4f}). Set MCP_CXR_MODEL_DIR to its folder, use mode='words', or set MCP_CXR_DATA_DIR to a new "
            "folder and ingest."
        )


def _decoded(canned: str, dimension: int) -> Vectors:
    """Return the unit vectors in `Fingerprint.canned`."""
    vectors = np.frombuffer(base64.b64decode(canned), "<f2").astype(np.float32).reshape(-1, dimension)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _are_same(before: Vector, after: Vector | Rejection) -> bool:
    return not isinstance(after, Rejection) and float(before @ after) >= _MIN_COSINE
