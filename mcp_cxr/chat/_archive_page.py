"""What the archive holds, and bringing a folder into it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from mcp_cxr.chat._backend import data_of
from mcp_cxr.chat._job import Job, wait_for
from mcp_cxr.chat._markdown import as_written
from mcp_cxr.errors import CxrError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcp_cxr.chat._backend import Desk
    from mcp_cxr.chat._tab import Tab

_DRAW_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingest has come."""

    processed: float
    found: float | None
    done: str
    """What came of the files, in words."""


def archive_room(desk: Desk, tab: Tab) -> None:
    """Draw the room."""
    job = tab.ingest
    _overview(desk)
    st.subheader("Bring a folder in", divider="gray")
    with st.form("ingest", border=False):
        st.text_input("Folder on this machine", key="ingest_path", placeholder="/path/to/films")
        st.checkbox("Only count what would be added", key="ingest_dry_run")
        st.form_submit_button(
            "Ingest", type="primary", disabled=bool(job and job.is_running), on_click=_start, args=(desk, tab)
        )
    if job and job.is_running:
        st.fragment(_progress, run_every=_DRAW_EVERY_S)(tab, job)
    elif job:
        _summary(job)


def _overview(desk: Desk) -> None:
    found = desk.overview()
    wait_for([found])
    try:
        overview = found.result()
    except CxrError as exc:
        st.info(as_written(str(exc)), icon=":material/inventory_2:")
        return
    for column, name in zip(st.columns(4), ("images", "studies", "subjects", "external"), strict=True):
        column.metric("patients" if name == "subjects" else name, f"{overview[name]:,}")
    views, labels = st.columns(2)
    _counted(views, "View", overview["by_view"])
    _counted(labels, "Label present, studies", overview["by_label"])
    if made := overview["embedder"].get("fingerprint"):
        st.caption(f"Vectors of {made['dimension']} dimensions, made by {as_written(made['model'])}")


def _counted(place: Any, title: str, counts: Mapping[str, int]) -> None:  # noqa: ANN401 - a column
    """Draw counts as bars, the most first."""
    most = max(counts.values(), default=1)
    place.caption(title)
    for name, count in sorted(counts.items(), key=lambda item: -item[1]):
        place.progress(count / most, f"{name}: {count:,}")


def _start(desk: Desk, tab: Tab) -> None:
    path, dry_run = st.session_state["ingest_path"].strip(), st.session_state["ingest_dry_run"]
    if path:
        tab.ingest_news = None
        tab.ingest = Job(desk.loop, lambda tell: _ingest(desk, path, tell, dry_run=dry_run))


async def _ingest(desk: Desk, path: str, tell: Callable[[Progress], None], *, dry_run: bool) -> dict[str, Any]:
    """Call `ingest_directory` until all is done, or until a call gets no further.

    Returns:
        The last call's summary; `added`, `errors` and `seconds` are those of all calls.
    """
    totals = {"added": 0, "errors": 0, "seconds": 0.0}

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        tell(Progress(progress, total, message or ""))

    while True:
        arguments = {"path": path, "dry_run": dry_run}
        summary = data_of(await desk.person.call("ingest_directory", arguments, on_progress=hear))
        totals = {name: total + summary[name] for name, total in totals.items()}
        if dry_run or not summary["next"] or not (summary["added"] or summary["errors"]):
            return summary | totals


def _progress(tab: Tab, job: Job[Progress, dict[str, Any]]) -> None:
    """Draw how far it has come; once it is done, the whole page."""
    for news in job.news():
        tab.ingest_news = news
    if not job.is_running:
        st.rerun()
    news = tab.ingest_news
    if news and news.found:
        st.progress(
            min(1.0, news.processed / news.found), f"{news.processed:.0f} of {news.found:.0f} files: {news.done}"
        )
    else:
        st.progress(0.0, f"{news.processed:.0f} files: {news.done}" if news else "Looking for films ...")
    st.button("Stop", key="ingest_stop", icon=":material/stop:", on_click=job.stop)


def _summary(job: Job[Progress, dict[str, Any]]) -> None:
    if job.future.cancelled():
        st.info("Stopped. What was brought in stays; ingest the folder again to go on.", icon=":material/info:")
        return
    try:
        summary = job.future.result()
    except CxrError as exc:
        st.error(as_written(str(exc)), icon=":material/error:")
        return
    if summary["would_add"] is not None:
        st.success(f"{summary['would_add']:,} of {summary['found']:,} films would be added.")
        return
    st.success(
        f"{summary['added']:,} films added, {summary['skipped']:,} were there, {summary['errors']:,} errors, "
        f"{summary['seconds']:.1f} s. The archive holds {summary['total_in_store']:,}.",
        icon=":material/check:",
    )
    for reason, count in summary["errors_by_reason"].items():
        st.caption(f"{count}: {as_written(reason)}")
    if summary["next"]:
        st.warning(as_written(summary["next"]))
