"""The films that were found, as cards."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from mcp_cxr.chat._job import wait_for
from mcp_cxr.chat._markdown import as_written
from mcp_cxr.chat._viewer import viewer
from mcp_cxr.errors import CxrError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from streamlit.delta_generator import DeltaGenerator

    from mcp_cxr.chat._backend import Desk
    from mcp_cxr.chat._tab import Tab

_PICTURE_PX = 512  # sharp on screens with two pixels for one
_PRESENT, _UNCERTAIN = 1, -1


def gallery(desk: Desk, tab: Tab) -> None:
    """Draw the film that is open, then a card for each hit; pictures come as they are read."""
    hits: list[dict[str, Any]] = (tab.page or {})["images"]
    if not hits:
        st.info("Nothing was found; try other words, or fewer filters.", icon=":material/search_off:")
        return
    for image_id in (hit["image_id"] for hit in hits):
        if image_id not in tab.pictures or desk.was_lost(tab.pictures[image_id]):
            tab.pictures[image_id] = desk.picture(image_id, _PICTURE_PX)
    _open_film(desk, tab, hits)
    places: dict[str, DeltaGenerator] = {}
    with st.container(horizontal=True, gap="small", key="gallery"):
        for hit in hits:
            with st.container(border=True, height="stretch", key=f"card_{hit['rank']}"):
                places[hit["image_id"]] = st.empty()
                _card(desk, tab, hit)
    _fill(places, tab)


def _open_film(desk: Desk, tab: Tab, hits: list[dict[str, Any]]) -> None:
    hit = next((hit for hit in hits if hit["image_id"] == tab.reading), None)
    if hit is None:
        return
    with st.container(key="reading"):
        st.button("Close the viewer", icon=":material/close:", on_click=setattr, args=(tab, "reading", None))
        viewer(desk, key=f"read_{hit['image_id']}", question=tab.question, page=tab.page, opens=hit["image_id"])


def _card(desk: Desk, tab: Tab, hit: dict[str, Any]) -> None:
    image_id, rank = hit["image_id"], hit["rank"]
    st.html(_told(hit))
    with st.container(horizontal=True, vertical_alignment="center", gap="xxsmall", key=f"acts_{rank}"):
        st.button("Read", key=f"read_button_{rank}", type="primary", on_click=setattr, args=(tab, "reading", image_id))
        for kind, icon, told in (
            ("like", ":material/favorite:", "More like this"),
            ("unlike", ":material/block:", "Not this"),
        ):
            is_marked = image_id in tab.marks[kind]
            st.button(
                "",
                key=f"{kind}_{rank}",
                icon=icon,
                help=f"{told}: film {rank}",
                type="primary" if is_marked else "secondary",
                on_click=tab.mark,
                args=(desk, kind, image_id),
            )
        st.session_state[f"pick_{image_id}"] = image_id in tab.picked
        st.checkbox("Select", key=f"pick_{image_id}", on_change=tab.pick, args=(hit,))
    report = st.expander("Report", key=f"report_{image_id}", on_change="rerun")
    if report.open:
        with report:
            _report(desk, tab, image_id)


def _report(desk: Desk, tab: Tab, image_id: str) -> None:
    if image_id not in tab.facts or desk.was_lost(tab.facts[image_id]):
        tab.facts[image_id] = desk.facts(image_id)
    wait_for([tab.facts[image_id]])
    try:
        sections: dict[str, str] = tab.facts[image_id].result()["report"] or {}
    except CxrError as exc:
        st.caption(as_written(str(exc)))
        return
    for title, text in sections.items():
        st.caption(as_written(title))
        st.text(text)
    if not sections:
        st.caption("The archive has no report of this study.")


def _told(hit: dict[str, Any]) -> str:
    """Return what is known of a hit; as HTML, for a page of Markdown takes a browser twice as long."""
    view, subject, study, why = map(
        escape, (hit["view_position"], hit["subject_id"], hit["study_id"], "; ".join(hit["why"]))
    )
    labels = "".join(
        f"<li>{escape(name)}{'' if value == _PRESENT else ' ?'}</li>"
        for name, value in hit["labels"].items()
        if value in (_PRESENT, _UNCERTAIN)
    )
    return (
        f"<h4>{hit['rank']} · {view} <small>{subject}</small></h4><p>{study}</p><p>{_standing(hit)}</p>"
        f"<ul>{labels}</ul><p>{why}</p>"
    )


def _standing(hit: dict[str, Any]) -> str:
    if hit["similarity_score"] is None:
        return "no vector was compared"
    cosine = f"cosine {hit['similarity_score']:.3f}"
    if hit["similarity_z"] is None:
        return cosine
    return f"z {hit['similarity_z']:+.1f} · above {hit['percentile']:.1f} % · {cosine}"


def _fill(places: dict[str, DeltaGenerator], tab: Tab) -> None:
    """Show each picture when it is there."""
    waiting = {image_id: tab.pictures[image_id] for image_id in places}
    while waiting:
        wait_for(waiting.values())
        for image_id, future in list(waiting.items()):
            if future.done():
                _show(places[image_id], waiting.pop(image_id), tab.names[image_id])


def _show(place: DeltaGenerator, future: Future[tuple[bytes, str]], name: str) -> None:
    try:
        content, _ = future.result()
        place.image(content, width="stretch", alt=f"Film {name}")
    except CxrError as exc:
        place.caption(as_written(str(exc)))
