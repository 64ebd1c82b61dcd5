"""Search results: shown, searched by example, filtered and paged, whatever the host forwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.records import SearchResult

if TYPE_CHECKING:
    from mcp import Client

    from tests.browser.conftest import Show
    from tests.browser.hosting import Gives, OpenViewer

pytestmark = pytest.mark.browser

EFFUSION = {"query": "left pleural effusion", "limit": 5}
EVERY = {"has_report": True, "limit": 5}


async def page_of(client: Client, **arguments: Any) -> dict[str, Any]:
    answer = (await client.call_tool("search_medical_images", arguments)).structured_content
    assert answer
    return answer


async def drawn_thumbnails(shown: OpenViewer, count: int) -> None:
    await shown.frame.wait_for_function(
        "(count) => document.querySelectorAll('button.thumbnail.ready canvas').length >= count", arg=count
    )


@pytest.mark.parametrize("gives", ["whole", "text", "nothing"])
async def test_every_result_shows_all_its_fields(show: Show, client: Client, gives: Gives):
    page = await page_of(client, **EFFUSION)
    async with show(question=EFFUSION, gives=gives) as shown:
        await shown.ready()
        cards = await shown.find(".card").all_inner_texts()
        assert len(cards) == len(page["images"]) == 5
        for card, hit in zip(cards, page["images"], strict=True):
            text = " ".join(card.split())
            assert text.startswith(f"{hit['rank']} {hit['view_position']} {hit['subject_id']} {hit['study_id']}")
            assert all(reason in text for reason in hit["why"])
        assert page["fallback_reason"] in await shown.find(".notices").inner_text()
        matches = SearchResult.model_validate(page).matches_text()
        assert matches is not None
        assert matches in await shown.find("h1").inner_text()
        assert await shown.find(".understood").inner_text() == "Read as: pleural effusion, left"
        parts = [hit["missing"] for hit in page["images"] if hit["matched"] == "part"]
        assert parts
        assert await shown.find(".part").all_inner_texts() == [f"Matches in part: {'; '.join(one)}" for one in parts]
        assert not await shown.find(".rest").count()
        await drawn_thumbnails(shown, 3)
        asked_again = await shown.asked()
        assert asked_again == ([EFFUSION] if gives == "nothing" else [])


async def test_similarity_is_shown_if_vectors_were_compared(show: Show, client: Client):
    example = (await page_of(client, **EFFUSION))["images"][0]["image_id"]
    page = await page_of(client, like=[example])
    async with show(question={"like": [example]}) as shown:
        await shown.ready()
        for text, hit in zip(await shown.find(".similarity").all_inner_texts(), page["images"], strict=True):
            sign = "−" if hit["similarity_z"] < 0 else "+"  # noqa: RUF001 - a typographic minus
            assert text.split() == [
                "z",
                f"{sign}{abs(hit['similarity_z']):.1f}",
                "·",
                "percentile",
                f"{hit['percentile']:g}",
            ]


async def test_a_negative_z_score_is_explained_as_below_the_mean(show: Show, client: Client):
    example = (await page_of(client, **EFFUSION))["images"][0]["image_id"]
    page = await page_of(client, like=[example])
    for hit, z in zip(page["images"], (1.24, -1.24), strict=False):
        hit["similarity_z"] = z
    async with show(question={"like": [example]}) as shown:
        await shown.ready()
        result = {"method": "ui/notifications/tool-result", "params": {"content": [], "structuredContent": page}}
        await shown.page.evaluate("(result) => hosting.send(result)", result)
        for place, words in enumerate(("above", "below")):
            title = f"[title$='1.2 standard deviations {words} the mean of the sample.']"
            await shown.find(".card").nth(place).locator(f".similarity{title}").wait_for()


async def test_without_input_the_page_shows_a_search_field(show: Show):
    async with show(question=None) as shown:
        await shown.frame.get_by_text("Search your archive by words or filters.").wait_for()
        await shown.find("input[type=search]").fill("effusion")
        await shown.page.keyboard.press("Enter")
        await shown.ready()
        assert await shown.asked() == [{"query": "effusion"}]
        assert await shown.find(".card").count() > 0


async def test_an_empty_result_is_shown_and_filters_can_be_cleared(show: Show):
    async with show(question={"query": "effusion", "limit": 3}) as shown:
        await shown.ready()
        await shown.button("Filters").click()
        await shown.find("input[name=subject_id]").fill("p00000000")
        await shown.frame.get_by_text("Apply").click()
        await shown.find(".empty").wait_for()
        assert await shown.find(".card").count() == 0
        await shown.button("Filters, 1 active").click()
        await shown.frame.get_by_text("Clear").click()
        await shown.find(".card").first.wait_for()
        assert (await shown.asked())[-1] == {"query": "effusion", "limit": 3}


async def test_a_refused_search_shows_the_error_and_keeps_the_results(show: Show):
    async with show(question={"query": "effusion", "limit": 3}) as shown:
        await shown.ready()
        await shown.button("Filters").click()
        await shown.frame.get_by_label("From").fill("2190-01-02")
        await shown.frame.get_by_label("To").fill("2190-01-01")
        await shown.frame.get_by_text("Apply").click()
        await shown.find(".notices").filter(has_text="is after date_to").wait_for()
        assert await shown.find(".card").count() == 3


async def test_like_and_unlike_examples_search_again(show: Show, client: Client):
    hits = (await page_of(client, **EFFUSION))["images"]
    one, two = (f"{hit['rank']}, {hit['view_position']}, {hit['subject_id']}" for hit in hits[:2])
    async with show(question=EFFUSION) as shown:
        await shown.ready()
        await shown.button(f"Not this: image {two}").click()
        await shown.find(".notices").get_by_text("works only together with it").wait_for()
        assert await shown.asked() == []  # it takes a positive example
        await shown.button(f"More like this: image {one}").click()
        await shown.find(".examples .like").wait_for()
        await shown.ready()
        expected = {**EFFUSION, "like": [hits[0]["image_id"]], "unlike": [hits[1]["image_id"]]}
        assert await shown.asked() == [expected]
        page = await page_of(client, **expected)
        assert page["search_mode"] == "hybrid"
        assert [title.split()[0] for title in await shown.titles()] == [str(hit["rank"]) for hit in page["images"]]
        assert hits[0]["image_id"] not in {hit["image_id"] for hit in page["images"]}
        messages = await shown.heard("ui/update-model-context")
        assert page["images"][0]["image_id"] in str(messages[-1])
        await shown.find(".examples .like button").click()
        await shown.find(".examples").wait_for(state="detached")
        assert (await shown.asked())[-1] == EFFUSION


async def test_next_and_previous_pages_and_back(show: Show, client: Client):
    async with show(question=EVERY) as shown:
        await shown.ready()
        await shown.button("Next page").click()
        await shown.find('.card[data-rank="6"]').wait_for()
        assert (await shown.asked())[-1] == {**EVERY, "offset": 5}
        second = await page_of(client, **EVERY, offset=5)
        assert [title.split()[0] for title in await shown.titles()] == [str(hit["rank"]) for hit in second["images"]]
        late = {
            "method": "ui/notifications/tool-result",
            "params": {"content": [], "structuredContent": {**second, "images": []}},
        }
        await shown.page.evaluate("(late) => hosting.send(late)", late)  # the user has searched since
        await shown.button("Previous page").click()
        await shown.find('.card[data-rank="1"]').wait_for()
        await shown.button("Previous results").click()
        await shown.find('.card[data-rank="6"]').wait_for()
        assert len(await shown.asked()) == 2  # going back calls no tool


async def test_results_that_come_while_an_image_is_open_leave_it_open(show: Show):
    async with show(question=EVERY) as shown:
        await shown.ready()
        searching = shown.hold("search_medical_images")
        await shown.button("Next page").click()
        await shown.open_image()
        searching.set()
        await shown.button("Next image (right arrow)").and_(shown.find(":disabled")).wait_for()  # not on that page
        await shown.button("Back to the results").click()
        await shown.find('.card[data-rank="6"]').wait_for()


async def test_a_search_that_the_host_cancels_is_not_repeated(show: Show):
    async with show(question=None) as shown:
        await shown.page.clock.install()
        for method, params in (("tool-input", {"arguments": EFFUSION}), ("tool-cancelled", {})):
            await shown.page.evaluate(
                "(it) => hosting.send(it)", {"method": f"ui/notifications/{method}", "params": params}
            )
        await shown.find(".notices").filter(has_text="The search was cancelled.").wait_for()
        await shown.page.clock.run_for(5000)
        assert await shown.asked() == []


async def test_filters_are_sent_as_they_are_set(show: Show):
    async with show(question={**EFFUSION, "view": ["PA"]}) as shown:
        await shown.ready()
        await shown.button("Filters, 1 active").click()
        assert await shown.frame.get_by_label("PA", exact=True).is_checked()
        await shown.find(".chip").filter(has_text="Lateral").click()
        await shown.frame.get_by_label("Label present").select_option("Pleural Effusion")
        await shown.frame.get_by_label("From").fill("2100-01-01")
        await shown.frame.get_by_role("combobox", name="Report").select_option("With a report")
        await shown.frame.get_by_text("Apply").click()
        await shown.find("#filters").wait_for(state="detached")
        (asked,) = await shown.asked()
        assert asked == {
            **EFFUSION,
            "view": ["PA", "LATERAL"],
            "labels": ["Pleural Effusion"],
            "date_from": "2100-01-01",
            "has_report": True,
        }


async def test_the_page_is_low_inline_and_fills_the_screen_if_the_host_allows(show: Show):
    async with show(question=EFFUSION, size=(800, 900)) as shown:
        await shown.ready()
        heights = [size["height"] for size in await shown.heard("ui/notifications/size-changed")]
        assert heights
        assert max(heights) <= 500
        await shown.button("Full screen").click()
        await shown.frame.wait_for_function("() => document.getElementById('app').clientHeight === 900")
        assert await shown.heard("ui/request-display-mode") == [{"mode": "fullscreen"}]
    async with show(question=EFFUSION, context={"availableDisplayModes": ["inline"]}) as shown:
        await shown.ready()
        assert await shown.button("Full screen").count() == 0


async def test_teardown_by_the_host_is_answered(show: Show):
    async with show(question=EFFUSION) as shown:
        await shown.ready()
        await shown.page.evaluate("hosting.send({ id: 'end', method: 'ui/resource-teardown', params: {} })")
        await shown.page.wait_for_function("() => hosting.heard.some(({ id, result }) => id === 'end' && result)")


async def test_the_theme_follows_the_host(show: Show):
    async with show(question=EFFUSION, theme="dark") as shown:
        await shown.ready()
        background = "() => getComputedStyle(document.body).backgroundColor"
        assert await shown.frame.evaluate(background) == "rgb(18, 20, 23)"
        change = {"method": "ui/notifications/host-context-changed", "params": {"theme": "light"}}
        await shown.page.evaluate("(change) => hosting.send(change)", change)
        await shown.frame.wait_for_function(f"() => ({background})() === 'rgb(255, 255, 255)'")


async def test_hits_after_the_matches_are_set_apart(show: Show, client: Client):
    page = await page_of(client, **EFFUSION)
    for hit, matched in zip(page["images"], ("full", "full", "part", "unknown", "no"), strict=True):
        hit["matched"] = matched
    page |= {"search_mode": "hybrid", "total_results": 12}
    async with show(question=EFFUSION) as shown:
        await shown.ready()
        result = {"method": "ui/notifications/tool-result", "params": {"content": [], "structuredContent": page}}
        await shown.page.evaluate("(result) => hosting.send(result)", result)
        await shown.find("li.rest + .card[data-rank='4']").wait_for()
        assert await shown.find(".rest").all_inner_texts() == ["Ranked by similarity: no report or label matches"]
        assert "the rest is ranked by similarity" in await shown.find("h1").inner_text()
