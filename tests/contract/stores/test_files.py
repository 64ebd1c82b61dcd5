"""Outcomes of files are recorded by path."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mcp_cxr.records import Filter, ImageId
from mcp_cxr.stores import Store
from tests.contract.stores.making import image, outcome, vectors

if TYPE_CHECKING:
    from mcp_cxr.records import Outcome
    from tests.contract.stores.backends import Backend


async def test_outcomes_come_back_as_they_were_recorded(store: Store) -> None:
    good, bad = outcome("/images/a.dcm", "a", size=2**40), outcome("/images/b.dcm", reason="truncated pixel data")
    await store.record_outcomes([good, bad])
    assert await store.outcomes([good.path, bad.path, "/never/seen"]) == {good.path: good, bad.path: bad}


async def test_refused_files_come_by_path_with_the_version_that_refused_them(store: Store) -> None:
    bad = replace(outcome("/images/b.dcm", reason="not DICOM"), reading=7)
    odd = outcome("/a/\udcff.dcm", reason="blank image")
    await store.record_outcomes([bad, outcome("/images/a.dcm", "a"), odd])
    assert await store.refused_files() == [odd, bad]


async def test_a_later_outcome_of_the_same_path_replaces_the_earlier(store: Store) -> None:
    await store.record_outcomes([outcome("/a", reason="not DICOM")])
    await store.record_outcomes([outcome("/a", "a", size=11)])
    assert await store.outcomes(["/a"]) == {"/a": outcome("/a", "a", size=11)}


async def test_several_files_may_hold_one_image(store: Store) -> None:
    await store.record_outcomes([outcome("/a", "a"), outcome("/copy of a", "a")])
    assert set(await store.outcomes(["/a", "/copy of a"])) == {"/a", "/copy of a"}


async def test_other_files_of_an_image_are_listed_with_their_reason_and_go_with_it(store: Store) -> None:
    here = outcome("/archive/files/a.dcm", "a")
    copy, odd = outcome("/b", "a", reason="other pixels"), outcome("/\udcff.dcm", "a")
    await store.put([image("a"), image("c")], vectors(2))
    await store.record_outcomes([copy, odd, here, outcome("/c", "c")])
    assert await store.files_of([ImageId("a"), ImageId("never seen")]) == [here, copy, odd]
    assert await store.files_of([]) == []
    assert await store.refused_files() == [copy]
    assert await unchanged_files(store, status(here, copy, odd)) == {here.path: "a"}
    await store.forget(Filter(image_id=ImageId("a")))
    assert await store.files_of([ImageId("a")]) == await store.refused_files() == []


async def test_files_are_found_by_their_name_in_any_folder(store: Store) -> None:
    named = [outcome("/a/00000013_005.png", "a"), outcome("/b/00000013_005.png", reason="blank image")]
    others = [outcome("/a/x00000013_005.png", "b"), outcome("/a/00000013_005.PNG", "c"), outcome("/100%/_.png", "d")]
    await store.record_outcomes([*named, *others, outcome("/a/\udcff.png", "e")])
    assert await store.files_named("00000013_005.png") == named
    assert await store.files_named("_.png") == [others[2]]
    for nothing in ("005.png", "%", "a"):
        assert await store.files_named(nothing) == []


async def test_paths_are_case_sensitive_and_may_be_invalid_unicode(store: Store) -> None:
    odd = [outcome("/A", "a"), outcome("/a", "b"), outcome("/\udcff.dcm", "c"), outcome("/ü 'x' \"y\"", "d")]
    await store.record_outcomes(odd)
    assert await store.outcomes([file.path for file in odd]) == {file.path: file for file in odd}


async def test_outcomes_takes_thousands_of_paths(store: Store) -> None:
    await store.record_outcomes([outcome("/a", "a")])
    assert set(await store.outcomes([*(f"/none/{n}" for n in range(40_000)), "/a"])) == {"/a"}


def status(*outcomes: Outcome) -> dict[str, tuple[int, int]]:
    return {one.path: (one.size, one.mtime_ns) for one in outcomes}


async def unchanged_files(store: Store, asked: dict[str, tuple[int, int]]) -> dict[str, ImageId | None]:
    """Return the store's result, checked against that of the base class."""
    own = await store.unchanged_files(asked)
    assert await Store.unchanged_files(store, asked) == own
    return own


async def test_unchanged_files_are_refused_ones_and_those_whose_image_is_shown_from_them(store: Store) -> None:
    await store.put([image("a"), image("ü", root="/", image_path="\udcff.dcm")], vectors(2))
    good, odd = outcome("/archive/files/a.dcm", "a"), outcome("/\udcff.dcm", "ü")
    bad = outcome("/archive/b.dcm", reason="not DICOM")
    await store.record_outcomes([good, odd, bad])
    asked = status(good, odd, bad, outcome("/archive/never seen.dcm", "a"))
    assert await unchanged_files(store, asked) == {good.path: "a", odd.path: "ü", bad.path: None}


async def test_changed_files_and_files_of_moved_removed_or_external_images_need_work(
    store: Store, backend: Backend
) -> None:
    await store.put([image("a")], vectors(1))
    backend.put_external("b", "s1", "p1")
    here, copy = outcome("/archive/files/a.dcm", "a"), outcome("/archive/copy of a.dcm", "a")
    gone, external = outcome("/archive/files/gone.dcm", "gone"), outcome("/archive/files/b.dcm", "b")
    await store.record_outcomes([here, copy, gone, external])
    assert await unchanged_files(store, status(copy, gone, external)) == {}
    size, mtime_ns = status(here)[here.path]
    assert await unchanged_files(store, {here.path: (size + 1, mtime_ns)}) == {}
    assert await unchanged_files(store, {here.path: (size, mtime_ns + 1)}) == {}
    assert await unchanged_files(store, {here.path: (size, mtime_ns)}) == {here.path: "a"}
