"""Every line from a host gets an answer, or a line on stderr; none is waited for in silence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from mcp_types import INVALID_REQUEST, PARSE_ERROR

from mcp_cxr.server._stdio import RefusedLine, readable
from tests.stdio.conftest import INITIALIZE, message_of

if TYPE_CHECKING:
    from tests.stdio.conftest import Wire

PING = '{"jsonrpc":"2.0","id":7,"method":"ping"}'
REFUSED = [
    ("no JSON at all", PARSE_ERROR, [None]),
    (PING[:-1], PARSE_ERROR, [None]),
    (PING + PING, PARSE_ERROR, [None]),
    ("\0" + PING, PARSE_ERROR, [None]),
    ("[" * 100_000, PARSE_ERROR, [None]),
    ("\ufeff" + PING, PARSE_ERROR, [7]),
    (f'[{PING},{{"jsonrpc":"2.0","id":"8","method":"ping"}}]', INVALID_REQUEST, [7, "8"]),
    ("[]", INVALID_REQUEST, [None]),
    ("3", INVALID_REQUEST, [None]),
    ('{"id":7,"method":"ping"}', INVALID_REQUEST, [7]),
    ('{"jsonrpc":"1.0","id":7,"method":"ping"}', INVALID_REQUEST, [7]),
    ('{"jsonrpc":"2.0","id":7,"method":3}', INVALID_REQUEST, [7]),
    ('{"jsonrpc":"2.0","id":7,"method":"ping","params":[1]}', INVALID_REQUEST, [7]),
    ('{"jsonrpc":"2.0","id":null,"method":"ping"}', INVALID_REQUEST, [None]),
    ('{"jsonrpc":"2.0","id":1.5,"method":"ping"}', INVALID_REQUEST, [None]),
]


@pytest.mark.parametrize(("line", "code", "ids"), REFUSED)
def test_what_is_no_message_is_refused_with_the_ids_of_its_requests(line: str, code: int, ids: list[Any]):
    with pytest.raises(RefusedLine) as caught:
        readable(line)
    assert (caught.value.code, list(caught.value.ids or (None,))) == (code, ids)


@pytest.mark.parametrize(
    ("text", "read"),
    [("e \\ud83d", "e \ufffd"), ("\\uDE00 e", "\ufffd e"), ("\\ud83d\\ude00", "\U0001f600"), ("\\\\ud83d", "\\ud83d")],
)
def test_a_lone_surrogate_becomes_a_replacement_character(text: str, read: str):
    line = f'{{"jsonrpc":"2.0","id":7,"method":"m","params":{{"query":"{text}"}}}}'
    assert json.loads(readable(line))["params"]["query"] == read


def test_a_message_is_passed_on_unchanged():
    assert readable(f"{PING}\n") == f"{PING}\n"


def test_each_line_is_answered_and_named_on_stderr(wire: Wire):
    assert wire.process.stdin
    wire.say_line("\ufeff" + json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}))
    answer = wire.hear()
    assert (answer["id"], answer["error"]["code"]) == (1, PARSE_ERROR)
    wire.shake_hands()
    for line, code, ids in REFUSED:
        wire.say_line(line)
        answers = [wire.hear() for _ in ids]
        assert [(answer["id"], answer["error"]["code"]) for answer in answers] == [(each, code) for each in ids]
    wire.say_line("")
    arguments = '{"query":"effusion \\ud83d"}'
    params = f'{{"name":"search_medical_images","arguments":{arguments}}}'
    wire.say_line(f'{{"jsonrpc":"2.0","id":77,"method":"tools/call","params":{params}}}')
    answer = wire.hear()
    assert answer["id"] == 77
    assert answer["result"]["structuredContent"]["images"]
    wire.process.stdin.close()
    wire.process.stdin = None
    left, err = wire.rest()
    assert left == []
    assert err.count("\nWARNING: A line from the host was refused. ") + err.startswith("WARNING") == len(REFUSED) + 1
    assert "Traceback" not in err
    assert "ping" not in err


def test_an_answer_has_no_content_of_the_line(wire: Wire):
    wire.say_line("Mrs Jane Roe, born 1931")
    assert "Roe" not in json.dumps(wire.hear())
    wire.say_line('{"jsonrpc":"2.0","id":"Roe\\ud83d","method":4}')
    assert message_of(json.dumps(wire.hear()))["id"] == "Roe\ufffd"
