"""The page `Archive`: what the archive holds, and adding a folder to it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from mcp_cxr.chat.pages._streamlit_helpers import escape_markdown, wait_for
from mcp_cxr.chat.session import broad_folder_warning
from mcp_cxr.errors import CxrError
from mcp_cxr.pasted_text import pasted_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from mcp_cxr.chat.pages._session_state import Tab
    from mcp_cxr.chat.session import Backend

_REDRAW_S = 0.5
_TOTALS = {"images": "images", "studies": "studies", "subjects": "patients", "external": "external images"}
_EXTERNAL_HELP = "Images whose rows in the database were written by another program."


def archive_page(backend: Backend, tab: Tab) -> None:
    """Draw the page."""
    ingest = tab.ingest
    _overview(backend)
    st.subheader("Add a folder", divider="gray")
    with st.form("ingest", border=False):
        st.text_input("Folder on this machine", key="ingest_path", placeholder="/path/to/images")
        st.checkbox("Dry run: only count what would be added", key="ingest_dry_run")
        st.form_submit_button(
            "Ingest", type="primary", disabled=bool(ingest and not ingest.done()), on_click=_start, args=(backend, tab)
        )
    _ask_about_broad_folder(backend, tab)
    if ingest and not ingest.done():
        st.fragment(_progress, run_every=_REDRAW_S)(tab, ingest)
    elif ingest:
        _summary(ingest)


def _overview(backend: Backend) -> None:
    pending = backend.loop.start(backend.call("get_archive_overview", {}))
    wait_for([pending])
    try:
        overview = pending.result()
    except CxrError as exc:
        st.info(escape_markdown(str(exc)), icon=":material/inventory_2:")
        return
    for column, (name, label) in zip(st.columns(4), _TOTALS.items(), strict=True):
        column.metric(label, f"{overview[name]:,}", help=_EXTERNAL_HELP if name == "external" else None)
    views, labels = st.columns(2)
    _draw_counts(views, "Images by view", overview["by_view"])
    _draw_counts(labels, "Studies by label (present)", overview["by_label"])
    if overview["next"]:
        st.info(escape_markdown(overview["next"]), icon=":material/inventory_2:")
    if made := overview["embedder"].get("fingerprint"):
        st.caption(f"Embedder: {escape_markdown(made['model'])}, vectors of {made['dimension']} dimensions")


def _draw_counts(column: Any, title: str, counts: Mapping[str, int]) -> None:  # noqa: ANN401 - a column
    """Draw counts as bars, the largest first."""
    most = max(counts.values(), default=1)
    column.caption(title)
    for name, count in sorted(counts.items(), key=lambda item: -item[1]):
        column.progress(count / most, f"{name}: {count:,}")


def _start(backend: Backend, tab: Tab) -> None:
    """Start the ingest of the named folder; a broad folder is first asked about."""
    named, dry_run = st.session_state["ingest_path"].strip(), st.session_state["ingest_dry_run"]
    tab.broad_folder = None
    if not named:
        return
    warning = broad_folder_warning(_folder_of(named), data_dir=backend.settings.data_dir)
    if warning:
        tab.broad_folder = (named, dry_run, warning)
    else:
        _start_ingest(backend, tab, named, dry_run=dry_run)


def _ask_about_broad_folder(backend: Backend, tab: Tab) -> None:
    if tab.broad_folder is None:
        return
    named, dry_run, warning = tab.broad_folder
    st.warning(
        escape_markdown(f"{warning} The images below it can then be read, also by the language model's server."),
        icon=":material/folder_open:",
    )
    st.button(
        "Take this folder",
        key="ingest_broad",
        on_click=_start_ingest,
        args=(backend, tab, named),
        kwargs={"dry_run": dry_run},
    )


def _start_ingest(backend: Backend, tab: Tab, named: str, *, dry_run: bool) -> None:
    tab.broad_folder = None
    tab.ingest_progress = (0.0, "Looking for images ...")
    tab.ingest = backend.loop.start(_ingest(backend, tab, named, dry_run=dry_run))


def _folder_of(named: str) -> Path:
    """Return the folder that a pasted path names, or holds the file that it names."""
    path = Path(pasted_path(named)).expanduser()
    return path.parent if path.is_file() else path


async def _ingest(backend: Backend, tab: Tab, path: str, *, dry_run: bool) -> dict[str, Any]:
    """Call `ingest_directory` until everything is done, or a call makes no progress.

    Returns:
        The last call's summary, with `added`, `errors` and `seconds` summed over all calls.
    """
    folder = await asyncio.to_thread(_folder_of, path)
    if not folder.is_absolute() or not await asyncio.to_thread(folder.is_dir):
        raise CxrError(f"{path} is no folder on this machine. Give its absolute path.")
    await backend.add_folder(folder)
    totals = {"added": 0, "errors": 0, "seconds": 0.0}

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        files = f"{progress:.0f} of {total:.0f} files" if total else f"{progress:.0f} files"
        tab.ingest_progress = (min(1.0, progress / total) if total else 0.0, f"{files}: {message or ''}")

    while True:
        arguments = {"path": path, "dry_run": dry_run}
        summary = await backend.call("ingest_directory", arguments, on_progress=on_progress)
        totals = {name: total + summary[name] for name, total in totals.items()}
        if dry_run or not summary["next"] or not (summary["added"] or summary["errors"]):
            return summary | totals


def _progress(tab: Tab, ingest: Future[dict[str, Any]]) -> None:
    """Draw the progress; when the ingest is done, redraw the whole page."""
    st.progress(*tab.ingest_progress)
    if st.button("Stop", key="ingest_stop", icon=":material/stop:"):
        ingest.cancel()
    if ingest.done():
        st.rerun()


def _summary(ingest: Future[dict[str, Any]]) -> None:
    if ingest.cancelled():
        st.info("Stopped. Images already added stay; ingest the folder again to continue.", icon=":material/info:")
        return
    try:
        summary = ingest.result()
    except CxrError as exc:
        st.error(escape_markdown(str(exc)), icon=":material/error:")
        return
    if summary["would_add"] is not None:
        st.success(f"{summary['would_add']:,} of {summary['found']:,} images would be added.")
        return
    st.success(
        f"{summary['added']:,} images added, {summary['skipped']:,} skipped, {summary['errors']:,} errors, "
        f"{summary['seconds']:.1f} s. The archive holds {summary['total_in_store']:,} images.",
        icon=":material/check:",
    )
    for reason, count in summary["errors_by_reason"].items():
        st.caption(f"{count}: {escape_markdown(reason)}")
    for text in summary["notes"]:
        st.caption(escape_markdown(text))
    if summary["next"]:
        st.warning(escape_markdown(summary["next"]))
