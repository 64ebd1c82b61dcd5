"""Checks how an embedding service answers; only canned texts and drawings are sent."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final, cast, get_args

from mcp_cxr.embeddings.nvclip import FINE_TEXT_LENGTHS, RequestRefused, seen_size
from mcp_cxr.errors import EmbeddingRejected, EmbeddingUnavailable
from mcp_cxr.images import encode_jpeg
from mcp_cxr.server_check._allowed_values import Dialect, KnownModel, Pair, Request
from mcp_cxr.server_check._record import (
    AnswerFacts,
    CosineFacts,
    Found,
    ImagesFacts,
    PaceFacts,
    Part,
    ServiceFacts,
    ServiceRecord,
    TextsFacts,
)
from mcp_cxr.server_check._timed_parts import not_asked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_cxr.embeddings.nvclip import PlainQuestion, ServiceProbes
    from mcp_cxr.server_check._timed_parts import Parts

SHARES_S: Final = {"service": 60.0, "texts": 60.0, "images": 180.0}
"""Seconds of each part."""
_VERSION = re.compile(r"(\d{1,3}\.\d{1,3}(?:\.\d{1,4})?)(?![\d.])")
_BATCHES = (2, 32, 33, 64, 65)
_PACES = ((1, 1), (8, 1), (32, 1), (1, 4), (8, 4))
"""Images of a request, and requests at once."""


async def check_embedding_service(
    probes: ServiceProbes, parts: Parts, *, dialect: Dialect, model: str, image_size: int
) -> ServiceRecord:
    """Ask the service what changes what mcp-cxr sends to it.

    Args:
        probes: Of an opened embedder.
        parts: Runs each part.
        dialect: As it is configured, like the following.
        model: Recorded only if it is one that mcp-cxr knows.
        image_size: Pixels.
    """
    known = cast("KnownModel", model if model in get_args(KnownModel) else "another model")
    configured = {"dialect": dialect, "model": known, "image_size": image_size}

    async def run(
        part: type[Part], name: str, work: Callable[[ServiceProbes, Found], Awaitable[None]], **known: object
    ) -> Part:
        return await parts.run(part, f"Embedding {name}", SHARES_S[name], partial(_refusable, work, probes), **known)

    service = await run(ServiceFacts, "service", _shape, **configured)
    if not any(answer.status for answer in service.answers):
        failure = service.failure
        return ServiceRecord(
            service=service, texts=not_asked(TextsFacts, failure), images=not_asked(ImagesFacts, failure)
        )
    return ServiceRecord(
        service=service,
        texts=await run(TextsFacts, "texts", _texts),
        images=await run(ImagesFacts, "images", _images),
    )


async def _refusable(
    work: Callable[[ServiceProbes, Found], Awaitable[None]], probes: ServiceProbes, found: Found
) -> None:
    """Raise the refusal of a canned input as an error of mcp-cxr."""
    is_refused = False
    try:
        await work(probes, found)
    except* RequestRefused:
        is_refused = True
    if is_refused:
        raise EmbeddingRejected("The service refuses a canned input.")


async def _shape(probes: ServiceProbes, found: Found) -> None:
    found["answers"] = ()
    await _ask(probes, found, "health", "identity")
    if not any(answer.status for answer in found["answers"]):
        raise EmbeddingUnavailable("No request is answered.")
    if version := _VERSION.match(await probes.version() or ""):
        found["version"] = version[1]
    names = await probes.model_names()
    for name, status in names.items():
        found["answers"] += (AnswerFacts(request=cast("Request", f"name {name}"), status=status),)
    probes.use_accepted_name(names)
    await _ask(probes, found, "an unknown field", "a damaged image")
    shape = await probes.reply_shape()
    found |= {"is_base64": shape.is_base64, "first_index": shape.first_index, "dimension": shape.dimension}
    found["norm"] = round(shape.norm, 5)


async def _ask(probes: ServiceProbes, found: Found, *questions: PlainQuestion) -> None:
    for question in questions:
        found["answers"] += (AnswerFacts(request=question, status=await probes.plain_status(question)),)


async def _texts(probes: ServiceProbes, found: Found) -> None:
    padding = await probes.padding()
    found["padding"] = "not needed" if padding is None else "applied" if padding.is_applied else "ignored"
    limit = await probes.text_limit(FINE_TEXT_LENGTHS)
    found |= {"words_at_least": limit.at_least, "words_at_most": limit.at_most, "long_text_status": limit.status}
    found["cosines"] = tuple(
        CosineFacts(pair=cast("Pair", pair), cosine=round(cosine, 4))
        for pair, cosine in (await probes.canned_cosines()).items()
    )


async def _images(probes: ServiceProbes, found: Found) -> None:
    found["batches"] = ()
    for items in _BATCHES:
        batch = await probes.image_batch(items)
        cosine = None if batch.cosine is None else round(batch.cosine, 4)
        request = cast("Request", f"{items} images")
        found["batches"] += (AnswerFacts(request=request, status=batch.status, cosine=cosine),)
    found["paces"] = ()
    for per_request, at_once in _PACES:
        pace = await probes.images_per_second(per_request, at_once)
        found["paces"] += (PaceFacts(per_request=per_request, at_once=at_once, images_per_s=round(pace, 1)),)
    found["seen_size"] = seen_size(await probes.pattern_differences(encode_jpeg))
