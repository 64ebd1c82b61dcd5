"""The process that loads an encoder for the first time: it prints one JSON object, the canned vectors or an error."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np

from mcp_cxr.embeddings._check_vectors import BadReply, check_distinct, validated
from mcp_cxr.embeddings.local._canned_inputs import (
    CANNED_TEXTS,
    LONG_TEXT,
    MAX_DIMENSION,
    canned_images,
    encode_vectors,
)
from mcp_cxr.embeddings.local._encoder import Encoder, describe_encoder
from mcp_cxr.embeddings.local._model_files import folder_error
from mcp_cxr.embeddings.local._onnx_sessions import SessionOptions
from mcp_cxr.errors import EmbeddingRejected
from mcp_cxr.process_limits import set_limits

_SAME_TEXT = 0.999
"""Least cosine of a text alone and beside a longer one: int8 and float16 stay above it."""


def main() -> None:
    """Load the folder that the first argument names, within the memory and time of the others."""
    folder, memory_bytes, seconds = Path(sys.argv[1]), *map(int, sys.argv[2:4])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # output of libraries is discarded
    set_limits(memory_bytes)
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)  # in case the parent is gone
    try:
        answer = _load(folder)
    except EmbeddingRejected as exc:
        answer = {"error": str(exc)}
    except MemoryError:
        answer = {"error": str(folder_error(f"it needs more than {memory_bytes >> 30} GB to load; export it again."))}
    answers.write(json.dumps(answer))
    answers.close()


def _load(folder: Path) -> dict[str, object]:
    encoder = Encoder(describe_encoder(folder), SessionOptions())
    encoder.embed_highest_token()
    images = encoder.embed_images(canned_images(encoder.description.image_recipe.size))
    texts = encoder.embed_texts(CANNED_TEXTS)
    beside = encoder.embed_texts([CANNED_TEXTS[0], LONG_TEXT])
    try:
        images, texts = (validated(each, range(len(each)), dimension=None) for each in (images, texts))
        check_distinct(images, texts)
    except BadReply as exc:
        raise folder_error(f"it fails the self-check, with {exc}; copy all files from one model again.") from None
    if images.shape[1] > MAX_DIMENSION:
        raise folder_error(f"its vectors have {images.shape[1]} dimensions; at most {MAX_DIMENSION} are supported.")
    if not float(beside[0] @ texts[0]) >= _SAME_TEXT:
        raise folder_error("the text graph does not leave out padding; export it with an attention_mask input.")
    return {"dimension": images.shape[1], "canned": encode_vectors(np.vstack([images, texts]))}


if __name__ == "__main__":
    main()
