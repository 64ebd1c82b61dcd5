"""Gives a method the parameters of another callable, so that they are listed once."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


_Arguments = ParamSpec("_Arguments")
_Given = TypeVar("_Given")
_Result = TypeVar("_Result")
_Self = TypeVar("_Self")


def with_parameters_of(
    factory: Callable[_Arguments, _Given],
) -> Callable[
    [Callable[[_Self, _Given], Awaitable[_Result]]],
    Callable[Concatenate[_Self, _Arguments], Awaitable[_Result]],
]:
    """Give a method the parameters of `factory`, and pass its body what `factory` returns, so they are listed once."""

    def decorate(
        method: Callable[[_Self, _Given], Awaitable[_Result]],
    ) -> Callable[Concatenate[_Self, _Arguments], Awaitable[_Result]]:
        @wraps(method)
        async def call(itself: _Self, /, *args: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
            return await method(itself, factory(*args, **named))

        first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        call.__signature__ = inspect.Signature([first, *inspect.signature(factory).parameters.values()])  # pyright: ignore[reportAttributeAccessIssue]  # what help() and editors show
        return call

    return decorate
