"""Embeds images and texts with a service."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
import numpy as np

from mcp_cxr.embeddings._base import WORDS_OF_77_TOKENS, EmbedderCheck
from mcp_cxr.embeddings._check_vectors import BadReply, check_distinct, validated
from mcp_cxr.embeddings.nvclip._dialects import (
    DIALECTS,
    NAMES_OF_NVCLIP,
    SELF_CHECK_TEXTS,
    read_vectors,
    read_version,
    self_check_images,
    text_key,
)
from mcp_cxr.embeddings.nvclip._service import (
    Input,
    InputKind,
    NvclipConfig,
    RejectedByStatus,
    RequestPolicy,
    RequestRefused,
    Service,
)
from mcp_cxr.embeddings.nvclip._service_probes import ServiceProbes
from mcp_cxr.errors import EmbeddingError, EmbeddingRejected, EmbeddingUnavailable
from mcp_cxr.records import Fingerprint, ImageSpec, Rejection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Self

    from mcp_cxr.http_client import Transport
    from mcp_cxr.records import Rendering, Vector, Vectors

_JPEG_QUALITY = 95
_MAX_BYTES = 3 << 20  # of JPEG files in one request; base64 adds a third
_MAY_BE_THE_NAME = {400, 404, 422}
_WORDS_ALWAYS_READ = 10  # by every service that is known
_SHARE_OF_WORDS = 5 / 8  # of common words, which are one token each; a medical word takes more than one


class NvclipEmbedder:
    """An `Embedder` that calls a service in one of three dialects.

    Any number of tasks may call it at once. Nothing is sent to any host but the configured one.

    Args:
        config: Address, model and dialect.
        policy: Timeouts and retries.
        transport: Replaces the network in tests.
    """

    batch_size = None
    embeds_text = True
    near_duplicate_cosine: float = 0.999

    def __init__(
        self, config: NvclipConfig, *, policy: RequestPolicy | None = None, transport: Transport | None = None
    ) -> None:
        self.name: str = NAMES_OF_NVCLIP[0] if config.model in NAMES_OF_NVCLIP else config.model
        self.image_spec: ImageSpec = ImageSpec(size=config.image_size, mode="RGB", jpeg_quality=_JPEG_QUALITY)
        self._config = config
        self._policy = policy or RequestPolicy()
        self._transport = transport
        self._dialect = DIALECTS[config.dialect](config.base_url, config.model)
        self._images = InputKind(self._dialect.embed_images, hash, self._policy.images_deadline_s, retries_connect=True)
        self._texts = InputKind(
            self._dialect.embed_texts,
            lambda text: text_key(text, self.max_text_words),
            self._policy.texts_deadline_s,
            retries_connect=False,
        )
        self.max_text_words: int = WORDS_OF_77_TOKENS
        self._knows_text_limit = False
        self._opened: Service | None = None
        self._identifying = anyio.Lock()
        self._fingerprint: Fingerprint | None = None
        self._known_disconnects = self._known_connections = 0

    async def __aenter__(self) -> Self:
        self._opened = Service(self._config, self._policy, self._transport, not_found=self._dialect.not_found)
        self._fingerprint = None
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._service.client.aclose()

    async def fingerprint(self) -> Fingerprint:
        """Return the fingerprint; requested once, and again after a disconnect.

        After a new connection only the version is requested again.

        Raises:
            EmbeddingRejected: The service fails the self-check: its vectors mean nothing.
        """
        async with self._identifying:
            if self._fingerprint is None or self._known_disconnects != self._service.disconnects:
                self._service.check_up()
                self._known_disconnects = self._service.disconnects
                self._fingerprint = None
                self._fingerprint = await self._identify()
            elif (
                self._known_connections != self._service.client.connections  # replaced unnoticed if closed while idle
                and await self._version() != self._fingerprint.service
            ):
                self._fingerprint = await self._identify()
            self._known_connections = self._service.client.connections
            return self._fingerprint

    async def embed_images(self, renderings: Sequence[Rendering]) -> list[Vector | Rejection]:
        """Return one vector or one reason for each rendering, in order; batches are sent concurrently.

        Raises:
            EmbeddingUnavailable: The service fails, or was replaced by another one meanwhile; no vector is kept.
            EmbeddingRejected: The service accepts no image at all.
        """
        return await self._embed(self._images, [_jpeg(rendering) for rendering in renderings])

    async def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Return float32, shape (len(texts), dimension), unit length. Runs of white space count as one blank.

        Raises:
            EmbeddingRejected: A text is empty, would be read as an image, or is refused by the service.
        """
        plain = [_plain(text) for text in texts]
        fingerprint = await self.fingerprint()
        if not self._knows_text_limit and any(len(text.split()) > _WORDS_ALWAYS_READ for text in plain):
            await self._learn_text_limit()
        rows = await self._embed(self._texts, plain)
        for number, row in enumerate(rows, 1):
            if isinstance(row, Rejection):
                raise EmbeddingRejected(f"Text {number} of {len(rows)} is {row.reason}; rephrase it.")
        return np.array(rows, np.float32) if rows else np.empty((0, fingerprint.dimension), np.float32)

    async def check(self) -> EmbedderCheck:
        """Request health, fingerprint and the limit of texts again, and time one image and one text.

        Raises:
            EmbeddingUnavailable: The service does not answer, or is still loading.
            EmbeddingRejected: It needs another configuration, or fails the self-check.
        """
        if not await self._service.is_ready(self._dialect.get(self._dialect.health)):
            raise EmbeddingUnavailable(
                f"The embedding service at {self._config.base_url} is not ready; it may be loading its model."
            )
        self._fingerprint = None
        await self.fingerprint()
        await self._learn_text_limit()
        image_ms = await self._milliseconds(self._images, self_check_images()[0])
        return EmbedderCheck(image_ms, await self._milliseconds(self._texts, SELF_CHECK_TEXTS[0]))

    @property
    def probes(self) -> ServiceProbes:
        """Questions about the service's limits and habits; open the embedder first."""
        return ServiceProbes(self._service, self._dialect, self._images, self._texts)

    @property
    def _service(self) -> Service:
        if self._opened is None:
            raise RuntimeError("open it with `async with` first")
        return self._opened

    async def _embed(self, kind: InputKind[Input], items: Sequence[Input]) -> list[Vector | Rejection]:
        """Send all batches, as many at once as the limiter allows; the first failure cancels the others."""
        fingerprint = await self.fingerprint()
        batches = pack(items, max_items=self._dialect.max_items, max_bytes=_MAX_BYTES)
        rows: list[list[Vector | Rejection]] = [[] for _ in batches]
        failures: list[EmbeddingError] = []

        async def embed(batch: Sequence[Input]) -> Vectors:
            keys = [kind.key(item) for item in batch]
            return await self._service.request(
                kind,
                lambda: kind.encode(batch),
                lambda body: validated(read_vectors(self._dialect, body), keys, dimension=fingerprint.dimension),
            )

        async def check_service() -> None:
            if await self._self_check(self._canned_images) != fingerprint.dimension:
                raise self._replaced()

        async def fill(number: int, batch: Sequence[Input]) -> None:
            try:
                rows[number] = await embed_or_split(batch, embed, check_service)
            except EmbeddingError as exc:
                failures.append(exc)
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for number, batch in enumerate(batches):
                group.start_soon(fill, number, batch)
        if failures:
            raise failures[0]
        if await self.fingerprint() != fingerprint:  # some vectors may come from another service
            raise self._replaced()
        return [row for batch in rows for row in batch]

    async def _identify(self) -> Fingerprint:
        version = await self._version()
        dimension = await self._self_check(self._canned_images_by_either_name)
        await self._check_padding(version)
        self._knows_text_limit = False
        return Fingerprint(self.name, dimension, self._config.preprocessing, version, self._config.dialect)

    async def _self_check(self, embed_drawings: Callable[[], Awaitable[Vectors]]) -> int:
        """Return the dimension of the service's vectors, if they mean something."""
        try:
            images = await embed_drawings()
            texts = await self._canned_vectors(self._texts, SELF_CHECK_TEXTS)
        except RequestRefused as exc:
            raise EmbeddingRejected(
                f"The embedding service at {self._config.base_url} fails the self-check: it {exc}; check NVCLIP_MODEL "
                "and NVCLIP_DIALECT."
            ) from None
        try:
            images = validated(images, self_check_images(), dimension=None)
            check_distinct(images, validated(texts, SELF_CHECK_TEXTS, dimension=None))
        except BadReply as exc:
            raise EmbeddingRejected(
                f"The embedding service at {self._config.base_url} fails the self-check: it returns {exc}. Check "
                "NVCLIP_MODEL, NVCLIP_DIALECT and the service's log."
            ) from None
        return images.shape[1]

    async def _canned_images(self) -> Vectors:
        return await self._canned_vectors(self._images, self_check_images())

    async def _canned_images_by_either_name(self) -> Vectors:
        """Return the vectors of the drawings; if they are refused, NV-CLIP's other name is tried once, and kept."""
        configured = self._dialect.model
        try:
            return await self._canned_images()
        except (RequestRefused, RejectedByStatus) as exc:
            if configured not in NAMES_OF_NVCLIP or exc.status not in _MAY_BE_THE_NAME:
                raise
            refusal = exc
        self._dialect.model = next(name for name in NAMES_OF_NVCLIP if name != configured)
        try:
            return await self._canned_images()
        except (RequestRefused, RejectedByStatus):
            self._dialect.model = configured
            raise refusal from None

    async def _canned_vectors(self, kind: InputKind[Input], inputs: Sequence[Input]) -> Vectors:
        """Return the vectors of inputs that any service accepts, within the time that a person waits."""
        return await self._service.request(
            self._texts, lambda: kind.encode(inputs), lambda body: read_vectors(self._dialect, body)
        )

    async def _check_padding(self, version: str | None) -> None:
        """Refuse a service that ignores the request for padding: its texts have vectors that mean nothing."""
        padding = await self.probes.padding()
        if padding and not padding.is_applied:
            raise EmbeddingRejected(
                f"The vLLM {version or 'of unknown version'} at {self._config.base_url} ignores padding, which makes "
                f"vectors of texts wrong for {self.name}; install vLLM 0.29 or later."
            )

    async def _learn_text_limit(self) -> None:
        limit = await self.probes.text_limit()
        if limit.at_least is not None:
            self.max_text_words = int(limit.at_least * _SHARE_OF_WORDS)
        self._knows_text_limit = True

    async def _version(self) -> str | None:
        try:
            return await self._service.request(
                self._texts,
                lambda: self._dialect.get(self._dialect.identity),
                lambda body: read_version(self._dialect, body),
            )
        except (EmbeddingRejected, RequestRefused):  # it has none; a wrong key or address shows with the first image
            return None

    def _replaced(self) -> EmbeddingUnavailable:
        return EmbeddingUnavailable(
            f"The embedding service at {self._config.base_url} restarted with another version or model during the call;"
            " repeat the command."
        )

    async def _milliseconds(self, kind: InputKind[Input], item: Input) -> float:
        start = time.perf_counter()
        await self._embed(kind, [item])
        return (time.perf_counter() - start) * 1000


