"""The status of each finding in each study of a patient, and what a report says of how it changed.

A finding is `new` only if a report says so, or if the last report before it that mentions the finding denies it; it is
`gone` only if a report says that it is absent or resolved. A report that does not mention a finding says nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_cxr.language import Status, finding_of_label, imaging_readings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mcp_cxr.language import FindingReading
    from mcp_cxr.records import Study
    from mcp_cxr.timeline._study_times import Moment

_SIDES = ("left", "right")
_NORMAL = "no finding"


@dataclass(frozen=True, slots=True)
class DatedStudy:
    """A study with what it says of each finding."""

    study: Study
    moment: Moment
    readings: Mapping[str, FindingReading]
    named: frozenset[str]
    """The findings that its report or labels name, without the broader and narrower ones that are concerned too."""

    @property
    def has_report(self) -> bool:
        """Whether it has a report that can be read."""
        return bool(self.study.english_report)


def dated_study(study: Study, moment: Moment) -> DatedStudy:
    """Return a study with what it says of imaging findings and devices."""
    readings = imaging_readings(study)
    mentioned = {one.name for reading in readings.values() for one in reading.mentions}
    labeled = {finding.name for label in study.labels if (finding := finding_of_label(label))}
    return DatedStudy(study, moment, readings, frozenset(((mentioned | labeled) & readings.keys()) - {_NORMAL}))


@dataclass(frozen=True, slots=True)
class _Statement:
    """What one study says of one finding, at one side or at any."""

    status: Status
    moment: Moment
    is_reported: bool
    """Whether the report says so, not a label alone."""
    is_called_new: bool
    is_called_resolved: bool

    @property
    def affirms(self) -> bool:
        return self.status is not Status.ABSENT


def finding_rows(studies: Sequence[DatedStudy], shown: Sequence[DatedStudy]) -> dict[str, list[str | None]]:
    """Return the status of each finding in each shown study, such as `present, new`; None: it is not mentioned.

    Args:
        studies: All studies of the patient: they decide what is new, gone or mentioned for the first time.
        shown: Those of them that the rows are about; the rows keep their order.

    Returns:
        By `pleural effusion, left`: findings that no shown study affirms come last; of the others, new and gone ones
        come first, then those that the first study mentions.
    """
    rows: dict[str, list[str | None]] = {}
    for name in sorted(set[str]().union(*(one.named for one in shown))):
        for side in _sides_of(name, studies):
            statements = [_statement(one, name, side) for one in studies]
            row = _Row(studies, statements)
            rows[f"{name}, {side}" if side else name] = [row.cell(studies.index(one)) for one in shown]
    return dict(sorted(rows.items(), key=lambda row: _rank(row[1])))


def _rank(cells: Sequence[str | None]) -> tuple[bool, bool, bool, int]:
    stated = [cell for cell in cells if cell]
    is_affirmed = any(not cell.startswith(Status.ABSENT) for cell in stated)
    has_changed = any(cell.endswith("gone") or "new" in cell for cell in stated)
    return not is_affirmed, not has_changed, cells[0] is None, -len(stated)


def _sides_of(name: str, studies: Sequence[DatedStudy]) -> Iterable[str | None]:
    """Yield the sides at which a finding is stated, and None first if a study affirms it without a side."""
    readings = [one.readings[name] for one in studies if name in one.readings]
    sides = [side for side in _SIDES if any(side in reading.sides for reading in readings)]
    affirmed = [one for one in readings if one.status is not Status.ABSENT]
    if not sides or any(not _is_affirmed_at_a_side(one) for one in affirmed):
        yield None
    yield from sides


def _is_affirmed_at_a_side(reading: FindingReading) -> bool:
    return reading.status in reading.sides.values()


def _is_denied_everywhere(reading: FindingReading) -> bool:
    """Whether an absent finding is denied without a side, at both sides, or by a label."""
    is_one_sided = bool(reading.sides) and len(reading.sides) < len(_SIDES)
    return not is_one_sided or any(reading.sides.keys().isdisjoint(each.modifiers) for each in reading.mentions)


def _statement(one: DatedStudy, name: str, side: str | None) -> _Statement | None:
    reading = one.readings.get(name)
    if reading is None:
        return None
    status, mentions = reading.status, reading.mentions
    if side and side in reading.sides:
        status, mentions = reading.sides[side], tuple(each for each in mentions if side in each.modifiers)
    elif status is Status.ABSENT and not _is_denied_everywhere(reading):
        return None
    elif side and status is not Status.ABSENT:
        return None  # what is affirmed elsewhere, or without a side, says nothing of this side
    said = [each for each in mentions if each.status is status]
    return _Statement(
        status,
        one.moment,
        is_reported=bool(said),
        is_called_new=any("new" in each.modifiers for each in said),
        is_called_resolved=any("resolved" in each.modifiers for each in said),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """One finding, at one side or at any, in all studies of a patient."""

    studies: Sequence[DatedStudy]
    statements: Sequence[_Statement | None]

    def cell(self, index: int) -> str | None:
        """Return the status in one study with what changed; None if it is not mentioned."""
        stated = self.statements[index]
        if stated is None:
            return None
        others = [one for at, one in enumerate(self.statements) if one and at != index]
        earlier = [one for one in others if one.moment.is_before(stated.moment)]
        later = [one for one in others if stated.moment.is_before(one.moment)]
        is_ordered = len(earlier) + len(later) == len(others)
        changes = (
            [
                _beginning(stated, earlier, is_ordered),
                "not mentioned since" if is_ordered and not later and self._is_followed(index) else None,
            ]
            if stated.affirms
            else ["gone" if _is_gone(stated, earlier) else None]
        )
        return ", ".join([str(stated.status), *filter(None, changes)])

    def _is_followed(self, index: int) -> bool:
        """Whether a later study has a report that can be read."""
        moment = self.studies[index].moment
        return any(one.has_report and moment.is_before(one.moment) for one in self.studies)


def _beginning(stated: _Statement, earlier: Sequence[_Statement], is_ordered: bool) -> str | None:
    """Return whether an affirmed finding is new, or mentioned for the first time as far as the order is known."""
    last = [one for one in earlier if not any(one.moment.is_before(other.moment) for other in earlier)]
    if stated.is_called_new:
        return "new"
    if not is_ordered:
        return None
    if not earlier:
        return "first mentioned"
    return "new" if all(one.is_reported and not one.affirms for one in last) else None


def _is_gone(stated: _Statement, earlier: Sequence[_Statement]) -> bool:
    """Whether a report says that a finding is absent that was present when it was last affirmed, or is resolved."""
    denied = [one.moment for one in earlier if not one.affirms]
    was_present = any(
        one.status is Status.PRESENT and not any(one.moment.is_before(moment) for moment in denied) for one in earlier
    )
    return stated.is_reported and (stated.is_called_resolved or was_present)
