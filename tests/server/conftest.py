"""A server in this process, on the memory store, and a client that checks the form of every result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from mcp import Client

from mcp_cxr.server import UNTRUSTED_TEXT_NOTE, build_server
from tests.server.archives import Ingested, ingested
from tests.support.archives import open_memory_archive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp_types import CallToolResult

    from mcp_cxr.settings import Settings


class Host:
    """Calls tools as a host does.

    Args:
        client: Connected.
        schemas: Output schema by tool; None where it has none.
    """

    def __init__(self, client: Client, schemas: dict[str, dict[str, Any] | None]) -> None:
        self.client = client
        self._schemas = schemas

    async def ask(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return the structured result, checked against its text and the tool's schema."""
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.content
        (text,) = result.content
        assert text.type == "text"
        data = result.structured_content
        assert data == json.loads(text.text)
        assert data.get("note") in (None, UNTRUSTED_TEXT_NOTE)
        assert text.text == json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        schema = self._schemas[tool]
        assert schema
        assert list(Draft202012Validator(schema).iter_errors(data)) == []
        return data

    async def refused(self, tool: str, **arguments: Any) -> str:
        """Return the error of a refused call, which must be one line."""
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error, result.structured_content
        assert result.structured_content is None
        (text,) = result.content
        assert text.type == "text"
        assert text.text == text.text.strip()
        assert "\n" not in text.text
        return text.text


def wire_bytes(result: CallToolResult) -> int:
    """Return the size of a result as it goes over the wire."""
    return len(result.model_dump_json(by_alias=True, exclude_none=True).encode())


async def host_of(client: Client) -> Host:
    tools = (await client.list_tools()).tools
    return Host(client, {tool.name: tool.output_schema for tool in tools})


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """The demo's first studies in the memory store; must not be changed."""
    return ingested(tmp_path_factory.getbasetemp() / "demo", store="memory")


@pytest.fixture
def archive_settings(demo: Ingested) -> Settings:
    """Settings of the served archive; modules may override it."""
    return demo.settings


@pytest.fixture
def share() -> tuple[str, ...]:
    """What the host's model may be given; classes may override it."""
    return ("reports", "images")


@pytest.fixture(params=["auto", "legacy"])
async def host(
    request: pytest.FixtureRequest, archive_settings: Settings, share: tuple[str, ...]
) -> AsyncIterator[Host]:
    """A host with the newest protocol version, and one with the version before."""
    server = build_server(lambda: open_memory_archive(archive_settings), share=share)
    async with Client(server, mode=request.param) as client:
        yield await host_of(client)
