"""Runs one MCP server over stdio and calls it from other threads; one task owns the client."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from mcp import Client, MCPError, stdio_client
from mcp_types import CONNECTION_CLOSED

from mcp_cxr.errors import CxrError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
    from concurrent.futures import Future

    from mcp import StdioServerParameters
    from mcp.client._transport import TransportStreams
    from mcp.shared.dispatcher import ProgressFnT
    from mcp_types import CallToolResult

_Result = TypeVar("_Result")


class ServerEnded(CxrError):
    """The server process has ended; `Connection.restart` starts a new one."""

    def __init__(self) -> None:
        super().__init__("The server has ended; see the terminal of `mcp-cxr chat` for the reason.")


class EventLoopThread:
    """An event loop in its own thread, for work that outlives one run of the page's script."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        Thread(target=self._loop.run_forever, name="mcp-cxr-chat", daemon=True).start()

    def start(self, work: Coroutine[Any, Any, _Result]) -> Future[_Result]:
        """Start a coroutine; cancelling the returned future cancels it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)


class Connection:
    """A server process, started on first use. To be used from one event loop.

    After the process has ended it stays down until `restart`: one that fails at every start would be started forever.

    Args:
        server: How to start the server.
    """

    def __init__(self, server: StdioServerParameters) -> None:
        self._server = server
        self._session: _Session | None = None
        self._replaced: list[_Session] = []

    @property
    def has_ended(self) -> bool:
        """Whether the process was started and has ended."""
        return self._session is not None and self._session.ended.is_set()

    async def run(self, work: Callable[[Client], Awaitable[_Result]]) -> _Result:
        """Run `work` with the client.

        Raises:
            ServerEnded: The process ended before or during the work.
        """
        session = self._session = self._session or _Session(self._server)
        client = await session.client()
        session.pending += 1
        try:
            return await work(client)
        except MCPError as exc:
            if exc.code == CONNECTION_CLOSED:  # a request was written before the end was read
                session.ended.set()
            if session.ended.is_set():
                raise ServerEnded from exc
            raise
        finally:
            session.pending -= 1
            await self._close_replaced()

    async def call(
        self, tool: str, arguments: dict[str, Any], *, on_progress: ProgressFnT | None = None
    ) -> CallToolResult:
        """Call a tool.

        Raises:
            ServerEnded: Before the answer.
        """
        return await self.run(lambda client: client.call_tool(tool, arguments, progress_callback=on_progress))

    async def restart(self) -> None:
        """Start a new server if this one has ended, and wait until it answers.

        Raises:
            ServerEnded: The new server ends, too.
        """
        if self.has_ended:
            await self.close()
        await self.run(Client.list_tools)

    async def replace(self, server: StdioServerParameters) -> None:
        """Let the next call start another server; this one ends when its pending calls are answered."""
        self._server = server
        if self._session:
            self._replaced.append(self._session)
            self._session = None
        await self._close_replaced()

    async def close(self) -> None:
        """End the server; the next call starts a new one."""
        session, self._session = self._session, None
        replaced, self._replaced = self._replaced, []
        for one in [session, *replaced]:
            if one:
                await one.close()

    async def _close_replaced(self) -> None:
        idle = [session for session in self._replaced if not session.pending]
        self._replaced = [session for session in self._replaced if session.pending]
        for session in idle:
            await session.close()


class _Session:
    """One process, from its start to its end."""

    def __init__(self, server: StdioServerParameters) -> None:
        self.ended = anyio.Event()
        self.pending = 0
        """Calls that are not answered yet."""
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(server))

    async def client(self) -> Client:
        if self.ended.is_set():
            raise ServerEnded
        return await asyncio.shield(self._ready)

    async def close(self) -> None:
        self.ended.set()
        await asyncio.wait([self._task])

    async def _run(self, server: StdioServerParameters) -> None:
        """Enter and leave the client in one task, as the SDK requires."""
        try:
            async with Client(_connect(server, self.ended)) as client:
                self._ready.set_result(client)
                await self.ended.wait()
        except (MCPError, OSError):  # it did not start
            pass
        finally:
            self.ended.set()
            if not self._ready.done():
                self._ready.set_exception(ServerEnded())
                self._ready.exception()  # mark it as retrieved: nobody may be waiting


@asynccontextmanager
async def _connect(server: StdioServerParameters, ended: anyio.Event) -> AsyncGenerator[TransportStreams]:
    """Connect to a server, and set `ended` when it closes its end: the client would fail pending requests only."""
    async with stdio_client(server) as (read, write):
        sender, receiver = anyio.create_memory_object_stream[Any](0)

        async def forward() -> None:
            async with sender:
                async for message in read:
                    await sender.send(message)
                ended.set()  # before pending requests fail

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(forward)
            yield receiver, write
            tasks.cancel_scope.cancel()
