"""The viewer page as a resource."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcp_cxr.records import LABELS, VIEWER_URI

if TYPE_CHECKING:
    from tests.server.conftest import Host


async def test_the_page_is_one_file_that_loads_nothing(host: Host):
    (page,) = (await host.client.read_resource(VIEWER_URI)).contents
    assert page.mime_type == "text/html;profile=mcp-app"
    html = getattr(page, "text", "")
    assert html.startswith("<!doctype html>")
    assert len(html.encode()) < 200_000
    assert html.count("<script>") == html.count("</script>") == 1
    assert not re.search(r"<link|@import|\bimport\(|\bfetch\(|XMLHttpRequest|eval\(|new Function|\bsrc=|url\(", html)
    assert set(re.findall(r"https?://[^\s\"']+", html)) == {"http://www.w3.org/2000/svg"}  # a namespace, not an address
    assert all(f'"{label}"' in html for label in LABELS)


async def test_the_page_never_reads_html_out_of_data(host: Host):
    (page,) = (await host.client.read_resource(VIEWER_URI)).contents
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser", getattr(page, "text", ""))


async def test_the_extension_is_offered(host: Host):
    capabilities = host.client.server_capabilities
    assert capabilities
    if host.client.protocol_version >= "2026":  # earlier versions have no extensions
        assert "io.modelcontextprotocol/ui" in (capabilities.extensions or {})
    else:
        assert capabilities.extensions is None
