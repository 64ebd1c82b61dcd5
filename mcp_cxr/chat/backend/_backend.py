"""`Backend`, shared by all tabs: the user's MCP server and the language model's, their event loop, and uploads."""

from __future__ import annotations

import base64
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcp import StdioServerParameters

from mcp_cxr.chat.backend._data_check_job import DataCheckJob
from mcp_cxr.chat.backend._ingest_job import IngestJob
from mcp_cxr.chat.backend._mcp_client import Connection, EventLoopThread
from mcp_cxr.chat.backend._pull_job import PullJob
from mcp_cxr.chat.backend._uploads import Uploads
from mcp_cxr.chat.backend._viewer_queries import ViewerQueries
from mcp_cxr.chat.language_models import ChatModel, create_model
from mcp_cxr.errors import CxrError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from mcp.shared.dispatcher import ProgressFnT
    from mcp_types import CallToolResult

    from mcp_cxr.settings import Settings

_SHARE_ALL = "reports,images,dates"
_END_TIMEOUT_S = 10
_KEY = "MCP_CXR_CHAT_KEY"


@dataclass(frozen=True, slots=True)
class Backend:
    """The servers, the event loop, the language model and the uploads of one process.

    The user sees everything, as with the other commands. The language model has a server of its own, which gives it
    what MCP_CXR_SHARE allows, as it would for any host's model.
    """

    settings: Settings
    loop: EventLoopThread
    user_server: Connection
    model_server: Connection
    language_model: ChatModel | None
    """None: no language model is configured."""
    uploads: Uploads
    """Uploaded example images."""
    folders: list[Path]
    """Folders that the user named, besides MCP_CXR_ROOTS."""
    variables: dict[str, str]
    """The environment of the servers, apart from what differs between them."""
    is_private: bool = False
    """Whether the page keeps nothing in the browser: no address of a search, no history."""
    ingest_job: IngestJob = field(default_factory=IngestJob)
    pull_job: PullJob = field(default_factory=PullJob)
    data_check_job: DataCheckJob = field(default_factory=DataCheckJob)
    viewer_queries: ViewerQueries = field(default_factory=ViewerQueries)

    @classmethod
    def open(cls, settings: Settings, folders: Sequence[Path], uploads: Path, *, is_private: bool = False) -> Backend:
        """Start the servers for an archive.

        Args:
            settings: Of the archive and the language model.
            folders: Folders that the user may ingest, besides MCP_CXR_ROOTS; both servers may read images below them.
            uploads: Folder that only the user may read.
            is_private: Whether the page keeps nothing in the browser.
        """
        named, variables = [folder.absolute() for folder in folders], dict(os.environ)
        user_server, model_server = map(Connection, _servers(settings, named, uploads, variables))
        model = create_model(settings)
        kept = Uploads(uploads)
        backend = cls(
            settings, EventLoopThread(), user_server, model_server, model, kept, named, variables, is_private=is_private
        )
        backend.loop.start(backend.user_server.restart())  # ready for the first query
        return backend

    async def add_folder(self, folder: Path) -> None:
        """Let the user ingest a folder, and both servers read the images below it; unanswered calls go on."""
        if _lies_below(folder, (*self.settings.roots, *self.folders)):
            return
        self.folders.append(folder)
        user_server, model_server = _servers(self.settings, self.folders, self.uploads.folder, self.variables)
        await self.user_server.replace(user_server)
        await self.model_server.replace(model_server)

    def start_pull(self, *, since: str | None, until: str | None, dry_run: bool) -> None:
        """Start to pull from the PACS of MCP_CXR_PACS_URL; see `PullJob.start`."""
        variables = _environment(self.settings, self.variables)
        self.pull_job.start(self.loop, variables, since=since, until=until, dry_run=dry_run)

    def start_data_check(self) -> None:
        """Start to check the data; see `DataCheckJob.start`."""
        self.data_check_job.start(self.loop, self._own_environment())

    async def write_data_check(self, path: Path) -> None:
        """Write the decisions and entries of the last check of the data as CSV; see `DataCheckJob.write_table`."""
        await self.data_check_job.write_table(self._own_environment(), path)

    def _own_environment(self) -> dict[str, str]:
        """Return the environment of a command that may read the folders that the user named, as the server may."""
        roots = [*self.settings.roots, *self.folders]
        variables = _environment(self.settings, self.variables)
        return variables | {"MCP_CXR_ROOTS": os.pathsep.join(str(root.absolute()) for root in roots)}

    def close(self) -> None:
        """Stop both servers."""
        for server in (self.user_server, self.model_server):
            self.loop.start(server.close()).result(_END_TIMEOUT_S)

    async def call(
        self, tool: str, arguments: dict[str, Any], *, on_progress: ProgressFnT | None = None
    ) -> dict[str, Any]:
        """Call a tool for the user; return its structured content.

        Raises:
            CxrError: The tool answers with an error, whose text this is, or the server has ended.
        """
        result = await self.user_server.call(tool, arguments, on_progress=on_progress)
        return _checked(result).structured_content or {}

    async def rendering(self, image: str, max_px: int) -> tuple[bytes, str]:
        """Return a rendering of an image or an upload as a file, and its media type; errors as for `call`."""
        if self.uploads.has(image):
            tool, arguments = "view_file", {"path": str(self.uploads.path(image)), "max_px": max_px}
        else:
            tool, arguments = "view_image", {"image_id": image, "max_px": max_px}
        result = _checked(await self.user_server.call(tool, arguments))
        block = next(block for block in result.content if block.type == "image")
        return base64.b64decode(block.data), block.mime_type

    async def restart_ended_servers(self) -> None:
        """Start new servers in place of those that have ended.

        Raises:
            ServerEnded: A new one ends, too.
        """
        for server in (self.user_server, self.model_server):
            if server.has_ended:
                await server.restart()


