"""Who may open the page: not another user of the machine, nor a page of another port or of a rebound name."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import re
import secrets
import signal
import stat
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from mcp import MCPError, StdioServerParameters
from mcp_types import CONNECTION_CLOSED
from playwright.async_api import expect

from mcp_cxr.chat.backend._mcp_client import Connection, ServerEnded
from mcp_cxr.chat.web_server._private_folder import private_folder
from mcp_cxr.chat.web_server._session_secrets import SessionSecrets
from tests.support.chatting import Chatting
from tests.support.command_lines import command_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp import Client
    from playwright.async_api import Browser

PRINTED = "Open the link that `mcp-cxr chat` printed"


def answer(chatting: Chatting, path: str, *, method: str = "GET", body: str | None = None, **headers: str) -> Any:
    """Send one request as any process of the machine can; return status, headers and text."""
    status, told, content = answer_bytes(chatting, path, method=method, body=body, **headers)
    return status, told, content.decode()


def answer_bytes(
    chatting: Chatting, path: str, *, method: str = "GET", body: str | bytes | None = None, **headers: str
) -> Any:
    """Send one request; return status, headers and bytes."""
    host = urlsplit(chatting.address).netloc
    connection = http.client.HTTPConnection(host, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, {"Host": host, **named})
        got = connection.getresponse()
        return got.status, got.headers, got.read()
    finally:
        connection.close()


def exchange(chatting: Chatting, link: str, **headers: str) -> Any:
    code = link.partition("#code=")[2]
    return answer(chatting, "/session", method="POST", body=json.dumps({"code": code}), **headers)


def session_of(chatting: Chatting) -> str:
    """Open a session; return its secret."""
    status, _, text = exchange(chatting, chatting.fresh_url)
    assert status == 200
    return json.loads(text)["secret"]


def upgrade(chatting: Chatting, path: str, **headers: str) -> int:
    """Return the status of the answer to a WebSocket handshake."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    sent = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Key": key, "Sec_WebSocket_Version": "13"}
    return answer(chatting, path, **sent, **headers)[0]


@pytest.mark.parametrize("path", ["/api/session", "/frame/", "/frame/x/", "/frame/x/_stcore/health", "/_stcore/health"])
def test_nothing_but_scripts_is_answered_without_a_secret(chatting: Chatting, path: str) -> None:
    status, _, text = answer(chatting, path)
    assert status in (403, 404)
    assert len(text) < 200
    guesses = {"X_Session_Secret": "guessed", "Cookie": "X-Session-Secret=guessed"}
    assert answer(chatting, path, **guesses)[0] in (403, 404)


def test_the_first_page_holds_no_data_and_no_inline_script(chatting: Chatting) -> None:
    status, headers, text = answer(chatting, "/")
    assert (status, headers["Cache-Control"], headers["Referrer-Policy"]) == (200, "no-store", "no-referrer")
    policy = headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|<style|https?:", text)


def test_a_code_is_exchanged_once(chatting: Chatting) -> None:
    link = chatting.fresh_url
    secret = json.loads(exchange(chatting, link)[2])["secret"]
    assert answer(chatting, "/api/session", X_Session_Secret=secret)[0] == 204
    status, _, text = exchange(chatting, link)
    assert (status, text.partition(";")[0]) == (403, "This link was already used")
    assert chatting.fresh_url != link
    assert session_of(chatting) != secret
    assert answer(chatting, "/api/session", X_Session_Secret=secret)[0] == 204  # the first session goes on


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '{"code": 3}', '{"code": ""}', '{"code": "ü"}', '{"code": "' + "x" * 10_000]
)
def test_what_is_no_code_is_refused(chatting: Chatting, body: str) -> None:
    assert answer(chatting, "/session", method="POST", body=body.encode().decode("latin-1"))[0] in (400, 403, 413)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "[::", "", "10.0.0.1:{port}"]
)
def test_a_name_that_was_pointed_at_this_machine_is_refused(chatting: Chatting, host: str) -> None:
    secret = session_of(chatting)
    named = host.format(port=urlsplit(chatting.address).port)
    for path in ("/", "/web/page.js", "/api/session", f"/frame/{secret}/"):
        assert answer(chatting, path, Host=named, X_Session_Secret=secret)[0] in (400, 403)
    assert upgrade(chatting, f"/frame/{secret}/_stcore/stream", Host=named) in (400, 403)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_a_forwarded_port_is_answered(chatting: Chatting, name: str) -> None:
    """As behind `ssh -L 9000:127.0.0.1:8501`."""
    status, _, text = exchange(chatting, chatting.fresh_url, Host=f"{name}:9000", Origin=f"http://{name}:9000")
    assert status == 200, text


