"""The stage `embed`: renderings become vectors, all from one service."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio

from mcp_cxr.errors import EmbeddingError, EmbeddingUnavailable, FingerprintMismatch
from mcp_cxr.ingest._internal_errors import raise_if_of_the_run
from mcp_cxr.ingest._stage_items import EmbeddedFile, Failure
from mcp_cxr.records import Rejection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.ingest._internal_errors import InternalErrors
    from mcp_cxr.ingest._plan import StopSignal
    from mcp_cxr.ingest._stage_items import DecodedFile
    from mcp_cxr.records import Fingerprint, Vector

T = TypeVar("T")


@dataclass(slots=True)
class EmbedStage:
    """Embeds batches, a few at once.

    Args:
        check_fingerprint: Raises `FingerprintMismatch` if the embedder does not match the store; the service may be
            replaced during a run.
    """

    embedder: Embedder
    check_fingerprint: Callable[[], Awaitable[Fingerprint]]
    stop_signal: StopSignal
    internal_errors: InternalErrors
    _fingerprint: Fingerprint | None = None

    async def is_ready(self) -> bool:
        """Whether batches can be embedded; asks the service before the first one."""
        if self._fingerprint is None and not self.stop_signal.reason:
            self._fingerprint = await self._call_service(self.check_fingerprint)
        return self._fingerprint is not None and not self.stop_signal.reason

    def batch_size(self, most: int) -> int:
        """Return the images to embed at once, at most `most`: what the embedder says, which depends on its speed."""
        return min(most, self.embedder.batch_size or most)

    async def embed(self, batch: Sequence[DecodedFile]) -> list[EmbeddedFile | Failure] | None:
        """Return the vector of each file, or why it has none; None if the run was stopped before.

        If our own code fails, the files are embedded one by one, so that the rest of the batch is embedded.
        """
        if self.stop_signal.reason:
            return None
        try:
            vectors = await self._call_service(partial(self._request_vectors, batch))
        except Exception as exc:  # noqa: BLE001 # told apart by the callee
            if len(batch) == 1:
                return [self.internal_errors.failure("embed", batch[0].new.file, exc)]
            raise_if_of_the_run(exc)
            singles = [await self.embed([item]) for item in batch]
            return [result for single in singles for result in single or ()]
        self.internal_errors.passed("embed")
        return None if vectors is None else [_result(*one) for one in zip(batch, vectors, strict=True)]

    async def _call_service(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Return the result of a call to the embedding service; None if it failed or the deadline passed.

        A failing service stops the run and counts as no file's error.
        """
        with anyio.CancelScope(deadline=self.stop_signal.deadline):
            try:
                return await call()
            except (EmbeddingError, FingerprintMismatch) as exc:
                self.stop_signal.stop(str(exc), keep_counting=True)
        return None

    async def _request_vectors(self, batch: Sequence[DecodedFile]) -> list[Vector | Rejection]:
        """Return the batch's vectors, all from the service with the run's fingerprint.

        If another service has taken its place, the run ends: whether both give the same vectors shows in stored
        images, and some of those are still to be written. The next run compares them.
        """
        vectors = await self.embedder.embed_images([item.rendering for item in batch])
        if await self.embedder.fingerprint() != self._fingerprint:
            raise EmbeddingUnavailable("The embedding service was replaced during the run; run the same command again.")
        await self.check_fingerprint()  # another process may have recreated the store
        return vectors


def _result(item: DecodedFile, vector: Vector | Rejection) -> EmbeddedFile | Failure:
    if isinstance(vector, Rejection):
        return Failure(item.new.file, vector.reason)
    return EmbeddedFile(item.new, item.image, item.study, vector)
