"""Two folders whose reports read to the same findings, and which differ in every other word."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from mcp_cxr.language import finding_entries, mentions_in, read_report
from mcp_cxr.language._vocabulary import forms_of_findings
from tests.support.image_files import dicom

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

STUDIES = 30
_FINDINGS = (
    *("pleural effusion", "pneumothorax", "cardiomegaly", "consolidation", "nodule", "rib fracture", "atelectasis"),
    *("pulmonary edema", "pneumonia", "endotracheal tube", "pacemaker", "hiatal hernia", "opacity"),
)
_PRESENT = ("There is {}.", "{} is seen.", "Again noted is {}.", "{} persists, as measured before.")
_POSSIBLE = ("Possible {}.", "{} cannot be excluded.", "Suspected {}.")
_ABSENT = ("No {}.", "There is no evidence of {}.", "Negative for {}.")
_QUALIFIERS = ("", "left ", "right ", "small ", "large left ", "new ")


@dataclass(frozen=True, slots=True)
class Wording:
    """The words that only one of the two archives has."""

    name: str
    fillers: tuple[str, ...]
    """Sentences of the body of a report in which nothing of the chest is found."""
    context: tuple[str, ...]
    headings: tuple[str, str]
    labels: tuple[str, ...]
    """Label values as `images.csv` has them, one for each study in turn; names of no public data set."""
    splits: tuple[str, ...]
    descriptions: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def words(self) -> tuple[str, ...]:
        """Everything that a question might try."""
        names = [part.partition("=")[0] for cell in self.labels for part in cell.split("|") if part]
        return (*self.fillers, *self.context, *names, *self.splits, *self.descriptions.values(), self.name)


WORDINGS = (
    Wording(
        "Quill",
        (
            "The patient is HIV positive.",
            "Dictated by Aldous Quill.",
            "Chronic pain was discussed.",
            "Accession number 7781203.",
            "Known lung cancer.",
            "Transplant recipient, born 1961.",
        ),
        ("History of pneumothorax.", "HIV, rule out consolidation.", "Quill, Aldous, fever and cough."),
        ("FINDINGS", "IMPRESSION"),
        ("Quill trial=1", "", "HIV=1|sponge=0", "Tuberculosis arm=-1"),
        ("quill-train", "wing A"),
        {
            "StudyDescription": "Quill chest hiv clinic",
            "SeriesDescription": "ward nine",
            "ProtocolName": "quill protocol",
            "PerformedProcedureStepDescription": "sponge count",
            "Manufacturer": "Quill & Sons",
            "ManufacturerModelName": "Aldous 9",
            "WindowCenterWidthExplanation": "QUILL",
            "BurnedInAnnotation": "QUILL",
        },
    ),
    Wording(
        "Zephyr",
        (
            "The abdomen is normal.",
            "Film quality is as ordered by the ward, who were told of it by telephone at once.",
            "Marble lies under the table.",
            "Otherwise unremarkable.",
        ),
        ("Cardiomegaly?", "Sickle cell disease.", "Zephyr, Ottoline; trauma; history of rib fracture and effusion."),
        ("REPORT", "CONCLUSION"),
        ("", "Zephyr cohort=0", "", "marble=1|Zephyr cohort=1", "asthma=1"),
        ("zephyr",),
        {
            "StudyDescription": "Zephyr thorax",
            "SeriesDescription": "effusion and edema clinic",
            "ProtocolName": "marble",
            "PerformedProcedureStepDescription": "Ottoline Zephyr",
            "Manufacturer": "Zephyr",
            "ManufacturerModelName": "Marble 2",
            "WindowCenterWidthExplanation": "ZEPHYR",
            "BurnedInAnnotation": "ZEPHYR",
        },
    ),
)


def write_twins(folder: Path) -> tuple[Path, Path]:
    """Write both folders, each with an `images.csv`; the image files have the same names, pixels and ids."""
    folders = folder / "twin0", folder / "twin1"
    facts = random.Random(5)  # noqa: S311  # not a secret
    drawn = [_study(facts, number) for number in range(STUDIES)]
    for place, wording in zip(folders, WORDINGS, strict=True):
        _write(place, wording, drawn)
    _check_readings(folders)
    return folders


@dataclass(frozen=True, slots=True)
class _Study:
    number: int
    sentences: tuple[tuple[str, str], ...]
    """The two wordings of each finding."""
    labels: str
    own_labels: tuple[str, str]
    """Whose whole name is that of one finding, in two wordings."""
    split: str | None
    has_report: bool


def _study(draw: random.Random, number: int) -> _Study:
    groups = [group for name in draw.sample(_FINDINGS, draw.randint(0, 3)) for group in _some(draw, _sentences(name))]
    sentences = [draw.sample(group, 2) for group in groups]
    labels = draw.choice(
        ("", "", "Edema=1", "Pleural Effusion=0|Pneumonia=-1", "Edema=0|gynecomastia=1", "Nodule=1|gynecomastia=1")
    )
    own_labels = draw.choice((("", ""), ("enlarged heart=1", "big heart=1"), ("sponge=0", "")))
    split = draw.choice(("train", "test", None))
    if number % 6 == 5:  # a report without findings
        return _Study(number, (), "", ("", ""), split, has_report=True)
    pairs = tuple((one, other) for one, other in sentences)
    return _Study(number, pairs, labels, own_labels, split, has_report=draw.random() > 0.2)


def _some(draw: random.Random, groups: list[list[str]]) -> list[list[str]]:
    """Return one to three groups: what a report says of one finding in several places."""
    return draw.sample(groups, min(len(groups), draw.choice((1, 1, 2, 3))))


@cache
def _sentences(finding: str) -> list[list[str]]:
    """Return groups of sentences in which the same is read of a finding; no group of one."""
    found: dict[str, list[str]] = defaultdict(list)
    for form in [form for name, form in forms_of_findings() if name == finding][:6]:
        for template in (*_PRESENT, *_POSSIBLE, *_ABSENT):
            for qualifier in _QUALIFIERS if template not in _ABSENT else ("",):
                sentence = template.format(qualifier + form)
                found[_read(sentence)].append(sentence[0].upper() + sentence[1:])
    return [sentences for key, sentences in found.items() if len(sentences) > 1 and key != "[]"]


def _read(sentence: str) -> str:
    said = {(one.name, one.status, tuple(sorted(one.modifiers))) for one in mentions_in(sentence) if one.finding}
    return str(sorted(said))


def _write(folder: Path, wording: Wording, studies: Sequence[_Study]) -> None:
    which = WORDINGS.index(wording)
    draw = random.Random(wording.name)  # noqa: S311  # not a secret
    rows: list[dict[str, Any]] = []
    for study in studies:
        subject = study.number // 2
        for image in range(1 + study.number % 2):
            seed = 10 * study.number + image + 1
            path = folder / f"image{seed:04}.dcm"
            tags = {"StudyInstanceUID": f"2.25.7{study.number}", "PatientID": f"MRN{subject}", "WindowCenter": 2000}
            view = ("PA", "AP", "LL")[seed % 3]
            dicom(path, seed, **tags, WindowWidth=3000, ViewPosition=view, **wording.descriptions)
            own = wording.labels[study.number % len(wording.labels)]
            rows.append(
                {
                    "path": path.name,
                    "date": f"2020-01-{1 + study.number:02}",
                    "sex": ("F", "M", "")[study.number % 3],
                    "age": 20 + study.number,
                    "split": study.split or draw.choice(wording.splits),
                    "labels": "|".join(filter(None, (own, study.labels, study.own_labels[which]))),
                    "report": _report(draw, wording, [pair[which] for pair in study.sentences])
                    if study.has_report
                    else "",
                    f"{wording.name} note": "kept by hand",
                }
            )
    with (folder / "images.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _report(draw: random.Random, wording: Wording, sentences: Sequence[str]) -> str:
    if not sentences and draw.random() < 0.3:
        return f"{wording.headings[0]}:"
    body = [*sentences, *draw.sample(wording.fillers, draw.randint(1, 3))]
    if sentences and draw.random() < 0.5:
        body.append(sentences[0])  # said twice
    draw.shuffle(body)
    cut = draw.randint(0, len(body))
    first, second = wording.headings
    context = f"INDICATION: {draw.choice(wording.context)}"
    parts = [
        f"{first}: {' '.join(body[:cut])}" if cut else "",
        f"{second}: {' '.join(body[cut:])}" if body[cut:] else "",
    ]
    return "\n\n".join(filter(None, [context, *parts]))


def _check_readings(folders: Sequence[Path]) -> None:
    """Check that the reports of each image read to the same findings, clinical terms aside."""
    tables = [list(csv.DictReader((folder / "images.csv").read_text().splitlines(keepends=True))) for folder in folders]
    for one, other in zip(*tables, strict=True):
        assert _imaging(one["report"]) == _imaging(other["report"]), (one["report"], other["report"])
        assert not one["report"] or one["report"] != other["report"]


def _imaging(report: str) -> dict[str, set[Any]]:
    entries = finding_entries()
    return {
        name: {(one.name, one.status, one.modifiers) for one in reading.mentions}
        for name, reading in read_report(report).items()
        if entries[name].kind != "clinical"
    }
