"""Requests and replies of each kind of server.

`nim`: NVIDIA's NV-CLIP NIM. `infinity`: michaelfeil/infinity. `vllm`: vLLM's pooling server, which embeds images at its
Cohere-shaped `/v2/embed`. Facts and sources are in `docs/nvclip.md`.
"""

from __future__ import annotations

import base64
import json
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mcp_cxr.embeddings._check_vectors import BadReply

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray


NAMES_OF_NVCLIP = ("nvidia/nvclip-vit-h-14", "nvidia/nvclip")
"""Names of one model, of which a container may serve only one; an archive records the first."""
SELF_CHECK_TEXTS = ("a chest radiograph with a large pleural effusion", "a bicycle leaning on a red wall")
_MODEL_LIMIT = -1  # vLLM's value for "as many tokens as the model reads"


@dataclass(frozen=True, slots=True)
class Request:
    """An encoded request; GET if there is no body."""

    url: str
    body: bytes | None = None


class Nim:
    """NVIDIA's NIM, and what the other OpenAI-shaped servers share with it."""

    max_items = 64
    health = "{base}/health/ready"
    """Address that answers 200 once the model is loaded; `get` fills it in."""
    identity = "{base}/metadata"
    """Address of what `version` reads."""
    pads_texts = False
    """Whether the service has to be asked to pad texts."""

    def __init__(self, base_url: str, model: str) -> None:
        self.base = base_url.rstrip("/")
        self.root = self.base.removesuffix("/v1")
        self.model = model
        """Name in each request; another name of the same model may replace it."""

    @property
    def not_found(self) -> str:
        """What follows "answers 404" in a message: why, and what to check."""
        if self.base == self.root:
            return f": NVCLIP_BASE_URL lacks /v1; set it to {self.base}/v1, or check NVCLIP_DIALECT"
        return ": it has no such address or model; check NVCLIP_BASE_URL, NVCLIP_DIALECT and NVCLIP_MODEL"

    def get(self, address: str) -> Request:
        """Return the request for `health` or `identity`."""
        return Request(address.format(base=self.base, root=self.root))

    def embed_images(self, jpegs: Sequence[bytes]) -> Request:
        """Return the request for the vectors of JPEG files."""
        return self._embeddings([data_uri(jpeg) for jpeg in jpegs])

    def embed_texts(self, texts: Sequence[str]) -> Request:
        """Return the request for the vectors of texts without line breaks."""
        return self._embeddings(list(texts))

    def rows(self, reply: dict[str, Any]) -> list[Any]:
        """Return the embeddings in a reply, in the order of the inputs, not yet decoded."""
        data = reply["data"]
        numbers = [item["index"] for item in data]
        first = min(numbers, default=0)
        # The NIM's specification counts from 0, NVIDIA's sample of the service from 1.
        if first not in (0, 1) or sorted(numbers) != list(range(first, first + len(numbers))):
            raise BadReply("positions that are not consecutive")
        return [item["embedding"] for item in sorted(data, key=lambda item: item["index"])]

    def version(self, reply: dict[str, Any]) -> str:
        """Return the version of the service and of the model files it runs."""
        models: list[dict[str, Any]] = reply.get("modelInfo") or []
        return " ".join([str(reply["version"]), *(str(model["shortName"]) for model in models)])

    def _embeddings(self, inputs: list[str], **more: str | int) -> Request:
        body = {"input": inputs, "model": self.model, "encoding_format": "base64", **more}
        return Request(f"{self.base}/embeddings", _encode(body))


