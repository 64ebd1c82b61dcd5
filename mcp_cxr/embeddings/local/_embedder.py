"""Embeds images and texts in this process, with the encoder of a model folder."""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import numpy as np
from anyio import to_thread

from mcp_cxr.embeddings._base import WORDS_OF_77_TOKENS, EmbedderCheck
from mcp_cxr.embeddings._check_vectors import BadReply, validated
from mcp_cxr.embeddings.local._canned_inputs import CANNED_TEXTS, canned_images
from mcp_cxr.embeddings.local._encoder import Encoder, describe_encoder
from mcp_cxr.embeddings.local._encoder_cache import EncoderCache, EncoderFacts
from mcp_cxr.embeddings.local._first_load import load_first
from mcp_cxr.embeddings.local._model_files import folder_error
from mcp_cxr.embeddings.local._onnx_sessions import SessionOptions
from mcp_cxr.errors import EmbeddingRejected
from mcp_cxr.records import LOCAL_ENCODER, Fingerprint, Rejection, Rendering

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from pathlib import Path
    from typing import Self

    from mcp_cxr.embeddings.local._encoder import EncoderDescription
    from mcp_cxr.records import ImageSpec, Vector, Vectors

T = TypeVar("T")

_BATCH: Final = 8
"""Images of a run; more were measured to be no faster on the CPU."""
_BATCH_S: Final = 5.0
"""Seconds that a batch should take at most, because a stop waits for it: slow encoders get smaller ones."""
_SHOWN_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class LocalConfig:
    """Which encoder runs, and how."""

    folder: Path
    preprocessing: str
    """Version of the steps from a file to its rendering; the folder's own steps are added to it."""
    encoder_cache_file: Path
    """JSON file that remembers digests and first loads."""
    options: SessionOptions = field(default_factory=SessionOptions)
    allows_demo_encoder: bool = False
    """Whether the encoder that is trained on drawings may be used."""


