"""What one browser tab is about; other tabs have their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st

from mcp_cxr.chat._queries import FIELDS, question_of, values_of

if TYPE_CHECKING:
    from concurrent.futures import Future

    from mcp_cxr.chat._archive_page import Progress
    from mcp_cxr.chat._backend import Desk
    from mcp_cxr.chat._conversation import Conversation
    from mcp_cxr.chat._job import Job

PAGE = 12
_HISTORY = 20
_KEY = "mcp_cxr_tab"


@dataclass(slots=True)
class Tab:
    """One tab's question, its answer, and what was picked from answers."""

    question: dict[str, Any] = field(default_factory=dict[str, Any])
    """The one that `page` answers, or that is being asked; without `limit` and `offset`."""
    marks: dict[str, list[str]] = field(default_factory=lambda: {"like": [], "unlike": []})
    asking: Future[dict[str, Any]] | None = None
    page: dict[str, Any] | None = None
    problem: str | None = None
    history: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Questions that were asked, the newest first."""
    names: dict[str, str] = field(default_factory=dict[str, str])
    """Image ids and uploads that were seen, and how people call them."""
    picked: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Hits to be exported, by image id."""
    pictures: dict[str, Future[tuple[bytes, str]]] = field(default_factory=dict[str, "Future[tuple[bytes, str]]"])
    """Of the hits on `page`, by image id."""
    facts: dict[str, Future[dict[str, Any]]] = field(default_factory=dict[str, "Future[dict[str, Any]]"])
    others_only: bool = False
    """Whether the patient of the first example is left out."""
    talk: Conversation | None = None
    ingest: Job[Progress, dict[str, Any]] | None = None
    ingest_news: Progress | None = None
    """The latest of `ingest`."""
    export: Job[int, bytes] | None = None
    export_of: tuple[str, ...] = ()
    """The films that `export` packs."""
    reading: str | None = None
    """Image that is open in the viewer."""

    def ask(self, desk: Desk, *, offset: int = 0) -> None:
        """Ask what the widgets hold."""
        values = {name: st.session_state.get(widget(name), empty) for name, empty in FIELDS.items()}
        self.question = question_of(values, marks=self.marks)
        if self.others_only and (example := next((one for one in self.marks["like"] if not desk.is_upload(one)), None)):
            self.question["exclude_subject_of"] = example
        self.stop()
        self.problem = self.reading = None
        self.asking = desk.search({**self.question, "limit": PAGE, "offset": offset})

    def ask_again(self, desk: Desk, question: dict[str, Any]) -> None:
        """Ask a question of the past; the widgets then hold it."""
        for name, value in values_of(question).items():
            st.session_state[widget(name)] = value
        self.marks = {name: list(question.get(name, [])) for name in ("like", "unlike")}
        self.others_only = "exclude_subject_of" in question
        self.ask(desk)

    def leave_out(self, desk: Desk) -> None:
        """Leave out the patient of the first example, or take them in again; and ask."""
        self.others_only = not self.others_only
        self.ask(desk)

    def mark(self, desk: Desk, kind: str, example: str) -> None:
        """Mark a film as more of this, or not this, or as neither where it was marked so; and ask."""
        was_marked = example in self.marks[kind]
        self.marks = {name: [one for one in marked if one != example] for name, marked in self.marks.items()}
        if not was_marked:
            self.marks[kind].append(example)
        self.ask(desk)

    def keep(self) -> None:
        """Keep what the widgets hold while another room is shown: Streamlit forgets widgets that are not drawn."""
        for name, empty in FIELDS.items():
            st.session_state[widget(name)] = st.session_state.get(widget(name), empty)

    def stop(self) -> None:
        """Ask no longer."""
        if self.asking:
            self.asking.cancel()
            self.asking = None

    def heard(self, page: dict[str, Any]) -> None:
        """Take an answer."""
        self.page = page
        self.asking = None
        self.pictures.clear()
        self.facts.clear()
        for hit in page["images"]:
            self.names[hit["image_id"]] = f"{hit['view_position']} {hit['subject_id']}"
        self.history = [self.question, *(one for one in self.history if one != self.question)][:_HISTORY]

    def pick(self, hit: dict[str, Any]) -> None:
        """Pick a hit for export, or pick it no longer."""
        if self.picked.pop(hit["image_id"], None) is None:
            self.picked[hit["image_id"]] = hit


def widget(name: str) -> str:
    """Return the key of the widget for an argument of the search."""
    return f"ask_{name}"


def this_tab() -> Tab:
    """Return the tab that this run of the page is for."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = Tab()
    return st.session_state[_KEY]
