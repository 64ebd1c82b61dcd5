"""Runs the parts of a check one after the other, each for a limited time, and keeps what each has found by then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, get_args

import anyio
from pydantic import ValidationError

from mcp_cxr.errors import CxrError, unwrap_exception_group
from mcp_cxr.server_check._allowed_values import Failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_cxr.server_check._allowed_values import State
    from mcp_cxr.server_check._record import Found, Part

UNEXPECTED = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError)
"""What reading an answer raises that is not of the type it should be."""
_NAMES = frozenset(get_args(Failure))


def failure_name(exc: BaseException) -> Failure:
    """Return the code of an error; its message, which may quote a server, is left out."""
    if isinstance(exc, UNEXPECTED):
        return "unexpected answer"
    named = next((kind.__name__ for kind in type(exc).__mro__ if kind.__name__ in _NAMES), None)
    return named or "another error"  # pyright: ignore[reportReturnType]  # it is in `_NAMES`


class Parts:
    """Runs parts one after the other.

    Args:
        on_start: Called with the title of each part and its share of the time in seconds.
    """

    def __init__(self, on_start: Callable[[str, float], None] | None = None) -> None:
        self._on_start = on_start

    def announce(self, title: str, share_s: float) -> None:
        """Say what begins, and how many seconds it may take."""
        if self._on_start:
            self._on_start(title, share_s)

    async def run(
        self, part: type[Part], title: str, share_s: float, work: Callable[[Found], Awaitable[None]], **known: object
    ) -> Part:
        """Return a part: `work` adds fields to a dictionary until it ends, fails, or its share of the time is over.

        Args:
            part: Its type.
            title: For people.
            share_s: Its share of the time.
            work: It may be cancelled.
            known: Fields that are known before.
        """
        self.announce(title, share_s)
        found: Found = dict(known)
        state: State = "not finished"
        failure: Failure | None = None
        started = time.monotonic()
        with anyio.move_on_after(share_s):
            try:
                failure = await _failure(work, found)
            except* UNEXPECTED:
                failure = "unexpected answer"
            state = "failed" if failure else "finished"
        seconds = round(time.monotonic() - started, 2)
        try:
            return part(**found, state=state, failure=failure, seconds=seconds)
        except ValidationError:  # a number of a server beyond all bounds
            return part.model_validate({**known, "state": "failed", "failure": "unexpected answer", "seconds": seconds})


async def _failure(work: Callable[[Found], Awaitable[None]], found: Found) -> Failure | None:
    """Return the code of an error of mcp-cxr; None if there is none."""
    try:
        with unwrap_exception_group():
            await work(found)
    except CxrError as exc:
        return failure_name(exc)
    return None


def not_asked(part: type[Part], failure: Failure | None = None, **known: object) -> Part:
    """Return a part that was not run, because of an earlier failure."""
    return part.model_validate({**known, "state": "not asked", "failure": failure})