class LocalEmbedder(AbstractAsyncContextManager["LocalEmbedder"]):
    """An `Embedder` that runs an ONNX encoder in threads of this process. Nothing is fetched, nothing is sent.

    Opening reads nothing. The folder is read for the first fingerprint or rendering, the graphs are loaded for the
    first image and the first text.
    """

    name = LOCAL_ENCODER
    embeds_text = True
    near_duplicate_cosine: float = 0.999

    def __init__(self, config: LocalConfig) -> None:
        self._config = config
        self._identifying = anyio.Lock()
        self._known: tuple[Encoder, Fingerprint] | None = None
        self._described: EncoderDescription | None = None
        self._seconds_per_image = 0.0
        # One run at a time uses all cores; a query need not wait for a batch of images.
        self._image_thread = anyio.CapacityLimiter(1)
        self._text_thread = anyio.CapacityLimiter(1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._known = None

    @property
    def image_spec(self) -> ImageSpec:
        """The rendering that the folder asks for.

        Raises:
            EmbeddingRejected: The folder cannot be used.
        """
        return self._description().image_recipe.spec

    @property
    def max_text_words(self) -> int:
        """Words of a text that the encoder's tokens hold.

        Raises:
            EmbeddingRejected: The folder cannot be used.
        """
        return self._description().text_recipe.length * WORDS_OF_77_TOKENS // 77

    @property
    def batch_size(self) -> int:
        """Images that are best embedded at once: fewer if each takes long."""
        return max(1, int(_BATCH_S / self._seconds_per_image)) if self._seconds_per_image else 1

    async def fingerprint(self) -> Fingerprint:
        """Return the fingerprint. A folder that is new to this machine is hashed and loaded in a process of its own.

        Raises:
            EmbeddingRejected: The folder cannot be used, or it is the demonstration encoder and not allowed.
        """
        return (await self._identified())[1]

    async def embed_images(self, renderings: Sequence[Rendering]) -> list[Vector | Rejection]:
        """Return one vector or one reason for each rendering, in order. Can be cancelled between batches.

        Raises:
            EmbeddingRejected: The folder cannot be used, or gives different images the same vector.
        """
        if not renderings:
            return []
        encoder, fingerprint = await self._identified()
        await self._run_images(encoder.load_images)
        rows: list[Vector | Rejection] = []
        while len(rows) < len(renderings):
            size = min(_BATCH, self.batch_size)
            batch = [rendering.pixels for rendering in renderings[len(rows) : len(rows) + size]]
            started = time.perf_counter()
            vectors = await self._run_images(partial(encoder.embed_images, batch))
            self._seconds_per_image = (time.perf_counter() - started) / len(batch)
            rows += _checked(vectors, [each.tobytes() for each in batch], fingerprint.dimension)
        return rows

    async def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Return float32, shape (len(texts), dimension), unit length. Runs of white space count as one blank.

        Raises:
            EmbeddingRejected: A text is empty, or the folder cannot be used.
        """
        if any(not text.strip() for text in texts):
            raise EmbeddingRejected("The text is empty; use at least one word.")
        encoder, fingerprint = await self._identified()
        rows = [np.empty((0, fingerprint.dimension), np.float32)]
        for start in range(0, len(texts), _BATCH):
            batch = texts[start : start + _BATCH]
            vectors, keys = await to_thread.run_sync(partial(_embed_texts, encoder, batch), limiter=self._text_thread)
            for row in _checked(vectors, keys, fingerprint.dimension):
                if isinstance(row, Rejection):
                    raise EmbeddingRejected(f"The encoder gave {row.reason} for a text; rephrase it.")
                rows.append(row[None])
        return np.concatenate(rows)

    async def check(self) -> EmbedderCheck:
        """Load both graphs, and time one image and one text.

        Raises:
            EmbeddingRejected: The folder cannot be used, or a package is missing.
        """
        image = [Rendering(canned_images(self.image_spec.size)[0])]
        times: list[float] = []
        for embed in (partial(self.embed_images, image), partial(self.embed_texts, CANNED_TEXTS[:1])):
            await embed()  # loads the graph
            started = time.perf_counter()
            await embed()
            times.append((time.perf_counter() - started) * 1000)
        return EmbedderCheck(*times)

    async def _run_images(self, work: Callable[[], T]) -> T:
        return await to_thread.run_sync(work, limiter=self._image_thread)

    def _description(self) -> EncoderDescription:
        if self._described is None:
            self._described = describe_encoder(self._config.folder)
        return self._described

    async def _identified(self) -> tuple[Encoder, Fingerprint]:
        async with self._identifying:
            if self._known is None:
                self._known = await self._identify()
            return self._known

    async def _identify(self) -> tuple[Encoder, Fingerprint]:
        config = self._config
        description = await to_thread.run_sync(self._description)
        if description.files.is_demo_encoder and not config.allows_demo_encoder:
            raise folder_error(
                "it is the demonstration encoder, trained on drawings; it recognizes nothing in real radiographs. "
                "Choose another model (docs/models.md) or, for drawings, add --allow-demo-encoder."
            )
        encoder_cache = await to_thread.run_sync(EncoderCache, config.encoder_cache_file)
        digest = await to_thread.run_sync(description.digest, encoder_cache.file_digest)
        known = encoder_cache.get(digest)
        if known is None:
            known = await load_first(description)
            await to_thread.run_sync(encoder_cache.remember, digest, known)
        return Encoder(description, config.options), self._fingerprint_of(description, digest, known)

    def _fingerprint_of(self, description: EncoderDescription, digest: str, known: EncoderFacts) -> Fingerprint:
        spec = description.image_recipe.spec
        return Fingerprint(
            self.name,
            known.dimension,
            f"{self._config.preprocessing}/{spec.size}px squashed, {spec.resampling}",
            digest[:_SHOWN_DIGITS],
            "ONNX",
            canned=known.canned,
        )


def _embed_texts(encoder: Encoder, texts: Sequence[str]) -> tuple[Vectors, Sequence[Hashable]]:
    return encoder.embed_texts(texts), encoder.tokenizer.tokens(texts)


def _checked(vectors: Vectors, keys: Sequence[Hashable], dimension: int) -> list[Vector | Rejection]:
    """Return the vectors as they must be; one that is not finite is the fault of its own input.

    Raises:
        EmbeddingRejected: They cannot be the vectors of these inputs.
    """
    is_finite = [bool(np.isfinite(row).all()) for row in vectors]
    kept = [key for key, finite in zip(keys, is_finite, strict=True) if finite]
    try:
        sound = iter(validated(vectors[np.array(is_finite, bool)], kept, dimension=dimension))
    except BadReply as exc:
        raise folder_error(f"the encoder returns {exc}; copy all files from one model again.") from None
    return [next(sound) if finite else Rejection("numbers that are not finite") for finite in is_finite]
