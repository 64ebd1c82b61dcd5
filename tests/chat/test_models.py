"""Requests to both chat APIs, their streams, and their failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from mcp_types import Tool

from mcp_cxr.chat.language_models import (
    ChatModel,
    LimitReached,
    ModelFailed,
    ToolCall,
    ToolImage,
    ToolResult,
    Turn,
    create_model,
)
from mcp_cxr.errors import ConfigError
from mcp_cxr.settings import Settings

if TYPE_CHECKING:
    from tests.standins.model import ScriptedModel

CALL = ToolCall("call1", "view_image", {"image_id": "a", "max_px": 512})
TURNS = (
    Turn("user", "Look at it", context="The person looks at image a."),
    Turn("assistant", "I do.", calls=[CALL], answers=[ToolResult(CALL, "{}", (ToolImage("aGk=", "image/png"),))]),
)
TOOL = Tool(name="view_image", description="Looks.", input_schema={"type": "object"})


def connect(model: ScriptedModel, api: str, **more: str) -> ChatModel:
    url = model.origin + ("/v1" if api == "openai" else "")
    variables = {"MCP_CXR_CHAT_MODEL": "m", "MCP_CXR_CHAT_URL": url, "MCP_CXR_CHAT_API": api, **more}
    created = create_model(Settings.model_validate(variables))
    assert created
    return created


async def reply_of(model: ChatModel) -> list[Any]:
    return [one async for one in model.stream_reply("Be brief.", TURNS, [TOOL])]


@pytest.mark.parametrize("api", ["openai", "anthropic"])
async def test_text_and_calls_are_assembled_from_parts(model: ScriptedModel, api: str) -> None:
    arguments = {"query": "left „effusion“", "view": ["PA"]}
    model.play({"text": "I look for it, gladly.", "calls": [["search", arguments], ["overview", {}]]})
    parts = await reply_of(connect(model, api, MCP_CXR_CHAT_KEY="secret"))
    assert "".join(one for one in parts if isinstance(one, str)) == "I look for it, gladly."
    assert len([one for one in parts if isinstance(one, str)]) > 1
    assert [(one.name, one.arguments) for one in parts if isinstance(one, ToolCall)] == [
        ("search", arguments),
        ("overview", {}),
    ]
    (request,) = model.requests
    assert "secret" in str(request["headers"])


async def test_a_conversation_in_the_format_of_chat_completions(model: ScriptedModel) -> None:
    model.play({"text": "Seen."})
    await reply_of(connect(model, "openai"))
    (request,) = model.requests
    system, user, assistant, tool, images = request["body"]["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    assert user["content"] == "Look at it\n\n(The person looks at image a.)"
    assert assistant["tool_calls"][0]["function"] == {
        "name": "view_image",
        "arguments": '{"image_id": "a", "max_px": 512}',
    }
    assert tool == {"role": "tool", "tool_call_id": "call1", "content": "{}"}
    assert images["content"][1]["image_url"]["url"] == "data:image/png;base64,aGk="
    assert request["body"]["tools"][0]["function"]["name"] == "view_image"


async def test_a_conversation_in_the_format_of_anthropic(model: ScriptedModel) -> None:
    model.play({"text": "Seen."})
    await reply_of(connect(model, "anthropic"))
    (request,) = model.requests
    user, assistant, answers = request["body"]["messages"]
    assert (request["path"], request["body"]["system"]) == ("/v1/messages", "Be brief.")
    assert user["role"] == "user"
    assert assistant["content"][1] == {
        "type": "tool_use",
        "id": "call1",
        "name": "view_image",
        "input": CALL.arguments,
    }
    result = answers["content"][0]
    assert result["tool_use_id"] == "call1"
    assert result["content"][1]["source"] == {"type": "base64", "media_type": "image/png", "data": "aGk="}


@pytest.mark.parametrize("api", ["openai", "anthropic"])
async def test_a_failure_is_reported_in_one_line(model: ScriptedModel, api: str) -> None:
    model.play(
        {"status": 429, "reason": "too many\nquestions"},
        {"text": "I am about to", "cut": True},
        {"text": "I", "error": "overloaded"},
    )
    with pytest.raises(ModelFailed, match=r"answers 429 \(too many questions\)"):
        await reply_of(connect(model, api))
    with pytest.raises(ModelFailed, match="cut off"):
        await reply_of(connect(model, api))
    with pytest.raises(ModelFailed, match="service failed: overloaded"):
        await reply_of(connect(model, api))
    down = connect(model, api, MCP_CXR_CHAT_URL="http://127.0.0.1:9")
    with pytest.raises(ModelFailed, match=r"cannot be reached .*MCP_CXR_CHAT_URL"):
        await reply_of(down)


@pytest.mark.parametrize("api", ["openai", "anthropic"])
async def test_a_reply_that_reaches_the_model_s_limit_says_so_and_leaves_out_a_cut_call(
    model: ScriptedModel, api: str
) -> None:
    model.play({"text": "I look.", "calls": [["search", {"query": "a"}]], "half": ["search", '{"que'], "limit": True})
    parts = await reply_of(connect(model, api))
    assert [one.arguments for one in parts if isinstance(one, ToolCall)] == [{"query": "a"}]
    assert parts[-1] == LimitReached()
    model.play({"text": "I am done."})
    assert LimitReached() not in await reply_of(connect(model, api))


def test_a_model_on_another_machine_must_be_allowed() -> None:
    variables = {"MCP_CXR_CHAT_MODEL": "m", "MCP_CXR_CHAT_URL": "https://api.anthropic.com"}
    with pytest.raises(ConfigError, match=r"MCP_CXR_ALLOW_REMOTE=api\.anthropic\.com:443"):
        create_model(Settings.model_validate(variables))
    assert create_model(Settings.model_validate({**variables, "MCP_CXR_ALLOW_REMOTE": "api.anthropic.com:443"}))
    with pytest.raises(ConfigError, match="must be a URL") as caught:
        create_model(Settings.model_validate({**variables, "MCP_CXR_CHAT_URL": "https://me:word@example.org"}))
    assert "word@" not in str(caught.value)
    assert create_model(Settings.model_validate({})) is None
