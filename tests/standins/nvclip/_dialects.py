"""The requests that each service accepts, and its replies; anything else is refused, as the real service does."""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.standins.nvclip._vectors import digest, spoiled, vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.standins.nvclip._state import State

_SPECIAL_TOKENS = 2
_TOKEN = re.compile(r"\S{1,8}")
_DATA_URI = re.compile(r"data:image/(jpeg|jpg|png);base64,([A-Za-z0-9+/=]+)")
_WITH_IMAGES, _WITH_PADDING = (0, 18), (0, 29)  # versions of vLLM


class Refusal(Exception):
    """An error reply; `detail` quotes the request, as real services do, to detect a client that repeats it."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class Nim:
    embeddings = "/v1/embeddings"
    fields = frozenset({"input", "model", "encoding_format"})
    max_items = 64
    tokens = 77

    def __init__(self, state: State) -> None:
        self.state = state

    def get(self, path: str) -> tuple[int, Any] | None:
        """Return status and JSON of a GET; None if the path does not exist."""
        match path:
            case "/v1/health/ready":
                return (200, {"object": "health.response", "message": "ready"}) if self.state.ready else (503, {})
            case "/v1/health/live":
                return 200, {"object": "health.response", "message": "live"}
            case "/v1/metadata":
                model = {"shortName": "nvclip-vit-h-14:fp16", "modelUrl": "ngc://nim/nvidia/nvclip-vit-h-14"}
                return 200, {"version": self.state.version, "modelInfo": [model]}
            case _:
                return None

    def inputs(self, path: str, body: dict[str, Any]) -> list[str]:
        """Return the inputs of a request, if it is valid."""
        if path != self.embeddings:
            raise Refusal(404, "Not Found")
        self.check_fields(body, self.fields)
        inputs = self.checked([body["input"]] if isinstance(body.get("input"), str) else body.get("input"))
        if body.get("encoding_format", "float") not in ("float", "base64"):
            raise Refusal(422, "encoding_format")
        return inputs

    def check_fields(self, body: dict[str, Any], fields: frozenset[str]) -> None:
        if beyond := set(body) - fields:
            raise Refusal(422, f"Extra inputs are not permitted: {sorted(beyond)}")
        if body.get("model") not in self.state.models:
            raise Refusal(404, f"The model {body.get('model')} does not exist")

    def checked(self, inputs: Any) -> list[str]:
        if not isinstance(inputs, list) or not 1 <= len(inputs) <= self.max_items:
            raise Refusal(422, f"input must hold 1 to {self.max_items} items")
        for item in inputs:
            if not isinstance(item, str) or not re.fullmatch(r".*", item):
                raise Refusal(422, f"string should match '^.*$': {item!r}")
        return inputs

    def is_image(self, item: str, body: dict[str, Any]) -> bool:
        return item.startswith("data:image")

    def read_text(self, text: str, body: dict[str, Any]) -> bytes:
        """Return what the tokenizer keeps of a text; the rest is cut without an error."""
        ends = [token.end() for token in _TOKEN.finditer(text)][: self.max_tokens]
        return text[: ends[-1]].encode()

    @property
    def max_tokens(self) -> int:
        return (self.state.tokens or self.tokens) - _SPECIAL_TOKENS

    def vectors(self, inputs: list[str], body: dict[str, Any], kind: str) -> NDArray[np.float32]:
        """Return the vectors of the inputs, spoiled as the fault `kind` says."""
        rows = []
        for item in inputs:
            is_image = self.is_image(item, body)
            raw = _jpeg(item) if is_image else self.read_text(item, body)
            if digest(raw) in self.state.bad:
                raise Refusal(self.state.bad_status, f"cannot embed {item}")
            rows.append(vector(raw, is_image=is_image, state=self.state))
            if digest(raw) in self.state.not_finite:
                rows[-1][0] = np.nan
        return spoiled(np.stack(rows), kind)

    def reply(self, vectors: NDArray[np.float32], body: dict[str, Any], kind: str) -> Any:
        """Return the reply to a request."""
        as_numbers = kind == "floats" or body.get("encoding_format", "float") == "float"
        rows = vectors.tolist() if as_numbers else [base64.b64encode(row.tobytes()).decode() for row in vectors]
        first = 1 if kind == "from_one" else 0
        data = [{"index": i, "object": "embedding", "embedding": row} for i, row in enumerate(rows, first)]
        if kind == "shuffled":
            data.reverse()
        if kind == "repeated":
            data[-1]["index"] = 0
        usage = {"num_images": 0, "prompt_tokens": 77 * len(rows), "total_tokens": 77 * len(rows)}
        return {"object": "list", "data": data, "model": body["model"], "usage": usage}

    def error(self, status: int, detail: str, path: str) -> Any:
        """Problem details, RFC 9457."""
        return {
            "type": f"urn:inference-service:problem-details:{status}",
            "title": "Error",
            "status": status,
            "detail": detail,
            "instance": path,
            "requestId": str(uuid.uuid4()),
        }


class Infinity(Nim):
    embeddings = "/embeddings"
    fields = frozenset({"input", "model", "encoding_format", "modality", "user", "dimensions"})
    max_items = 32
    tokens = 20  # a fault of infinity 0.0.78: `max_length` of any transformers configuration before version 5

    def get(self, path: str) -> tuple[int, Any] | None:
        match path:
            case "/health":
                return 200, {"unix": time.time()}
            case "/models":
                facts = {"backend": "torch", "dtype": "float16", "revision": self.state.version}
                return 200, {"data": [{"id": name, **facts} for name in self.state.models]}
            case _:
                return None

    def check_fields(self, body: dict[str, Any], fields: frozenset[str]) -> None:
        if beyond := set(body) - fields:
            raise Refusal(422, f"Extra inputs are not permitted: {sorted(beyond)}")
        if body.get("model") not in self.state.models:
            raise Refusal(400, f"Invalid model: {body.get('model')}")

    def is_image(self, item: str, body: dict[str, Any]) -> bool:
        return body.get("modality", "text") == "image"

    def error(self, status: int, detail: str, path: str) -> Any:
        return {"error": {"message": detail, "type": None, "param": None, "code": status}}


class Vllm(Nim):
    """It ignores fields that it does not know."""

    tokens = 64
    max_items = 1024

    def get(self, path: str) -> tuple[int, Any] | None:
        match path:
            case "/health":
                return 200, None
            case "/version":
                return 200, {"version": self.state.version}
            case _:
                return None

    def inputs(self, path: str, body: dict[str, Any]) -> list[str]:
        if path != "/v2/embed":
            return super().inputs(path, body)
        if self.version < _WITH_IMAGES:
            raise Refusal(404, "Not Found")
        self.check_fields(body, frozenset())
        if body.get("embedding_types") != ["float"]:
            raise Refusal(400, "embedding_types")
        return self.checked(body.get("images"))

    def is_image(self, item: str, body: dict[str, Any]) -> bool:
        return "images" in body

    def check_fields(self, body: dict[str, Any], fields: frozenset[str]) -> None:
        if body.get("model") not in self.state.models:
            raise Refusal(404, f"The model {body.get('model')} does not exist")

    @property
    def version(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.state.version.split(".")[:2])

    def read_text(self, text: str, body: dict[str, Any]) -> bytes:
        """SigLIP was trained on padded texts: unpadded ones give other vectors of the same shape."""
        is_cut = body.get("truncate_prompt_tokens") == -1 and self.version >= _WITH_IMAGES
        if len(_TOKEN.findall(text)) > self.max_tokens and not is_cut:
            raise Refusal(400, f"This model's maximum context length is {self.tokens} tokens: {text}")
        is_padded = body.get("padding") == "max_length" and self.version >= _WITH_PADDING
        unpadded = "siglip" in body["model"] and not is_padded
        return super().read_text(text, body) + (b"unpadded" if unpadded else b"")

    def reply(self, vectors: NDArray[np.float32], body: dict[str, Any], kind: str) -> Any:
        if "images" not in body:
            return super().reply(vectors, body, kind)
        return {"id": f"embd-{uuid.uuid4()}", "embeddings": {"float": vectors.tolist()}, "meta": {}}

    def error(self, status: int, detail: str, path: str) -> Any:
        return {"error": {"message": detail, "type": "BadRequestError", "param": None, "code": status}}


DIALECTS = {"nim": Nim, "infinity": Infinity, "vllm": Vllm}


def parsed(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        raise Refusal(422, f"JSON decode error: {body[:80]!r}") from None
    if not isinstance(parsed, dict):
        raise Refusal(422, "the body must be an object")
    return parsed


def _jpeg(item: str) -> bytes:
    """Return the file in a data URI, which must match its media type."""
    found = _DATA_URI.fullmatch(item)
    try:
        raw = base64.b64decode(found[2], validate=True) if found else b""
    except binascii.Error:
        raw = b""
    starts = b"\x89PNG" if found and found[1] == "png" else b"\xff\xd8\xff"
    if not raw.startswith(starts) or (
        raw.startswith(b"\xff\xd8") and not raw.endswith(b"\xff\xd9")
    ):  # a JPEG that is cut
        raise Refusal(422, f"not an image: {item}")
    return raw
