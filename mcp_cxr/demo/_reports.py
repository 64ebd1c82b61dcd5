"""Writes the report on a phantom, and the labels that its sentences state.

Each sentence carries its labels, so the two cannot disagree.
"""

from __future__ import annotations

import random
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_cxr.demo.phantom import DEVICES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp_cxr.demo.phantom import Kind, PhantomFinding, View

PRESENT, ABSENT, UNCERTAIN = 1, 0, -1

_INDICATIONS = (
    "___ with cough and fever.",
    "___-year-old with shortness of breath.",
    "___ with chest pain, evaluate for acute process.",
    "___ year old with hypoxia.",
    "___ after a fall, evaluate for pneumothorax.",
    "___ with known heart failure, dyspnea.",
    "___, preoperative evaluation.",
)
_EXAMINATIONS = {"AP": "CHEST (PORTABLE AP)", "PA": "CHEST (PA AND LAT)"}
_TECHNIQUES = {"AP": "Portable AP chest radiograph.", "PA": "PA and lateral views of the chest."}

_EFFUSION = (
    "There is a {grade} {side} pleural effusion.",
    "A {grade} {side} pleural effusion is present, with a meniscus along the lateral chest wall.",
    "The {side} costophrenic angle is blunted by a {grade} pleural effusion.",
)
_TRACE = (
    "Minimal blunting of the {side} costophrenic angle may reflect a trace pleural effusion.",
    "A trace {side} pleural effusion cannot be excluded.",
    "There is a possible trace {side} pleural effusion.",
)
_SENTENCES: Mapping[Kind, tuple[str, ...]] = {
    "pneumothorax": (
        "There is a {grade} {side} apical pneumothorax with a visible pleural line.",
        "A {grade} {side} pneumothorax is seen at the apex, without mediastinal shift.",
        "The {side} visceral pleural line is displaced from the chest wall, consistent with a {grade} pneumothorax.",
    ),
    "cardiomegaly": (
        "There is {degree} cardiomegaly.",
        "The cardiac silhouette is {degree}ly enlarged.",
        "The heart is enlarged, with {degree} cardiomegaly.",
    ),
    "nodule": (
        "A {cm} cm rounded nodule projects over the {side} {zone} lung zone.",
        "There is a {cm} cm pulmonary nodule in the {side} {zone} lung.",
        "A well-circumscribed nodular opacity in the {side} {zone} lung measures {cm} cm.",
    ),
    "pacemaker": (
        "A left-sided dual-chamber pacemaker has leads ending in the right atrium and right ventricle.",
        "Left chest wall pacemaker leads project over the right atrium and right ventricle.",
    ),
    "central line": (
        "A right internal jugular central venous catheter ends in the lower superior vena cava.",
        "The tip of the right internal jugular line projects over the lower SVC.",
    ),
    "endotracheal tube": (
        "The endotracheal tube ends 3 cm above the carina.",
        "An endotracheal tube is in standard position above the carina.",
    ),
}  # fmt: skip
_IMPRESSIONS: Mapping[Kind, str] = {
    "effusion": "{Grade} {side} pleural effusion.",
    "pneumothorax": "{Grade} {side} pneumothorax.",
    "cardiomegaly": "{Degree} cardiomegaly.",
    "nodule": "{cm} cm {side} {zone} lung nodule. Chest CT is recommended.",
    "pacemaker": "Pacemaker leads in standard position.",
    "central line": "Right central venous catheter in standard position.",
    "endotracheal tube": "Endotracheal tube in standard position.",
}
_LABEL_OF: Mapping[Kind, str] = {
    "effusion": "Pleural Effusion",
    "pneumothorax": "Pneumothorax",
    "cardiomegaly": "Cardiomegaly",
    "nodule": "Lung Lesion",
    **dict.fromkeys(DEVICES, "Support Devices"),
}
_DEGREES = {"trace": "mild", "small": "mild", "moderate": "moderate", "large": "severe"}
_TRACE_IMPRESSION = "Possible trace {side} pleural effusion."
_NORMAL = ("No acute cardiopulmonary process.", "No acute cardiopulmonary abnormality.")
_NORMAL_HEART = ("Heart size is normal.", "The cardiac silhouette is normal in size.")
_NEGATIVE_LABELS = (
    ("focal consolidation", "Consolidation"),
    ("pleural effusion", "Pleural Effusion"),
    ("pneumothorax", "Pneumothorax"),
    ("pulmonary edema", "Edema"),
)


@dataclass(frozen=True, slots=True)
class LabeledText:
    """A sentence or a report, and the labels that it states."""

    text: str
    labels: Mapping[str, int]
    """1 present, 0 absent, -1 uncertain; labels not mentioned are missing."""


def write_report(findings: Sequence[PhantomFinding], *, view: View, follow_up: bool, seed: int) -> LabeledText:
    """Return the report of one study.

    Args:
        findings: What is drawn.
        view: The study's frontal view; PA comes with a lateral.
        follow_up: Whether an earlier study of the patient exists.
        seed: Chooses the words.
    """
    rng = random.Random(seed)  # noqa: S311  # chooses words
    mentioned = _positives(findings, rng)
    body = [*mentioned, *_negatives({label for sentence in mentioned for label in sentence.labels}, rng)]
    labels = {label: value for sentence in body for label, value in sentence.labels.items()}
    if all(finding.kind in DEVICES for finding in findings):
        labels["No Finding"] = PRESENT  # CheXpert's meaning: nothing but devices
    parts = {
        "EXAMINATION": f"{_EXAMINATIONS[view]}, computer-drawn phantom, not a patient",
        "INDICATION": rng.choice(_INDICATIONS),
        "TECHNIQUE": _TECHNIQUES[view],
        "COMPARISON": "Chest radiograph from ___." if follow_up else "None.",
        "FINDINGS": "  ".join(sentence.text for sentence in body),
        "IMPRESSION": "  ".join(_impression(findings, rng)),
    }
    if _chance(0.1, rng):  # one in six of MIMIC's has no impression
        del parts["IMPRESSION"]
    return LabeledText(_format_report(parts), labels)