_opened: list[Backend] = []  # Streamlit runs its script without arguments: the pages find the servers here


@contextmanager
def opened_backend(
    settings: Settings, folders: Sequence[Path], uploads: Path, *, is_private: bool = False
) -> Generator[Backend]:
    """Open the servers for all pages of this process; arguments as for `Backend.open`."""
    backend = Backend.open(settings, folders, uploads, is_private=is_private)
    _opened.append(backend)
    try:
        yield backend
    finally:
        _opened.remove(backend)
        backend.close()


def current_backend() -> Backend:
    """Return the servers of this process."""
    return _opened[-1]


def text_of(result: CallToolResult) -> str:
    """Return the text blocks of a result, as a model reads them."""
    return "\n".join(block.text for block in result.content if block.type == "text")


def _checked(result: CallToolResult) -> CallToolResult:
    if result.is_error:
        raise CxrError(text_of(result) or "The tool failed.")
    return result


def _lies_below(folder: Path, roots: Sequence[Path]) -> bool:
    return any(folder.resolve().is_relative_to(root.resolve()) for root in roots)


def _servers(
    settings: Settings, folders: Sequence[Path], uploads: Path, variables: dict[str, str]
) -> tuple[StdioServerParameters, StdioServerParameters]:
    """Return how to start the user's server and the model's, which may ingest nothing that only the user named."""
    readable = variables | {"CXR_READABLE_FOLDERS": os.pathsep.join(map(str, folders))}
    return (
        _server(settings, variables, "--for-owner", share=_SHARE_ALL, roots=[*settings.roots, *folders, uploads]),
        _server(settings, readable, share=",".join(settings.share), roots=settings.roots),
    )


def _server(
    settings: Settings, environment: dict[str, str], *options: str, share: str, roots: Sequence[Path]
) -> StdioServerParameters:
    """Return how to start `serve` on this archive."""
    variables = _environment(settings, environment) | {
        "MCP_CXR_ROOTS": os.pathsep.join(str(root.absolute()) for root in roots),
        "MCP_CXR_SHARE": share,
    }
    return StdioServerParameters(command=sys.executable, args=["-m", "mcp_cxr", "serve", *options], env=variables)


def _environment(settings: Settings, environment: dict[str, str]) -> dict[str, str]:
    """Return the environment of a command on this archive, with its paths as seen from the working directory."""
    variables = {name: value for name, value in environment.items() if name != _KEY}
    variables["MCP_CXR_DATA_DIR"] = str(settings.data_dir.absolute())
    if settings.key_file:
        variables["MCP_CXR_ID_KEY_FILE"] = str(settings.key_file.absolute())
    return variables
