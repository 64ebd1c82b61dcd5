"""The page's own API over HTTP: uploads, renderings, exports, the ingest and saved queries."""

from __future__ import annotations

import csv
import io
import json
import time
import zipfile
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from PIL import Image

from mcp_cxr.research.data_check import LIST_NAMES
from tests.chat.planted_check import keep_check
from tests.chat.test_request_checks import answer, answer_bytes, session_of
from tests.server.archives import write_small_images

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.archives import Ingested
    from tests.support.chatting import Chatting

TIMEOUT_S = 120
SEARCH = {"query": "pleural effusion"}


@pytest.fixture(scope="module")
def secret(chatting: Chatting) -> str:
    return session_of(chatting)


@pytest.fixture
def ask(chatting: Chatting, secret: str) -> Any:
    """Send a request with the secret; return its status and its body."""

    def asked(path: str, sent: object = None, **headers: str) -> tuple[int, bytes]:
        body = sent if isinstance(sent, bytes | None) else json.dumps(sent)
        method = "GET" if body is None else "POST"
        status, _, content = answer_bytes(
            chatting, f"/api{path}", method=method, body=body, X_Session_Secret=secret, **headers
        )
        return status, content

    return asked


def upload(ask: Any, content: bytes, name: str) -> tuple[int, bytes]:
    return ask("/uploads", content, X_File_Name=quote(name))


def search(ask: Any, **arguments: object) -> dict[str, Any]:
    status, content = ask("/tool", {"name": "search_medical_images", "arguments": arguments})
    assert status == 200
    return json.loads(content)


def test_the_page_is_told_what_it_needs(ask: Any, folder: Path) -> None:
    assert json.loads(ask("/page")[1]) == {
        "is_private": False,
        "folder": str(folder),
        "has_pacs": False,
        "has_ended": False,
    }


@pytest.mark.parametrize("sent", [{"since": "yesterday"}, {"until": "2026-11-1"}, {"since": 3}])
def test_what_is_no_day_is_refused(ask: Any, sent: object) -> None:
    assert ask("/pull", sent)[0] == 400
    assert json.loads(ask("/pull")[1]) == {"state": "none"}


def test_an_upload_needs_no_ending_and_finds_itself(ask: Any, archive: Ingested) -> None:
    image = next(one for one in archive.drawn.images if one.syntax == "explicit")
    status, content = upload(ask, image.path.read_bytes(), "Bild ü")
    assert (status, json.loads(content)["name"]) == (200, "Bild ü")
    upload_id = json.loads(content)["id"]
    page = search(ask, like=[upload_id])["structuredContent"]
    assert page["images"][0]["study_id"] == image.study_id
    assert page["images"][0]["similarity_score"] == pytest.approx(1, abs=1e-3)
    status, shown = ask(f"/rendering?image={upload_id}&px=128")
    with Image.open(io.BytesIO(shown)) as picture:
        assert (status, max(picture.size)) == (200, 128)
    assert json.loads(ask(f"/uploads/{upload_id}")[1]) == {"name": "Bild ü"}


@pytest.mark.parametrize("content", [b"", b"no image", b"%PDF-1.4", bytes(2000)])
def test_a_refused_upload_is_explained_by_its_own_name_and_deleted(
    ask: Any, chatting: Chatting, content: bytes
) -> None:
    folder = chatting.opening_file.parent / "uploads"
    before = sorted(folder.iterdir())
    status, told = upload(ask, content, "chest_1 [new].png")
    assert status == 422
    assert 0 < len(told) < 200
    assert b"mcp-cxr-chat-" not in told
    assert sorted(folder.iterdir()) == before


def test_an_upload_of_an_ended_page_is_gone(ask: Any) -> None:
    status, told = ask("/uploads/upload:0123")
    assert (status, b"add the file again" in told) == (404, True)
    assert search(ask, like=["upload:0123"])["isError"]


@pytest.mark.parametrize("query", ["", "?image=x", "?px=100", "?image=x&px=4096", "?image=x&px=-1", "?image=x&px=1e3"])
def test_a_rendering_needs_an_image_and_a_size(ask: Any, query: str) -> None:
    assert ask(f"/rendering{query}")[0] == 400


