"""Images that the user uploads as examples: files of the process, named by random ids outside of it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_PREFIX = "upload:"


@dataclass(frozen=True, slots=True)
class Uploads:
    """The uploads of one process. The page knows an upload by its id; its path stays here."""

    folder: Path
    """Only the user may read it; it is removed when the process ends."""
    names: dict[str, str] = field(default_factory=dict[str, str])
    """The names of the user's files by id."""

    def new_id(self, name: str) -> str:
        """Return an id for a file that the user calls `name`."""
        upload_id = f"{_PREFIX}{secrets.token_hex(8)}"
        self.names[upload_id] = name
        return upload_id

    def path(self, upload_id: str) -> Path:
        """Return where an upload lies; its name does not contain the user's."""
        return self.folder / upload_id.removeprefix(_PREFIX)

    def has(self, upload_id: str) -> bool:
        """Return whether this is the id of an upload."""
        return upload_id in self.names

    def remove(self, upload_id: str) -> None:
        """Delete an upload."""
        self.path(upload_id).unlink(missing_ok=True)
        self.names.pop(upload_id, None)

    def with_paths(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of a search with paths in place of the ids of uploads."""
        like: object = arguments.get("like")
        if not isinstance(like, list):
            return arguments
        return {**arguments, "like": [str(self.path(one)) if self.has(one) else one for one in map(str, like)]}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]

    def with_own_names(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of a search with the user's names in place of the ids of uploads."""
        like: object = arguments.get("like")
        if not isinstance(like, list):
            return arguments
        return {**arguments, "like": [self.names.get(one, one) for one in map(str, like)]}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]

    def with_names(self, text: str) -> str:
        """Return a text with the user's names in place of paths, as they stand in a text or in JSON."""
        for upload_id, name in self.names.items():
            text = text.replace(str(self.path(upload_id)), name)
        return text
