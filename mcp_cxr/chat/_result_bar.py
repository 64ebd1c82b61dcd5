"""What was found, in a line, and what can be done with it: pages, saving, export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from mcp_cxr.chat._export import to_csv, zipped
from mcp_cxr.chat._job import Job, wait_for
from mcp_cxr.chat._markdown import as_written
from mcp_cxr.chat._queries import title_of
from mcp_cxr.chat._saved_queries import Saved
from mcp_cxr.chat._tab import PAGE
from mcp_cxr.errors import CxrError

if TYPE_CHECKING:
    from mcp_cxr.chat._backend import Desk
    from mcp_cxr.chat._tab import Tab

_MODES = {
    "semantic": "by meaning",
    "keyword": "by words",
    "hybrid": "by pixels and words",
    "similar": "by example",
    "filter": "by filters, newest first",
}
_GROUPS = {"study": "studies", "subject": "patients", "none": "films"}


def results(desk: Desk, tab: Tab) -> None:
    """Draw the line above the films."""
    page = tab.page or {}
    found = f"{page['total_results']:,} {_GROUPS[tab.question.get('group', 'study')]}"
    with st.container(horizontal=True, vertical_alignment="center", key="results"):
        st.markdown(f"**{found}** {_MODES[page['search_mode']]} · {page['execution_time_ms']:.0f} ms")
        _pages(desk, tab, page)
        _save(desk, tab)
        _export(desk, tab)
    if page["fallback_reason"]:
        st.info(as_written(page["fallback_reason"]), icon=":material/info:")
    for warning in page["warnings"]:
        st.caption(as_written(warning))


def _pages(desk: Desk, tab: Tab, page: dict[str, Any]) -> None:
    before, after = page["offset"] - PAGE, page["next_offset"]
    for label, icon, offset in (
        ("Page before", ":material/chevron_left:", max(0, before) if page["offset"] else None),
        ("Next page", ":material/chevron_right:", after),
    ):
        st.button(
            "",
            key=label,
            icon=icon,
            help=label,
            disabled=offset is None,
            on_click=tab.ask,
            args=(desk,),
            kwargs={"offset": offset or 0},
        )


def _save(desk: Desk, tab: Tab) -> None:
    with st.popover("Save", icon=":material/bookmark_add:"):
        if any(desk.is_upload(example) for example in tab.question.get("like", [])):
            st.caption("A question with an uploaded film cannot be saved: the film is gone afterwards.")
            return
        name = st.text_input("Name", value=title_of(tab.question), max_chars=200)
        if st.button("Save the question", disabled=not name.strip()):
            Saved(desk.settings.data_dir).add(name.strip(), tab.question)
            st.rerun()


def _export(desk: Desk, tab: Tab) -> None:
    hits = list(tab.picked.values())
    with st.popover(f"Export ({len(hits)})", icon=":material/download:"):
        if not hits:
            st.caption("Select films first.")
            return
        st.download_button(
            "Ids and scores (CSV)", to_csv(hits), "films.csv", "text/csv", icon=":material/table:", on_click="ignore"
        )
        _export_pictures(desk, tab)
        st.button("Select none", on_click=tab.picked.clear)


def _export_pictures(desk: Desk, tab: Tab) -> None:
    """Offer the pictures, after a yes."""
    said_yes = st.checkbox(
        f"Yes, put {len(tab.picked)} of the archive's films into a file: whoever has it can look at them, and words "
        "burned into a film are in it.",
        key="export_yes",
    )
    job, ids = tab.export, tuple(tab.picked)
    if st.button("Make the ZIP", disabled=not said_yes or bool(job and job.is_running)):
        job = tab.export = Job[int, bytes](desk.loop, lambda tell: zipped(desk, ids, tell))
        tab.export_of = ids
    if job is None or not said_yes or tab.export_of != ids:
        return
    if job.is_running:
        st.caption("Reading the films ...")
        wait_for([job.future])
    try:
        st.download_button(
            "Pictures (ZIP)",
            job.future.result(),
            "films.zip",
            "application/zip",
            icon=":material/folder_zip:",
            on_click="ignore",
        )
    except CxrError as exc:
        st.error(as_written(str(exc)))