def _jpeg(rendering: Rendering) -> bytes:
    if rendering.jpeg is None:
        raise ValueError("a rendering without JPEG: render it to `image_spec`")
    return rendering.jpeg


def _plain(text: str) -> str:
    """Return `text` on one line: the NIM's specification requires `^.*$`, and reads `data:image` as an image."""
    plain = " ".join(text.split())
    if not plain:
        raise EmbeddingRejected("The text is empty; use at least one word.")
    if plain.lower().startswith("data:image"):
        raise EmbeddingRejected("The text begins with data:image, like an image; use words.")
    return plain


def pack(items: Sequence[Input], *, max_items: int, max_bytes: int) -> list[Sequence[Input]]:
    """Return consecutive batches of `items` within both limits; an item larger than `max_bytes` is a batch alone."""
    starts, size = [0], 0
    for number, item in enumerate(items):
        size += len(item)
        if number > starts[-1] and (number - starts[-1] == max_items or size > max_bytes):
            starts.append(number)
            size = len(item)
    return [items[start:end] for start, end in zip(starts, [*starts[1:], len(items)], strict=True) if end > start]


async def embed_or_split(
    items: Sequence[Input],
    embed: Callable[[Sequence[Input]], Awaitable[Vectors]],
    before_split: Callable[[], Awaitable[None]] | None = None,
) -> list[Vector | Rejection]:
    """Return a vector or a reason for each item, in order; a refused batch is halved, down to the item at fault.

    Args:
        items: A batch.
        embed: Returns one vector for each item, or raises `RequestRefused`.
        before_split: Called once before the first split; raises if the service is at fault and not an item.
    """
    try:
        return list(await embed(items))
    except RequestRefused as exc:
        refusal = exc
    if before_split:
        await before_split()
    if len(items) == 1:
        return [Rejection(refusal.reason)]
    half = len(items) // 2
    return [*await embed_or_split(items[:half], embed), *await embed_or_split(items[half:], embed)]
