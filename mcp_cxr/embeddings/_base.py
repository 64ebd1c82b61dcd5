"""The promise every embedder keeps; `tests/contract` holds each of them to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from mcp_cxr.records import Fingerprint, ImageSpec, Rejected, Rendering, Vector, Vectors


class Embedder(Protocol):
    """Turns pictures or texts into vectors of one space. Opened with `async with`; no method needs the network before.

    Raises:
        EmbeddingUnavailable: From any method but opening; a retry may help.
        EmbeddingRejected: From any method but opening; the service refuses the input as a whole.
    """

    name: str
    """The model's name, known without asking the service."""
    image_spec: ImageSpec
    embeds_text: bool

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def fingerprint(self) -> Fingerprint:
        """What makes these vectors; asked of the service once."""
        ...

    async def embed_images(self, pictures: Sequence[Rendering]) -> list[Vector | Rejected]:
        """Return one vector or one reason for each picture, in order.

        Vectors are float32, shape (dimension,), unit length. Nothing stands in for a failed picture.
        """
        ...

    async def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Return float32, shape (len(texts), dimension), unit length.

        Raises:
            EmbeddingRejected: This embedder cannot read text (`embeds_text` is False).
        """
        ...
