"""Compares what the report reader reads with codes that people gave; needs no search, vectors or embedder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_cxr.evaluate.inputs import strongest_status
from mcp_cxr.evaluate.metrics import Disagreement, Figure, FindingAgreement, measured_result, rate, skipped_result
from mcp_cxr.language import Status, ancestors, descendants, is_normal, read_report, report_statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mcp_cxr.evaluate.inputs import Code, CodesFile
    from mcp_cxr.evaluate.metrics import ProtocolResult, Rate
    from mcp_cxr.language import FindingReading

MIN_CODED = 30
"""Fewer coded studies give no rate: its interval would be wider than .3."""
_NO_FINDING = "no finding"
_SIDES = ("left", "right")
_COUNTED = {"present": (Status.PRESENT,), "present or possible": (Status.PRESENT, Status.POSSIBLE)}


@dataclass(frozen=True, slots=True)
class _CodedStudy:
    """A study with its report and codes."""

    study_id: str
    report: str
    codes: tuple[Code, ...]
    readings: Mapping[str, FindingReading]


@dataclass(frozen=True, slots=True)
class _Comparison:
    """What was read of one finding, or of one side of it, in a study, and how it is coded."""

    study: _CodedStudy
    read: Status | None
    coded: Status | None


def measure_reader(reports: Mapping[str, str | None], codes: CodesFile) -> ProtocolResult:
    """Read reports, and compare what they say of each coded finding with its codes.

    Args:
        reports: The archive's studies: each report, or None, by study id.
        codes: What people found.
    """
    studies = [
        _CodedStudy(study, report, given, read_report(report))
        for study, report in reports.items()
        if report and (given := codes.of_study(study)) is not None
    ]
    if not studies:
        return skipped_result(
            "reader", f"None of the {len(codes.codes)} coded studies has a report in the archive; check study_id."
        )
    agreement = [one for finding in codes.findings() for one in _agreements(finding, studies)]
    return measured_result(
        "reader",
        [figure for one in agreement for figure in _figures(one)],
        [],
        _notes(reports, codes, len(studies)),
        left_out={name: f"No such finding; nearest: {nearest}." for name, nearest in codes.unknown.items()},
        agreement=agreement,
    )


def _notes(reports: Mapping[str, str | None], codes: CodesFile, compared: int) -> list[str]:
    without = sum(not report and codes.of_study(study) is not None for study, report in reports.items())
    missing = len(codes.codes) - compared - without
    notes = [f"{compared} of {len(codes.codes)} coded studies were compared, by {codes.name}."]
    if missing or without:
        notes.append(f"Left out: {missing} not in the archive, {without} without a report.")
    return [
        *notes,
        "If the codes have no negative rows for a finding, a study without a row counts as negative.",
        (
            f"Intervals are Wilson intervals. With fewer than {MIN_CODED} coded studies, only counts and disagreements"
            " are given."
        ),
    ]


def _agreements(finding: str, studies: Sequence[_CodedStudy]) -> Iterator[FindingAgreement]:
    """Yield a finding's agreement, and that of each side that is coded."""
    rows_of_all = any(code.finding == finding and code.status is Status.ABSENT for one in studies for code in one.codes)
    whole = [_compared(finding, study) for study in studies]
    known = [one for one in whole if one.coded is not None or not rows_of_all]
    for counted in _COUNTED:
        yield _agreement(finding, "", counted, known)
    if any(code.sides for one in studies for code in _rows(finding, one.codes)):
        sided = [one.study for one in known if _has_side(finding, one)]
        for side in _SIDES:
            of_side = [_compared_side(finding, side, study) for study in sided]
            for counted in _COUNTED:
                yield _agreement(finding, side, counted, of_side)


def _rows(finding: str, codes: Iterable[Code]) -> Iterator[Code]:
    """Yield the rows that say something of a finding: a narrower one affirms it, a broader one denies it."""
    narrower, broader = descendants(finding), ancestors(finding)
    for code in codes:
        others = broader if code.status is Status.ABSENT else narrower
        if code.finding == finding or code.finding in others:
            yield code


def _compared(finding: str, study: _CodedStudy) -> _Comparison:
    coded = strongest_status(code.status for code in _rows(finding, study.codes))
    if finding == _NO_FINDING:
        return _Comparison(study, Status.PRESENT if is_normal(study.report) else None, coded)
    reading = study.readings.get(finding)
    return _Comparison(study, reading.status if reading else None, coded)


def _has_side(finding: str, compared: _Comparison) -> bool:
    """Return whether the codes tell the side: each row that affirms the finding has one, or none affirms it."""
    rows = _rows(finding, compared.study.codes)
    return all(code.sides for code in rows if code.status is not Status.ABSENT)


def _compared_side(finding: str, side: str, study: _CodedStudy) -> _Comparison:
    rows = _rows(finding, study.codes)
    coded = strongest_status(code.status for code in rows if side in code.sides or not code.sides)
    reading = study.readings.get(finding)
    return _Comparison(study, reading.sides.get(side) if reading else None, coded)


def _agreement(finding: str, side: str, counted: str, compared: Sequence[_Comparison]) -> FindingAgreement:
    having = _COUNTED[counted]
    pairs = [(one.coded in having, one.read in having) for one in compared]
    coded, read = sum(coded for coded, _ in pairs), sum(read for _, read in pairs)
    both = sum(coded and read for coded, read in pairs)
    numbers = finding, side, counted, len(pairs), coded, read, both
    if coded >= MIN_CODED:
        return FindingAgreement(*numbers, rate(both, read), rate(both, coded))
    differing = [one for one, (coded, read) in zip(compared, pairs, strict=True) if coded != read]
    return FindingAgreement(*numbers, disagreements=[_disagreement(finding, one) for one in differing])


def _disagreement(finding: str, one: _Comparison) -> Disagreement:
    return Disagreement(
        one.study.study_id,
        one.read.value if one.read else "not mentioned",
        _sentences(finding, one.study),
        one.coded.value if one.coded else "not coded",
    )


def _sentences(finding: str, study: _CodedStudy) -> list[str]:
    """Return the report's sentences behind a reading; for "no finding" those that mention any finding."""
    if finding == _NO_FINDING:
        behind = tuple(mention for reading in study.readings.values() for mention in reading.mentions)
    else:
        reading = study.readings.get(finding)
        behind = reading.mentions if reading else ()
    statements = report_statements(study.report)
    return [" ".join(one.text.split()) for one in statements if any(mention in one.mentions for mention in behind)]


def _figures(one: FindingAgreement) -> Iterator[Figure]:
    of = f"{one.of}, {one.counted}"
    rates: Sequence[tuple[str, Rate | None, str]] = (
        ("precision", one.precision, "read studies"),
        ("recall", one.recall, "coded studies"),
    )
    for name, found, counted in rates:
        if found:
            yield Figure(name, of, found.value, found.low, found.high, None, found.n, counted=counted)
