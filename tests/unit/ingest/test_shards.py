"""Shards of a folder: each file is in exactly one, a study never in two, on every machine alike."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from mcp_cxr.errors import ConfigError
from mcp_cxr.ingest import Candidate, Shard

SHARDS = 4
KEPT, KEPT_STUDIES = [0, 2, 0, 1, 2, 1, 1, 2], [3, 2, 1, 1, 2, 2, 2, 0]
"""Shards as first released: with another hash, the files of a running job would change shards."""


def mimic(image: int, root: str = "/images") -> str:
    name = "-".join([f"{image:08x}"] * 5)
    return f"{root}/files/p10/p10{image // 6:06}/s5{image // 2:07}/{name}.dcm"


def part_of(name: str, root: str = "/images") -> int:
    (part,) = [index for index in range(SHARDS) if Shard(index, SHARDS).holds(Candidate(name, 1, 1), root)]
    return part


def test_a_study_is_in_one_shard_and_shards_are_of_similar_size() -> None:
    parts: dict[int, set[int]] = defaultdict(set)
    for image in range(8000):
        parts[image // 2].add(part_of(mimic(image)))
    assert {len(found) for found in parts.values()} == {1}
    sizes = Counter(next(iter(found)) for found in parts.values())
    assert min(sizes.values()) > 900


def test_files_of_one_folder_outside_mimic_s_layout_are_spread_over_shards() -> None:
    sizes = Counter(part_of(f"/images/{number}.dcm") for number in range(4000))
    assert min(sizes.values()) > 900


def test_a_file_s_shard_depends_neither_on_the_mount_point_nor_on_the_run() -> None:
    assert [part_of(mimic(number)) for number in range(0, 20, 2)] == [
        part_of(mimic(n, "/mnt")) for n in range(0, 20, 2)
    ]
    assert part_of("/images/a/1.dcm") == part_of("/mnt/b/a/1.dcm", "/mnt/b")
    assert [part_of(f"/images/{number}.dcm") for number in range(8)] == KEPT
    assert [part_of(mimic(number)) for number in range(0, 16, 2)] == KEPT_STUDIES


@pytest.mark.parametrize(
    "text", ["", "1", "1/", "/2", "2/2", "3/2", "0/0", "-1/2", "1.0/2", "1/2/3", " 0/2", "\u0660/2"]
)
def test_a_malformed_shard_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="0 <= I < N"):
        Shard.parse(text)


def test_a_shard_is_parsed() -> None:
    assert (Shard.parse("0/1"), Shard.parse("15/16")) == (Shard(0, 1), Shard(15, 16))