class Infinity(Nim):
    """One modality per request; its own addresses for health and version."""

    max_items = 32
    health = "{root}/health"  # not below `--url-prefix`
    identity = "{base}/models"

    @property
    def not_found(self) -> str:
        """The address alone: an unknown model is answered with 400."""
        change = "add /v1 to" if self.base == self.root else "remove /v1 from"
        return f": it has no such address; check NVCLIP_DIALECT, or {change} NVCLIP_BASE_URL"

    def embed_images(self, jpegs: Sequence[bytes]) -> Request:
        """Return the request with its modality: without it, the data URIs would be embedded as texts."""
        return self._embeddings([data_uri(jpeg) for jpeg in jpegs], modality="image")

    def version(self, reply: dict[str, Any]) -> str:
        """Return how it runs the model; it does not state its own version."""
        served = next(model for model in reply["data"] if model["id"] == self.model)
        parts = [served.get(key) for key in ("backend", "dtype", "revision")]
        return " ".join(str(part) for part in parts if part)


class Vllm(Nim):
    """Images have their own endpoint and shape. The version is vLLM's, not the model's."""

    health = "{root}/health"
    identity = "{root}/version"

    @property
    def pads_texts(self) -> bool:
        """SigLIP models were trained on padded texts: the vectors of others have the right shape and mean nothing."""
        return "siglip" in self.model.lower()

    @property
    def not_found(self) -> str:
        """As of every service, and the version that has the endpoints used here."""
        return super().not_found if self.base == self.root else f"{super().not_found}, and that vLLM is 0.29 or later"

    def embed_images(self, jpegs: Sequence[bytes]) -> Request:
        """Return a request to `/v2/embed`."""
        body = {"model": self.model, "images": [data_uri(jpeg) for jpeg in jpegs], "embedding_types": ["float"]}
        return Request(f"{self.root}/v2/embed", _encode(body))

    def embed_texts(
        self, texts: Sequence[str], *, padding: Literal["max_length", "do_not_pad"] = "max_length"
    ) -> Request:
        """Return the request: with `padding` if the model needs it, and to cut long texts, which vLLM else refuses."""
        more = {"padding": padding} if self.pads_texts else {}
        return self._embeddings(list(texts), truncate_prompt_tokens=_MODEL_LIMIT, **more)

    def rows(self, reply: dict[str, Any]) -> list[Any]:
        """Read either shape."""
        return reply["embeddings"]["float"] if "embeddings" in reply else super().rows(reply)


DIALECTS = {"nim": Nim, "infinity": Infinity, "vllm": Vllm}
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


def data_uri(jpeg: bytes) -> str:
    """Return the image as every dialect accepts it."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def read_vectors(dialect: Nim, body: bytes) -> NDArray[np.float32]:
    """Decode a reply to float32, shape (n, dimension), from base64 or from numbers.

    Raises:
        BadReply: It holds neither.
    """
    try:
        vectors = [_vector(row) for row in dialect.rows(json.loads(body))]
        return np.stack(vectors) if vectors else np.empty((0, 0), np.float32)
    except _UNREADABLE:
        raise BadReply("a reply that is not a list of vectors of equal length") from None


def read_version(dialect: Nim, body: bytes) -> str | None:
    """Return the version in a reply, at most 200 characters; None if there is none."""
    try:
        version = " ".join(dialect.version(json.loads(body)).split())
    except (*_UNREADABLE, StopIteration):
        return None
    return version[:200] or None


def _vector(row: str | list[float]) -> NDArray[np.float32]:
    if isinstance(row, str):
        return np.frombuffer(base64.b64decode(row, validate=True), "<f4").astype(np.float32, copy=False)
    with np.errstate(over="ignore"):  # becomes infinite, which is refused later
        return np.asarray(row, np.float32)


def _encode(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


@cache
def self_check_images() -> tuple[bytes, ...]:
    """Return two drawings as JPEG.

    Their first 623 bytes are equal: a service that reads the data URI as text, cut at 77 tokens, returns one vector
    for both, which the self-check detects.
    """
    folder = files("mcp_cxr.embeddings.nvclip") / "self_check"
    return tuple((folder / name).read_bytes() for name in ("disc.jpg", "bars.jpg"))


def text_key(text: str, words: int) -> Hashable:
    """Return what an uncased tokenizer that reads `words` words keeps: texts with equal keys may have equal vectors."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(char for char in folded if char.isascii() and not unicodedata.combining(char))
    return " ".join(plain.split()[:words])