def test_a_rendering_of_no_image_says_so(ask: Any) -> None:
    status, told = ask("/rendering?image=nothing&px=100")
    assert (status, b"nothing" in told) == (422, True)


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_all_matches_are_exported_with_what_was_asked(ask: Any) -> None:
    page = search(ask, **SEARCH)["structuredContent"]
    status, content = ask("/export", {"kind": "csv", "arguments": {**SEARCH, "view": ["PA", "AP"]}, "ranks": None})
    rows = rows_of(content)
    assert status == 200
    assert 0 < len(rows) <= page["matched_results"]
    assert [int(row["rank"]) for row in rows] == list(range(1, len(rows) + 1))
    assert {row["matched"] for row in rows} == {"full"}
    first = rows[0]
    assert (first["question"], first["filters"]) == ("pleural effusion", "view: PA, AP")
    assert first["path"].endswith(".dcm")
    assert "effusion" in first["why"]
    assert "Pleural Effusion=1" in first["labels"]
    assert first["fingerprint"].startswith("offline-sketch")
    assert first["searched_at"].endswith("+00:00")


@pytest.mark.parametrize("kind", ["zip", "originals"])
def test_a_selection_is_packed_in_the_order_of_its_ranks(ask: Any, kind: str, archive: Ingested) -> None:
    hits = search(ask, **SEARCH)["structuredContent"]["images"]
    ranks = {hits[index]["image_id"]: hits[index]["rank"] for index in (2, 0)}
    status, content = ask("/export", {"kind": kind, "arguments": SEARCH, "ranks": ranks})
    assert status == 200
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        table, *names = packed.namelist()
        assert [row["rank"] for row in rows_of(packed.read(table))] == ["1", "3"]
        assert [name.rpartition(".")[0] for name in names] == [
            f"{hits[index]['rank']:03}_{hits[index]['image_id']}" for index in (0, 2)
        ]
        for name, index in zip(names, (0, 2), strict=True):
            if kind == "originals":
                original = next(one for one in archive.drawn.images if one.image_id == hits[index]["image_id"])
                assert packed.read(name) == original.path.read_bytes()
            else:
                with Image.open(io.BytesIO(packed.read(name))) as rendering:
                    assert len(rendering.convert("L").getcolors() or []) > 50


def test_a_selection_that_is_no_longer_there_is_refused(ask: Any) -> None:
    status, told = ask("/export", {"kind": "csv", "arguments": SEARCH, "ranks": {"elsewhere": 1}})
    assert (status, b"Search again" in told) == (422, True)


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"kind": "pdf", "arguments": SEARCH},
        {"kind": "csv", "arguments": "x"},
        {"kind": "csv", "arguments": SEARCH, "ranks": {"a": 0}},
        {"kind": "csv", "arguments": SEARCH, "ranks": ["a"]},
    ],
)
def test_what_is_no_export_is_refused(ask: Any, sent: object) -> None:
    assert ask("/export", sent)[0] == 400


def test_an_error_of_the_search_ends_the_export(ask: Any) -> None:
    status, told = ask("/export", {"kind": "csv", "arguments": {**SEARCH, "date_from": "yesterday"}, "ranks": None})
    assert (status, b"must be a date" in told) == (422, True)


def ingested(ask: Any) -> dict[str, Any]:
    """Wait for the end of the ingest."""
    while (state := json.loads(ask("/ingest")[1]))["state"] == "running":
        continue
    return state


def test_an_ingest_names_the_files_that_it_left_out(ask: Any, tmp_path: Path) -> None:
    write_small_images(tmp_path, 3)
    (tmp_path / "broken.dcm").write_bytes(b"not a DICOM file")
    assert ask("/ingest", {"folder": f" '{tmp_path}' ", "dry_run": True})[0] == 200
    assert ingested(ask)["summary"]["would_add"] is not None
    assert ask("/ingest", {"folder": str(tmp_path)})[0] == 200
    done = ingested(ask)
    assert (done["state"], done["summary"]["errors"]) == ("done", 1)
    (broken,) = (one for one in done["left_out"]["files"] if one["path"].endswith("broken.dcm"))
    assert broken["reason"] == "not DICOM"


def test_a_broad_folder_is_added_after_a_second_yes(ask: Any) -> None:
    status, told = ask("/ingest", {"folder": "/", "dry_run": True})
    assert (status, "whole file system" in json.loads(told)["warning"]) == (409, True)


@pytest.mark.parametrize("named", ["images", "/nowhere/at/all"])
def test_what_is_no_folder_is_said(ask: Any, named: str) -> None:
    assert ask("/ingest", {"folder": named})[0] == 200
    assert "is no folder on this machine" in ingested(ask)["problem"]


