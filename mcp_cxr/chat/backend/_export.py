"""Results as files: a table of ids, reasons and paths, and a ZIP of renderings or of the original files."""

from __future__ import annotations

import asyncio
import re
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypedDict

from mcp_cxr.csv_writer import csv_text
from mcp_cxr.errors import CxrError
from mcp_cxr.records import RESULT_COLUMNS, Fingerprint, Hit, SearchResult, result_row

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence

    from mcp_cxr.chat.backend._backend import Backend

MAX_ROWS = 10_000
MAX_PACKED = 500
_PAGE = 100
_LONGEST_PX = 2048
_AT_ONCE = 2
_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z.-]+")
_MAX_NAME = 64  # characters of an id in a file's name
_CHANGED = "The archive has changed since this search. Search again, and select the images again."


class Origin(TypedDict):
    """Where the rows of a table are from: what was asked, of which archive, and when."""

    question: str
    filters: Mapping[str, object]
    fingerprint: str
    searched_at: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Hits of a search: those that the user selected, or all that match.

    Args:
        arguments: Those of `search_medical_images`, without `limit` and `offset`, and perhaps `scores`.
        ranks: The rank of each selected image; None: every hit that matches, at most 10,000.
    """

    arguments: dict[str, Any]
    ranks: dict[str, int] | None = None

    async def read(self, backend: Backend) -> tuple[list[Hit], Origin]:
        """Return the hits in the order of their ranks, and the origin of the rows.

        Raises:
            CxrError: The search fails, or a selected image is no longer at its rank.
        """
        hits = self._all_matches(backend) if self.ranks is None else self._selected(backend, self.ranks)
        found = [hit async for hit in hits]
        return found, await self._origin(backend)

    async def _page(self, backend: Backend, offset: int) -> SearchResult:
        arguments = {**backend.uploads.with_paths(self.arguments), "limit": _PAGE, "offset": offset}
        tool = "search_by_finding_score" if "scores" in arguments else "search_medical_images"
        return SearchResult.model_validate(await backend.call(tool, arguments))

    async def _all_matches(self, backend: Backend) -> AsyncGenerator[Hit]:
        """Yield the hits that match in full; without words, which nothing can match, all that the filters leave."""
        offset: int | None = 0
        given = 0
        while offset is not None:
            page = await self._page(backend, offset)
            most = min(MAX_ROWS, page.total_results if page.matched_results is None else page.matched_results)
            for hit in page.images:
                if given < most and hit.matched in (None, "full"):
                    given += 1
                    yield hit
            offset = page.next_offset if given < most else None

    async def _selected(self, backend: Backend, ranks: Mapping[str, int]) -> AsyncGenerator[Hit]:
        for start in sorted({(rank - 1) // _PAGE * _PAGE for rank in ranks.values()}):
            hits = {hit.image_id: hit for hit in (await self._page(backend, start)).images}
            wanted = [image_id for image_id, rank in ranks.items() if start < rank <= start + _PAGE]
            if not hits.keys() >= set(wanted):
                raise CxrError(_CHANGED)
            for image_id in sorted(wanted, key=ranks.__getitem__):
                yield hits[image_id]

    async def _origin(self, backend: Backend) -> Origin:
        overview = await backend.call("get_archive_overview", {})
        made: Mapping[str, Any] = overview["embedder"].get("fingerprint") or {}
        arguments = {name: value for name, value in self.arguments.items() if name != "query"}
        return {
            "question": str(self.arguments.get("query", "")),
            "filters": backend.uploads.with_own_names(arguments),
            "fingerprint": Fingerprint(**made).description if made else "",
            "searched_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def to_csv(hits: Iterable[Hit], origin: Origin) -> bytes:
    """Return a CSV row for each hit; see `RESULT_COLUMNS`."""
    rows = (result_row(_with_all_labels(hit), **origin) for hit in hits)
    return csv_text(RESULT_COLUMNS, rows).encode()


def _with_all_labels(hit: Hit) -> Hit:
    """Return the hit with the absent ones, which the server names apart, among its labels."""
    return hit.model_copy(update={"labels": {**hit.labels, **dict.fromkeys(hit.labels_absent, 0)}})


async def write_zip(file: IO[bytes], backend: Backend, hits: Sequence[Hit], origin: Origin, *, originals: bool) -> None:
    """Write a ZIP of the images of hits, named by rank and image id, and of the table `results.csv`.

    Args:
        file: Written to.
        backend: Renders the images.
        hits: At most 500.
        origin: For the table.
        originals: Whether to pack the files as they are, with what their headers hold; else renderings of at most
            2,048 pixels a side.

    Raises:
        CxrError: There are too many, an image cannot be read, or the server has ended.
    """
    if len(hits) > MAX_PACKED:
        raise CxrError(f"{len(hits):,} images are too many for one ZIP file; at most {MAX_PACKED} fit. Select fewer.")
    names = set[str]()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # the images are compressed already
        archive.writestr("results.csv", to_csv(hits, origin))
        if originals:
            for hit in hits:
                await asyncio.to_thread(_add_file, archive, hit, names)
            return
        for start in range(0, len(hits), _AT_ONCE):
            some = hits[start : start + _AT_ONCE]
            images = await asyncio.gather(*(backend.rendering(hit.image_id, _LONGEST_PX) for hit in some))
            for hit, (content, kind) in zip(some, images, strict=True):
                ending = kind.removeprefix("image/").replace("jpeg", "jpg")
                archive.writestr(_entry_name(hit.rank, hit.image_id, ending, names), content)


def _add_file(archive: zipfile.ZipFile, hit: Hit, names: set[str]) -> None:
    path = Path(hit.path or "")
    ending = _NOT_IN_NAMES.sub("", path.suffix.removeprefix(".")).lower() or "dcm"
    try:
        archive.write(path, _entry_name(hit.rank, hit.image_id, ending, names))
    except OSError as exc:
        raise CxrError(f"The file of image {hit.image_id} cannot be read ({exc.strerror}): {path}") from exc


def _entry_name(rank: int, image_id: str, ending: str, taken: set[str]) -> str:
    """Return a file name that no other entry has: `003_02aa804e-bde0afdd.jpg`; kept ids come from file headers."""
    cleaned = _NOT_IN_NAMES.sub("_", image_id).strip("._")[:_MAX_NAME].rstrip("._")
    stem = f"{rank:03}_{cleaned or 'image'}"
    numbered = (f"{stem}{number}.{ending}" for number in chain([""], (f"_{again}" for again in count(2))))
    name = next(name for name in numbered if name.lower() not in taken)
    taken.add(name.lower())
    return name
