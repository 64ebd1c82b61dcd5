"""Talking with a model: what it says, what it calls, and the films it found."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from mcp_cxr.chat._conversation import Conversation
from mcp_cxr.chat._markdown import as_written, without_pictures
from mcp_cxr.chat._viewer import viewer
from mcp_cxr.errors import CxrError

if TYPE_CHECKING:
    from mcp_cxr.chat._backend import Desk
    from mcp_cxr.chat._conversation import Asked
    from mcp_cxr.chat._tab import Tab
    from mcp_cxr.chat._turns import ToolResult, Turn

_DRAW_EVERY_S = 0.25
_SEARCH = "search_medical_images"
_NO_MODEL = """No model is set. Start `mcp-cxr chat` with one, such as a local one behind Ollama, vLLM or llama.cpp:

    MCP_CXR_CHAT_MODEL=qwen3 MCP_CXR_CHAT_URL=http://localhost:11434/v1 mcp-cxr chat

Searching needs none."""


def chat_room(desk: Desk, tab: Tab) -> None:
    """Draw the room."""
    if desk.talks_with is None:
        st.info(_NO_MODEL, icon=":material/smart_toy:")
        return
    talk = tab.talk = tab.talk or Conversation(desk, desk.talks_with)
    said = st.chat_input("Ask for films, compare them, narrow down ...", disabled=talk.is_running)
    if said and not talk.is_running:
        talk.say(said)
    if talk.is_running:
        _draw_turns(desk, talk, _finished(talk))
        st.fragment(_draw_running, run_every=_DRAW_EVERY_S)(talk)
        return
    _draw_turns(desk, talk, talk.turns)
    _problem(talk)
    if talk.turns:
        st.button("Begin anew", icon=":material/restart_alt:", on_click=setattr, args=(tab, "talk", None))


def _finished(talk: Conversation) -> list[Turn]:
    """Return the turns up to what the person said last: they change no more."""
    last = max(place for place, turn in enumerate(talk.turns) if turn.role == "user")
    return talk.turns[: last + 1]


def _draw_running(talk: Conversation) -> None:
    """Draw what the model says now; once it is done, the whole page."""
    if not talk.is_running:
        st.rerun()
    for turn in talk.turns[len(_finished(talk)) :]:
        _draw(turn)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Stop", key="talk_stop", icon=":material/stop:", on_click=talk.stop)
        st.caption(f"{as_written(talk.model.name)} is at it ...")
    if asked := talk.asked:
        _ask_the_person(asked)


def _ask_the_person(asked: Asked) -> None:
    st.warning(f"The model wants to call `{asked.call.name}`, which changes the archive:", icon=":material/front_hand:")
    st.json(asked.call.arguments)
    with st.container(horizontal=True):
        st.button("Yes, do it", type="primary", key="talk_yes", on_click=partial(asked.settle, yes=True))
        st.button("No", key="talk_no", on_click=partial(asked.settle, yes=False))


def _draw_turns(desk: Desk, talk: Conversation, turns: list[Turn]) -> None:
    found = [one for turn in turns for one in turn.answers if one.call.name == _SEARCH and not one.is_error]
    for number, turn in enumerate(turns):
        _draw(turn)
        for answer in turn.answers:
            if any(answer is one for one in found):
                _films(desk, talk, answer, key=f"films_{number}_{answer.call.id}", is_last=answer is found[-1])


def _draw(turn: Turn) -> None:
    with st.chat_message(turn.role):
        if turn.text:
            st.markdown(without_pictures(turn.text) if turn.role == "assistant" else as_written(turn.text))
        if turn.context:
            st.caption(as_written(turn.context))
        for place, call in enumerate(turn.calls):
            answer = turn.answers[place] if place < len(turn.answers) else None
            _draw_call(call.name, call.arguments, answer)


def _draw_call(name: str, arguments: dict[str, object], answer: ToolResult | None) -> None:
    """Draw a call, and to the letter what the model was given for it."""
    state = "running" if answer is None else "error" if answer.is_error else "complete"
    told = ", ".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in arguments.items())
    with st.status(f"**{as_written(name)}** {as_written(told)}", state=state):
        if answer is None:
            return
        st.caption("What the model was given:")
        st.code(answer.text, language=None, wrap_lines=True, height=240)
        if answer.pictures:
            st.caption(f"and {len(answer.pictures)} picture{'s' if len(answer.pictures) > 1 else ''}")
            for picture in answer.pictures:
                st.image(f"data:{picture.mime_type};base64,{picture.data}", width=240)


def _films(desk: Desk, talk: Conversation, answer: ToolResult, *, key: str, is_last: bool) -> None:
    """Show what a search found as chat hosts do; the person sees it whole, whatever the model was given."""
    if st.toggle("Films", value=is_last, key=f"{key}_shown"):
        viewer(desk, key=key, question=answer.call.arguments, on_context=partial(setattr, talk, "context"))


def _problem(talk: Conversation) -> None:
    if talk.job is None:
        return
    if talk.job.future.cancelled():
        st.caption("Stopped.")
        return
    error = talk.job.future.exception()
    if isinstance(error, CxrError):
        st.error(as_written(str(error)), icon=":material/error:")
    elif error:
        raise error
