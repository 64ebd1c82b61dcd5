"""PadChest: PNGs in the folders `0` to `54`, one table with labels and reports in Spanish."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from mcp_cxr.layouts._adapter import Adapter, RowsByKey, TableForm, TableReading
from mcp_cxr.layouts._cell_values import interned, iso_date, names_in_list, number_id, sex_of, text_of
from mcp_cxr.layouts._facts import FileFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ENDING = re.compile(r"\.(?:png|jpe?g|dcm)$", re.IGNORECASE)
_VIEWS = {"pa": "PA", "ap": "AP", "ap_horizontal": "AP", "l": "LATERAL", "costal": "OTHER"}
_COLUMNS = (
    *("ImageID", "StudyID", "PatientID", "StudyDate_DICOM", "PatientBirth", "PatientSex_DICOM", "Projection"),
    *("MethodLabel", "Labels", "Report"),
)
_EXCLUDED = "exclude"


class _Image(NamedTuple):
    study: str
    patient: str
    date: str | None
    age: int | None
    sex: str | None
    view: str | None
    by: str
    labels: str
    report: str | None


class PadchestLayout(Adapter):
    """PadChest."""

    name = "padchest"
    title = "PadChest"
    tables = (
        TableForm(
            "images",
            re.compile(r"PADCHEST_chest_x_ray_images_labels_160K[\d_.]*\.csv(?:\.gz)?", re.IGNORECASE),
            ("ImageID", "StudyID", "PatientID"),
            expected=("StudyDate_DICOM", "Projection", "Labels", "Report"),
            signature=("ImageID", "ImageDir", "StudyID", "PatientID", "Projection", "Labels"),
        ),
    )
    lacks = (
        "Reports are in Spanish: they are kept and shown, and not read for findings.",
        "Its labels name what is present; a missing label is unknown, not absent.",
    )
    label_names: ClassVar[Mapping[str, str]] = {
        "normal": "No Finding",
        "atelectasis": "Atelectasis",
        "cardiomegaly": "Cardiomegaly",
        "consolidation": "Consolidation",
        "pulmonary edema": "Edema",
        "mediastinal enlargement": "Enlarged Cardiomediastinum",
        "rib fracture": "Fracture",
        "vertebral fracture": "Fracture",
        "clavicle fracture": "Fracture",
        "humeral fracture": "Fracture",
        "nodule": "Lung Lesion",
        "pulmonary mass": "Lung Lesion",
        "alveolar pattern": "Lung Opacity",
        "pleural effusion": "Pleural Effusion",
        "pleural thickening": "Pleural Other",
        "pneumonia": "Pneumonia",
        "pneumothorax": "Pneumothorax",
        "pacemaker": "Support Devices",
        "dual chamber device": "Support Devices",
        "endotracheal tube": "Support Devices",
        "NSG tube": "Support Devices",
        "chest drain tube": "Support Devices",
        "central venous catheter": "Support Devices",
    }

    def __init__(self) -> None:
        super().__init__()
        self._excluded: set[str] = set()

    def read(self, form: TableForm, reading: TableReading) -> RowsByKey[Any]:
        """Read the table of images."""
        del form
        return RowsByKey(_images(reading))

    def facts_of(self, path: str) -> FileFacts | None:
        """Return the facts of an image that the table names."""
        name = _ENDING.sub("", path.rpartition("/")[2])
        image: _Image | None = self.find("images", name)
        if image is None:
            return None
        names = [one for each in names_in_list(image.labels) or () if (one := " ".join(each.split()))]
        if _EXCLUDED in names:
            self._excluded.add(name)
        return FileFacts(
            subject=f"padchest-{image.patient}",
            study=f"padchest-{image.study}",
            image=f"padchest-{name}",
            view=image.view,
            study_date=image.date,
            labels=self.with_common_names(dict.fromkeys(names, 1)),
            labels_by=image.by,
            positives_only=True,
            sex=image.sex,
            age=image.age,
            report=image.report,
            report_language="es",
        )

    def warnings(self) -> Iterator[str]:
        """Yield how many images the data set itself excludes."""
        if self._excluded:
            yield f"{len(self._excluded)} images have PadChest's label 'exclude': by its authors, not to be used."


def _images(reading: TableReading) -> Iterator[tuple[str, _Image]]:
    for name, study, patient, date, birth, sex, view, method, labels, report in reading.table.cells(_COLUMNS):
        day = iso_date(date)
        born = number_id(birth)
        age = int(day[:4]) - int(born) if day and born.isdigit() else None
        yield (
            _ENDING.sub("", name.strip()),
            _Image(
                number_id(study),
                number_id(patient),
                day,
                age if age is not None and 0 <= age <= 120 else None,  # noqa: PLR2004 # nobody is older
                sex_of(sex),
                _VIEWS.get(view.strip().lower()),
                "people" if method.strip().lower() == "physician" else "program",
                interned(labels),
                text_of(report),
            ),
        )
