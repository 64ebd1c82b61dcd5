"""The page `Chat`: a conversation with a language model, its tool calls, and the images it found."""

from __future__ import annotations

import json
from concurrent.futures import CancelledError
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from mcp_cxr.chat.backend import Conversation, ViewerQuery
from mcp_cxr.chat.pages._safe_markdown import escape_markdown, without_images
from mcp_cxr.chat.pages._viewer import viewer
from mcp_cxr.errors import CxrError
from mcp_cxr.records import SearchResult, counted

if TYPE_CHECKING:
    from mcp_cxr.chat.backend import Backend, PendingConsent
    from mcp_cxr.chat.language_models import ToolResult, Turn
    from mcp_cxr.chat.pages._tab_state import Tab

_REDRAW_S = 0.25
_CUT = "The answer was cut at the model's limit and may lack its end. Send “continue” to let it go on."
_SEARCH = "search_medical_images"
_NO_MODEL = """No language model is configured. Start `mcp-cxr chat` with one, such as a local model in Ollama or vLLM:

    MCP_CXR_CHAT_MODEL=qwen3 MCP_CXR_CHAT_URL=http://localhost:11434/v1 mcp-cxr chat

Searching works without one."""


def chat_page(backend: Backend, tab: Tab) -> None:
    """Draw the page."""
    if backend.language_model is None:
        st.info(_NO_MODEL, icon=":material/smart_toy:")
        return
    conversation = tab.conversation = tab.conversation or Conversation(backend, backend.language_model)
    is_running = conversation.is_running  # read once: a reply that ends meanwhile would leave the input disabled
    message = st.chat_input("Search for images, compare them, narrow the search ...", disabled=is_running)
    if message and not is_running:
        conversation.send(message)
        is_running = True
    if is_running:
        _draw_turns(backend, conversation, _finished(conversation))
        st.fragment(_draw_running, run_every=_REDRAW_S)(conversation)
        return
    _draw_turns(backend, conversation, conversation.turns)
    _problem(conversation)
    if conversation.turns:
        st.button("New conversation", icon=":material/restart_alt:", on_click=setattr, args=(tab, "conversation", None))


def _finished(conversation: Conversation) -> list[Turn]:
    """Return the turns up to the last user message, which no longer change."""
    last = max(index for index, turn in enumerate(conversation.turns) if turn.role == "user")
    return conversation.turns[: last + 1]


def _draw_running(conversation: Conversation) -> None:
    """Draw the running turn; when it is done, redraw the whole page."""
    if not conversation.is_running:
        st.rerun()
    for turn in conversation.turns[len(_finished(conversation)) :]:
        _draw(turn)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Stop", key="conversation_stop", icon=":material/stop:", on_click=conversation.stop)
        st.caption(f"{escape_markdown(conversation.model.name)} is answering ...")
    if pending_consent := conversation.pending_consent:
        _ask_for_consent(pending_consent)


def _ask_for_consent(pending: PendingConsent) -> None:
    st.warning(
        f"The model wants to call `{pending.call.name}`, which changes the archive:",
        icon=":material/front_hand:",
    )
    st.json(pending.call.arguments)
    with st.container(horizontal=True):
        st.button("Allow", type="primary", key="consent_yes", on_click=partial(pending.answer_once, yes=True))
        st.button("Decline", key="consent_no", on_click=partial(pending.answer_once, yes=False))


def _draw_turns(backend: Backend, conversation: Conversation, turns: list[Turn]) -> None:
    found = [answer for turn in turns for answer in turn.answers if answer.call.name == _SEARCH and not answer.is_error]
    for number, turn in enumerate(turns):
        _draw(turn)
        for answer in turn.answers:
            if any(answer is search for search in found):
                _draw_viewer(
                    backend, conversation, answer, key=f"images_{number}_{answer.call.id}", is_last=answer is found[-1]
                )


def _draw(turn: Turn) -> None:
    with st.chat_message(turn.role):
        if turn.text:
            st.markdown(without_images(turn.text) if turn.role == "assistant" else escape_markdown(turn.text))
        if turn.context:
            st.caption(escape_markdown(turn.context))
        for index, call in enumerate(turn.calls):
            answer = turn.answers[index] if index < len(turn.answers) else None
            _draw_call(call.name, call.arguments, answer)
            for line in _found(answer) if answer else ():
                st.caption(escape_markdown(line))
        if turn.is_cut:
            st.caption(_CUT)


def _found(answer: ToolResult) -> list[str]:
    """Return what the words of a search were read as and how many match, in the words of the search page."""
    if answer.call.name != _SEARCH or answer.is_error:
        return []
    try:
        page = SearchResult.model_validate_json(answer.text)
    except ValueError:
        return []  # a server of another version may answer in another form
    group = str(answer.call.arguments.get("group") or "study")
    matches = page.matches_text(group) or counted(page.total_results, group)
    read_as = f"Read as: {page.understood.as_text()}" if page.understood else None
    return [*filter(None, [read_as, matches, page.fallback_reason, *page.warnings])]


def _draw_call(name: str, arguments: dict[str, object], answer: ToolResult | None) -> None:
    """Draw a tool call, and the exact result that the model got."""
    state = "running" if answer is None else "error" if answer.is_error else "complete"
    shown = ", ".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in arguments.items())
    with st.status(f"**{escape_markdown(name)}** {escape_markdown(shown)}", state=state):
        if answer is None:
            return
        st.caption("Result given to the model:")
        st.code(answer.text, language=None, wrap_lines=True, height=240)
        if answer.images:
            st.caption(f"and {len(answer.images)} image{'s' if len(answer.images) > 1 else ''}")
            for image in answer.images:
                st.image(f"data:{image.mime_type};base64,{image.data}", width=240)


def _draw_viewer(backend: Backend, conversation: Conversation, answer: ToolResult, *, key: str, is_last: bool) -> None:
    """Show the result of a search in the viewer; the user sees all of it, whatever the model got."""
    if st.toggle("Show images", value=is_last, key=f"{key}_shown"):
        view = ViewerQuery(answer.call.arguments, on_context=partial(setattr, conversation, "context"))
        viewer(backend, view, key=key)


def _problem(conversation: Conversation) -> None:
    if conversation.reply is None:
        return
    try:
        conversation.reply.result()
    except CancelledError:
        st.caption("Stopped.")
    except CxrError as exc:
        st.error(escape_markdown(str(exc)), icon=":material/error:")
