"""The page `Search`: words, filters, examples and hits, without a language model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from mcp_cxr.chat.pages._gallery import gallery
from mcp_cxr.chat.pages._result_bar import results
from mcp_cxr.chat.pages._session_state import MARKS, widget
from mcp_cxr.chat.pages._streamlit_helpers import escape_markdown, wait_for
from mcp_cxr.chat.session import GROUPS, MODES, count_filters, describe_query
from mcp_cxr.errors import CxrError
from mcp_cxr.records import LABELS, VIEW_POSITIONS, Understood

if TYPE_CHECKING:
    from mcp_cxr.chat.pages._session_state import Tab
    from mcp_cxr.chat.session import Backend

_EXTENSIONS = ["dcm", "dicom", "png", "jpg", "jpeg"]
_MAX_UPLOAD_MB = 100
_ANY = "Any"
_WITH_REPORT = {True: "With a report", False: "Without a report"}


def search_page(backend: Backend, tab: Tab) -> None:
    """Draw the page."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="search_bar"):
        _form(backend, tab)
        with st.popover("Example images", icon=":material/compare:"):
            _add_example(backend, tab)
    _examples(backend, tab)
    _finish_search(backend, tab)
    if tab.problem:
        st.error(escape_markdown(tab.problem), icon=":material/error:")
    if tab.page:
        if tab.page["understood"]:
            st.caption(escape_markdown(f"Read as: {Understood(**tab.page['understood']).as_text()}"))
        results(backend, tab)
        gallery(backend, tab)
    elif not tab.problem:
        st.caption("Search by words, filters or similar images, or repeat a query from the sidebar.")


def _form(backend: Backend, tab: Tab) -> None:
    with st.form("search_form", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Search",
            key=widget("query"),
            placeholder="left pleural effusion, edema without effusion, pacemaker ...",
            label_visibility="collapsed",
        )
        st.form_submit_button("Search", type="primary", icon=":material/search:", on_click=partial(tab.search, backend))
        count = count_filters(tab.query)
        with st.popover(f"Filters ({count})" if count else "Filters", icon=":material/tune:"):
            _filters()


def _filters() -> None:
    st.multiselect("View", VIEW_POSITIONS, key=widget("view"), placeholder=_ANY)
    st.multiselect("Label present", LABELS, key=widget("labels"), placeholder=_ANY)
    st.multiselect("Label absent", LABELS, key=widget("labels_absent"), placeholder=_ANY)
    st.selectbox(
        "Report",
        list(_WITH_REPORT),
        index=None,
        key=widget("has_report"),
        format_func=_WITH_REPORT.__getitem__,
        placeholder=_ANY,
    )
    for left, right in (
        (("subject_id", "Patient id"), ("study_id", "Study id")),
        (("date_from", "Date from"), ("date_to", "Date to")),
    ):
        for column, (name, label) in zip(st.columns(2), (left, right), strict=True):
            column.text_input(label, key=widget(name), placeholder="2180-05-06" if "date" in name else "")
    for column, (name, label) in zip(st.columns(2), (("age_from", "Age from"), ("age_to", "Age to")), strict=True):
        column.number_input(label, min_value=0, max_value=150, value=None, step=1, key=widget(name))
    st.text_input("Sex", key=widget("sex"), placeholder="F or M")
    first, second, third = st.columns(3)
    first.text_input("Split", key=widget("split"), placeholder="train, validate, test")
    second.selectbox("One result per", list(GROUPS), key=widget("group"), format_func=GROUPS.__getitem__)
    third.selectbox("Search by", list(MODES), key=widget("mode"), format_func=MODES.__getitem__)
    st.caption("Filters apply to the next search.")


def _examples(backend: Backend, tab: Tab) -> None:
    """Show the examples of the search."""
    with st.container(horizontal=True, vertical_alignment="center", key="examples"):
        for kind, marked in tab.marks.items():
            icon, label = MARKS[kind]
            for example in marked:
                st.button(
                    f"{label}: {escape_markdown(tab.names.get(example, example))} :material/close:",
                    key=f"unmark_{example}",
                    icon=icon,
                    help="Remove this example",
                    on_click=tab.mark,
                    args=(backend, kind, example),
                )
        if any(not backend.is_upload(example) for example in tab.marks["like"]):
            st.session_state["others_only"] = tab.others_only
            st.checkbox("Other patients only", key="others_only", on_change=tab.toggle_other_patients, args=(backend,))


def _add_example(backend: Backend, tab: Tab) -> None:
    st.text_input("Id of an image in the archive", key="example_id", on_change=partial(_by_id, backend, tab))
    st.file_uploader(
        "Your own image: DICOM, PNG or JPEG",
        _EXTENSIONS,
        key="example_file",
        max_upload_size=_MAX_UPLOAD_MB,
        help="It is compared with the archive but not added to it, and is deleted when `mcp-cxr chat` ends.",
        on_change=partial(_by_upload, backend, tab),
    )


def _by_id(backend: Backend, tab: Tab) -> None:
    if example := st.session_state["example_id"].strip():
        st.session_state["example_id"] = ""
        if example not in tab.marks["like"]:
            tab.mark(backend, "like", example)


def _by_upload(backend: Backend, tab: Tab) -> None:
    if uploaded := st.session_state["example_file"]:
        path = backend.save_upload(uploaded.name, uploaded.getvalue())
        tab.names[path] = uploaded.name
        tab.mark(backend, "like", path)


def _finish_search(backend: Backend, tab: Tab) -> None:
    """Wait for the result of a pending search; any click in the meantime goes first."""
    if tab.pending_search is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="searching"):
        st.caption(f"Searching: {escape_markdown(describe_query(tab.query))} ...")
        st.button("Stop", key="search_stop", icon=":material/stop:", on_click=tab.stop)
    wait_for([tab.pending_search])
    tab.problem, tab.page = None, None
    try:
        tab.show_result(tab.pending_search.result())
    except CxrError as exc:
        tab.problem, tab.pending_search = _with_upload_names(str(exc), backend, tab), None
    st.rerun()


def _with_upload_names(text: str, backend: Backend, tab: Tab) -> str:
    """Return `text` with the name of each uploaded file in place of its temporary path."""
    for example, name in tab.names.items():
        if backend.is_upload(example):
            text = text.replace(example, name)
    return text
