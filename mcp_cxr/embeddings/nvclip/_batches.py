"""Many inputs become requests, and a request that is not taken becomes smaller ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from mcp_cxr.embeddings.nvclip._service import RequestRefused
from mcp_cxr.records import Rejected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mcp_cxr.records import Vector, Vectors

T = TypeVar("T", str, bytes)


def pack(items: Sequence[T], *, max_items: int, max_bytes: int) -> list[Sequence[T]]:
    """Cut `items` into runs, in order; one that is larger than `max_bytes` by itself goes alone."""
    starts, size = [0], 0
    for number, item in enumerate(items):
        size += len(item)
        if number > starts[-1] and (number - starts[-1] == max_items or size > max_bytes):
            starts.append(number)
            size = len(item)
    return [items[start:end] for start, end in zip(starts, [*starts[1:], len(items)], strict=True) if end > start]


async def divide(
    items: Sequence[T],
    ask: Callable[[Sequence[T]], Awaitable[Vectors]],
    confirm: Callable[[], Awaitable[None]] | None = None,
) -> list[Vector | Rejected]:
    """Ask for all at once; where that is refused, for each half by itself, down to the one that is not taken.

    Args:
        items: In order; so is what is returned.
        ask: Returns one vector for each item, or raises `RequestRefused`.
        confirm: Called once, before anything is divided; raises where it is the service that is at fault.
    """
    try:
        return list(await ask(items))
    except RequestRefused as exc:
        refusal = exc
    if confirm:
        await confirm()
    if len(items) == 1:
        return [Rejected(refusal.reason)]
    half = len(items) // 2
    return [*await divide(items[:half], ask), *await divide(items[half:], ask)]
