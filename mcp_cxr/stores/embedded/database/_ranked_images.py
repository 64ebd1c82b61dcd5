"""Reads the ids of the best images of a ranking, once their scores are known."""

from __future__ import annotations

import json
from itertools import repeat
from operator import neg
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.records import RankedImage
from mcp_cxr.stores.embedded.database._cells import numbers_from_json
from mcp_cxr.stores.embedded.database._filter import VIEW_RANK

if TYPE_CHECKING:
    from sqlite3 import Connection
    from typing import Any, LiteralString

    from numpy.typing import NDArray

# CROSS JOIN fixes the order: the slots first. All rows in one, as `nearest` reads them, and column by column: Python
# makes a list of each array, and its garbage collector walks through lists.
_IMAGES: LiteralString = (
    "SELECT json_group_array(i.slot), json_group_array("
    + VIEW_RANK
    + """), json_group_array(i.image_id), json_group_array(i.study_id), json_group_array(i.subject_id)
FROM json_each(?) AS these CROSS JOIN images AS i ON i.slot = these.value WHERE i.made_by IS NOT NULL"""
)


def ranked_images(
    connection: Connection,
    slots: NDArray[np.int64],
    scores: NDArray[np.floating[Any]],
    *,
    limit: int,
    frontal_first: bool = False,
) -> list[RankedImage]:
    """Return the first `limit` of these images that exist, by falling score; ties by id.

    Args:
        connection: In the transaction in which `slots` were found.
        slots: Each once.
        scores: Of the image in each slot.
        limit: At least 1.
        frontal_first: Ties are frontal before lateral before others, then by id.
    """
    falling = np.argsort(-scores)  # then little is left to sort
    slots, scores = slots[falling], scores[falling]
    found, views, *ids = connection.execute(_IMAGES, (json.dumps(slots.tolist()),)).fetchone()
    in_order = np.argsort(slots)
    negated = -scores[in_order[np.searchsorted(slots, numbers_from_json(found), sorter=in_order)]]
    first = json.loads(views) if frontal_first else repeat(0)
    best = sorted(zip(negated.tolist(), first, *map(json.loads, ids), strict=False))[:limit]
    if not best:
        return []
    negated, _, *ids = zip(*best, strict=True)
    columns = zip(*ids, map(neg, negated), strict=True)
    return list(map(tuple.__new__, repeat(RankedImage), columns))  # type: ignore[arg-type]  # `_make` is slower
