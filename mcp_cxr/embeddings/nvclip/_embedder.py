"""The embedder behind NV-CLIP and its neighbours."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

import anyio
import numpy as np

from mcp_cxr.embeddings.nvclip._batches import T, divide, pack
from mcp_cxr.embeddings.nvclip._config import RequestPolicy
from mcp_cxr.embeddings.nvclip._dialects import DIALECTS, BadReply, Request, read_vectors, read_version
from mcp_cxr.embeddings.nvclip._service import RequestGroup, RequestRefused, Service
from mcp_cxr.embeddings.nvclip._validation import (
    SELF_CHECK_TEXTS,
    check_distinct,
    self_check_images,
    text_key,
    validated,
)
from mcp_cxr.errors import EmbeddingError, EmbeddingRejected, EmbeddingUnavailable
from mcp_cxr.records import Fingerprint, ImageSpec, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from types import TracebackType
    from typing import Self

    from mcp_cxr.embeddings.nvclip._config import NvclipConfig
    from mcp_cxr.embeddings.nvclip._http import Transport
    from mcp_cxr.records import Rendering, Vector, Vectors

_JPEG_QUALITY = 95
_MAX_BYTES = 3 << 20  # of pictures in one request; base64 adds a third
_ALIASES = {"nvidia/nvclip": "nvidia/nvclip-vit-h-14"}  # two names of one model; a collection knows the longer


@dataclass(frozen=True, slots=True)
class ServiceCheck:
    """What a working service showed of itself."""

    fingerprint: Fingerprint
    image_ms: float
    """From one canned picture to its vector."""
    text_ms: float
    """From one short text to its vector."""


@dataclass(frozen=True, slots=True)
class _Kind(Generic[T]):
    """What differs between pictures and texts."""

    group: RequestGroup
    encode: Callable[[Sequence[T]], Request]
    key: Callable[[T], Hashable]
    """Different keys stand for inputs that cannot share a vector."""
    self_check: tuple[T, ...]


class NvclipEmbedder:
    """Keeps `Embedder` with a service that speaks one of three dialects.

    Any number of tasks may call it at once. Nothing is sent to any host but the configured one.

    Args:
        config: Where the service is and how it wants to be asked.
        patience: How long it may take.
        transport: In place of the network, for tests.
    """

    embeds_text = True

    def __init__(
        self, config: NvclipConfig, *, policy: RequestPolicy | None = None, transport: Transport | None = None
    ) -> None:
        self.name = _ALIASES.get(config.model, config.model)
        self.image_spec = ImageSpec(size=config.image_size, mode="RGB", jpeg_quality=_JPEG_QUALITY)
        self._config = config
        self._policy = policy or RequestPolicy()
        self._transport = transport
        self._dialect = DIALECTS[config.dialect](config.base_url, config.model)
        self._opened: Service | None = None
        self._identifying = anyio.Lock()
        self._fingerprint: Fingerprint | None = None
        self._known_disconnects = self._known_connections = 0

    async def __aenter__(self) -> Self:
        self._opened = Service(self._config, self._policy, self._transport)
        self._fingerprint = None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._service.aclose()

    async def fingerprint(self) -> Fingerprint:
        """What makes these vectors; asked once, and again after the service was out of sight.

        Over a new connection its version is asked again.

        Raises:
            EmbeddingRejected: It fails the self-check: its vectors mean nothing.
        """
        async with self._identifying:
            if self._fingerprint is None or self._known_disconnects != self._service.disconnects:
                self._service.check_up()
                self._known_disconnects = self._service.disconnects
                self._fingerprint = None
                self._fingerprint = await self._identify()
            elif not await self._is_the_same(self._fingerprint):
                self._fingerprint = await self._identify()
            self._known_connections = self._service.connections
            return self._fingerprint

    async def embed_images(self, pictures: Sequence[Rendering]) -> list[Vector | Rejected]:
        """Return one vector or one reason for each picture, in order; batches go out side by side.

        Raises:
            EmbeddingUnavailable: The service fails, or was replaced by another one on the way; nothing is kept.
            EmbeddingRejected: The service takes no picture at all.
        """
        return await self._embed(self._pictures, [_jpeg(picture) for picture in pictures])

    async def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Return float32, shape (len(texts), dimension), unit length. White space counts as one blank.

        Raises:
            EmbeddingRejected: A text is empty, would be taken for a picture, or is refused by the service.
        """
        plain = [_plain(text) for text in texts]
        fingerprint = await self.fingerprint()
        rows = await self._embed(self._texts, plain)
        for number, row in enumerate(rows, 1):
            if isinstance(row, Rejected):
                raise EmbeddingRejected(f"Text {number} of {len(rows)} is {row.reason}; ask in other words.")
        return np.array(rows, np.float32) if rows else np.empty((0, fingerprint.dimension), np.float32)

    async def health(self) -> bool:
        """Whether the service says that its model is loaded.

        Raises:
            EmbeddingUnavailable: It does not answer.
            EmbeddingRejected: What answers there is no such service, or wants a key.
        """
        return await self._service.is_ready(self._dialect.health)

    async def check(self) -> ServiceCheck:
        """Ask for everything once more, and time one picture and one text.

        Raises:
            EmbeddingUnavailable: It does not answer, or is still loading.
            EmbeddingRejected: It wants another configuration, or fails the self-check.
        """
        if not await self.health():
            raise EmbeddingUnavailable(
                f"The service at {self._config.base_url} is up, but not ready: it may still load its model; try again."
            )
        self._fingerprint = None
        fingerprint = await self.fingerprint()
        return ServiceCheck(
            fingerprint, await self._milliseconds(self._pictures), await self._milliseconds(self._texts)
        )

    @property
    def _service(self) -> Service:
        if self._opened is None:
            raise RuntimeError("open it with `async with` first")
        return self._opened

    @property
    def _pictures(self) -> _Kind[bytes]:
        return _Kind(self._service.pictures, self._dialect.pictures, hash, self_check_images())

    @property
    def _texts(self) -> _Kind[str]:
        return _Kind(self._service.questions, self._dialect.texts, text_key, SELF_CHECK_TEXTS)

    async def _embed(self, kind: _Kind[T], items: Sequence[T]) -> list[Vector | Rejected]:
        """Send all batches at once, as far as the pace lets them; the first failure ends the others."""
        fingerprint = await self.fingerprint()
        batches = pack(items, max_items=self._dialect.max_items, max_bytes=_MAX_BYTES)
        rows: list[list[Vector | Rejected]] = [[] for _ in batches]
        failures: list[EmbeddingError] = []

        async def ask(batch: Sequence[T]) -> Vectors:
            return await self._ask(kind, batch, dimension=fingerprint.dimension)

        async def confirm() -> None:
            if await self._self_check() != fingerprint.dimension:
                raise self._replaced()

        async def fill(number: int, batch: Sequence[T]) -> None:
            try:
                rows[number] = await divide(batch, ask, confirm)
            except EmbeddingError as exc:
                failures.append(exc)
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for number, batch in enumerate(batches):
                group.start_soon(fill, number, batch)
        if failures:
            raise failures[0]
        await self._check_same(fingerprint)
        return [row for batch in rows for row in batch]

    async def _ask(self, kind: _Kind[T], batch: Sequence[T], *, dimension: int) -> Vectors:
        keys = [kind.key(item) for item in batch]
        return await self._service.ask(
            kind.group,
            lambda: kind.encode(batch),
            lambda body: validated(read_vectors(self._dialect, body), keys, dimension=dimension),
        )

    async def _request_self_check(self, kind: _Kind[T]) -> Vectors:
        """Embed what any service takes."""
        try:
            return await self._service.ask(
                self._service.questions,
                lambda: kind.encode(kind.self_check),
                lambda body: read_vectors(self._dialect, body),
            )
        except RequestRefused as exc:
            raise EmbeddingRejected(
                f"The service at {self._config.base_url} {exc}, even to a canned input; check NVCLIP_MODEL and "
                "NVCLIP_DIALECT."
            ) from None

    async def _identify(self) -> Fingerprint:
        version = await self._version()
        dimension = await self._self_check()
        return Fingerprint(self.name, dimension, self._config.preprocessing, version, self._config.dialect)

    async def _self_check(self) -> int:
        """Return the dimension of vectors that mean something; where there are none, no input is to blame."""
        pictures, texts = await self._request_self_check(self._pictures), await self._request_self_check(self._texts)
        try:
            pictures = validated(pictures, self_check_images(), dimension=None)
            check_distinct(pictures, validated(texts, SELF_CHECK_TEXTS, dimension=None))
        except BadReply as exc:
            raise EmbeddingRejected(
                f"The service at {self._config.base_url} fails the self-check: it answers with {exc}. Its vectors mean "
                "nothing; check NVCLIP_MODEL, NVCLIP_DIALECT and the service's own log."
            ) from None
        return pictures.shape[1]

    async def _is_the_same(self, known: Fingerprint) -> bool:
        """Ask again behind a new connection: one that was closed while idle is made anew without a loss to be seen."""
        return self._known_connections == self._service.connections or await self._version() == known.service

    async def _version(self) -> str | None:
        try:
            return await self._service.ask(
                self._service.questions,
                lambda: self._dialect.identity,
                lambda body: read_version(self._dialect, body),
            )
        except (
            EmbeddingRejected,
            RequestRefused,
        ):  # it offers none; a wrong key or address shows with the first picture
            return None

    async def _check_same(self, fingerprint: Fingerprint) -> None:
        """Refuse vectors of which some may have come from another service than the rest."""
        if await self.fingerprint() != fingerprint:
            raise self._replaced()

    def _replaced(self) -> EmbeddingUnavailable:
        return EmbeddingUnavailable(
            f"The service at {self._config.base_url} was replaced by another one while inputs were on their way; run "
            "it again."
        )

    async def _milliseconds(self, kind: _Kind[T]) -> float:
        start = time.perf_counter()
        await self._embed(kind, kind.self_check[:1])
        return (time.perf_counter() - start) * 1000


def _jpeg(picture: Rendering) -> bytes:
    if picture.jpeg is None:
        raise ValueError("a picture without JPEG: render it to `image_spec`")
    return picture.jpeg


def _plain(text: str) -> str:
    """Return `text` on one line: the NIM's specification wants `^.*$`, and takes `data:image` for a picture."""
    plain = " ".join(text.split())
    if not plain:
        raise EmbeddingRejected("The text is empty; ask with at least one word.")
    if plain.lower().startswith("data:image"):
        raise EmbeddingRejected("The text begins like a picture (data:image); ask with words.")
    return plain
