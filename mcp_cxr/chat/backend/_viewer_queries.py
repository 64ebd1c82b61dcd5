"""What viewers show: kept by the pages that draw them, and asked for by the viewers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_VIEWS = 200


@dataclass(frozen=True, slots=True)
class View:
    """A query, whose result the viewer shows."""

    query: dict[str, Any]
    """Arguments of `search_medical_images`."""
    on_context: Callable[[str], None] | None = None
    """Called with one line about what the user is viewing."""


class Views:
    """The views of all tabs by id; of very many, those drawn last."""

    def __init__(self) -> None:
        self._views: dict[str, View] = {}

    def keep(self, view_id: str, view: View) -> None:
        """Keep a view; one of the same id is replaced."""
        self._views.pop(view_id, None)
        self._views[view_id] = view
        for oldest in list(self._views)[:-_MAX_VIEWS]:
            self._views.pop(oldest, None)

    def find(self, view_id: str) -> View | None:
        """Return a view; None if there is none of this id."""
        return self._views.get(view_id)
