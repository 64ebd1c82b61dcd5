"""NIH ChestX-ray14: PNGs in `images_*/images`, one table, and lists of the names in each split."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from mcp_cxr.layouts._adapter import Adapter, RowsByKey, TableForm, TableReading
from mcp_cxr.layouts._cell_values import age_of, number_id, sex_of, text_of
from mcp_cxr.layouts._facts import FileFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAME = re.compile(r"(?:^|/)(\d{8}_\d{3})\.(?:png|jpe?g|dcm)$", re.IGNORECASE)
_COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position")


class _Image(NamedTuple):
    labels: str
    patient: str
    age: int | None
    sex: str | None
    view: str | None


def _list_of(kind: str, name: str) -> TableForm:
    return TableForm(kind, re.compile(name, re.IGNORECASE), ("Image Index",), headless=("Image Index",))


class NihLayout(Adapter):
    """NIH ChestX-ray14."""

    name = "nih"
    title = "NIH ChestX-ray14"
    tables = (
        TableForm(
            "images",
            re.compile(r"(?:Data_Entry_2017(?:_v\d+)?|sample_labels)\.csv(?:\.gz)?", re.IGNORECASE),
            ("Image Index", "Finding Labels", "Patient ID"),
            expected=("Patient Age", "Patient Gender", "View Position"),
            signature=("Image Index", "Finding Labels", "Follow-up #", "Patient ID", "View Position"),
            aliases={"Patient Sex": "Patient Gender"},
        ),
        _list_of("train", r"train_val_list(?:_NIH)?\.txt"),
        _list_of("test", r"test_list(?:_NIH)?\.txt"),
    )
    lacks = (
        "No dates: follow-up numbers only give an order.",
        "No reports.",
        "Its labels name what is present; a missing label is unknown, not absent.",
    )
    label_names: ClassVar[Mapping[str, str]] = {
        "Effusion": "Pleural Effusion",
        "Mass": "Lung Lesion",
        "Nodule": "Lung Lesion",
        "Pleural_Thickening": "Pleural Other",
    }

    def read(self, form: TableForm, reading: TableReading) -> RowsByKey[Any]:
        """Read the table of images, or a list of names."""
        if form.headless:
            return RowsByKey(
                (name.removesuffix(".png"), form.kind) for (name,) in reading.table.cells(("Image Index",))
            )
        return RowsByKey(_images(reading))

    def facts_of(self, path: str) -> FileFacts | None:
        """Return the facts of an image that the table names."""
        found = _NAME.search(path)
        image: _Image | None = self.find("images", found[1]) if found else None
        if found is None or image is None:
            return None
        return FileFacts(
            subject=f"nih-{image.patient}",
            study=f"nih-{found[1]}",
            image=f"nih-{found[1]}",
            view=image.view,
            split=self.find("train", found[1]) or self.find("test", found[1]),
            labels=self.with_common_names(_labels(image.labels)),
            labels_by="program",
            positives_only=True,
            sex=image.sex,
            age=image.age,
        )


def _images(reading: TableReading) -> Iterator[tuple[str, _Image]]:
    for name, labels, patient, age, sex, view in reading.table.cells(_COLUMNS):
        yield (
            name.strip().rpartition(".")[0],
            _Image(labels, number_id(patient), age_of(age), sex_of(sex), text_of(view)),
        )


@lru_cache(maxsize=4096)
def _labels(cell: str) -> dict[str, int]:
    return {name: 1 for name in map(str.strip, cell.split("|")) if name}
