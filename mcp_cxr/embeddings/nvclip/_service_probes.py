"""What a service does with texts and images beyond what its specification says, found by asking it."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import anyio
import numpy as np

from mcp_cxr.embeddings._check_vectors import SAME_COSINE, validated
from mcp_cxr.embeddings.nvclip._dialects import (
    NAMES_OF_NVCLIP,
    SELF_CHECK_TEXTS,
    Nim,
    Vllm,
    read_vectors,
    read_version,
    self_check_images,
)
from mcp_cxr.embeddings.nvclip._service import OK, RejectedByStatus, RequestRefused
from mcp_cxr.http_client import HttpError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from mcp_cxr.embeddings.nvclip._dialects import Request
    from mcp_cxr.embeddings.nvclip._service import InputKind, Service
    from mcp_cxr.http_client import HttpReply
    from mcp_cxr.records import Vectors

PlainQuestion = Literal["health", "identity", "an unknown field", "a damaged image"]
TEXT_LENGTHS = (16, 32, 60, 72, 144, 288)
"""Words that tell the known limits apart: 20, 64 and 77 tokens."""
FINE_TEXT_LENGTHS = (8, 12, *range(16, 20), 24, 30, 40, 50, *range(58, 64), 66, 70, *range(73, 78), 120, 250, 288)
"""At most 32 lengths, dense at the known limits."""
IMAGE_SIZES = (224, 256, 336, 384, 448, 512)
"""Input sizes of known image encoders, in pixels."""
_WORDS = (
    "the of and to in is that for on with as at by from this have are not but all were when we there can an your which "
    "their said if do will each about how up out them then she many some so these would other into has more her two "
    "like him see time could no make than first been its who now people my made over did down only way find use may "
    "water long little very after words called just where most know"
).split()
"""Common words that are one token in every tokenizer of a CLIP model."""
_VISIBLE = 0.1  # of the largest difference that a pattern makes


@dataclass(frozen=True, slots=True)
class TextLimit:
    """How much of a text the service reads."""

    at_least: int | None
    """Common words that are read, at least; None: texts are refused."""
    at_most: int | None
    """Common words that are read, at most; None: no limit was found, or texts are refused."""
    status: int
    """Of the answer: 200, or 400, 413, 422 if texts of this length are refused rather than cut."""


@dataclass(frozen=True, slots=True)
class Padding:
    """Whether the service pads a text when asked to."""

    is_applied: bool
    cosine: float | None
    """Of the vectors of one text, padded and not; None if the service refuses not to pad."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The answer to one request of several images."""

    status: int
    cosine: float | None
    """The lowest between an image's vector in this and in a request of two; None if the request was refused."""


@dataclass(frozen=True, slots=True)
class ReplyShape:
    """How vectors arrive."""

    is_base64: bool
    first_index: int | None
    """Position of the first vector as the service counts; None if it does not count."""
    dimension: int
    norm: float
    """Length of the vector as sent, before it is scaled to 1."""


