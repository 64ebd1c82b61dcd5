"""Files of labels, prompts and baselines."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.errors import ConfigError
from mcp_cxr.evaluate import Evaluation, Figure, ProtocolResult, TruthFile, read_baseline, read_prompts
from mcp_cxr.evaluate.metrics import measured_result, skipped_result
from mcp_cxr.records import ImageId, ImageRecord, StoredImage, Study, StudyId, SubjectId
from tests.support.companions import table

if TYPE_CHECKING:
    from pathlib import Path


def stored(image: str = "i1", study: str = "s1", path: str = "patient1/study1/view1.jpg") -> StoredImage:
    record = ImageRecord(ImageId(image), StudyId(study), SubjectId("p1"), "PA", "none", path, "/images")
    return StoredImage(record, Study(StudyId(study), SubjectId("p1")), external=False)


@pytest.mark.parametrize(
    ("key", "row"),
    [
        ("study_id", "1"),
        ("study_id", "s1"),
        ("dicom_id", "i1"),
        ("image_id", "i1"),
        ("Path", "CheXpert-v1.0/valid/patient1/study1/view1.jpg"),
        ("Path", "study1/view1.jpg"),
    ],
)
def test_a_row_is_matched_to_its_image(tmp_path: Path, key: str, row: str) -> None:
    path = table(tmp_path / "truth.csv.gz", (key, "Edema", "Fracture", "Pneumonia"), (row, "1.0", "", "-1.0"))
    truth = TruthFile.read(path)
    assert truth.labels_of(stored()) == {"Edema": 1, "Pneumonia": -1}
    assert truth.labels_of(stored("i2", "s2", "patient2/study1/view2.jpg")) == {}


def test_a_path_is_matched_only_if_it_is_the_whole_end_of_the_image_path(tmp_path: Path) -> None:
    path = table(tmp_path / "truth.csv", ("Path", "Edema"), ("patient2/study1/view1.jpg", 1))
    assert TruthFile.read(path).labels_of(stored()) == {}


@pytest.mark.parametrize(
    "text", ["", "study_id\n1\n", "name,Edema\n1,1\n", "study_id,Edema\n1,7\n", "study_id,Edema\n1,x\n"]
)
def test_a_table_without_labels_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "truth.csv").write_text(text)
    with pytest.raises(ConfigError, match=r"truth.csv"):
        TruthFile.read(tmp_path / "truth.csv")


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        TruthFile.read(tmp_path / "truth.csv")


def test_a_label_has_one_or_several_prompts(tmp_path: Path) -> None:
    (tmp_path / "prompts.json").write_text('{"Edema": "lung water", "Fracture": ["broken rib", "fracture"]}')
    assert read_prompts(tmp_path / "prompts.json") == {"Edema": ("lung water",), "Fracture": ("broken rib", "fracture")}


@pytest.mark.parametrize(
    "text", ["[1]", "{", "{}", '{"Oedema": "x"}', '{"Edema": []}', '{"Edema": [3]}', '{"Edema": " "}']
)
def test_prompts_of_another_form_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "prompts.json").write_text(text)
    with pytest.raises(ConfigError):
        read_prompts(tmp_path / "prompts.json")


FIGURES = [
    Figure("P@10", "", 0.5, 0.4, 0.6, 0.1, 14),
    Figure("swap rate", "search", 0.1, 0.05, 0.15, 0.2, 13, better="lower"),
    Figure("p50 ms", "", 30.0, None, None, None, 50, better="lower"),
]


def evaluation(*figures: Figure, **other: object) -> Evaluation:
    whole = Evaluation(
        date="2026-01-01T00:00:00+00:00",
        version="0",
        model="m",
        dimension=8,
        preprocessing="1",
        service=None,
        images=9,
        studies=9,
        subjects=9,
        truth="labels of the archive",
        split=None,
        seed=0,
        queries=10,
        resamples=100,
        seconds=1.0,
        protocols=[ProtocolResult("labels", "Text to image", list(figures), [], [])],
    )
    return replace(whole, **other)


def test_a_figure_outside_its_interval_on_the_worse_side_is_a_regression(tmp_path: Path) -> None:
    (tmp_path / "saved.json").write_text(json.dumps(evaluation(*FIGURES).to_json()))
    before = read_baseline(tmp_path / "saved.json")
    precision, swaps, speed = FIGURES
    assert before.regressions(evaluation(*FIGURES)) == []
    better = [replace(precision, value=0.9), replace(swaps, value=0.0), replace(speed, value=900.0)]
    assert before.regressions(evaluation(*better)) == []
    assert before.regressions(evaluation(replace(precision, value=0.4), swaps)) == []
    (fell,) = before.regressions(evaluation(replace(precision, value=0.399), swaps))
    assert "P@10" in fell
    (rose,) = before.regressions(evaluation(precision, replace(swaps, value=0.16)))
    assert "swap rate" in rose
    (gone,) = before.regressions(evaluation(precision))
    assert "not measured" in gone
    (undefined,) = before.regressions(evaluation(replace(precision, value=float("nan")), swaps))
    assert "not measured" in undefined


def test_protocols_that_were_not_run_are_no_regression(tmp_path: Path) -> None:
    (tmp_path / "saved.json").write_text(json.dumps(evaluation(*FIGURES).to_json()))
    assert read_baseline(tmp_path / "saved.json").regressions(evaluation(protocols=[])) == []


def test_setup_differences_are_listed_without_the_model(tmp_path: Path) -> None:
    (tmp_path / "saved.json").write_text(json.dumps(evaluation(*FIGURES).to_json()))
    before = read_baseline(tmp_path / "saved.json")
    assert before.setup_differences(evaluation(*FIGURES, model="other", date="2027", seconds=9.0)) == []
    assert before.setup_differences(evaluation(*FIGURES, seed=3)) == ["The baseline used seed 0, this run uses seed 3"]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"protocols": [{}]}'])
def test_another_file_than_a_baseline_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "saved.json").write_text(text)
    with pytest.raises(ConfigError):
        read_baseline(tmp_path / "saved.json")


def test_a_baseline_of_an_earlier_version_calls_the_rankings_legs(tmp_path: Path) -> None:
    saved = evaluation().to_json() | {"protocols": [{"protocol": "legs", "figures": [asdict(FIGURES[0])]}]}
    (tmp_path / "saved.json").write_text(json.dumps(saved))
    assert read_baseline(tmp_path / "saved.json").figures == {("rankings", "P@10", ""): FIGURES[0]}


def test_an_undefined_figure_is_not_measured_instead_of_nan() -> None:
    undefined = Figure("P@10", "Edema", float("nan"), float("nan"), None, None, 0)
    result = measured_result("labels", [FIGURES[0], undefined], [], [], left_out={"Fracture": "Rare."})
    assert result.figures == [FIGURES[0]]
    found = evaluation(protocols=[result]).to_json()
    assert "NaN" not in json.dumps(found)
    assert [one["of"] for one in found["not_measured"]] == ["Fracture", "P@10 Edema"]


def test_json_lists_what_is_not_measured_last() -> None:
    skipped = skipped_result("reports", "No report.")
    found = evaluation(protocols=[skipped, measured_result("labels", FIGURES, [], [])]).to_json()
    assert [one["protocol"] for one in found["protocols"]] == ["labels"]
    assert list(found)[-1] == "not_measured"
    assert found["not_measured"] == [{"protocol": "reports", "of": "", "reason": "No report."}]
