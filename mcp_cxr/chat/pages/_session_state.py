"""The state of one browser tab, kept in Streamlit's session state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st

from mcp_cxr.chat.session import FIELDS, query_of
from mcp_cxr.records import SearchResult

if TYPE_CHECKING:
    from concurrent.futures import Future

    from mcp_cxr.chat.session import Backend, Conversation

PAGE = 12
MARKS = {"like": (":material/favorite:", "More like this"), "unlike": (":material/block:", "Not this")}
"""Icon and label of each kind of example."""
_HISTORY = 20
_KEY = "mcp_cxr_tab"


@dataclass(slots=True)
class Tab:
    """One tab's query, its result, and the selected hits."""

    query: dict[str, Any] = field(default_factory=dict[str, Any])
    """The query of `page`, or of the pending search; without `limit` and `offset`."""
    marks: dict[str, list[str]] = field(default_factory=lambda: {"like": [], "unlike": []})
    pending_search: Future[dict[str, Any]] | None = None
    page: dict[str, Any] | None = None
    """The fields of the `SearchResult`, those that the tool leaves out as well."""
    problem: str | None = None
    history: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Earlier queries, the newest first."""
    names: dict[str, str] = field(default_factory=dict[str, str])
    """Display names of image ids and uploads."""
    selected: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Hits to be exported, by image id."""
    images: dict[str, Future[tuple[bytes, str]]] = field(default_factory=dict[str, "Future[tuple[bytes, str]]"])
    """Renderings of the hits on `page`, by image id."""
    facts: dict[str, Future[dict[str, Any]]] = field(default_factory=dict[str, "Future[dict[str, Any]]"])
    others_only: bool = False
    """Whether the patient of the first example is excluded."""
    conversation: Conversation | None = None
    ingest: Future[dict[str, Any]] | None = None
    """The running ingest, or the summary of the last one."""
    ingest_progress: tuple[float, str] = (0.0, "")
    """The fraction of files done, and their number and outcomes as text."""
    broad_folder: tuple[str, bool, str] | None = None
    """A folder that is taken only after a second yes: as named, whether for a dry run, and why it is asked about."""
    export: Future[bytes] | None = None
    export_of: tuple[str, ...] = ()
    """The image ids that `export` packs."""
    open_image_id: str | None = None
    """The image that is open in the viewer."""

    def search(self, backend: Backend, *, offset: int = 0) -> None:
        """Start a search with the values of the widgets; without words or positive examples, "Not this" starts none."""
        query = query_of({name: st.session_state[widget(name)] for name in FIELDS}, marks=self.marks)
        if self.others_only and (
            example := next((marked for marked in self.marks["like"] if not backend.is_upload(marked)), None)
        ):
            query["exclude_subject_of"] = example
        self.stop()
        if "unlike" in query and not query.keys() & {"query", "like"}:
            self.problem = "Also search by words or mark an image as “More like this”; “Not this” does not work alone."
            return
        self.query = query
        self.problem = self.open_image_id = None
        self.pending_search = backend.loop.start(
            backend.call("search_medical_images", {**self.query, "limit": PAGE, "offset": offset})
        )

    def repeat(self, backend: Backend, query: dict[str, Any]) -> None:
        """Repeat a query and fill the widgets with it."""
        for name, empty in FIELDS.items():
            st.session_state[widget(name)] = query.get(name, empty)
        self.marks = {name: list(query.get(name, [])) for name in ("like", "unlike")}
        self.others_only = "exclude_subject_of" in query
        self.search(backend)

    def toggle_other_patients(self, backend: Backend) -> None:
        """Exclude or include the patient of the first example, and search again."""
        self.others_only = not self.others_only
        self.search(backend)

    def mark(self, backend: Backend, kind: str, example: str) -> None:
        """Mark an image as like or unlike, or clear the same mark, and search again."""
        was_marked = example in self.marks[kind]
        self.marks = {name: [image for image in marked if image != example] for name, marked in self.marks.items()}
        if not was_marked:
            self.marks[kind].append(example)
        self.search(backend)

    def keep(self) -> None:
        """Keep the values of the widgets while another page is shown: Streamlit forgets widgets that are not drawn."""
        for name, empty in FIELDS.items():
            st.session_state[widget(name)] = st.session_state.get(widget(name), empty)

    def stop(self) -> None:
        """Cancel the pending search."""
        if self.pending_search:
            self.pending_search.cancel()
            self.pending_search = None

    def show_result(self, page: dict[str, Any]) -> None:
        """Show the result of the pending search, and add its query to the history."""
        self.page = page = SearchResult.model_validate(page).model_dump()
        self.pending_search = None
        self.images.clear()
        self.facts.clear()
        for hit in page["images"]:
            self.names[hit["image_id"]] = f"{hit['view_position']} {hit['subject_id']}"
        self.history = [self.query, *(query for query in self.history if query != self.query)][:_HISTORY]

    def toggle_selected(self, hit: dict[str, Any]) -> None:
        """Add a hit to the selection, or remove it."""
        if self.selected.pop(hit["image_id"], None) is None:
            self.selected[hit["image_id"]] = hit


def widget(name: str) -> str:
    """Return the key of the widget for an argument of the search."""
    return f"search_{name}"


def this_tab() -> Tab:
    """Return the state of the tab that this run of the script is for."""
    return st.session_state.setdefault(_KEY, Tab())
