"""What models say, over both kinds of stream, and how they fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from mcp_types import Tool

from mcp_cxr.chat._model import Model, ModelFailed, ToolCall, ToolImage, ToolResult, Turn, create_model
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


def reached(model: ScriptedModel, api: str, **more: str) -> Model:
    url = model.origin + ("/v1" if api == "openai" else "")
    variables = {"MCP_CXR_CHAT_MODEL": "m", "MCP_CXR_CHAT_URL": url, "MCP_CXR_CHAT_API": api, **more}
    made = create_model(Settings.model_validate(variables))
    assert made
    return made


async def said(model: Model) -> list[Any]:
    return [one async for one in model.stream_reply("Be brief.", TURNS, [TOOL])]


@pytest.mark.parametrize("api", ["openai", "anthropic"])
async def test_words_and_calls_come_in_bits_and_are_put_together(model: ScriptedModel, api: str) -> None:
    arguments = {"query": "left „effusion“", "view": ["PA"]}
    model.play({"says": "I look for it, gladly.", "calls": [["search", arguments], ["overview", {}]]})
    heard = await said(reached(model, api, MCP_CXR_CHAT_KEY="secret"))
    assert "".join(one for one in heard if isinstance(one, str)) == "I look for it, gladly."
    assert len([one for one in heard if isinstance(one, str)]) > 1
    assert [(one.name, one.arguments) for one in heard if isinstance(one, ToolCall)] == [
        ("search", arguments),
        ("overview", {}),
    ]
    (asked,) = model.asked
    assert "secret" in str(asked["headers"])


async def test_a_conversation_as_openai_s_services_take_it(model: ScriptedModel) -> None:
    model.play({"says": "Seen."})
    await said(reached(model, "openai"))
    (asked,) = model.asked
    system, person_server, assistant, tool, picture = asked["body"]["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    assert person_server["content"] == "Look at it\n\n(The person looks at image a.)"
    assert assistant["tool_calls"][0]["function"] == {
        "name": "view_image",
        "arguments": '{"image_id": "a", "max_px": 512}',
    }
    assert tool == {"role": "tool", "tool_call_id": "call1", "content": "{}"}
    assert picture["content"][1]["image_url"]["url"] == "data:image/png;base64,aGk="
    assert asked["body"]["tools"][0]["function"]["name"] == "view_image"


async def test_a_conversation_as_anthropic_takes_it(model: ScriptedModel) -> None:
    model.play({"says": "Seen."})
    await said(reached(model, "anthropic"))
    (asked,) = model.asked
    person_server, assistant, answers = asked["body"]["messages"]
    assert (asked["path"], asked["body"]["system"]) == ("/v1/messages", "Be brief.")
    assert person_server["role"] == "user"
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
async def test_what_goes_wrong_is_told_in_a_line(model: ScriptedModel, api: str) -> None:
    model.play({"status": 429, "reason": "too many\nquestions"}, {"says": "I am about to", "cut": True})
    with pytest.raises(ModelFailed, match=r"answers 429 \(too many questions\)"):
        await said(reached(model, api))
    with pytest.raises(ModelFailed, match="cut off"):
        await said(reached(model, api))
    nowhere = reached(model, api, MCP_CXR_CHAT_URL="http://127.0.0.1:9")
    with pytest.raises(ModelFailed, match=r"cannot be reached .*MCP_CXR_CHAT_URL"):
        await said(nowhere)


def test_a_model_beyond_this_machine_has_to_be_named() -> None:
    asked = {"MCP_CXR_CHAT_MODEL": "m", "MCP_CXR_CHAT_URL": "https://api.anthropic.com"}
    with pytest.raises(ConfigError, match=r"MCP_CXR_ALLOW_REMOTE=api\.anthropic\.com:443"):
        create_model(Settings.model_validate(asked))
    assert create_model(Settings.model_validate({**asked, "MCP_CXR_ALLOW_REMOTE": "api.anthropic.com:443"}))
    with pytest.raises(ConfigError, match="not a plain") as refused:
        create_model(Settings.model_validate({**asked, "MCP_CXR_CHAT_URL": "https://me:word@example.org"}))
    assert "word@" not in str(refused.value)
    assert create_model(Settings.model_validate({})) is None
