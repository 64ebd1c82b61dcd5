"""The page in Streamlit's AppTest, against a real server over stdio."""

from __future__ import annotations

import asyncio
import json
import re
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

from mcp_cxr.chat.model import AnthropicModel, ChatModel
from mcp_cxr.chat.pages._app import _model_line
from mcp_cxr.chat.pages._streamlit_helpers import escape_markdown, without_images
from mcp_cxr.chat.session import Loop
from tests.server.archives import write_small_images

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streamlit.testing.v1 import AppTest

    from tests.server.archives import Ingested
    from tests.standins.model import ScriptedModel

    OpenTab = Callable[[], AppTest]


def button(tab: AppTest, name: str) -> Any:
    """The button with this label or key."""
    return next(one for one in tab.button if name in (one.label, one.key))


def ask(tab: AppTest, query: str) -> AppTest:
    tab.text_input(key="search_query").set_value(query)
    return done(button(tab, "Search").click().run())


def done(tab: AppTest) -> AppTest:
    assert not tab.exception
    return tab


def titles(tab: AppTest) -> list[str]:
    """The headings of the cards."""
    return [found[1] for one in tab.html if (found := re.search(r"<h4>(.*)</h4>", one.value))]


def state(tab: AppTest) -> Any:
    return tab.session_state["mcp_cxr_tab"]


def test_search_by_words_filters_and_marked_images(tab: OpenTab) -> None:
    shown = ask(tab(), "left pleural effusion")
    assert shown.markdown[1].value.startswith("**3 studies match; 2 match in part** by words")
    assert "cannot embed text" in shown.info[0].value
    assert len(titles(shown)) == 5
    assert any(one.value.replace("\\", "") == "Read as: pleural effusion, left" for one in shown.caption)
    assert sum("Matches in part: pleural effusion: left asked for; " in one.value for one in shown.html) == 2
    shown.multiselect(key="search_view").set_value(["PA"])
    ask(shown, "left pleural effusion")
    assert titles(shown)
    assert all("PA" in title for title in titles(shown))
    first = state(shown).page["images"][0]["image_id"]
    done(button(shown, "like_1").click().run())
    assert state(shown).query == {"query": "left pleural effusion", "view": ["PA"], "like": [first]}
    assert state(shown).page["search_mode"] == "hybrid"
    assert any("z +" in one.value for one in shown.html)
    other = state(shown).page["images"][1]["image_id"]
    done(button(shown, "unlike_2").click().run())
    assert state(shown).query["unlike"] == [other]
    done(button(shown, f"unmark_{first}").click().run())
    assert state(shown).marks == {"like": [], "unlike": [other]}


def test_not_this_alone_asks_for_words_or_an_example_and_keeps_the_results(tab: OpenTab) -> None:
    shown = tab()
    shown.multiselect(key="search_view").set_value(["PA"])
    found = titles(done(button(shown, "Search").click().run()))
    done(button(shown, "unlike_1").click().run())
    assert "“Not this” does not work alone" in shown.error[0].value
    assert titles(shown) == found
    done(button(shown, "like_2").click().run())
    assert not shown.error
    assert state(shown).page["search_mode"] == "similar"


def test_an_error_of_a_tool_is_shown_in_its_own_words(tab: OpenTab) -> None:
    shown = done(button(tab(), "Search").click().run())
    assert "Ask with words, an example image or a filter" in shown.error[0].value
    shown.text_input(key="search_date_from").set_value("yesterday")
    assert "must be a date" in ask(shown, "effusion").error[0].value


def test_queries_of_the_history_and_saved_ones_are_repeated(tab: OpenTab, archive: Ingested) -> None:
    shown = ask(tab(), "pneumothorax")
    found = titles(shown)
    ask(shown, "cardiomegaly")
    assert state(shown).history == [{"query": "cardiomegaly"}, {"query": "pneumothorax"}]
    done(button(shown, "history_1").click().run())
    assert shown.text_input(key="search_query").value == "pneumothorax"
    assert titles(shown) == found
    done(button(shown, "Save this query").click().run())
    kept = archive.data_dir / "questions.json"
    assert json.loads(kept.read_text()) == {"“pneumothorax”": {"query": "pneumothorax"}}
    assert kept.stat().st_mode & 0o777 == 0o600
    another = tab()
    assert not state(another).history
    done(button(another, "saved_“pneumothorax”").click().run())
    assert titles(another) == found
    done(button(another, "delete_“pneumothorax”").click().run())
    assert json.loads(kept.read_text()) == {}


def test_the_user_sees_reports_that_the_model_may_not(tab: OpenTab) -> None:
    shown = ask(tab(), "left pleural effusion")
    hit = state(shown).page["images"][0]
    assert hit["report_excerpt"]
    shown.session_state[f"report_{hit['image_id']}"] = True
    done(shown.run())
    (report,) = (one for one in shown.expander if one.text)
    assert any("effusion" in one.value for one in report.text)


