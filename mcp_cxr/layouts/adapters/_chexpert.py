"""CheXpert, its small version, and CheXpert Plus: `train/patient00001/study1/view1_frontal.jpg`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mcp_cxr.layouts._adapter import Adapter, RowsByKey, TableForm, TableReading
from mcp_cxr.layouts._cell_values import age_of, sex_of, text_of
from mcp_cxr.layouts._facts import NO_LABELS, FileFacts
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PLACE = re.compile(
    r"(?:(?:^|/)(?P<split>train|valid|test)/)?"
    r"(?P<subject>patient\d+)/(?P<study>study\d+)/(?P<view>view\d+_(?P<side>frontal|lateral))\.(?:jpe?g|png|dcm)$",
    re.IGNORECASE,
)
_SPLITS = {"train": "train", "valid": "validate", "test": "test"}
_HEADINGS = {
    "section_clinical_history": "CLINICAL HISTORY",
    "section_history": "HISTORY",
    "section_comparison": "COMPARISON",
    "section_technique": "TECHNIQUE",
    "section_findings": "FINDINGS",
    "section_impression": "IMPRESSION",
}
_NEVER = re.compile(r"(?!)")


class _Row(NamedTuple):
    view: str | None
    sex: str | None
    age: int | None
    labels: Mapping[str, int]
    by: str | None
    positives_only: bool


class _Report(NamedTuple):
    view: str | None
    sex: str | None
    age: int | None
    report: str | None


class ChexpertLayout(Adapter):
    """CheXpert and CheXpert Plus."""

    name = "chexpert"
    title = "CheXpert"
    tables = (
        TableForm(
            "labels",
            _NEVER,
            ("Path",),
            expected=("Frontal/Lateral", "AP/PA", "Sex", "Age"),
            signature=("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA"),
            is_one_of_several=True,
        ),
        TableForm(
            "people",
            re.compile(r"groundtruth\.csv", re.IGNORECASE),
            ("Path",),
            signature=("Path", *LABELS),
            superseded_by=("labels",),
            is_one_of_several=True,
        ),
        TableForm(
            "reports",
            re.compile(r"df_chexpert_plus_\d+\.csv(?:\.gz)?", re.IGNORECASE),
            ("path_to_image",),
            expected=("section_findings", "section_impression"),
            signature=("path_to_image", "deid_patient_id", "section_impression"),
        ),
    )
    lacks = ("No dates: the studies of a patient are numbered.",)

    def read(self, form: TableForm, reading: TableReading) -> RowsByKey[Any]:
        """Read a table of labels, or that of reports."""
        return RowsByKey(_reports(reading) if form.kind == "reports" else _labelled(reading))

    def facts_of(self, path: str) -> FileFacts | None:
        """Return the facts of an image in CheXpert's folders."""
        found = _PLACE.search(path)
        if found is None or not self.loaded:
            return None
        key = _key(found)
        row: _Row | None = self.find("labels", key) or self.find("people", key)
        report: _Report | None = self.find("reports", key)
        known = row or report
        subject = f"chexpert-{found['subject'].lower()}"
        split = _SPLITS.get((found["split"] or "").lower())
        return FileFacts(
            subject=subject,
            study=f"{subject}-{found['study'].lower()}",
            image=f"{subject}-{found['study'].lower()}-{found['view'].lower()}",
            view=(known.view if known else None) or ("LATERAL" if found["side"].lower() == "lateral" else None),
            split=split,
            labels=row.labels if row else NO_LABELS,
            labels_by=("people" if split in {"validate", "test"} and row.by is None else row.by or "chexpert")
            if row
            else None,
            positives_only=row.positives_only if row else False,
            sex=(row.sex if row else None) or (report.sex if report else None),
            age=row.age if row and row.age is not None else (report.age if report else None),
            report=report.report if report else None,
        )


def _key(found: re.Match[str]) -> str:
    return f"{found['subject']}/{found['study']}/{found['view']}".lower()


def _view(frontal_or_lateral: str, position: str) -> str | None:
    return text_of(position) or ("LATERAL" if frontal_or_lateral.strip().lower() == "lateral" else None)


def _labelled(reading: TableReading) -> Iterator[tuple[str, _Row]]:
    by = "chexbert" if "chexbert" in reading.path.name.lower() else None
    for path, sex, age, side, position, *cells in reading.table.cells(
        ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *LABELS)
    ):
        if found := _PLACE.search(path):
            labels = reading.labelled(LABELS, cells)
            yield _key(found), _Row(_view(side, position), sex_of(sex), age_of(age), labels, by, positives_only=False)


def _reports(reading: TableReading) -> Iterator[tuple[str, _Report]]:
    columns = ("path_to_image", "frontal_lateral", "ap_pa", "sex", "age", "report", *_HEADINGS)
    for path, side, position, sex, age, whole, *cells in reading.table.cells(columns):
        found = _PLACE.search(path)
        if found is None:
            continue
        sections = zip(_HEADINGS.values(), cells, strict=True)
        text = "\n\n".join(f"{heading}: {section}" for heading, cell in sections if (section := text_of(cell)))
        yield _key(found), _Report(_view(side, position), sex_of(sex), age_of(age), text or text_of(whole))
