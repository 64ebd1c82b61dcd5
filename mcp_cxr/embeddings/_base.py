"""The protocol of every embedder; `tests/contract/embedders` tests each of them against it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.records import Fingerprint, ImageSpec, Rejection, Rendering, Vector, Vectors

WORDS_OF_77_TOKENS: Final = 45
"""Words that a text encoder of CLIP reads of any text: a medical word takes more than one token."""


@dataclass(frozen=True, slots=True)
class EmbedderCheck:
    """Result of a check of a working embedder."""

    image_ms: float
    """Milliseconds to embed one image."""
    text_ms: float
    """Milliseconds to embed one short text."""


@runtime_checkable
class CheckableEmbedder(Protocol):
    """What an embedder has whose service may be down, or whose files may be damaged."""

    async def check(self) -> EmbedderCheck:
        """Check it, with one image and one text.

        Raises:
            EmbeddingUnavailable: It does not answer, or is still loading.
            EmbeddingRejected: It needs another configuration.
        """
        ...


class Embedder(AbstractAsyncContextManager["Embedder"], Protocol):
    """Turns renderings and texts into vectors of one space. Opened with `async with`, which needs no network.

    Raises:
        EmbeddingUnavailable: From any method but opening; a retry may help.
        EmbeddingRejected: From any method but opening; the service refuses the input as a whole.
    """

    name: str
    """The model's name, known without a request."""
    embeds_text: bool
    near_duplicate_cosine: float
    """Cosine, measured from the archive's mean, from which two images are one image exported or sent twice."""

    @property
    def image_spec(self) -> ImageSpec:
        """The rendering to make of an image, known without a request.

        Raises:
            EmbeddingRejected: The files that say so cannot be read.
        """
        ...

    @property
    def max_text_words(self) -> int:
        """Words of a text that are surely read; others may be cut without an error. Known once it embedded a text."""
        ...

    @property
    def batch_size(self) -> int | None:
        """Images that are best embedded at once, since those of a call that is stopped are lost; None: any number."""
        ...

    async def fingerprint(self) -> Fingerprint:
        """Return what must be equal for vectors to be comparable; a service is asked once."""
        ...

    async def embed_images(self, renderings: Sequence[Rendering], /) -> list[Vector | Rejection]:
        """Return one vector or one reason for each rendering, in order.

        Vectors are float32, shape (dimension,), unit length. A failed rendering gets a reason, never a substitute.
        """
        ...

    async def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Return float32, shape (len(texts), dimension), unit length.

        Raises:
            EmbeddingRejected: This embedder cannot read text (`embeds_text` is False).
        """
        ...
