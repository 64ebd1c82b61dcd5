"""The SQLite file: connections, transactions, errors, schema, cells, and filters as SQL."""

from mcp_cxr.stores.embedded.database import _archive_info as archive_info
from mcp_cxr.stores.embedded.database._archive_info import fingerprint_of
from mcp_cxr.stores.embedded.database._cells import (
    numbers_from_json,
    path_from_cell,
    path_to_cell,
    stack_blobs,
    stack_blobs_or_nan,
    vector_from_blob,
    vector_to_blob,
)
from mcp_cxr.stores.embedded.database._connections import Connections
from mcp_cxr.stores.embedded.database._file_system import (
    CAN_LOCK,
    LockBusy,
    is_open_to_others,
    locked,
    network_file_system,
)
from mcp_cxr.stores.embedded.database._filter import (
    NOT_EXTERNAL,
    STUDY_AGE,
    STUDY_LABELS_BY,
    STUDY_LANGUAGE,
    STUDY_POSITIVES_ONLY,
    STUDY_SEX,
    VIEW_RANK,
    compose,
)
from mcp_cxr.stores.embedded.database._ranked_images import ranked_images
from mcp_cxr.stores.embedded.database._result_cache import Changes, RankingCache, ResultCache, StaleCopy

__all__ = [
    "CAN_LOCK",
    "NOT_EXTERNAL",
    "STUDY_AGE",
    "STUDY_LABELS_BY",
    "STUDY_LANGUAGE",
    "STUDY_POSITIVES_ONLY",
    "STUDY_SEX",
    "VIEW_RANK",
    "Changes",
    "Connections",
    "LockBusy",
    "RankingCache",
    "ResultCache",
    "StaleCopy",
    "archive_info",
    "compose",
    "fingerprint_of",
    "is_open_to_others",
    "locked",
    "network_file_system",
    "numbers_from_json",
    "path_from_cell",
    "path_to_cell",
    "ranked_images",
    "stack_blobs",
    "stack_blobs_or_nan",
    "vector_from_blob",
    "vector_to_blob",
]
