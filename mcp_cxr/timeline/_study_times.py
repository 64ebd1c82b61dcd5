"""When a study was made, and which of two was made first, if that is known."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

_SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Moment:
    """The date and time of a study, each as far as it is recorded."""

    date: dt.date | None
    time: str | None = None
    """`08:05:56`."""

    def is_before(self, other: Moment) -> bool:
        """Whether this is known to be earlier: on one day only if both times are recorded, and differ."""
        if self.date is None or other.date is None:
            return False
        if self.date != other.date:
            return self.date < other.date
        return bool(self.time and other.time) and str(self.time) < str(other.time)

    def days_after(self, other: Moment) -> int | None:
        """Return the days from `other` to this; None if a date is missing."""
        return None if self.date is None or other.date is None else (self.date - other.date).days

    def distance(self, other: Moment) -> float:
        """Return the seconds between both, by whole days if a time is missing; infinity if a date is missing."""
        days = self.days_after(other)
        if days is None:
            return float("inf")
        between = _seconds(self.time) - _seconds(other.time) if self.time and other.time else 0
        return abs(days * _SECONDS_PER_DAY + between)


def moment_of(date: str | None, time: str | None) -> Moment:
    """Return the moment of an ISO date and a time; a date that is none, which another program may store, is missing."""
    try:
        return Moment(dt.date.fromisoformat(date) if date else None, time)
    except ValueError:
        return Moment(None)


def _seconds(time: str) -> int:
    hours, minutes, seconds = map(int, time.split(":"))
    return (hours * 60 + minutes) * 60 + seconds
