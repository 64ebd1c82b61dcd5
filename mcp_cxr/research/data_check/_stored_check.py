"""Keeps the last check and the decisions about its entries beside the archive, readable by their owner alone."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, get_args

from pydantic import TypeAdapter

from mcp_cxr.csv_writer import csv_text
from mcp_cxr.errors import ConfigError, NotFound, QueryError
from mcp_cxr.research.data_check._result import DECISIONS, CheckEntry, CheckList, DataCheck, Decision
from mcp_cxr.safe_files import replace_private_file

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path


_CHECK, _DECISIONS = "data_check.json", "data_check_decisions.json"
_NO_CHECK = "The data of this archive was not checked yet. Run `mcp-cxr check-data`."
_UNREADABLE = "The last check of the data cannot be read. Run `mcp-cxr check-data` again."
_COLUMNS = (
    "list", "decision", "decided_at", "image_ids", "study_ids", "subject_ids", "reason", "suggestion", "score", "key",
)  # fmt: skip
_writing = Lock()  # tabs share the files


@dataclass(frozen=True, slots=True)
class KeptDecision:
    """What a person decided about an entry, with the entry as it was then."""

    decision: Decision
    decided_at: str
    """ISO, UTC."""
    list_name: str
    entry: CheckEntry


class CheckFiles:
    """The two files beside an archive: the last check of its data, and the decisions about entries.

    Args:
        folder: The data folder.
        location: Of the store, if several may use one data folder; None if the folder has one alone.
    """

    def __init__(self, folder: Path, location: str | None) -> None:
        self._check, self._decisions = folder / _CHECK, folder / _DECISIONS
        self._location = location

    def write_check(self, check: DataCheck) -> None:
        """Keep a check in place of the last one.

        Raises:
            ConfigError: The data folder cannot be written.
        """
        _write(self._check, {"location": self._location, "check": asdict(check)})

    def read_check(self) -> DataCheck:
        """Return the last check, with all decisions that were made since.

        Raises:
            NotFound: There is none.
        """
        kept = _read(self._check)
        if not kept or kept.get("location", self._location) != self._location:
            raise NotFound(_NO_CHECK)
        try:
            check = TypeAdapter(DataCheck).validate_python(kept["check"])
        except (KeyError, TypeError, ValueError) as exc:
            raise NotFound(_UNREADABLE) from exc
        if not check.lists:
            raise NotFound(_UNREADABLE)
        return self.with_decisions(check)

    def decisions(self) -> dict[str, KeptDecision]:
        """Return all decisions by the key of their entry, in the order in which they were made."""
        try:
            return TypeAdapter(dict[str, KeptDecision]).validate_python(_read(self._decisions))
        except (KeyError, TypeError, ValueError) as exc:
            raise ConfigError(
                f"{self._decisions} cannot be read: it was changed or damaged. Restore it, or move it away."
            ) from exc

    def decide(self, key: str, decision: str | None) -> None:
        """Keep a decision about an entry of the last check, or of an earlier decision; None takes it back.

        Raises:
            QueryError: It is no decision.
            NotFound: There is no such entry.
            ConfigError: The data folder cannot be written.
        """
        if decision is not None and decision not in DECISIONS:
            raise QueryError(f"Unknown decision {decision!r}. Known: {', '.join(DECISIONS)}.")
        with self._changed_decisions() as decisions:
            known = decisions.pop(key, None)
            if decision is None:
                return
            name, entry = (known.list_name, known.entry) if known else self._entry(key)
            made_at = datetime.now(UTC).isoformat(timespec="seconds")
            decisions[key] = KeptDecision(_as_decision(decision), made_at, name, replace(entry, decision=None))

    def with_decisions(self, check: DataCheck) -> DataCheck:
        """Return a check with the decisions about its entries."""
        made = self.decisions()
        lists = [
            replace(
                one,
                entries=tuple(
                    replace(entry, decision=made[entry.key].decision if entry.key in made else None)
                    for entry in one.entries
                ),
            )
            for one in check.lists
        ]
        return replace(check, lists=tuple(lists))

    def require_readable(self) -> None:
        """Check that both files can be read, so that what they say of an image can be removed.

        Raises:
            ConfigError: One of them cannot.
        """
        self.decisions()
        try:
            self.read_check()
        except NotFound as exc:
            if str(exc) == _UNREADABLE:
                raise ConfigError(
                    f"{self._check} cannot be read. Remove it, and run `mcp-cxr check-data` again."
                ) from exc

    def remove(self, concerns: Callable[[CheckEntry], bool]) -> int:
        """Remove the entries and decisions that something holds for; return how many were removed.

        Raises:
            ConfigError: The data folder cannot be written.
        """
        with self._changed_decisions() as decisions:
            gone = [key for key, one in decisions.items() if concerns(one.entry)]
            for key in gone:
                del decisions[key]
        removed = set(gone)
        lists: list[CheckList] = []
        for one in self._lists():
            kept = tuple(entry for entry in one.entries if not concerns(entry))
            removed.update({entry.key for entry in one.entries} - {entry.key for entry in kept})
            lists.append(replace(one, entries=kept, total=one.total - len(one.entries) + len(kept)))
        if removed and lists:
            self.write_check(replace(self.read_check(), lists=tuple(lists)))
        return len(removed)

    def as_csv(self) -> str:
        """Return all decisions, then the entries of the last check that are not decided, as CSV."""
        decided = self.decisions()
        rows = [_row(one.list_name, one.entry, one.decision, one.decided_at) for one in decided.values()]
        for each in self._lists():
            rows += [_row(each.name, entry, None, None) for entry in each.entries if entry.key not in decided]
        return csv_text(_COLUMNS, rows)

    def _lists(self) -> tuple[CheckList, ...]:
        try:
            return self.read_check().lists
        except NotFound:
            return ()

    def _entry(self, key: str) -> tuple[str, CheckEntry]:
        for one in self.read_check().lists:
            for entry in one.entries:
                if entry.key == key:
                    return one.name, entry
        raise NotFound("The last check has no such entry. Reload the lists.")

    @contextmanager
    def _changed_decisions(self) -> Generator[dict[str, KeptDecision]]:
        """Yield the decisions to change, and write them if they were changed."""
        with _writing:
            decisions = self.decisions()
            before = dict(decisions)
            yield decisions
            if decisions != before:
                _write(self._decisions, {key: asdict(one) for key, one in decisions.items()})


def _as_decision(text: str) -> Decision:
    return next(one for one in get_args(Decision) if one == text)


def _row(name: str, entry: CheckEntry, decision: str | None, decided_at: str | None) -> tuple[object, ...]:
    return (
        name,
        decision,
        decided_at,
        " ".join(entry.images),
        " ".join(entry.studies),
        " ".join(entry.subjects),
        entry.reason,
        entry.suggestion,
        entry.score,
        entry.key,
    )


def _write(path: Path, value: Mapping[str, Any]) -> None:
    try:
        replace_private_file(path, json.dumps(value, ensure_ascii=False).encode())
    except OSError as exc:
        raise ConfigError(
            f"Cannot write {path} ({exc.strerror}). Free disk space, or change the folder's permissions."
        ) from exc


def _read(path: Path) -> dict[str, Any]:
    """Return what a file holds; nothing if there is none."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as exc:
        raise ConfigError(f"{path} cannot be read. Restore it, or move it away and run `mcp-cxr check-data`.") from exc