@pytest.mark.parametrize(
    "origin",
    ["null", "http://127.0.0.1:1", "http://localhost:{port}", "https://127.0.0.1:{port}", "http://evil.example"],
)
def test_pages_of_other_origins_are_refused(chatting: Chatting, origin: str) -> None:
    secret, named = session_of(chatting), origin.format(port=urlsplit(chatting.address).port)
    assert exchange(chatting, chatting.fresh_url, Origin=named)[0] == 403
    assert answer(chatting, "/api/session", Origin=named, X_Session_Secret=secret)[0] == 403
    assert upgrade(chatting, f"/frame/{secret}/_stcore/stream", Origin=named) == 403


def test_the_stream_of_the_pages_needs_the_secret(chatting: Chatting) -> None:
    secret, origin = session_of(chatting), chatting.address.rstrip("/")
    assert upgrade(chatting, "/frame/guessed/_stcore/stream", Origin=origin) == 403
    assert upgrade(chatting, "/_stcore/stream", Origin=origin) in (403, 404)
    assert answer(chatting, f"/frame/{secret}/_stcore/health")[0] == 200


def test_only_the_user_can_read_the_file_that_opens_the_page(chatting: Chatting) -> None:
    path = chatting.opening_file
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    session_of(chatting)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(one.name for one in path.parent.iterdir()) == ["open.html", "uploads"]


