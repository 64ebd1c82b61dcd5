"""One server process over stdio, and the only task that speaks with it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from mcp import Client, MCPError, stdio_client

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
    """The server process has ended; `Connection.mend` starts another one."""

    def __init__(self) -> None:
        super().__init__("The server has ended; the terminal of `mcp-cxr chat` says why.")


class Loop:
    """An event loop in a thread of its own, for everything that outlives a run of the page."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        Thread(target=self._loop.run_forever, name="mcp-cxr-chat", daemon=True).start()

    def start(self, work: Coroutine[Any, Any, _Result]) -> Future[_Result]:
        """Start work; cancelling what is returned cancels it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)


class Connection:
    """A server, started when it is first asked. Used on one loop only.

    One that has ended stays so until a person has it mended: a server that dies at each start would start for ever.

    Args:
        server: How to start it.
    """

    def __init__(self, server: StdioServerParameters) -> None:
        self._server = server
        self._life: _Life | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it was started, and is no more."""
        return self._life is not None and self._life.ended.is_set()

    async def ask(self, work: Callable[[Client], Awaitable[_Result]]) -> _Result:
        """Do some work with the client.

        Raises:
            ServerEnded: Before it, or meanwhile.
        """
        life = self._life = self._life or _Life(self._server)
        client = await life.client()
        try:
            return await work(client)
        except MCPError as exc:
            if life.ended.is_set():
                raise ServerEnded from exc
            raise

    async def call(
        self, tool: str, arguments: dict[str, Any], *, on_progress: ProgressFnT | None = None
    ) -> CallToolResult:
        """Call a tool.

        Raises:
            ServerEnded: Before the answer.
        """
        return await self.ask(lambda client: client.call_tool(tool, arguments, progress_callback=on_progress))

    async def mend(self) -> None:
        """Start another server where this one has ended, and wait until it answers.

        Raises:
            ServerEnded: That one ends, too.
        """
        if self.has_ended:
            await self.close()
        await self.ask(Client.list_tools)

    async def close(self) -> None:
        """End the server; it may be asked again, which starts another one."""
        life, self._life = self._life, None
        if life:
            await life.close()


class _Life:
    """One process, from its start to its end."""

    def __init__(self, server: StdioServerParameters) -> None:
        self.ended = anyio.Event()
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._owner = asyncio.create_task(self._own(server))

    async def client(self) -> Client:
        if self.ended.is_set():
            raise ServerEnded
        return await asyncio.shield(self._ready)

    async def close(self) -> None:
        self.ended.set()
        await asyncio.wait([self._owner])

    async def _own(self, server: StdioServerParameters) -> None:
        """Hold the client from its beginning to its end, which must be in one task."""
        try:
            async with Client(_watched(server, self.ended)) as client:
                self._ready.set_result(client)
                await self.ended.wait()
        except (MCPError, OSError):  # it did not start
            pass
        finally:
            self.ended.set()
            if not self._ready.done():
                self._ready.set_exception(ServerEnded())
                self._ready.exception()  # whoever waits is told; nobody need wait


@asynccontextmanager
async def _watched(server: StdioServerParameters, ended: anyio.Event) -> AsyncGenerator[TransportStreams]:
    """Connect to a server, and tell when it closes its end: the client tells only those who wait for an answer."""
    async with stdio_client(server) as (read, write):
        passed_on, passing = anyio.create_memory_object_stream[Any](0)

        async def pass_on() -> None:
            async with passed_on:
                async for message in read:
                    await passed_on.send(message)
                ended.set()  # before those who wait hear of it

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pass_on)
            yield passing, write
            tasks.cancel_scope.cancel()
