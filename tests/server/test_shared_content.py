"""MCP_CXR_SHARE: what a host's model may be given."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.pacs import Spool

if TYPE_CHECKING:
    from mcp_cxr.settings import Settings
    from tests.server.archives import Ingested
    from tests.server.conftest import Host

WITHHELD = "The model is given no report text. To share it, add reports to MCP_CXR_SHARE and restart the server."


class TestNothingShared:
    @pytest.fixture
    def share(self) -> tuple[str, ...]:
        return ()

    async def test_a_search_result_holds_no_report_and_says_why_once(self, host: Host):
        page = await host.ask("search_medical_images", query="effusion")
        assert page["results_count"] == 5
        assert not any("report_excerpt" in hit for hit in page["images"])
        assert page["warnings"].count(WITHHELD) == 1

    async def test_no_reason_or_warning_says_that_reports_were_searched(self, host: Host):
        for query in ("effusion", "quill", "effusion quill"):
            page = await host.ask("search_medical_images", query=query)
            assert page["fallback_reason"].endswith("was matched by findings and public labels.")
            assert not [line for line in page["warnings"] if "No report" in line or "reports, labels" in line]

    async def test_image_details_hold_no_report_and_say_why(self, host: Host, demo: Ingested):
        image = demo.drawn.images[0]
        shown = await host.ask("get_image_metadata", image_id=image.image_id)
        assert shown["report"] is None
        assert shown["warnings"] == [WITHHELD]
        report = image.path.parent.with_suffix(".txt").read_text()
        sentences = [line.strip() for line in report.splitlines() if len(line.strip()) > 30]
        assert sentences
        assert not any(sentence in json.dumps(shown) for sentence in sentences)

    async def test_an_image_is_refused_with_the_variable_to_set(self, host: Host, demo: Ingested):
        line = await host.refused("view_image", image_id=demo.drawn.images[0].image_id)
        assert "add images to MCP_CXR_SHARE" in line


class TestOnlyImagesShared:
    @pytest.fixture
    def share(self) -> tuple[str, ...]:
        return ("images",)

    async def test_an_image_comes_without_reports(self, host: Host, demo: Ingested):
        image_id = demo.drawn.images[0].image_id
        assert not (await host.client.call_tool("view_image", {"image_id": image_id})).is_error
        assert (await host.ask("get_image_metadata", image_id=image_id))["report"] is None


class TestOnlyReportsShared:
    @pytest.fixture
    def share(self) -> tuple[str, ...]:
        return ("reports",)

    async def test_reports_come_without_images(self, host: Host, demo: Ingested):
        image_id = demo.drawn.images[0].image_id
        assert "add images to MCP_CXR_SHARE" in await host.refused("view_image", image_id=image_id)
        shown = await host.ask("get_image_metadata", image_id=image_id)
        assert shown["report"]
        assert shown["warnings"] == []


class TestReportsOfAPacs:
    @pytest.fixture
    def share(self) -> tuple[str, ...]:
        return ("reports",)

    async def test_no_report_is_shared_before_the_owner_confirms_those_of_a_pull(
        self, host: Host, archive_settings: Settings, demo: Ingested
    ):
        image_id = demo.drawn.images[0].image_id
        spool = Spool(archive_settings.spool_folder)
        spool.prepare()
        spool.withhold_reports()
        try:
            shown = await host.ask("get_image_metadata", image_id=image_id)
            page = await host.ask("search_medical_images", query="effusion")
            words = await host.ask("search_medical_images", query="quill")
            spool.confirm_reports()
            confirmed = await host.ask("get_image_metadata", image_id=image_id)
        finally:
            shutil.rmtree(spool.root)  # other tests share this archive
        assert shown["report"] is None
        assert [line for line in shown["warnings"] if "pull --reports-as-they-are" in line]
        assert not any("report_excerpt" in hit for hit in page["images"])
        assert "matched by findings" in words["fallback_reason"]
        assert confirmed["report"]
