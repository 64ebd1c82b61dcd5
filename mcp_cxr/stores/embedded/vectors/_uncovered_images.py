"""Finds the images that the int8 copy does not cover: the last few after an ingest, or all after a restore."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.records import Filter
from mcp_cxr.stores.embedded.database import NOT_EXTERNAL, Changes, compose, numbers_from_json
from mcp_cxr.stores.embedded.fulltext import cached_study_mask, image_conditions, study_conditions

if TYPE_CHECKING:
    from sqlite3 import Connection

    from numpy.typing import NDArray

    from mcp_cxr.stores.embedded.database import ResultCache

    Numbers = NDArray[np.int64]

_MANY = 20_000  # from here on indexes are read in their order, not a row for each slot

_SLOTS_OF_FEW = """
SELECT json_group_array(i.slot),
    json_group_array(coalesce((SELECT number FROM studies WHERE studies.study_id = i.study_id), 0))
FROM (SELECT slot FROM images WHERE slot > :covered) AS these CROSS JOIN images AS i ON i.slot = these.slot"""
_SLOTS_OF_ALL = """
SELECT json_group_array(i.slot), json_group_array(coalesce(s.number, 0))
FROM images AS i INDEXED BY images_by_study LEFT JOIN studies AS s ON s.study_id = i.study_id
WHERE i.made_by IS NOT NULL"""
_OF_VIEWS = """
SELECT json_group_array(slot) FROM images INDEXED BY images_by_view
WHERE view_position IN (SELECT value FROM json_each(?))"""
_EXCLUDED = """
SELECT json_group_array(slot) FROM images WHERE subject_id = ? OR image_id IN (SELECT value FROM json_each(?))"""


def uncovered_images(
    connection: Connection, where: Filter, covered: int, mask_cache: ResultCache
) -> tuple[Numbers, Numbers]:
    """Return the slots, ascending, of the images after `covered` that pass, and the numbers of their studies.

    Args:
        connection: In a transaction.
        where: A filter that does not select few images.
        covered: The last slot that the copy covers.
        mask_cache: Cached studies that pass a filter, and studies of slots.
    """
    if Changes.of(connection).last_slot - covered < _MANY:
        statement, bound = compose(_SLOTS_OF_FEW, image_conditions(where), NOT_EXTERNAL)
        slots, studies = map(numbers_from_json, connection.execute(statement, {**bound, "covered": covered}).fetchone())
        passing = np.ones(len(slots), np.bool_)
    else:
        slots, studies = mask_cache.get(_all_slots, connection)
        first = int(np.searchsorted(slots, covered, side="right"))
        slots, studies = slots[first:], studies[first:]
        passing = ~np.isin(slots, excluded_slots(connection, where))
        if where.view:
            (of_views,) = connection.execute(_OF_VIEWS, (json.dumps(where.view),)).fetchone()
            passing &= np.isin(slots, numbers_from_json(of_views))
    if (study_filter := study_conditions(where)) != Filter():
        passing &= np.take(cached_study_mask(connection, study_filter, mask_cache), studies, mode="clip")
    return slots[passing], studies[passing]


def excluded_slots(connection: Connection, where: Filter) -> Numbers:
    """Return the slots of the images that a filter excludes by their id or subject."""
    (slots,) = connection.execute(_EXCLUDED, (where.exclude_subject, json.dumps(where.exclude_images))).fetchone()
    return numbers_from_json(slots)


def _all_slots(connection: Connection) -> tuple[Numbers, Numbers]:
    """Return the slots of all images, ascending, and the numbers of their studies."""
    slots, studies = map(numbers_from_json, connection.execute(_SLOTS_OF_ALL).fetchone())
    order = np.argsort(slots)
    return slots[order], studies[order]
