"""Each report of the golden set is read as annotated: status by finding and side, and the attributes of mentions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.language import ancestors, is_normal, read_report
from tests.golden.annotations import CHANGES, PLACES, SIZES, STATUSES, Entry, Report, reports

if TYPE_CHECKING:
    from mcp_cxr.language import Mention

REPORTS = reports()
RENAMED = {"hilum": "perihilar"}
"""A modifier -> its name in the annotation."""
ANNOTATED = PLACES | SIZES | CHANGES | {"left", "right"}
NO_FINDING = "no finding"
# What a statement of normality may be read to deny beyond the annotation.
MAY_BE_DENIED = {
    "clear": {"opacity", "consolidation", "infiltrate", "airspace disease"},
    "inflated": {"low lung volumes"},
    "hilar contours": {"hilar enlargement"},
}


@dataclass
class Read:
    """What the reader says of a finding: the mentions of it, and of its narrower findings that nobody annotated."""

    mentions: list[Mention] = field(default_factory=list)

    @property
    def status(self) -> str:
        """The strongest status."""
        return min((one.status.value for one in self.mentions), key=STATUSES.index)

    @property
    def sides(self) -> dict[str, str]:
        """The strongest status of each side."""
        named = {side for one in self.mentions for side in one.modifiers_of("side")}
        return {side: Read([one for one in self.mentions if side in one.modifiers]).status for side in named}


def _reading(one: Report) -> dict[str, Read]:
    """Return what is read, by annotated name: a more specific name counts for the annotated one above it.

    A broader name than an annotated one is left out: a reader may add "fracture" to "rib fracture" or not; and so is
    what is denied because a broader finding is.
    """
    merged: dict[str, Read] = {}
    above = {broader for name in one.findings for broader in ancestors(name)} - one.findings
    mentions = {id(mention): mention for reading in read_report(one.text).values() for mention in reading.mentions}
    for mention in mentions.values():
        if mention.name not in {NO_FINDING, *above}:
            targets = {mention.name} if mention.name in one.findings else set(ancestors(mention.name)) & one.findings
            for target in targets or {mention.name}:
                merged.setdefault(target, Read()).mentions.append(mention)
    return merged


def _attributes(mention: Mention) -> set[str]:
    """Return sides, places, sizes and changes of a mention, in the words of the annotation."""
    return {RENAMED.get(value, value) for value in mention.modifiers} & ANNOTATED


def _stated(entry: Entry) -> set[str]:
    return set(entry.sides | entry.places | entry.sizes | entry.changes)


@pytest.fixture(scope="module")
def readings() -> dict[int, dict[str, Read]]:
    return {one.number: _reading(one) for one in REPORTS}


each_report = pytest.mark.parametrize("one", REPORTS, ids=lambda one: f"s{one.number:02}")


@each_report
def test_findings_have_the_annotated_status(one: Report, readings: dict[int, dict[str, Read]]) -> None:
    # What only the history or a prior names, and what nobody annotated, has no status at all.
    read = {name: found.status for name, found in readings[one.number].items()}
    denied = {name for words, names in MAY_BE_DENIED.items() if words in one.text.lower() for name in names}
    read = {name: how for name, how in read.items() if name in one.findings or how != "absent" or name not in denied}
    assert read == {name: one.status(name) for name in one.findings}


@each_report
def test_sides_have_the_annotated_status(one: Report, readings: dict[int, dict[str, Read]]) -> None:
    for name in one.findings & readings[one.number].keys():
        given, stated = readings[one.number][name].sides, one.sides(name)
        assert {side: given.get(side) for side in stated} == stated, name
        unsided = {each.status for each in one.entries if each.finding == name and not each.sides}
        free = {side for each in one.entries if each.finding == name for side in each.optional}
        for side in given.keys() - stated.keys() - free:  # "no effusion" may be read as absent on both sides
            assert side not in {"left", "right"} or given[side] in unsided & {"absent"}, name


@each_report
def test_attributes_are_bound_to_their_mention(one: Report, readings: dict[int, dict[str, Read]]) -> None:
    for name in one.findings & readings[one.number].keys():
        read = [(each.status.value, _attributes(each), each) for each in readings[one.number][name].mentions]
        for entry in (each for each in one.entries if each.finding == name):
            if entry.status != "absent":
                assert any(status == entry.status and _stated(entry) <= given for status, given, _ in read), entry
            if entry.resolved:
                assert any("resolved" in each.modifiers for _, _, each in read), entry


@each_report
def test_no_attribute_is_read_that_is_not_stated(one: Report, readings: dict[int, dict[str, Read]]) -> None:
    for name in one.findings & readings[one.number].keys():
        for mention in readings[one.number][name].mentions:
            status = mention.status.value
            if status != "absent":
                entries = [each for each in one.entries if each.finding == name and each.status == status]
                assert any(_attributes(mention) <= _stated(each) | each.optional for each in entries), mention


@each_report
def test_no_finding_is_judged_over_the_study(one: Report) -> None:
    assert is_normal(one.text, with_devices=False) == one.normal


@each_report
def test_a_study_has_the_strongest_status_of_a_finding_and_its_narrower_ones(one: Report) -> None:
    found = read_report(one.text)
    for name in one.findings:
        affirmed = [each for each in one.findings if name in ancestors(each) and one.status(each) != "absent"]
        assert found[name].status == min((one.status(each) for each in (name, *affirmed)), key=STATUSES.index), name
