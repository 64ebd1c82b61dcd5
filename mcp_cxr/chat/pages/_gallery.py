"""The hits of a search as cards."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from mcp_cxr.chat.pages._session_state import MARKS
from mcp_cxr.chat.pages._streamlit_helpers import escape_markdown, wait_for
from mcp_cxr.chat.pages._viewer import viewer
from mcp_cxr.chat.session import View
from mcp_cxr.errors import CxrError
from mcp_cxr.records import SearchResult

if TYPE_CHECKING:
    from concurrent.futures import Future

    from streamlit.delta_generator import DeltaGenerator

    from mcp_cxr.chat.pages._session_state import Tab
    from mcp_cxr.chat.session import Backend

_THUMBNAIL_PX = 512  # sharp on high-density screens
_PRESENT, _UNCERTAIN = 1, -1


def gallery(backend: Backend, tab: Tab) -> None:
    """Draw the open image, then a card for each hit; renderings appear as they are read."""
    hits: list[dict[str, Any]] = (tab.page or {})["images"]
    if not hits:
        st.info("No image matches. Try other words or fewer filters.", icon=":material/search_off:")
        return
    for image_id in (hit["image_id"] for hit in hits):
        if image_id not in tab.images or backend.is_unanswered(tab.images[image_id]):
            tab.images[image_id] = backend.loop.start(backend.rendering(image_id, _THUMBNAIL_PX))
    if any(hit["image_id"] == tab.open_image_id for hit in hits):
        _open_image(backend, tab)
    slots: dict[str, DeltaGenerator] = {}
    first_of_rest, heading = SearchResult.model_validate(tab.page).rest_heading() or (None, "")
    with st.container(horizontal=True, gap="small", key="gallery"):
        for hit in hits:
            if hit["rank"] == first_of_rest:
                st.container(key="rest").caption(heading)
            with st.container(border=True, height="stretch", key=f"card_{hit['rank']}"):
                slots[hit["image_id"]] = st.empty()
                _card(backend, tab, hit)
    _show_images(slots, tab)


def _open_image(backend: Backend, tab: Tab) -> None:
    with st.container(key="open_image"):
        st.button("Close the viewer", icon=":material/close:", on_click=setattr, args=(tab, "open_image_id", None))
        view = View(tab.query, tab.page, tab.open_image_id, dict(tab.names))
        viewer(backend, view, key=f"viewer_{tab.open_image_id}")


def _card(backend: Backend, tab: Tab, hit: dict[str, Any]) -> None:
    image_id, rank = hit["image_id"], hit["rank"]
    st.html(_hit_html(hit))
    with st.container(horizontal=True, vertical_alignment="center", gap="xxsmall", key=f"actions_{rank}"):
        st.button("Open", key=f"open_{rank}", type="primary", on_click=setattr, args=(tab, "open_image_id", image_id))
        for kind, (icon, label) in MARKS.items():
            is_marked = image_id in tab.marks[kind]
            st.button(
                "",
                key=f"{kind}_{rank}",
                icon=icon,
                help=f"{label}: image {rank}",
                type="primary" if is_marked else "secondary",
                on_click=tab.mark,
                args=(backend, kind, image_id),
            )
        st.session_state[f"pick_{image_id}"] = image_id in tab.selected
        st.checkbox("Select", key=f"pick_{image_id}", on_change=tab.toggle_selected, args=(hit,))
    report = st.expander("Report", key=f"report_{image_id}", on_change="rerun")
    if report.open:
        with report:
            _report(backend, tab, image_id)


def _report(backend: Backend, tab: Tab, image_id: str) -> None:
    if image_id not in tab.facts or backend.is_unanswered(tab.facts[image_id]):
        tab.facts[image_id] = backend.loop.start(backend.call("get_image_metadata", {"image_id": image_id}))
    wait_for([tab.facts[image_id]])
    try:
        sections: dict[str, str] = tab.facts[image_id].result()["report"] or {}
    except CxrError as exc:
        st.caption(escape_markdown(str(exc)))
        return
    for title, text in sections.items():
        st.caption(escape_markdown(title))
        st.text(text)
    if not sections:
        st.caption("The archive has no report for this study.")


def _hit_html(hit: dict[str, Any]) -> str:
    """Return the facts of a hit as HTML; as Markdown, a page of cards takes a browser twice as long."""
    view, subject, study, why = map(
        escape, (hit["view_position"], hit["subject_id"], hit["study_id"], "; ".join(hit["why"]))
    )
    labels = "".join(
        f"<li>{escape(name)}{'' if value == _PRESENT else ' (uncertain)'}</li>"
        for name, value in hit["labels"].items()
        if value in (_PRESENT, _UNCERTAIN)
    )
    missing = escape("; ".join(hit["missing"]))
    path = escape(hit["path"] or "")
    file = f'<p title="{path}">File {path.rpartition("/")[2]}</p>' if path else ""
    part = f"<p>Matches in part: {missing}</p>" if hit["matched"] == "part" else ""
    return (
        f"<h4>{hit['rank']} · {view}</h4><p>Patient {subject} · study {study}</p>"
        f'<p title="{_similarity_explanation(hit)}">{_similarity_text(hit)}</p>'
        f"{part}<ul>{labels}</ul><p>{why and f'Why: {why}'}</p>{file}"
    )


def _similarity_text(hit: dict[str, Any]) -> str:
    if hit["similarity_score"] is None:
        return "no similarity score"
    cosine = f"cosine {hit['similarity_score']:.3f}"
    if hit["similarity_z"] is None:
        return cosine
    return f"z {hit['similarity_z']:+.1f} · percentile {hit['percentile']:.1f} · {cosine}"


def _similarity_explanation(hit: dict[str, Any]) -> str:
    z = hit["similarity_z"]
    if z is None:
        return ""
    return (
        f"More similar than {hit['percentile']:.1f} % of a sample of the archive; {abs(z):.1f} standard deviations "
        f"{'below' if z < 0 else 'above'} the mean of the sample."
    )


def _show_images(slots: dict[str, DeltaGenerator], tab: Tab) -> None:
    """Show each rendering as soon as it is read."""
    waiting = {image_id: tab.images[image_id] for image_id in slots}
    while waiting:
        wait_for(waiting.values())
        for image_id, future in list(waiting.items()):
            if future.done():
                _show_image(slots[image_id], waiting.pop(image_id), tab.names[image_id])


def _show_image(slot: DeltaGenerator, future: Future[tuple[bytes, str]], name: str) -> None:
    try:
        content, _ = future.result()
        slot.image(content, width="stretch", alt=f"Image {name}")
    except CxrError as exc:
        slot.caption(escape_markdown(str(exc)))
