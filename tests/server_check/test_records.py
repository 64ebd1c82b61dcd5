"""Files of `mcp-cxr doctor --deep`, as users sent them, are read back.

Put a file into `records`, and its differences here, each with what was done about it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_cxr.server_check import CheckRecord, expectations, with_differences

RECORDS = Path(__file__).parent / "records"
KNOWN: dict[str, dict[str, str]] = {
    "simulated-iris-and-nim.json": {},
    "simulated-iris-2024-and-old-vllm.json": {
        "HNSW version": "documented in docs/iris.md: searches read all vectors",
        "index built": "the same",
        "padding": "refused by the client",
    },
}
"""By file, what differs from what mcp-cxr expects."""


def test_each_file_is_known():
    assert {file.name for file in RECORDS.glob("*.json")} == set(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_a_file_is_read_back(name: str):
    text = (RECORDS / name).read_text()
    record = CheckRecord.model_validate_json(text)
    assert CheckRecord.model_validate_json(record.to_text()) == record
    assert {one.name for one in expectations(record) if not one.holds} == set(KNOWN[name])
    assert set(with_differences(record).differences) == set(KNOWN[name])