class ServiceProbes:
    """Questions to one service; each takes one to three requests of a few canned texts or drawings.

    Every method raises `EmbeddingUnavailable` if the service does not answer, and `EmbeddingRejected` if it refuses
    what any service accepts.

    Args:
        service: Opened.
        dialect: Makes its requests.
        images: Limits of requests for images.
        texts: Limits of requests for texts.
    """

    def __init__(self, service: Service, dialect: Nim, images: InputKind[bytes], texts: InputKind[str]) -> None:
        self._service = service
        self._dialect = dialect
        self._images = images
        self._texts = texts

    async def text_limit(self, lengths: Sequence[int] = TEXT_LENGTHS) -> TextLimit:
        """Return how many words are read: prefixes of one text are compared with the longest.

        Args:
            lengths: Words of each prefix, increasing; at most as many as the dialect takes in a batch.
        """
        texts = [" ".join(itertools.islice(itertools.cycle(_WORDS), length)) for length in lengths]
        try:
            vectors = await self._vectors(self._texts, partial(self._dialect.embed_texts, texts), len(texts))
        except RequestRefused as exc:
            return TextLimit(None, None, exc.status)
        is_cut = vectors[:-1] @ vectors[-1] > SAME_COSINE
        cut = [length for length, same in zip(lengths[:-1], is_cut, strict=True) if same]
        if not cut:
            return TextLimit(lengths[-1], None, OK)
        return TextLimit(max((length for length in lengths if length < cut[0]), default=0) + 1, cut[0], OK)

    async def padding(self) -> Padding | None:
        """Return whether texts are padded on request; None if the dialect or the model needs no padding."""
        dialect = self._dialect
        if not isinstance(dialect, Vllm) or not dialect.pads_texts:
            return None
        text = list(SELF_CHECK_TEXTS[:1])
        padded = await self._vectors(self._texts, partial(dialect.embed_texts, text), 1)
        try:
            plain = await self._vectors(self._texts, partial(dialect.embed_texts, text, padding="do_not_pad"), 1)
        except RequestRefused:  # it knows the field
            return Padding(is_applied=True, cosine=None)
        cosine = float(padded[0] @ plain[0])
        return Padding(cosine <= SAME_COSINE, cosine)

    async def model_names(self) -> dict[str, int]:
        """Return the status with which each name of NV-CLIP is answered; empty if another model is configured."""
        if self._dialect.model not in NAMES_OF_NVCLIP:
            return {}
        found: dict[str, int] = {}
        for name in NAMES_OF_NVCLIP:
            renamed = type(self._dialect)(self._dialect.base, name)
            found[name] = await self._status(partial(renamed.embed_texts, SELF_CHECK_TEXTS))
        return found

    def use_accepted_name(self, statuses: Mapping[str, int]) -> None:
        """Send another name of the model from now on, if the configured one is refused and that one is not."""
        accepted = [name for name, status in statuses.items() if status == OK]
        if accepted and self._dialect.model not in accepted:
            self._dialect.model = accepted[0]

    async def image_batch(self, items: int) -> BatchResult:
        """Return how one request of `items` images is answered, and whether its vectors are those of a smaller one."""
        drawings = self_check_images()
        alone = await self._vectors(self._images, partial(self._dialect.embed_images, drawings), len(drawings))
        batch = list(itertools.islice(itertools.cycle(drawings), items))
        try:
            vectors = await self._vectors(self._images, partial(self._dialect.embed_images, batch), items)
        except (RequestRefused, RejectedByStatus) as exc:
            return BatchResult(exc.status, None)
        expected = np.stack([alone[number % len(drawings)] for number in range(items)])
        return BatchResult(OK, float((vectors * expected).sum(axis=1).min()))

    async def pattern_differences(self, encode_jpeg: Callable[[NDArray[np.uint8]], bytes]) -> dict[int, float]:
        """Return for each size what a pattern of single pixels changes: 1 - cosine with the same drawing without it.

        An image that the service reduces loses the pattern, so that `seen_size` tells the size that its model reads.

        Args:
            encode_jpeg: Encodes grays of shape (size, size) as JPEG of quality 95.
        """
        jpegs = [encode_jpeg(gray) for size in IMAGE_SIZES for gray in _drawings(size)]
        vectors = await self._vectors(self._images, partial(self._dialect.embed_images, jpegs), len(jpegs))
        cosines = (vectors[::2] * vectors[1::2]).sum(axis=1)
        return {size: float(1 - cosine) for size, cosine in zip(IMAGE_SIZES, cosines, strict=True)}

    async def reply_shape(self) -> ReplyShape:
        """Return how the vectors of texts arrive."""
        ask = partial(self._dialect.embed_texts, SELF_CHECK_TEXTS)
        return await self._service.request(self._texts, ask, self._read_shape)

    async def version(self) -> str | None:
        """Return the version that the service states; None if it states none."""
        reply = await self._raw(self._dialect.get(self._dialect.identity))
        return read_version(self._dialect, reply.body) if reply and reply.status == OK else None

    async def plain_status(self, question: PlainQuestion) -> int:
        """Return the status of the first answer to a question; 0 if there is none."""
        reply = await self._raw(self._plain_request(question))
        return reply.status if reply else 0

    async def canned_cosines(self) -> dict[str, float]:
        """Return cosines of canned inputs: of each of two texts with each of two drawings, and of inputs sent twice."""
        texts = (*SELF_CHECK_TEXTS, SELF_CHECK_TEXTS[0], SELF_CHECK_TEXTS[0].upper())
        drawings = (*self_check_images(), self_check_images()[0])
        of_texts = await self._vectors(self._texts, partial(self._dialect.embed_texts, texts), len(texts))
        of_images = await self._vectors(self._images, partial(self._dialect.embed_images, drawings), len(drawings))
        cosines = of_texts[:2] @ of_images[:2].T
        pairs = {
            f"text {row + 1}, image {column + 1}": float(cosines[row, column]) for row in (0, 1) for column in (0, 1)
        }
        return {
            **pairs,
            "texts": float(of_texts[0] @ of_texts[1]),
            "images": float(of_images[0] @ of_images[1]),
            "same text": float(of_texts[0] @ of_texts[2]),
            "text in capitals": float(of_texts[0] @ of_texts[3]),
            "same image": float(of_images[0] @ of_images[2]),
        }

    async def images_per_second(self, per_request: int, at_once: int) -> float:
        """Return how many images are embedded in a second, by one request each of `at_once` tasks."""
        batch = list(itertools.islice(itertools.cycle(self_check_images()), per_request))
        start = time.perf_counter()
        async with anyio.create_task_group() as group:
            for _ in range(at_once):
                group.start_soon(self._vectors, self._images, partial(self._dialect.embed_images, batch), per_request)
        return per_request * at_once / max(time.perf_counter() - start, 1e-6)

    def _plain_request(self, question: PlainQuestion) -> Request:
        if question == "a damaged image":
            return self._dialect.embed_images([b"\xff\xd8\xff, and no image"])
        if question == "an unknown field":
            request = self._dialect.embed_texts(SELF_CHECK_TEXTS[:1])
            return replace(request, body=json.dumps({**json.loads(request.body or b"{}"), "no_such_field": 1}).encode())
        return self._dialect.get(self._dialect.health if question == "health" else self._dialect.identity)

    async def _raw(self, request: Request) -> HttpReply | None:
        """Return the answer to one attempt, whatever it is; None if there is none."""
        headers = {"Content-Type": "application/json"} if request.body else None
        try:
            return await self._service.client.request(
                "POST" if request.body else "GET", request.url, body=request.body, headers=headers
            )
        except HttpError:
            return None

    def _read_shape(self, body: bytes) -> ReplyShape:
        vectors = read_vectors(self._dialect, body)
        validated(vectors, [0] * len(vectors), dimension=None)
        reply = json.loads(body)
        is_base64 = all(isinstance(row, str) for row in self._dialect.rows(reply))
        data: list[dict[str, Any]] = reply.get("data") or []
        first = min((item["index"] for item in data), default=None)
        return ReplyShape(is_base64, first, vectors.shape[1], float(np.linalg.norm(vectors[0])))

    async def _status(self, request: Callable[[], Request]) -> int:
        try:
            await self._vectors(self._texts, request, len(SELF_CHECK_TEXTS))
        except (RequestRefused, RejectedByStatus) as exc:
            return exc.status
        return OK

    async def _vectors(self, kind: InputKind[Any], request: Callable[[], Request], count: int) -> Vectors:
        def read(body: bytes) -> Vectors:
            return validated(read_vectors(self._dialect, body), [0] * count, dimension=None)

        return await self._service.request(kind, request, read)


def seen_size(differences: Mapping[int, float]) -> int | None:
    """Return the largest size at which single pixels reach the model: its input size; None if nothing differs.

    Args:
        differences: From `ServiceProbes.pattern_differences`.
    """
    largest = max(differences.values(), default=0.0)
    if largest <= 1 - SAME_COSINE:
        return None
    return max(size for size, difference in differences.items() if difference > _VISIBLE * largest)


def _drawings(size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a disc on a gradient without and with a checkerboard of single pixels, each of shape (size, size)."""
    down, across = np.mgrid[0:size, 0:size]
    disc = (down / size - 0.4) ** 2 + (across / size - 0.55) ** 2 < 0.06  # noqa: PLR2004  # its radius, squared
    plain = np.where(disc, 180, 60 + 60 * down / size)
    pattern = np.where((down + across) % 2, 40, -40)
    return plain.astype(np.uint8), (plain + pattern).astype(np.uint8)
