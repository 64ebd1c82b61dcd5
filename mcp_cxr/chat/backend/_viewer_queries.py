"""The queries whose results viewers show: kept by the chat page that draws a viewer, and fetched by the viewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_QUERIES = 200


@dataclass(frozen=True, slots=True)
class ViewerQuery:
    """A query whose result a viewer shows."""

    query: dict[str, Any]
    """Arguments of `search_medical_images`."""
    on_context: Callable[[str], None] | None = None
    """Called with one line about what the user is viewing."""


class ViewerQueries:
    """The queries of all viewers by the viewer's id; of very many, those drawn last."""

    def __init__(self) -> None:
        self._queries: dict[str, ViewerQuery] = {}

    def keep(self, viewer_id: str, query: ViewerQuery) -> None:
        """Keep a query; one of the same viewer is replaced."""
        self._queries.pop(viewer_id, None)
        self._queries[viewer_id] = query
        for oldest in list(self._queries)[:-_MAX_QUERIES]:
            self._queries.pop(oldest, None)

    def find(self, viewer_id: str) -> ViewerQuery | None:
        """Return the query of a viewer; None if there is none of this id."""
        return self._queries.get(viewer_id)
