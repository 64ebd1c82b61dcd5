"""Tells apart images that an anonymizer gave the same SOP Instance UID."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from anyio import to_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.ingest._ids import IdAssigner
    from mcp_cxr.ingest._plan import WorkItem
    from mcp_cxr.records import ImageId, ImageRecord
    from mcp_cxr.stores import Store


async def tell_apart(items: Sequence[WorkItem], store: Store, id_assigner: IdAssigner) -> None:
    """Give each item a new image id if another file has its id for an image of another study or patient.

    The first file keeps the id. Items whose ids come from MIMIC's layout, or from an earlier outcome, are left alone.
    """
    own = [item for item in items if item.ids.study_id and not item.ids.is_public]
    stored = await store.get(list({item.ids.image_id for item in own}))
    rivals = {image_id: image.image for image_id, image in stored.items() if not image.external}
    first: dict[ImageId, WorkItem] = {}
    for item in own:
        rival = rivals.get(item.ids.image_id)
        earlier = first.setdefault(item.ids.image_id, item)
        is_other = earlier.ids != item.ids if rival is None else await _is_other(item, rival)
        if is_other:
            item.ids, item.shares_uid = id_assigner.with_distinct_image_id(item.ids), True
            item.image = item.image and replace(item.image, image_id=item.ids.image_id)


async def _is_other(item: WorkItem, stored: ImageRecord) -> bool:
    """Whether the stored image is another one; if only the patient differs, the stored image's file must exist."""
    if stored.file == item.file.path:
        return False
    if stored.study_id != item.ids.study_id:
        return True
    return stored.subject_id != item.ids.subject_id and await to_thread.run_sync(stored.file.exists)