@pytest.mark.parametrize("sent", [{}, {"folder": " "}, {"folder": 3}, {"folder": "~nobody-here/x"}])
def test_a_folder_must_be_named(ask: Any, sent: object) -> None:
    assert ask("/ingest", sent)[0] == 400


def test_queries_are_saved_for_the_user_alone_and_deleted(ask: Any, archive: Ingested) -> None:
    assert ask("/queries", {"name": " mine ", "query": SEARCH})[0] == 200
    assert json.loads(ask("/queries")[1])["mine"] == SEARCH
    assert (archive.data_dir / "questions.json").stat().st_mode & 0o777 == 0o600
    assert ask("/queries", {"name": "mine", "query": None})[0] == 200
    assert "mine" not in json.loads(ask("/queries")[1])
    assert ask("/queries", {"name": "", "query": SEARCH})[0] == 400
    upload_id = json.loads(upload(ask, archive.drawn.images[0].path.read_bytes(), "x")[1])["id"]
    assert ask("/queries", {"name": "x", "query": {"like": [upload_id]}})[0] == 422


@pytest.mark.parametrize("path", ["/page", "/rendering?image=x&px=100", "/uploads/x", "/ingest", "/queries"])
def test_everything_needs_the_secret(chatting: Chatting, path: str) -> None:
    assert answer(chatting, f"/api{path}")[0] == 403


def tool(ask: Any, name: str, **arguments: object) -> dict[str, Any]:
    return json.loads(ask("/tool", {"name": name, "arguments": arguments})[1])


def test_the_check_of_the_data_is_shown_by_list_and_page(ask: Any, archive: Ingested) -> None:
    check = keep_check(archive)
    found = tool(ask, "get_data_check")["structuredContent"]
    assert [(one["name"], one["total"], one["not_made"]) for one in found["lists"]] == [
        ("labels", 26, None),
        ("duplicates", 1, None),
        ("dates", 0, "No study has a date, an age or a sex."),
    ]
    assert (found["list"], len(found["entries"])) == ("labels", 24)
    rest = tool(ask, "get_data_check", list="labels", offset=24)["structuredContent"]
    assert [one["key"] for one in rest["entries"]] == [one.key for one in check.lists[0].entries[24:]]


def test_decisions_are_kept_shown_exported_and_taken_back(ask: Any, archive: Ingested) -> None:
    keep_check(archive)
    assert ask("/data-check/decision", {"key": "duplicates|pair", "decision": "wrong"})[0] == 200
    (entry,) = tool(ask, "get_data_check", list="duplicates")["structuredContent"]["entries"]
    assert entry["decision"] == "wrong"
    status, table = ask("/data-check/table")
    assert status == 200
    assert [(one["list"], one["decision"]) for one in rows_of(table)][:2] == [("duplicates", "wrong"), ("labels", "")]
    assert ask("/data-check/decision", {"key": "duplicates|pair", "decision": None})[0] == 200
    (entry,) = tool(ask, "get_data_check", list="duplicates")["structuredContent"]["entries"]
    assert entry["decision"] is None


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"key": "duplicates|pair", "decision": "bad"}, b"Unknown decision 'bad'"),
        ({"key": "no such", "decision": "wrong"}, b"no such entry"),
        ({"decision": "wrong"}, b"key"),
    ],
)
def test_what_is_no_decision_is_refused(ask: Any, archive: Ingested, sent: object, message: bytes) -> None:
    keep_check(archive)
    status, told = ask("/data-check/decision", sent)
    assert status == 422
    assert message in told


def test_the_page_checks_the_data_in_a_process_of_its_own(ask: Any, archive: Ingested) -> None:
    keep_check(archive)
    assert ask("/data-check", {})[0] == 200
    assert ask("/data-check", {})[1] == b"The data is being checked. Wait for the end, or stop it."
    give_up = time.monotonic() + TIMEOUT_S
    while (job := json.loads(ask("/data-check")[1]))["state"] == "running":
        assert time.monotonic() < give_up
        time.sleep(0.1)  # polls another process, as the page does
    assert job == {"state": "done", "summary": {}}
    lists = tool(ask, "get_data_check")["structuredContent"]["lists"]
    assert [one["name"] for one in lists] == list(LIST_NAMES)