def test_the_browser_is_given_the_file_and_no_code(variables: dict[str, str], tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    in_the_foreground = "exec sleep 30 2>/dev/null"
    browser.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\n{in_the_foreground}\n')
    browser.chmod(0o700)
    with Chatting({**variables, "BROWSER": f"{browser} %s"}, tmp_path, headless=False) as chatting:
        file = chatting.opening_file
        assert answer(chatting, "/")[0] == 200
        assert chatting.fresh_url not in str(command_lines())
        assert chatting.fresh_url.partition("#code=")[2] not in str(command_lines())
    assert (tmp_path / "called").read_text().split() == [file.as_uri()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_uploads_are_gone_however_it_is_stopped(
    variables: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    with Chatting(variables, tmp_path) as chatting:
        folder = chatting.opening_file.parent
        (folder / "uploads" / "chest.dcm").write_bytes(b"of a patient")
        servers = chatting.servers
        chatting.process.send_signal(number)
        assert chatting.process.wait(timeout=30) == 0
    assert not folder.exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in servers)


def test_folders_that_killed_pages_left_are_removed_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, strange = tmp_path / "mcp-cxr-chat-left", tmp_path / "other"
    (left / "uploads").mkdir(parents=True)
    strange.mkdir()
    (tmp_path / "mcp-cxr-chat-link").symlink_to(strange)
    with private_folder() as running:
        assert not left.exists()
        with private_folder() as second:
            assert running.is_dir()
            assert second != running
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mcp-cxr-chat-link", "other"]


def test_a_page_under_nohup_survives_the_terminal(variables: dict[str, str], tmp_path: Path) -> None:
    with Chatting(variables, tmp_path, under=("nohup",)) as chatting:
        chatting.process.send_signal(signal.SIGHUP)
        assert answer(chatting, "/")[0] == 200


def test_sessions_know_their_own_secrets_alone() -> None:
    codes: list[str] = []
    sessions = SessionSecrets(codes.append)
    first = sessions.exchange(codes[0])
    assert sessions.exchange(codes[0]) is None
    second = sessions.exchange(codes[1])
    assert first
    assert second
    assert sessions.has(first)
    assert sessions.has(second)
    assert not any(map(sessions.has, ("", codes[2], first[:-1], "ü")))


# In a browser


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A page of another user on another port, and the headers of the requests that it got."""
    got: list[str] = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            got.append(str(self.headers))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Set-Cookie", "mcp-cxr-session=theirs; Path=/")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>x</title><p>A page")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", got
    server.shutdown()
    server.server_close()


ATTACK = """async ([address, code]) => {
    const tries = {
        read: () => fetch(address + "api/session"),
        with_header: () => fetch(address + "api/session", { headers: { "X-Session-Secret": "x" } }),
        blind: () => fetch(address + "session", { method: "POST", mode: "no-cors", credentials: "include",
            body: JSON.stringify({ code }) }),
        socket: () => new Promise((done, failed) => {
            const socket = new WebSocket(address.replace("http", "ws") + "frame/x/_stcore/stream");
            socket.onopen = done;
            socket.onerror = failed;
        }),
    };
    const outcomes = {};
    for (const [name, attempt] of Object.entries(tries))
        outcomes[name] = await attempt().then((answer) => answer?.type ?? "open", () => "refused");
    const frame = document.createElement("iframe");
    frame.src = address;
    await new Promise((done) => { frame.onload = done; document.body.append(frame); });
    outcomes.framed = Boolean(frame.contentDocument);
    const form = Object.assign(document.createElement("form"), { method: "post", action: address + "session",
        enctype: "text/plain", target: "form" });
    const target = Object.assign(document.createElement("iframe"), { name: "form" });
    form.append(Object.assign(document.createElement("input"), { name: `{"code": "${code}", "x": "`, value: '"}' }));
    document.body.append(form, target);
    await new Promise((done) => { target.onload = done; form.submit(); });
    return outcomes;
}"""


@pytest.mark.browser
async def test_a_page_of_another_port_gets_nothing(
    browser: Browser, chatting: Chatting, elsewhere: tuple[str, list[str]]
) -> None:
    profile = await browser.new_context()
    own = await profile.new_page()
    await own.goto(chatting.fresh_url)
    await own.wait_for_selector(".wall .tile")
    link = chatting.fresh_url
    theirs = await profile.new_page()
    address, got = elsewhere
    await theirs.goto(address)
    outcomes = await theirs.evaluate(ATTACK, [chatting.address, link.partition("#code=")[2]])
    assert outcomes == {
        "read": "refused",
        "with_header": "refused",
        "blind": "refused",
        "socket": "refused",
        "framed": False,
    }
    assert chatting.fresh_url == link  # neither the blind request nor the form used the code up
    assert chatting.address not in "".join(got)
    assert await own.evaluate("document.cookie") in ("", "mcp-cxr-session=theirs")  # we set no cookie
    await own.reload()  # and their cookie changes nothing
    await own.wait_for_selector(".wall .tile")
    await profile.close()


@pytest.mark.browser
async def test_the_file_opens_the_page_which_survives_a_reload_and_a_second_tab(
    browser: Browser, chatting: Chatting
) -> None:
    profile = await browser.new_context()
    tab = await profile.new_page()
    used = chatting.fresh_url
    await tab.goto(chatting.opening_file.as_uri())
    await tab.wait_for_selector(".wall .tile")
    assert tab.url == chatting.address  # no code, no secret
    assert await tab.evaluate("localStorage.getItem('mcp-cxr-session')") not in str(command_lines())
    await tab.reload()
    await tab.wait_for_selector(".wall .tile")
    await tab.goto(chatting.fresh_url)  # a link that is not needed: its code stays in no history
    await tab.wait_for_function("() => !location.hash")
    second = await profile.new_page()
    await second.goto(chatting.address)
    await second.wait_for_selector(".wall .tile")
    assert await profile.cookies() == []
    stranger = await browser.new_context()
    other = await stranger.new_page()
    await other.goto(used)
    await expect(other.get_by_role("alert")).to_contain_text("already used")
    await other.goto(chatting.address)
    await expect(other.get_by_role("alert")).to_contain_text(PRINTED)
    await other.goto(chatting.opening_file.as_uri())
    await other.wait_for_selector(".wall .tile")
    await expect(tab.locator("#page")).to_be_visible()
    for context in (profile, stranger):
        await context.close()


@pytest.mark.browser
async def test_a_page_whose_server_was_killed_says_so_and_sends_nothing_to_the_next(
    browser: Browser, variables: dict[str, str], tmp_path: Path
) -> None:
    profile = await browser.new_context()
    tab = await profile.new_page()
    with Chatting(variables, tmp_path) as first:
        await tab.goto(first.url)
        await tab.wait_for_selector(".wall .tile")
        first.process.kill()
        first.process.wait()
        await expect(tab.get_by_role("alert")).to_contain_text("does not answer")
    port = str(urlsplit(first.address).port)
    with Chatting(variables, tmp_path, ("--port", port)) as second:
        await expect(tab.get_by_role("alert")).to_contain_text("has ended")
        await expect(tab.locator("#page")).to_have_count(0)
        await tab.goto(second.url)
        await tab.wait_for_selector(".wall .tile")
    await profile.close()


# The API of the viewer


def post(chatting: Chatting, path: str, sent: object, secret: str) -> Any:
    return answer(chatting, path, method="POST", body=json.dumps(sent), X_Session_Secret=secret)


def test_the_viewer_calls_tools_that_read_and_no_other(chatting: Chatting) -> None:
    secret = session_of(chatting)
    status, headers, text = post(
        chatting, "/api/tool", {"name": "search_medical_images", "arguments": {"query": "effusion"}}, secret
    )
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    assert json.loads(text)["structuredContent"]["images"]
    refused = json.loads(post(chatting, "/api/tool", {"name": "search_medical_images", "arguments": {}}, secret)[2])
    assert refused["isError"]
    for sent in (
        {"name": "ingest_directory", "arguments": {"path": "/"}},
        {"name": "search_medical_images", "arguments": []},
        {"name": ["search_medical_images"], "arguments": {}},
        [],
    ):
        assert post(chatting, "/api/tool", sent, secret)[0] == 400
    assert post(chatting, "/api/tool", {"name": "x" * 300_000}, secret)[0] == 413
    assert (
        post(chatting, "/api/tool", {"name": "search_medical_images", "arguments": {"query": "effusion"}}, "no")[0]
        == 403
    )


def test_a_hanging_server_blocks_no_other_request_and_an_ended_one_is_reported(
    variables: dict[str, str], tmp_path: Path
) -> None:
    call = {"name": "search_medical_images", "arguments": {"query": "effusion"}}
    with Chatting(variables, tmp_path) as chatting:
        secret = session_of(chatting)
        assert "structuredContent" in post(chatting, "/api/tool", call, secret)[2]
        chatting.signal_servers(signal.SIGSTOP)  # a call that hangs keeps nobody else waiting
        connection = http.client.HTTPConnection(urlsplit(chatting.address).netloc, timeout=30)
        connection.request("POST", "/api/tool", json.dumps(call), {"X-Session-Secret": secret})
        assert answer(chatting, "/api/session", X_Session_Secret=secret)[0] == 204
        connection.close()
        chatting.signal_servers(signal.SIGKILL)
        ended = json.loads(post(chatting, "/api/tool", call, secret)[2])
        assert ended["isError"]
        assert "server has ended" in ended["content"][0]["text"]


def test_a_request_that_is_written_to_an_ended_server_says_so(variables: dict[str, str]) -> None:
    async def fail(_: Client) -> None:
        raise MCPError(CONNECTION_CLOSED, "Connection closed")

    async def run() -> bool:
        connection = Connection(
            StdioServerParameters(command=sys.executable, args=["-m", "mcp_cxr", "serve"], env=variables)
        )
        with pytest.raises(ServerEnded, match="server has ended"):
            await connection.run(fail)
        has_ended = connection.has_ended
        await connection.close()
        return has_ended

    assert asyncio.run(run())


def test_a_view_that_nobody_drew_is_missing(chatting: Chatting) -> None:
    secret = session_of(chatting)
    assert answer(chatting, "/api/view/x", X_Session_Secret=secret)[0] == 404
    assert post(chatting, "/api/view/x/context", {"text": "x"}, secret)[0] == 404
    assert answer(chatting, "/api/view/x")[0] == 403


@pytest.mark.parametrize(
    "path", ["/web/../__init__.py", "/web/%2e%2e/__init__.py", "/viewer/../_server.py", "/web//etc/passwd", "/web/"]
)
def test_no_other_file_is_served(chatting: Chatting, path: str) -> None:
    assert answer(chatting, path)[0] in (404, 405)
