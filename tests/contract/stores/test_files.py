"""What became of files is kept by path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.stores.making import outcome

if TYPE_CHECKING:
    from mcp_cxr.stores import Store


async def test_outcomes_come_back_as_they_were_recorded(store: Store) -> None:
    good, bad = outcome("/films/a.dcm", "a", size=2**40), outcome("/films/b.dcm", reason="truncated pixel data")
    await store.record([good, bad])
    assert await store.outcomes([good.path, bad.path, "/never/seen"]) == {good.path: good, bad.path: bad}


async def test_a_later_outcome_of_the_same_path_replaces_the_earlier(store: Store) -> None:
    await store.record([outcome("/a", reason="not DICOM")])
    await store.record([outcome("/a", "a", size=11)])
    assert await store.outcomes(["/a"]) == {"/a": outcome("/a", "a", size=11)}


async def test_several_files_may_have_become_one_image(store: Store) -> None:
    await store.record([outcome("/a", "a"), outcome("/copy of a", "a")])
    assert set(await store.outcomes(["/a", "/copy of a"])) == {"/a", "/copy of a"}


async def test_paths_differ_by_case_and_may_be_no_unicode(store: Store) -> None:
    odd = [outcome("/A", "a"), outcome("/a", "b"), outcome("/\udcff.dcm", "c"), outcome("/ü 'x' \"y\"", "d")]
    await store.record(odd)
    assert await store.outcomes([file.path for file in odd]) == {file.path: file for file in odd}


async def test_thousands_of_paths_are_asked_at_once(store: Store) -> None:
    await store.record([outcome("/a", "a")])
    assert set(await store.outcomes([*(f"/none/{n}" for n in range(40_000)), "/a"])) == {"/a"}
