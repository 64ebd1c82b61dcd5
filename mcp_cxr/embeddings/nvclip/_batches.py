"""Packs inputs into requests, and splits a request that the service refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from mcp_cxr.embeddings.nvclip._service import RequestRefused
from mcp_cxr.records import Rejected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mcp_cxr.records import Vector, Vectors

T = TypeVar("T", str, bytes)


def pack(items: Sequence[T], *, max_items: int, max_bytes: int) -> list[Sequence[T]]:
    """Return consecutive batches of `items` within both limits; an item larger than `max_bytes` is a batch alone."""
    starts, size = [0], 0
    for number, item in enumerate(items):
        size += len(item)
        if number > starts[-1] and (number - starts[-1] == max_items or size > max_bytes):
            starts.append(number)
            size = len(item)
    return [items[start:end] for start, end in zip(starts, [*starts[1:], len(items)], strict=True) if end > start]


async def embed_or_split(
    items: Sequence[T],
    embed: Callable[[Sequence[T]], Awaitable[Vectors]],
    before_split: Callable[[], Awaitable[None]] | None = None,
) -> list[Vector | Rejected]:
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
        return [Rejected(refusal.reason)]
    half = len(items) // 2
    return [*await embed_or_split(items[:half], embed), *await embed_or_split(items[half:], embed)]