def _positives(findings: Sequence[PhantomFinding], rng: random.Random) -> list[LabeledText]:
    effusions = [finding for finding in findings if finding.kind == "effusion"]
    sentences = [_effusions(effusions, rng)] if effusions else []
    sentences += [
        LabeledText(_fill_template(rng.choice(_SENTENCES[finding.kind]), finding), {_LABEL_OF[finding.kind]: PRESENT})
        for finding in findings
        if finding.kind != "effusion"
    ]
    large = [finding for finding in effusions if finding.grade in ("moderate", "large")]
    if large and _chance(0.5, rng):
        hedge = "Adjacent atelectasis is possible; superimposed pneumonia cannot be excluded."
        sentences.append(LabeledText(hedge, {"Atelectasis": UNCERTAIN, "Pneumonia": UNCERTAIN}))
    return sentences


def _effusions(effusions: Sequence[PhantomFinding], rng: random.Random) -> LabeledText:
    """Return one sentence for the effusions, of both sides if there are two."""
    grades = {finding.grade for finding in effusions}
    label = {"Pleural Effusion": UNCERTAIN if grades == {"trace"} else PRESENT}
    if len(effusions) == 1:
        return LabeledText(
            _fill_template(rng.choice(_TRACE if grades == {"trace"} else _EFFUSION), effusions[0]), label
        )
    if len(grades) == 1:
        return LabeledText(f"There are {effusions[0].grade} bilateral pleural effusions.", label)
    sizes = " and ".join(f"{finding.grade} on the {finding.side}" for finding in effusions)
    return LabeledText(f"There are bilateral pleural effusions, {sizes}.", label)


def _negatives(mentioned: set[str], rng: random.Random) -> list[LabeledText]:
    """Return sentences on what is absent; `mentioned` are the labels that the positives have settled."""
    sentences: list[LabeledText] = []
    if "Cardiomegaly" not in mentioned:
        sentences.append(LabeledText(rng.choice(_NORMAL_HEART), {"Cardiomegaly": ABSENT}))
        if _chance(0.6, rng):
            contours = "The mediastinal and hilar contours are unremarkable."
            sentences.append(LabeledText(contours, {"Enlarged Cardiomediastinum": ABSENT}))
    if mentioned <= {"Cardiomegaly", "Support Devices"}:
        sentences.append(LabeledText("The lungs are clear.", {}))
    settled = {"Consolidation", *mentioned} if "Pneumonia" in mentioned else mentioned
    absent = [(name, label) for name, label in _NEGATIVE_LABELS if label not in settled]
    return sentences + _negative_sentences(absent, rng)


def _negative_sentences(absent: Sequence[tuple[str, str]], rng: random.Random) -> list[LabeledText]:
    """Deny the findings in one sentence each, or in a single one."""
    if len(absent) == 1 or _chance(0.4, rng):
        return [LabeledText(f"No {name}.", {label: ABSENT}) for name, label in absent]
    *most, last = [name for name, _ in absent]
    comma = "," if len(most) > 1 else ""
    return [LabeledText(f"There is no {', '.join(most)}{comma} or {last}.", {label: ABSENT for _, label in absent})]


def _impression(findings: Sequence[PhantomFinding], rng: random.Random) -> list[str]:
    """Return the findings by name, or that there are none; devices only if there is nothing else."""
    reported = [finding for finding in findings if finding.kind not in DEVICES]
    if not reported:
        return [*(_fill_template(_IMPRESSIONS[finding.kind], finding) for finding in findings), rng.choice(_NORMAL)]
    effusions = [finding for finding in reported if finding.kind == "effusion"]
    if len(effusions) > 1:
        others = (finding for finding in reported if finding.kind != "effusion")
        return [
            "Bilateral pleural effusions.",
            *(_fill_template(_IMPRESSIONS[finding.kind], finding) for finding in others),
        ]
    is_trace = any(finding.grade == "trace" for finding in effusions)
    return [
        _fill_template(
            _TRACE_IMPRESSION if is_trace and finding.kind == "effusion" else _IMPRESSIONS[finding.kind], finding
        )
        for finding in reported
    ]


def _chance(share: float, rng: random.Random) -> bool:
    return rng.random() < share


def _fill_template(template: str, finding: PhantomFinding) -> str:
    degree = _DEGREES[finding.grade]
    return template.format(
        side=finding.side,
        grade=finding.grade,
        Grade=finding.grade.capitalize(),
        degree=degree,
        Degree=degree.capitalize(),
        cm=f"{finding.diameter_mm / 10:.1f}",
        zone=finding.zone,
    )


def _format_report(parts: Mapping[str, str]) -> str:
    """Lay the sections out as MIMIC does: one space before each line, findings and impression below their heading."""
    lines = [" " * 33 + "FINAL REPORT"]
    for heading, text in parts.items():
        if heading in ("FINDINGS", "IMPRESSION"):
            lines += [f" {heading}: ", " ", *textwrap.wrap(text, 76, initial_indent=" ", subsequent_indent=" "), " "]
        else:
            lines += [f" {heading}:  {text}", " "]
    return "\n".join(lines[:-1]) + "\n"
