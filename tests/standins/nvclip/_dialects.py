"""What each service takes, and how it answers: to the letter, refusing anything beyond."""

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

_LEGIBLE = 400  # characters, about 77 tokens
_DATA_URI = re.compile(r"data:image/(jpeg|jpg|png);base64,([A-Za-z0-9+/=]+)")


class Refusal(Exception):
    """An error answer; `detail` quotes the request, as real services do, so that a client that repeats it is caught."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class Nim:
    embeddings = "/v1/embeddings"
    fields = frozenset({"input", "model", "encoding_format"})
    most = 64

    def __init__(self, state: State) -> None:
        self.state = state

    def get(self, path: str) -> tuple[int, Any] | None:
        """Status and JSON of a GET; None where there is nothing."""
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
        """The inputs of a request that is as it should be."""
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
        if not isinstance(inputs, list) or not 1 <= len(inputs) <= self.most:
            raise Refusal(422, f"input must hold 1 to {self.most} items")
        for item in inputs:
            if not isinstance(item, str) or not re.fullmatch(r".*", item):
                raise Refusal(422, f"string should match '^.*$': {item!r}")
        return inputs

    def is_picture(self, item: str, body: dict[str, Any]) -> bool:
        return item.startswith("data:image")

    def read_text(self, text: str, body: dict[str, Any]) -> bytes:
        """What the tokenizer leaves of a text: 77 tokens, and no word about the rest."""
        return text[:_LEGIBLE].encode()

    def vectors(self, inputs: list[str], body: dict[str, Any], kind: str) -> NDArray[np.float32]:
        """The vectors of the inputs, with the fault of this request in them."""
        rows = []
        for item in inputs:
            is_picture = self.is_picture(item, body)
            raw = _jpeg(item) if is_picture else self.read_text(item, body)
            if digest(raw) in self.state.bad:
                raise Refusal(self.state.bad_status, f"cannot embed {item}")
            rows.append(vector(raw, is_picture=is_picture, state=self.state))
            if digest(raw) in self.state.not_finite:
                rows[-1][0] = np.nan
        return spoiled(np.stack(rows), kind)

    def reply(self, vectors: NDArray[np.float32], body: dict[str, Any], kind: str) -> Any:
        """The answer to a request."""
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
    most = 32

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

    def is_picture(self, item: str, body: dict[str, Any]) -> bool:
        return body.get("modality", "text") == "image"

    def error(self, status: int, detail: str, path: str) -> Any:
        return {"error": {"message": detail, "type": None, "param": None, "code": status}}


class Vllm(Nim):
    fields = frozenset({"input", "model", "encoding_format", "padding", "dimensions", "user"})
    picture_fields = frozenset({"model", "images", "embedding_types", "truncate", "output_dimension", "input_type"})

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
        self.check_fields(body, self.picture_fields)
        if body.get("embedding_types") != ["float"]:
            raise Refusal(400, "embedding_types")
        return self.checked(body.get("images"))

    def is_picture(self, item: str, body: dict[str, Any]) -> bool:
        return "images" in body

    def read_text(self, text: str, body: dict[str, Any]) -> bytes:
        """SigLIP was trained on padded texts: without padding, other vectors come, of the same shape."""
        if len(text) > _LEGIBLE:
            raise Refusal(400, f"This model's maximum context length is 64 tokens: {text}")
        unpadded = "siglip" in body["model"] and body.get("padding") != "max_length"
        return text.encode() + (b"unpadded" if unpadded else b"")

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
        raise Refusal(422, "an object is wanted")
    return parsed


def _jpeg(item: str) -> bytes:
    """The file in a data URI, which must be what its type says."""
    found = _DATA_URI.fullmatch(item)
    try:
        raw = base64.b64decode(found[2], validate=True) if found else b""
    except binascii.Error:
        raw = b""
    starts = b"\x89PNG" if found and found[1] == "png" else b"\xff\xd8\xff"
    if not raw.startswith(starts):
        raise Refusal(422, f"not an image: {item}")
    return raw
