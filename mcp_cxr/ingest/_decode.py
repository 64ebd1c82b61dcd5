"""The stage `decode`: a new file becomes a rendering with its facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyio import to_thread

from mcp_cxr.ingest._stage_items import DecodedFile, Failure
from mcp_cxr.ingest._study_facts import image_record, study_of, view_position_of

if TYPE_CHECKING:
    from mcp_cxr.images import ImageReader
    from mcp_cxr.ingest._internal_errors import InternalErrors
    from mcp_cxr.ingest._plan import IngestPlan
    from mcp_cxr.ingest._stage_items import NewFile
    from mcp_cxr.layouts import Layouts
    from mcp_cxr.records import ImageSpec

_MIN_BYTES_FOR_WORKER = 1 << 20  # a smaller file is decoded faster than it is sent to a worker process and back


@dataclass(frozen=True, slots=True)
class DecodeStage:
    """Reads files; several at once.

    Args:
        spec: What the embedder takes.
    """

    plan: IngestPlan
    image_reader: ImageReader
    spec: ImageSpec
    layouts: Layouts
    internal_errors: InternalErrors

    async def decode(self, new: NewFile) -> DecodedFile | Failure:
        """Return the file's rendering and facts, or why there are none."""
        try:
            decoded = await self._decode(new)
        except Exception as exc:  # noqa: BLE001 # told apart by the callee
            return self.internal_errors.failure("decode", new.file, exc)
        self.internal_errors.passed("decode")
        return decoded

    async def _decode(self, new: NewFile) -> DecodedFile:
        path, plan = new.file.path, self.plan
        decoded = await self.image_reader.read_image(
            path,
            self.spec,
            any_body_part=plan.any_body_part,
            any_pixels=plan.any_pixels,
            in_worker=new.file.size >= _MIN_BYTES_FOR_WORKER,
        )
        facts = self.layouts.facts_of(new.file.path_text)
        image = image_record(path, plan.root, new.ids, decoded, facts)
        study = await to_thread.run_sync(study_of, path, new.ids, facts, self.layouts, decoded.header.study_date)
        return DecodedFile(new, image, study, decoded.rendering)

    async def view_of(self, new: NewFile) -> str | Failure:
        """Return the file's view position from its header alone, for a dry run."""
        try:
            header = await self.image_reader.read_header(new.file.path, any_body_part=self.plan.any_body_part)
        except Exception as exc:  # noqa: BLE001 # told apart by the callee
            return self.internal_errors.failure("decode", new.file, exc)
        self.internal_errors.passed("decode")
        view, _ = view_position_of(header, self.layouts.facts_of(new.file.path_text))
        return view
