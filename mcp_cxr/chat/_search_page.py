"""Searching without a model: words, filters, examples, and what was found."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from mcp_cxr.chat._gallery import gallery
from mcp_cxr.chat._job import wait_for
from mcp_cxr.chat._markdown import as_written
from mcp_cxr.chat._queries import filters_in, title_of
from mcp_cxr.chat._result_bar import results
from mcp_cxr.chat._tab import widget
from mcp_cxr.errors import CxrError
from mcp_cxr.records import LABELS, VIEWS

if TYPE_CHECKING:
    from mcp_cxr.chat._backend import Desk
    from mcp_cxr.chat._tab import Tab

_FILMS = ["dcm", "dicom", "png", "jpg", "jpeg"]
_MAX_UPLOAD_MB = 100
_WITH_REPORT = {True: "with a report", False: "without a report"}
_GROUPS = {"study": "one film a study", "subject": "one film a patient", "none": "every film"}
_MARKS = {"like": ":material/favorite:", "unlike": ":material/block:"}


def search_room(desk: Desk, tab: Tab) -> None:
    """Draw the room."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="ask"):
        _form(desk, tab)
        with st.popover("Examples", icon=":material/compare:"):
            _add_example(desk, tab)
    _examples(desk, tab)
    _finish_asking(tab)
    if tab.problem:
        st.error(as_written(tab.problem), icon=":material/error:")
    if tab.page:
        results(desk, tab)
        gallery(desk, tab)
    elif not tab.problem:
        st.caption("Ask in words, by filters, or by films that look alike; or take a question from the left.")


def _form(desk: Desk, tab: Tab) -> None:
    with st.form("question", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Search",
            key=widget("query"),
            placeholder="left pleural effusion, edema without effusion, pacemaker ...",
            label_visibility="collapsed",
        )
        st.form_submit_button("Search", type="primary", icon=":material/search:", on_click=partial(tab.ask, desk))
        with st.popover(_filters_label(tab), icon=":material/tune:"):
            _filters()


def _filters_label(tab: Tab) -> str:
    count = filters_in(tab.question)
    return f"Filters ({count})" if count else "Filters"


def _filters() -> None:
    st.multiselect("View", VIEWS, key=widget("view"))
    st.multiselect("Labels present", LABELS, key=widget("labels"))
    st.multiselect("Labels neither present nor uncertain", LABELS, key=widget("labels_absent"))
    st.selectbox(
        "Report",
        list(_WITH_REPORT),
        index=None,
        key=widget("has_report"),
        format_func=_WITH_REPORT.__getitem__,
        placeholder="with or without a report",
    )
    for left, right in ((("subject_id", "Patient"), ("study_id", "Study")), (("date_from", "From"), ("date_to", "To"))):
        for column, (name, label) in zip(st.columns(2), (left, right), strict=True):
            column.text_input(label, key=widget(name), placeholder="2180-05-06" if "date" in name else "")
    first, second = st.columns(2)
    first.text_input("Split", key=widget("split"), placeholder="train, validate, test")
    second.selectbox("Results", list(_GROUPS), key=widget("group"), format_func=_GROUPS.__getitem__)
    st.caption("They hold with the next search.")


def _examples(desk: Desk, tab: Tab) -> None:
    """Show what the search is steered by."""
    with st.container(horizontal=True, vertical_alignment="center", key="examples"):
        for kind, marked in tab.marks.items():
            for example in marked:
                st.button(
                    as_written(tab.names.get(example, example)),
                    key=f"unmark_{example}",
                    icon=_MARKS[kind],
                    help="Take this example away",
                    on_click=tab.mark,
                    args=(desk, kind, example),
                )
        if any(not desk.is_upload(example) for example in tab.marks["like"]):
            st.session_state["others_only"] = tab.others_only
            st.checkbox("Other patients only", key="others_only", on_change=tab.leave_out, args=(desk,))


def _add_example(desk: Desk, tab: Tab) -> None:
    st.text_input("A film of the archive, by its image id", key="example_id", on_change=partial(_by_id, desk, tab))
    st.file_uploader(
        "A film of yours: DICOM, PNG or JPEG",
        _FILMS,
        key="example_file",
        max_upload_size=_MAX_UPLOAD_MB,
        help="It is compared with the archive's films, not added to them, and gone when `mcp-cxr chat` ends.",
        on_change=partial(_by_upload, desk, tab),
    )


def _by_id(desk: Desk, tab: Tab) -> None:
    if example := st.session_state["example_id"].strip():
        st.session_state["example_id"] = ""
        if example not in tab.marks["like"]:
            tab.mark(desk, "like", example)


def _by_upload(desk: Desk, tab: Tab) -> None:
    if uploaded := st.session_state["example_file"]:
        path = desk.keep_upload(uploaded.name, uploaded.getvalue())
        tab.names[path] = "your film"
        tab.mark(desk, "like", path)


def _finish_asking(tab: Tab) -> None:
    """Wait for the answer, if one is on its way; whatever the person does meanwhile goes first."""
    if tab.asking is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="asking"):
        st.caption(f"Searching: {as_written(title_of(tab.question))} ...")
        st.button("Stop", icon=":material/stop:", on_click=tab.stop)
    wait_for([tab.asking])
    tab.problem, tab.page = None, None
    try:
        tab.heard(tab.asking.result())
    except CxrError as exc:
        tab.problem, tab.asking = str(exc), None
    st.rerun()
