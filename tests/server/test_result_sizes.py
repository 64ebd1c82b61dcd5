"""What a search result costs a model, and whether strict clients accept the sparsest and the fullest one."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from mcp_cxr.records import Hit, SearchResult, Understood, _search_result
from mcp_cxr.server._redaction import hit_has_untrusted_text, redact_search_result
from mcp_cxr.server._strict_tool import tool_result

if TYPE_CHECKING:
    from mcp_types import CallToolResult

    from tests.server.conftest import Host

IMAGE_ID = "02aa804e-bde0afdd-112c0b34-7bc16630-4e384014"
EXCERPT = "x" * 138
CONFLICTING = "5 of these studies have labels that contradict the report"
LEFT = f"900 deny it and are left out; {CONFLICTING}"
SILENT = "1,000 do not mention it, or deny only a part"
OTHERS = "the others match only single words or the report's indication"
REQUIRED_OF_HIT = {"rank", "image_id", "study_id", "subject_id", "view_position", "why"}
REQUIRED = {
    *(
        "search_mode",
        "embedder",
        "total_results",
        "results_count",
        "offset",
        "execution_time_ms",
        "cache_hit",
        "images",
    ),
}


def hit(rank: int, **more: Any) -> Hit:
    return Hit(
        rank=rank,
        image_id=IMAGE_ID,
        study_id="s50414267",
        subject_id="p10000032",
        study_date="2180-05-06",
        view_position="PA",
        image_path=f"files/p10/p10000032/s50414267/{IMAGE_ID}.dcm",
        similarity_score=0.231482,
        similarity_z=4.13,
        percentile=99.98,
        matched="full",
        why=["pixels", "report: left pleural effusion"],
        **more,
    )


def result(hits: list[Hit], **more: Any) -> SearchResult:
    given: dict[str, Any] = {
        "query": "left pleural effusion",
        "understood": Understood(findings=["pleural effusion, left"], embedded="left pleural effusion"),
        "matched_results": 162,
        "counts": {
            "present": 150,
            "possible": 12,
            "part": 310,
            "unknown": 20,
            "silent": 1000,
            "denied": 900,
            "conflicting": 5,
        },
        "next_offset": len(hits),
    }
    return SearchResult(
        search_mode="hybrid",
        embedder="nvidia/nvclip-vit-h-14",
        total_results=1968,
        results_count=len(hits),
        offset=0,
        execution_time_ms=41.2,
        cache_hit=False,
        images=hits,
        **{**given, **more},
    )


def given_to_a_model(page: SearchResult, share: tuple[str, ...] = ("reports",)) -> CallToolResult:
    shared = redact_search_result(page, share)
    return tool_result(shared, has_untrusted_text=any(hit_has_untrusted_text(one) for one in shared.images))


def tokens(page: SearchResult) -> float:
    return sum(len(block.text) for block in given_to_a_model(page).content if block.type == "text") / 4


@pytest.mark.parametrize(("hits", "most"), [(5, 500), (20, 1750)])
def test_a_page_without_excerpts_is_short(hits: int, most: int):
    without = tokens(result([hit(rank) for rank in range(1, hits + 1)]))
    assert without <= most
    with_excerpts = tokens(result([hit(rank, report_excerpt=EXCERPT) for rank in range(1, hits + 1)]))
    assert with_excerpts - without <= 45 * hits


def test_empty_fields_and_repeated_ids_are_left_out_and_absent_labels_are_names():
    labels = {"Edema": 1, "Pneumonia": -1, "Pneumothorax": 0, "Fracture": 0}
    one = hit(1, labels=labels, labels_absent=["Pneumothorax", "Fracture"], missing=[], report_excerpt=None)
    data = given_to_a_model(result([one], fallback_reason=None)).structured_content
    assert data
    (found,) = data["images"]
    assert found["labels"] == {"Edema": 1, "Pneumonia": -1}
    assert found["labels_absent"] == ["Pneumothorax", "Fracture"]
    assert not {"missing", "report_excerpt", "image_path"} & found.keys()
    assert not {"fallback_reason", "warnings", "filters"} & data.keys()
    assert data["understood"] == {"findings": ["pleural effusion, left"], "embedded": "left pleural effusion"}


FULLEST = result(
    [
        hit(1, labels={"Edema": 1, "Fracture": 0}, labels_absent=["Fracture"], report_excerpt="Edema."),
        hit(2).model_copy(update={"matched": "part", "missing": ["pleural effusion, left: denied"]}),
    ],
    fallback_reason="The service is down.",
    filters={"view": ["PA"], "has_report": True},
    warnings=["Imprecise."],
    understood=Understood(
        findings=["pleural effusion, left"],
        without=["pneumothorax"],
        words=["portable"],
        view=["PA"],
        ids=["s50414267"],
        limit=5,
        corrected={"efusion": "effusion"},
        ignored=["married"],
        embedded="left pleural effusion",
    ),
)
SPARSEST_HIT = Hit(rank=1, image_id="a", study_id="b", subject_id="c", view_position="PA", why=["filter"])
NOTHING: dict[str, Any] = dict.fromkeys(("query", "understood", "matched_results", "counts", "next_offset"))


@pytest.mark.parametrize(
    "page",
    [FULLEST, result([SPARSEST_HIT], **NOTHING), result([], **NOTHING)],
    ids=["fullest", "sparsest hit", "no hit"],
)
async def test_a_strict_client_accepts_the_result(page: SearchResult, host: Host):
    tools = {tool.name: tool for tool in (await host.client.list_tools()).tools}
    schema = tools["search_medical_images"].output_schema
    assert schema
    assert set(schema["required"]) == REQUIRED
    assert set(schema["$defs"]["Hit"]["required"]) == REQUIRED_OF_HIT
    assert "required" not in schema["$defs"]["Understood"]
    strict = {**schema, "additionalProperties": False}
    strict["$defs"] = {name: {**one, "additionalProperties": False} for name, one in schema["$defs"].items()}
    for share in (("reports",), ()):
        Draft202012Validator(strict).validate(given_to_a_model(page, share).structured_content)
    Draft202012Validator(strict).validate(page.model_dump())


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, f"162 studies match; 310 match in part; {LEFT}; the rest is ranked by similarity"),
        ({"total_results": 472}, f"162 studies match; 310 match in part; {LEFT}"),
        (
            {"search_mode": "keyword"},
            f"162 studies match; 310 match in part; {LEFT}; {OTHERS}",
        ),
        (
            {"total_results": 472, "understood": Understood(findings=["edema"], without=["effusion", "nodule"])},
            f"162 studies match; 310 match in part; {LEFT}; studies that state effusion or nodule are left out",
        ),
        ({"matched_results": 1, "total_results": 311}, f"1 study matches; 310 match in part; {LEFT}"),
        ({"matched_results": None, "counts": None}, None),
        (
            {"matched_results": 0, "total_results": 0, "search_mode": "keyword"},
            f"0 studies match; 900 deny it and are left out; 20 have no report or label; {CONFLICTING}",
        ),
        (
            {"understood": Understood(without=["support device"])},
            f"162 studies match; {SILENT}; 20 have no report or label; {CONFLICTING}",
        ),
    ],
)
def test_the_matched_number_is_said_to_people(changes: dict[str, Any], text: str | None):
    assert result([]).model_copy(update=changes).matches_text() == text


def test_hits_after_the_matches_are_set_apart():
    ranked = [hit(rank).model_copy(update={"matched": how}) for rank, how in enumerate(("full", "part", "no"), start=1)]
    assert result(ranked).rest_heading() == (3, "Ranked by similarity: no report or label matches")
    assert result(ranked[:2]).rest_heading() is None
    denied = result(ranked, understood=Understood(without=["pleural effusion"]))
    assert denied.rest_heading() == (3, "Not mentioned, only a part denied, or no report or label")
    assert "the list is ordered by similarity" in str(denied.model_copy(update={"images": ranked[::-1]}).matches_text())
    mixed = result([ranked[2], ranked[0]])  # by vectors alone
    assert mixed.rest_heading() is None
    assert mixed.matches_text("subject") == (
        "162 patients have a study that matches; 310 have one that matches in part; 900 have one that denies it and is"
        " left out; 5 have one whose label contradicts its report; the list is ordered by similarity, so matches may"
        " come later"
    )


def test_the_viewer_says_the_same_of_each_count():
    script = (files("mcp_cxr.server") / "viewer" / "tool_results.js").read_text()
    for one, several in _search_result._COUNT_TEXTS.values():
        assert f'"{one}"' in script
        assert f'"{several}"' in script
    for name, text in _search_result._PATIENT_COUNT_TEXTS.items():
        assert f'{name}: "{text}"' in script


def test_what_was_understood_is_one_line():
    assert FULLEST.understood
    assert FULLEST.understood.as_text() == (
        "pleural effusion, left; without pneumothorax; the word “portable”; view: PA; s50414267; at most 5 results; "
        "ignored: married; corrected: efusion to effusion"
    )