def test_an_example_by_id_and_by_upload_finds_itself(tab: OpenTab, archive: Ingested) -> None:
    image = next(one for one in archive.drawn.images if one.syntax == "explicit")
    shown = tab()
    done(shown.text_input(key="example_id").set_value(image.image_id).run())
    assert state(shown).page["search_mode"] == "similar"
    assert image.image_id not in [hit["image_id"] for hit in state(shown).page["images"]]  # it is the example
    assert image.subject_id in [hit["subject_id"] for hit in state(shown).page["images"]]
    done(shown.checkbox(key="others_only").check().run())
    assert image.subject_id not in [hit["subject_id"] for hit in state(shown).page["images"]]
    shown = tab()
    shown.file_uploader(key="example_file").upload("name of a patient.dcm", image.path.read_bytes())
    done(shown.run())
    best = state(shown).page["images"][0]
    assert (best["study_id"], round(best["similarity_score"], 3)) == (image.study_id, 1.0)
    assert "name of a patient" not in json.dumps(state(shown).page)
    assert any(one.label == "More like this: name of a patient\\.dcm :material/close:" for one in shown.button)
    assert any("uploaded image cannot be saved" in one.value for one in shown.caption)


def test_a_problem_with_an_upload_shows_its_own_name_and_no_temporary_path(tab: OpenTab) -> None:
    shown = tab()
    shown.file_uploader(key="example_file").upload("chest_1 [new].png", b"no image")
    done(shown.run())
    (problem,) = (re.sub(r"\\(.)", r"\1", one.value) for one in shown.error)
    assert "chest_1 [new].png" in problem
    assert "mcp-cxr-chat-" not in problem


def test_an_ingest_shows_its_progress_and_its_summary(tab: OpenTab, folder: Path) -> None:
    shown = tab()
    shown.button_group(key="page").set_value("Archive")
    done(shown.run())
    assert [(one.label, one.value) for one in shown.metric][1] == ("studies", "12")
    shown.text_input(key="ingest_path").set_value("images")
    done(button(shown, "Ingest").click().run())
    state(shown).ingest.exception(timeout=60)
    assert "is no folder on this machine" in done(shown.run()).error[0].value
    shown.text_input(key="ingest_path").set_value(str(folder))
    done(button(shown, "Ingest").click().run())
    state(shown).ingest.result(timeout=60)
    assert state(shown).ingest_progress == (1.0, "30 of 30 files: added 30, skipped 0, errors 0")
    done(shown.run())
    assert shown.success[0].value.startswith("30 images added, 0 skipped, 0 errors")
    assert [(one.label, one.value) for one in shown.metric][1] == ("studies", "42")


def test_a_folder_of_any_place_is_taken_and_a_broad_one_after_a_second_yes(tab: OpenTab, tmp_path: Path) -> None:
    write_small_images(tmp_path, 2)
    shown = tab()
    shown.button_group(key="page").set_value("Archive")
    done(shown.run())
    shown.checkbox(key="ingest_dry_run").check()
    shown.text_input(key="ingest_path").set_value(f" '{tmp_path}' ")
    done(button(shown, "Ingest").click().run())
    assert state(shown).ingest.result(timeout=60)["found"] == 2
    state(shown).ingest = None
    done(shown.run())
    shown.text_input(key="ingest_path").set_value("/")
    done(button(shown, "Ingest").click().run())
    assert "whole file system" in shown.warning[0].value
    assert state(shown).ingest is None
    assert button(shown, "ingest_broad").label == "Take this folder"
    shown.text_input(key="ingest_path").set_value(str(tmp_path))
    done(button(shown, "Ingest").click().run())
    assert state(shown).broad_folder is None
    assert state(shown).ingest.result(timeout=60)["found"] == 2


def test_a_running_ingest_is_drawn_and_stopped(tab: OpenTab) -> None:
    """The test's own ingest never ends; the page draws it."""
    shown = tab()
    ingest = state(shown).ingest = Loop().start(asyncio.Event().wait())
    state(shown).ingest_progress = (0.4, "12 of 30 files: added 12, skipped 0, errors 0")
    shown.button_group(key="page").set_value("Archive")
    done(shown.run())
    assert button(shown, "Ingest").disabled
    (bar,) = (one for one in shown.get("progress") if "files" in one.proto.text)
    assert (bar.proto.value, bar.proto.text) == (40, "12 of 30 files: added 12, skipped 0, errors 0")
    button(shown, "ingest_stop").click().run()
    assert ingest.cancelled()
    assert "Stopped" in done(shown.run()).info[0].value


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


def test_a_tool_call_that_writes_waits_for_consent(tab: OpenTab, model: ScriptedModel, folder: Path) -> None:
    call = {"calls": [["ingest_directory", {"path": str(folder), "dry_run": True}]]}
    model.play(call, {"text": "Denied."}, call, {"text": "Done."})
    shown = tab()
    shown.button_group(key="page").set_value("Chat")
    done(shown.run())
    for answer, said in (("consent_no", "declined this call"), ("consent_yes", '"found":30')):
        done(shown.chat_input[0].set_value("Count the images of my folder").run())
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


def test_a_search_of_the_model_says_what_was_found_as_the_page_does_and_a_cut_answer_is_named(
    tab: OpenTab, model: ScriptedModel
) -> None:
    model.play({"calls": [["search_medical_images", {"query": "efusion"}]]}, {"text": "There are", "limit": True})
    shown = tab()
    page = done(ask(shown, "efusion"))
    found = next(one.value.split("**")[1] for one in page.markdown if one.value.startswith("**"))
    shown.button_group(key="page").set_value("Chat")
    done(shown.run())
    done(shown.chat_input[0].set_value("Find some").run())
    state(shown).conversation.reply.result(timeout=60)
    captions = [one.value.replace("\\", "") for message in done(shown.run()).chat_message for one in message.caption]
    assert "Read as: pleural effusion; corrected: efusion to effusion" in captions
    assert found in captions
    assert captions[-1].startswith("The answer was cut at the model's limit")
