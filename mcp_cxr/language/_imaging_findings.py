"""The imaging findings and devices of a study with their status and modifiers, without its words.

Two studies whose reports are worded differently but read to the same findings give the same here: nothing depends on
the order, number or length of sentences, on clinical terms, or on the indication. `docs/privacy.md` says who is given
this instead of reports.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import finding_entries, table
from mcp_cxr.language.reader import FindingReading, Mention, Status, is_normal, study_readings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp_cxr.records import Study

_GROUPS = (
    frozenset({"cardiomegaly", "widened mediastinum"}),
    frozenset({"opacity", "consolidation", "airspace disease", "infiltrate", "pneumonia", "nodule", "pulmonary edema"}),
    frozenset({"pleural effusion", "pneumothorax"}),
)
"""Findings of the heart, the lungs and the pleura that a normal report denies."""
_FEWEST_GROUPS = 2


@cache
def _public_labels() -> frozenset[str]:
    return frozenset(name for row in table("public_labels.csv") for name in row["labels"].split("|"))


def is_public_label(name: str) -> bool:
    """Return whether a known public data set has a label of this name, so that the name tells nothing of a patient."""
    return name in _public_labels()


def public_labels(labels: Mapping[str, int]) -> dict[str, int]:
    """Return the values of the labels whose names are public."""
    return {name: value for name, value in labels.items() if is_public_label(name)}


def is_imaging(finding: str) -> bool:
    """Return whether a finding is seen in an image, as a device is; diagnoses and symptoms are not."""
    return finding_entries()[finding].kind != "clinical"


def is_abnormality(name: str, reading: FindingReading) -> bool:
    """Return whether what is read is a finding, not a device or what a device shows: wires show a sternotomy."""
    if finding_entries()[name].kind != "finding" or name == "no finding":
        return False
    entries = [one.finding for one in reading.mentions if one.finding]
    return not entries or any(one.kind != "device" for one in entries)


def imaging_readings(study: Study) -> dict[str, FindingReading]:
    """Return what a study says of each imaging finding and device, by name in the order of names.

    Each mention is there once and without its words; one of a clinical term that is a kind of the finding names the
    finding.
    """
    return {
        name: FindingReading(one.status, one.sides, _without_words(name, one.mentions), one.label)
        for name, one in sorted(study_readings(study).items())
        if is_imaging(name)
    }


def _without_words(name: str, mentions: tuple[Mention, ...]) -> tuple[Mention, ...]:
    """Return the mentions without their words, each once and in an order that tells nothing of the report."""
    entries = finding_entries()
    found = {
        (one.name if is_imaging(one.name) else name, one.status, one.modifiers)
        for one in mentions
        if one.finding is not None
    }
    ordered = sorted(found, key=lambda one: (one[0], one[1], sorted(one[2])))
    return tuple(Mention("", (), entries[each], status, modifiers) for each, status, modifiers in ordered)


def is_normal_by_findings(readings: Mapping[str, FindingReading], *, with_devices: bool = True) -> bool:
    """Return whether findings alone show that a study is normal.

    No imaging finding is present or possible, and either a label says so, or findings of two of these are denied:
    heart, lungs, pleura. On 1,299 reports that people coded, its precision is 0.89 and its recall 0.91; those of
    `is_normal`, which reads words, are 0.88 and 0.93.

    Args:
        readings: Of the study, by the finding's name.
        with_devices: Whether devices are allowed.
    """
    if _states_something(readings, with_devices=with_devices):
        return False
    denied = {name for name, one in readings.items() if one.status is Status.ABSENT}
    no_finding = readings.get("no finding")
    return (no_finding is not None and no_finding.status is Status.PRESENT) or (
        sum(not denied.isdisjoint(group) for group in _GROUPS) >= _FEWEST_GROUPS
    )


def is_normal_study(report: str | None, readings: Mapping[str, FindingReading], *, with_devices: bool = True) -> bool:
    """Return whether report and labels show that a study is normal.

    No imaging finding is present or possible in either, and the label No Finding or the report says so.

    Args:
        report: The whole text; None if there is none.
        readings: Of report and labels, by the finding's name.
        with_devices: Whether devices are allowed.
    """
    if _states_something(readings, with_devices=with_devices):
        return False
    no_finding = readings.get("no finding")
    by_label = no_finding is not None and no_finding.label == 1
    return by_label or (report is not None and is_normal(report, with_devices=with_devices))


def _states_something(readings: Mapping[str, FindingReading], *, with_devices: bool) -> bool:
    """Return whether a finding, or a device unless these are allowed, is present or possible."""
    entries = finding_entries()
    excluded = ("finding",) if with_devices else ("finding", "device")
    stated = (name for name, one in readings.items() if one.status is not Status.ABSENT and name != "no finding")
    return any(entries[name].kind in excluded for name in stated)
