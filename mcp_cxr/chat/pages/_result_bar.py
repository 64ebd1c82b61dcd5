"""The bar above the hits: totals, paging, saving the query, export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from mcp_cxr.chat.pages._session_state import PAGE
from mcp_cxr.chat.pages._streamlit_helpers import escape_markdown, wait_for
from mcp_cxr.chat.session import describe_query, save_query, to_csv, to_zip
from mcp_cxr.errors import CxrError
from mcp_cxr.records import SearchResult, counted

if TYPE_CHECKING:
    from mcp_cxr.chat.pages._session_state import Tab
    from mcp_cxr.chat.session import Backend

_MODES = {
    "semantic": "by pixels",
    "keyword": "by words",
    "hybrid": "by pixels and words",
    "similar": "by example",
    "filter": "by filters, newest first",
}


def results(backend: Backend, tab: Tab) -> None:
    """Draw the bar above the hits."""
    page = tab.page or {}
    result = SearchResult.model_validate(page)
    total, group = page["total_results"], tab.query.get("group", "study")
    found = result.matches_text(group) or counted(total, group)
    with st.container(horizontal=True, vertical_alignment="center", key="results"):
        st.markdown(f"**{found}** {_MODES[page['search_mode']]} · {page['execution_time_ms']:.0f} ms")
        _pages(backend, tab, page)
        _save(backend, tab)
        _export(backend, tab)
    if page["fallback_reason"]:
        st.info(escape_markdown(page["fallback_reason"]), icon=":material/info:")
    for warning in page["warnings"]:
        st.caption(escape_markdown(warning))


def _pages(backend: Backend, tab: Tab, page: dict[str, Any]) -> None:
    for label, icon, offset in (
        ("Previous page", ":material/chevron_left:", max(0, page["offset"] - PAGE) if page["offset"] else None),
        ("Next page", ":material/chevron_right:", page["next_offset"]),
    ):
        st.button(
            "",
            key=label,
            icon=icon,
            help=label,
            disabled=offset is None,
            on_click=tab.search,
            args=(backend,),
            kwargs={"offset": offset or 0},
        )


def _save(backend: Backend, tab: Tab) -> None:
    with st.popover("Save", icon=":material/bookmark_add:"):
        if any(backend.is_upload(example) for example in tab.query.get("like", [])):
            st.caption(
                "A query with an uploaded image cannot be saved: the upload is deleted when `mcp-cxr chat` ends."
            )
            return
        name = st.text_input("Name", value=describe_query(tab.query), max_chars=200)
        if st.button("Save this query", disabled=not name.strip()):
            save_query(backend.settings.data_dir, name.strip(), tab.query)
            st.rerun()


def _export(backend: Backend, tab: Tab) -> None:
    hits = list(tab.selected.values())
    with st.popover(f"Export ({len(hits)})", icon=":material/download:"):
        if not hits:
            st.caption("Select images first.")
            return
        st.download_button(
            "Ids, scores and paths (CSV)",
            to_csv(hits),
            "images.csv",
            "text/csv",
            icon=":material/table:",
            on_click="ignore",
        )
        _export_images(backend, tab)
        st.button("Clear selection", on_click=tab.selected.clear)


def _export_images(backend: Backend, tab: Tab) -> None:
    """Offer the renderings as a ZIP, after a yes."""
    is_confirmed = st.checkbox(
        f"Yes, export {len(tab.selected)} images. Anyone who has the file can see them, and any text burned into the "
        "pixels.",
        key="export_yes",
    )
    ids = tuple(tab.selected)
    if st.button("Create the ZIP file", disabled=not is_confirmed or bool(tab.export and not tab.export.done())):
        tab.export, tab.export_of = backend.loop.start(to_zip(backend, list(tab.selected.values()))), ids
    if tab.export is None or not is_confirmed or tab.export_of != ids:
        return
    if not tab.export.done():
        st.caption("Reading the images ...")
        wait_for([tab.export])
    try:
        st.download_button(
            "Images (ZIP)",
            tab.export.result(),
            "images.zip",
            "application/zip",
            icon=":material/folder_zip:",
            on_click="ignore",
        )
    except CxrError as exc:
        st.error(escape_markdown(str(exc)))
