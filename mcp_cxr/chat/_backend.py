"""What all tabs share: two servers, the loop that speaks with them, and a folder for uploads."""

from __future__ import annotations

import atexit
import base64
import os
import secrets
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp import StdioServerParameters

from mcp_cxr.chat._configured_model import create_model
from mcp_cxr.chat._connection import Connection, Loop, ServerEnded
from mcp_cxr.errors import CxrError
from mcp_cxr.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from mcp_types import CallToolResult

    from mcp_cxr.chat._model import Model

_EVERYTHING = "reports,images"
_END_WITHIN_S = 10
_KEY = "MCP_CXR_CHAT_KEY"


class ToolRefused(CxrError):
    """A tool refused; the message is its own, for the person."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Made once in a process.

    The person who sits before it sees everything, as with the other commands; the model asks a server of its own, which
    gives it what MCP_CXR_SHARE says, as it does any host's model.
    """

    settings: Settings
    loop: Loop
    person: Connection
    model: Connection
    talks_with: Model | None
    """The language model; None: there is none."""
    uploads: Path
    """Films that were given as examples; gone with the process."""

    @classmethod
    def of(cls, folders: Sequence[str]) -> Desk:
        """Make the desk of the archive that the environment describes.

        Args:
            folders: May be ingested, beside MCP_CXR_ROOTS.
        """
        settings = load_settings()
        uploads = Path(tempfile.mkdtemp(prefix="mcp-cxr-chat-"))
        atexit.register(shutil.rmtree, uploads, ignore_errors=True)
        roots = [*map(str, settings.roots), *folders]
        person = _server(settings, share=_EVERYTHING, roots=[*roots, str(uploads)])
        model = _server(settings, share=",".join(settings.share), roots=roots)
        desk = cls(settings, Loop(), Connection(person), Connection(model), create_model(settings), uploads)
        desk.loop.start(desk.person.mend())  # it is there when the first question comes
        return desk

    def close(self) -> None:
        """End the servers."""
        for server in (self.person, self.model):
            self.loop.start(server.close()).result(_END_WITHIN_S)

    def search(self, question: dict[str, Any]) -> Future[dict[str, Any]]:
        """Ask `search_medical_images`."""
        return self.loop.start(self._data("search_medical_images", question))

    def facts(self, image_id: str) -> Future[dict[str, Any]]:
        """Ask `get_image_metadata`."""
        return self.loop.start(self._data("get_image_metadata", {"image_id": image_id}))

    def overview(self) -> Future[dict[str, Any]]:
        """Ask `get_archive_overview`."""
        return self.loop.start(self._data("get_archive_overview", {}))

    def picture(self, image_id: str, max_px: int) -> Future[tuple[bytes, str]]:
        """Return a film as a picture, and its media type."""
        return self.loop.start(self.look(image_id, max_px))

    async def look(self, image_id: str, max_px: int) -> tuple[bytes, str]:
        """Do what `picture` does, on the loop."""
        result = _heard(await self.person.call("view_image", {"image_id": image_id, "max_px": max_px}))
        block = next(block for block in result.content if block.type == "image")
        return base64.b64decode(block.data), block.mime_type

    def was_lost(self, answer: Future[Any]) -> bool:
        """Whether a server that ended left this unanswered, and there is another one to ask."""
        if not answer.done() or answer.cancelled() or self.person.has_ended:
            return False
        return isinstance(answer.exception(), ServerEnded)

    def keep_upload(self, name: str, content: bytes) -> str:
        """Write an uploaded film for the server to read; return its path, which says nothing of its name."""
        path = self.uploads / f"{secrets.token_hex(8)}{Path(name).suffix.lower()}"
        path.write_bytes(content)
        return str(path)

    def is_upload(self, example: str) -> bool:
        """Whether an example is a film that was uploaded."""
        return example.startswith(str(self.uploads))

    async def _data(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return data_of(await self.person.call(tool, arguments))


def data_of(result: CallToolResult) -> dict[str, Any]:
    """Return what a tool answered.

    Raises:
        Refused: It is an error.
    """
    return _heard(result).structured_content or {}


def text_of(result: CallToolResult) -> str:
    """Return the texts of an answer, as a model reads them."""
    return "\n".join(block.text for block in result.content if block.type == "text")


def _heard(result: CallToolResult) -> CallToolResult:
    if result.is_error:
        raise ToolRefused(text_of(result) or "The tool failed.")
    return result


def _server(settings: Settings, *, share: str, roots: list[str]) -> StdioServerParameters:
    """Return how to start `serve` on this archive; relative paths are taken from here."""
    variables = {name: value for name, value in os.environ.items() if name != _KEY}
    variables |= {
        "MCP_CXR_DATA_DIR": str(settings.data_dir.absolute()),
        "MCP_CXR_ROOTS": os.pathsep.join(str(Path(root).absolute()) for root in roots),
        "MCP_CXR_SHARE": share,
    }
    if settings.key_file:
        variables["MCP_CXR_ID_KEY_FILE"] = str(settings.key_file.absolute())
    return StdioServerParameters(command=sys.executable, args=["-m", "mcp_cxr", "serve"], env=variables)
