"""The chat in headless Chromium: `mcp-cxr chat` as a process, with its servers and a scripted language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.chat.browsing import DOCS, PICTURES, chat, check_layout, faults

if TYPE_CHECKING:
    from playwright.async_api import FrameLocator, Page

    from tests.chat.conftest import Open
    from tests.server.archives import Ingested
    from tests.standins.model import ScriptedModel

pytestmark = pytest.mark.browser


async def say(tab: Page, text: str) -> None:
    await chat(tab).get_by_test_id("stChatInputTextArea").fill(text)
    await tab.keyboard.press("Enter")


def viewer(tab: Page) -> FrameLocator:
    return chat(tab).frame_locator("iframe[title=Viewer]")


async def test_a_model_searches_continues_and_is_stopped(
    open_page: Open, model: ScriptedModel, archive: Ingested
) -> None:
    example = archive.drawn.images[0].image_id
    query = {"query": "left pleural effusion", "view": ["PA", "AP"], "limit": 3}
    model.play(
        {
            "text": "I look for left-sided effusions on frontal images.",
            "calls": [["search_medical_images", query]],
        },
        {"text": "Three studies. The first, **AP**, shows the largest one."},
        {"calls": [["get_image_metadata", {"image_id": example}], ["view_image", {"image_id": example}]]},
        {"text": "I think about it, and", "hangs": True},
        {"text": "Here I am again. ![](https://example.org/x.png)"},
    )
    async with open_page() as tab:
        await tab.get_by_role("button", name="Chat", exact=True).click()
        talk = chat(tab)
        await expect(talk.get_by_text("stays on this machine")).to_be_visible()
        await expect(talk.get_by_text("does not see reports, images or dates")).to_be_visible()
        await say(tab, "Is there a left effusion anywhere? Frontal images, please.")
        await expect(talk.get_by_text("Three studies.")).to_be_visible()
        await expect(viewer(tab).locator(".thumbnail.ready")).to_have_count(3)
        await expect(viewer(tab).locator(".excerpt").first).to_contain_text("angle is blunted")  # the user sees it
        await expect(viewer(tab).get_by_text("Read as: pleural effusion, left")).to_be_visible()
        await check_layout(tab, "talk")
        assert await faults(tab) == []
        await viewer(tab).locator("button.thumbnail").first.click()
        await viewer(tab).locator(".viewport canvas").first.wait_for()
        await say(tab, "And what of this one?")
        await expect(talk.get_by_text("I think about it, and")).to_be_visible()
        await talk.get_by_role("button", name="Stop").last.click()
        await expect(talk.get_by_text("Stopped.")).to_be_visible()
        await say(tab, "Go on")
        await expect(talk.get_by_text("Here I am again.")).to_be_visible()
        await expect(talk.get_by_text("stays on this machine")).to_be_in_viewport()  # however far one has scrolled
        await tab.get_by_role("button", name="Search", exact=True).first.click()  # and back: the conversation stays
        await tab.get_by_role("button", name="Chat", exact=True).click()
        await expect(talk.get_by_text("Here I am again.")).to_be_visible()
    asked = [one["body"] for one in model.requests]
    assert [len(body["messages"]) for body in asked] == [2, 4, 6, 9, 11]
    answers = [message["content"] for message in asked[3]["messages"] if message["role"] == "tool"]
    assert '"rank":1' in answers[0]
    assert "angle is blunted" not in str(asked)  # the model does not
    assert "MCP_CXR_SHARE" in answers[1]
    assert "given no images" in answers[2]
    assert "In the viewer the user looks at result 1" in asked[2]["messages"][-1]["content"]
    assert {tool["function"]["name"] for tool in asked[0]["tools"]} == {
        *("search_medical_images", "get_image_metadata", "view_image", "get_patient_timeline"),
        *("get_archive_overview", "ingest_directory", "make_cohort"),
    }


def test_the_pictures_in_docs_exist() -> None:
    assert [name for name in PICTURES.values() if not (DOCS / name).read_bytes().startswith(b"\x89PNG")] == []
