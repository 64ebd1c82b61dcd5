"""The values that a record may hold: each text in it is one of these codes, or a version number."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

State = Literal["finished", "not finished", "failed", "not asked"]
Failure = Literal[
    "ConfigError",
    "StoreUnavailable",
    "StoreMissing",
    "SchemaMismatch",
    "DimensionMismatch",
    "StoreError",
    "EmbeddingUnavailable",
    "EmbeddingRejected",
    "unexpected answer",
    "another error",
]
"""Errors of `mcp_cxr.errors` by name; `unexpected answer`: it is not of the type that mcp-cxr reads."""

Version = Annotated[str, Field(pattern=r"^\d{1,4}\.\d{1,4}(\.\d{1,4})?$")]
PowerOfTen = Annotated[int, Field(ge=-1, le=18)]
"""The largest power of ten that is not above the number; -1 for 0."""
Sqlcode = Annotated[int, Field(ge=0, le=9999)]
"""Positive; 0: not refused."""
Seconds = Annotated[float, Field(ge=0, le=1e6)]
Milliseconds = Annotated[float, Field(ge=0, le=1e8)]
Count = Annotated[int, Field(ge=0, le=10**9)]
Cosine = Annotated[float, Field(ge=-1.001, le=1.001)]
HttpStatus = Annotated[int, Field(ge=0, le=999)]
"""0: no answer."""

CellKind = Literal["integer", "float", "decimal", "text", "null", "bytes", "other"]
Verb = Literal["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "other"]
VectorForm = Literal["1,2", "[1,2]", "another form"]
Case = Literal["as stored", "capitals", "another case", "refused"]
CaseQuery = Literal["SELECT", "DISTINCT", "GROUP BY", "MAX", "UNION", "ORDER BY"]
Wrong = Literal[
    "vector length in INSERT",
    "vector length in a query",
    "text for a number",
    "text too long",
    "no such table",
    "no such column",
    "second row of one key",
]
TABLES = ("images", "Studies", "Labels", "Terms", "Sample", "Files", "Collection")
"""The table of images and its side tables, `T1` to `T7` in plans."""
TableName = Literal["images", "Studies", "Labels", "Terms", "Sample", "Files", "Collection"]
Privilege = Literal["SELECT", "INSERT", "UPDATE", "DELETE", "%NOLOCK"]
OptionName = Literal["LockThreshold", "LockTimeout", "FastDistinct"]

Dialect = Literal["nim", "infinity", "vllm"]
KnownModel = Literal[
    "nvidia/nvclip-vit-h-14",
    "nvidia/nvclip",
    "google/medsiglip-448",
    "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
    "another model",
]
"""As it is configured; the name of any other is left out."""
Request = Literal[
    "health",
    "identity",
    "an unknown field",
    "a damaged image",
    "name nvidia/nvclip-vit-h-14",
    "name nvidia/nvclip",
    "2 images",
    "32 images",
    "33 images",
    "64 images",
    "65 images",
]
Pair = Literal[
    "text 1, image 1",
    "text 1, image 2",
    "text 2, image 1",
    "text 2, image 2",
    "texts",
    "images",
    "same text",
    "text in capitals",
    "same image",
]


def power_of_ten(number: float) -> int:
    """Return the power of ten of a count, as `PowerOfTen`."""
    return len(str(int(number))) - 1 if number >= 1 else -1


def cell_kind(cell: object) -> CellKind:
    """Return the kind of a cell as the driver gives it."""
    kinds: dict[type, CellKind] = {int: "integer", float: "float", str: "text", bytes: "bytes", type(None): "null"}
    return kinds.get(type(cell), "decimal" if type(cell).__name__ == "Decimal" else "other")
