"""The chat in Streamlit's AppTest, against a real server over stdio."""

from __future__ import annotations

import re
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

from mcp_cxr.chat.backend import Conversation
from mcp_cxr.chat.language_models import AnthropicModel, ChatModel, Turn
from mcp_cxr.chat.pages._app import _model_line
from mcp_cxr.chat.pages._safe_markdown import escape_markdown, without_images

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streamlit.testing.v1 import AppTest

    from mcp_cxr.chat.backend import Backend
    from tests.standins.model import ScriptedModel

    OpenTab = Callable[[], AppTest]


def button(tab: AppTest, name: str) -> Any:
    """The button with this label or key."""
    return next(one for one in tab.button if name in (one.label, one.key))


def done(tab: AppTest) -> AppTest:
    assert not tab.exception
    return tab


def state(tab: AppTest) -> Any:
    return tab.session_state["mcp_cxr_tab"]


def test_the_line_of_the_model_says_where_it_runs_and_what_it_may_not_see() -> None:
    assert _model_line(None, ()) == ":gray-badge[no language model]"
    here = _model_line(ChatModel("llama_3", "http://localhost:1/v1"), ("reports", "images", "dates"))
    assert (
        here == ":green-badge[data stays on this machine] language model **llama\\_3** · sees reports, images and dates"
    )
    away = _model_line(AnthropicModel("claude", "https://api.anthropic.com"), ("reports",))
    assert away.startswith(":orange-badge[data leaves this machine: api\\.anthropic\\.com\\:443]")
    assert away.endswith("· does not see images or dates")


def test_quoted_markdown_is_escaped() -> None:
    report = "![x](https://example.org/a.png) *no* effusion :red[big] <b>"
    assert re.sub(r"\\(.)", r"\1", escape_markdown(report)) == report
    assert not re.search(r"(?<!\\)[!\[\]()*<>:]", escape_markdown(report))
    assert without_images("**so** ! [a](https://example.org)") == "**so** !\\[a](https://example.org)"


def test_a_reply_that_ends_while_the_page_is_drawn_leaves_the_field_open(tab: OpenTab, backend: Backend) -> None:
    class Ending(Conversation):
        """Is running when it is looked at first."""

        looks = 0

        @property
        def is_running(self) -> bool:
            self.looks += 1
            return self.looks == 1

    assert backend.language_model
    shown = done(tab())
    state(shown).conversation = ending = Ending(backend, backend.language_model)
    ending.turns = [Turn("user", "Hello"), Turn("assistant", "Good evening.")]
    assert not done(shown.run()).chat_input[0].disabled


def test_a_tool_call_that_writes_waits_for_consent(tab: OpenTab, model: ScriptedModel, folder: Path) -> None:
    count = {"calls": [["ingest_directory", {"path": str(folder), "dry_run": True}]]}
    freeze = {"calls": [["make_cohort", {"name": "frontal", "view": ["FRONTAL"]}]]}
    model.play(count, {"text": "Denied."}, count, {"text": "Counted."}, freeze, {"text": "Done."})
    shown = done(tab())
    for answer, said in (
        ("consent_no", "declined this call"),
        ("consent_yes", '"found":30'),
        ("consent_yes", '"name":"frontal"'),
    ):
        done(shown.chat_input[0].set_value("Count the images of my folder, then freeze the frontal ones").run())
        conversation = state(shown).conversation
        while conversation.pending_consent is None:
            assert not wait([conversation.reply], timeout=0.05).done
        done(shown.run())
        assert "changes the archive" in shown.warning[0].value
        done(button(shown, answer).click().run())
        conversation.reply.result(timeout=60)
        assert said in conversation.turns[-2].answers[0].text
        done(shown.run())
    assert shown.chat_message[-1].markdown[0].value == "Done."


def test_a_search_of_the_model_says_what_was_found_and_a_cut_answer_is_named(
    tab: OpenTab, model: ScriptedModel
) -> None:
    model.play({"calls": [["search_medical_images", {"query": "efusion"}]]}, {"text": "There are", "limit": True})
    shown = tab()
    done(shown.chat_input[0].set_value("Find some").run())
    state(shown).conversation.reply.result(timeout=60)
    captions = [one.value.replace("\\", "") for message in done(shown.run()).chat_message for one in message.caption]
    assert "Read as: pleural effusion; corrected: efusion to effusion" in captions
    assert [one for one in captions if re.fullmatch(r"\d+ studies match(?:;.*)?", one)]
    assert captions[-1].startswith("The answer was cut at the model's limit")
