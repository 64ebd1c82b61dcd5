"""The reports of `reports.txt` with what their headers state, independent of any reader.

All reports were written for these tests in the style of MIMIC-CXR's; none is real. Above each stands one line:

    === s25 | present: pleural effusion [right, small], cardiomegaly | uncertain: pneumonia [left lower lobe] |
    absent: pneumothorax, pleural effusion [left] | resolved: ... | history: ... | normal: no

(on one line; a field without an entry may be left out). An entry is the name of a finding, the most specific one ("rib
fracture", not "fracture"), and, in brackets, what the report states of that mention:

- side: left, right, bilateral;
- place: one of `PLACES`, alone or with a side before it ("left lower lobe");
- size or degree: small (tiny, trace, minimal, mild), moderate, large (severe, marked);
- change: new, improved, worse, unchanged.

A finding with different attributes in two places has two entries. A `?` after an attribute: optional.

A finding has one status for each side: present beats uncertain beats absent. `resolved` is absent now, as is what was
removed. Improved, worse and unchanged findings are present; "no new X" and "no worsening X" say nothing of X. What may
be, cannot be excluded or judged, is doubted, less likely, asked or recommended to be excluded in the impression is
uncertain. "Borderline cardiomegaly" is present, "upper limits of normal" is absent. `history` holds what only the
indication, a history or a prior study names: without another entry it has no status. A wet read counts if nothing else
has a body. `normal` is yes if normality is stated and nothing is present or uncertain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PLACES = frozenset(
    {"apex", "base", "upper lobe", "middle lobe", "lower lobe", "lingula", "perihilar", "retrocardiac"},
)
SIZES = frozenset({"small", "moderate", "large"})
CHANGES = frozenset({"new", "improved", "worse", "unchanged"})
STATUSES = ("present", "possible", "absent")
"""The statuses of a finding, the strongest first."""
_STATUS_OF_FIELD = {"present": "present", "uncertain": "possible", "absent": "absent", "resolved": "absent"}
_SIDES = {"left": {"left"}, "right": {"right"}, "bilateral": {"left", "right"}}
_HEADER = re.compile(r"^=== s(\d+) \|(.*)\n", re.MULTILINE)
_ENTRY = re.compile(r"([^,\[\]]+)(?:\[([^\]]*)\])?(?:,|$)")


@dataclass(frozen=True)
class Entry:
    """A mention as annotated."""

    finding: str
    status: str
    """One of `STATUSES`."""
    sides: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    sizes: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()
    resolved: bool = False
    optional: frozenset[str] = frozenset()
    """Sides, places, sizes and changes that a reader may give or not."""


@dataclass(frozen=True)
class Report:
    """A report with its annotation."""

    number: int
    text: str
    entries: tuple[Entry, ...]
    history: frozenset[str]
    normal: bool

    @property
    def present(self) -> frozenset[str]:
        """The findings with an entry as present."""
        return self._with_status("present")

    @property
    def possible(self) -> frozenset[str]:
        """The findings with an entry as uncertain."""
        return self._with_status("possible")

    @property
    def absent(self) -> frozenset[str]:
        """The findings with an entry as absent or resolved."""
        return self._with_status("absent")

    @property
    def findings(self) -> frozenset[str]:
        """The findings that have a status."""
        return self.present | self.possible | self.absent

    def status(self, finding: str) -> str:
        """Return the strongest status of a finding."""
        return _strongest(one.status for one in self.entries if one.finding == finding)

    def sides(self, finding: str) -> dict[str, str]:
        """Return the status of each side that the report names for a finding."""
        of_finding = [one for one in self.entries if one.finding == finding]
        named = {side for one in of_finding for side in one.sides}
        return {side: _strongest(one.status for one in of_finding if side in one.sides) for side in named}

    def _with_status(self, status: str) -> frozenset[str]:
        return frozenset(one.finding for one in self.entries if one.status == status)


def reports() -> list[Report]:
    """Return the reports of `reports.txt`, in their order.

    Raises:
        ValueError: A header has an unknown field or attribute.
    """
    parts = _HEADER.split((Path(__file__).parent / "reports.txt").read_text())[1:]
    return [_report(int(parts[at]), parts[at + 1], parts[at + 2]) for at in range(0, len(parts), 3)]


def _report(number: int, header: str, text: str) -> Report:
    fields: dict[str, str] = {}
    for field in header.split("|"):
        name, _, value = (part.strip() for part in field.partition(":"))
        if name not in {*_STATUS_OF_FIELD, "history", "normal"}:
            raise ValueError(f"s{number}: unknown field {name!r}")
        fields[name] = value
    entries = [
        replace(one, resolved=name == "resolved")
        for name, status in _STATUS_OF_FIELD.items()
        for one in _entries(fields.get(name, ""), status)
    ]
    history = frozenset(one.finding for one in _entries(fields.get("history", ""), "absent"))
    return Report(number, text, tuple(entries), history, {"yes": True, "no": False}[fields["normal"]])


def _entries(text: str, status: str) -> list[Entry]:
    return [_entry(name.strip(), attributes, status) for name, attributes in _ENTRY.findall(text) if name.strip()]


def _entry(finding: str, attributes: str, status: str) -> Entry:
    optional: set[str] = set()
    certain: set[str] = set()
    for one in filter(None, (part.strip() for part in attributes.split(","))):
        (optional if one.endswith("?") else certain).update(_values(one.removesuffix("?")))
    kinds = (frozenset({"left", "right"}), PLACES, SIZES, CHANGES)
    sides, places, sizes, changes = (frozenset(certain & kind) for kind in kinds)
    return Entry(finding, status, sides, places, sizes, changes, optional=frozenset(optional))


def _values(attribute: str) -> set[str]:
    """Return the values of an attribute: "left lower lobe" has a side and a place."""
    first, _, rest = attribute.partition(" ")
    if first in _SIDES:
        return _SIDES[first] | (_values(rest) if rest else set())
    if attribute not in PLACES | SIZES | CHANGES:
        raise ValueError(f"unknown attribute {attribute!r}")
    return {attribute}


def _strongest(statuses: Iterable[str]) -> str:
    return min(statuses, key=STATUSES.index)


def modifiers_of(attributes: str) -> frozenset[str]:
    """Return the modifiers of a finding in a query: as those of a report, and "resolved"."""
    values = [one.strip() for one in attributes.split(",") if one.strip()]
    return frozenset(each for one in values for each in ({one} if one == "resolved" else _values(one)))
