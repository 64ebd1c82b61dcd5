"""Asks again if a PACS is down or overloaded for the moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from mcp_cxr.errors import PacsUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_TRIES: Final = 4
_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 60.0

_T = TypeVar("_T")


async def retried(work: Callable[[], Awaitable[_T]], sleep: Callable[[float], Any]) -> _T:
    """Do `work`, up to three times more after a pause while the PACS is down or overloaded.

    Args:
        work: Done at least once.
        sleep: Waits for a number of seconds.

    Raises:
        PacsError: As `work` raises it; `PacsUnavailable` only if all tries failed.
    """
    for attempt in range(_TRIES - 1):
        try:
            return await work()
        except PacsUnavailable as exc:
            await sleep(min(exc.retry_after_s or _WAIT_S * 2**attempt, _LONGEST_WAIT_S))
    return await work()
