"""The folder in which cohorts are kept, one file each, readable by their owner alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from mcp_cxr.errors import ConfigError, NotFound, QueryError
from mcp_cxr.research.cohorts._manifest import Cohort, read_cohort
from mcp_cxr.research.cohorts._splits import check_name
from mcp_cxr.safe_files import create_private_file, replace_private_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from mcp_cxr.research.cohorts._manifest import CohortRow

_MOST = 100
_SUFFIX = ".jsonl"


@dataclass(frozen=True, slots=True)
class CohortFolder:
    """Reads and writes manifests; blocking."""

    path: Path
    """Created with the first cohort."""

    def names(self) -> list[str]:
        """Return the names of all cohorts, in order."""
        return sorted(file.stem for file in self.path.glob(f"*{_SUFFIX}") if file.is_file())

    def headers(self) -> list[dict[str, Any]]:
        """Return the header of each cohort, by name; of a damaged one only its name."""
        return [self._header(name) for name in self.names()]

    def _header(self, name: str) -> dict[str, Any]:
        try:
            with self._file(name).open("rb") as file:
                header: Any = json.loads(file.readline())
        except (OSError, ValueError):
            return {"name": name}
        is_header = isinstance(header, dict) and "format" in header
        return {**cast("dict[str, Any]", header), "name": name} if is_header else {"name": name}

    def read(self, name: str) -> Cohort:
        """Return a cohort.

        Raises:
            NotFound: There is none of this name.
            ConfigError: The file cannot be read.
        """
        return self._read(check_name(name))

    def _read(self, name: str) -> Cohort:
        """Return a cohort by the name of its file, which a person may have copied under any name."""
        try:
            content = self._file(name).read_bytes()
        except FileNotFoundError:
            raise self._no_such_cohort(name) from None
        except OSError as exc:
            raise ConfigError(f"The manifest of cohort {name} cannot be read ({exc.strerror}).") from exc
        return read_cohort(content, name)

    def _no_such_cohort(self, name: str) -> NotFound:
        known = ", ".join(self.names()[:10]) or "none yet; make one with `mcp-cxr cohort make`"
        return NotFound(f"There is no cohort {name}. Cohorts: {known}.")

    def remove(self, name: str) -> None:
        """Remove a cohort, damaged or not.

        Raises:
            NotFound: There is none of this name.
            ConfigError: The file cannot be removed.
        """
        if name not in self.names():
            raise self._no_such_cohort(name)
        try:
            self._file(name).unlink(missing_ok=True)
        except OSError as exc:
            raise ConfigError(
                f"The manifest of cohort {name} cannot be removed ({exc.strerror}); check its permissions."
            ) from exc

    def check_free(self, name: str) -> None:
        """Refuse a new cohort if there are too many.

        Raises:
            QueryError: There are.
        """
        names = self.names()
        if len(names) >= _MOST and name not in names:
            raise QueryError(f"There are {_MOST} cohorts, the maximum. Remove one with `mcp-cxr cohort remove NAME`.")

    def write(self, cohort: Cohort) -> None:
        """Write a new cohort; does nothing if the same one is there.

        Raises:
            QueryError: There is another one of this name, or there are too many.
            ConfigError: The file cannot be written, or one of this name is damaged.
        """
        self.check_free(cohort.name)
        file, content = self._file(cohort.name), cohort.to_bytes()
        try:
            create_private_file(file, content)
            is_same = file.read_bytes() == content
        except OSError as exc:
            raise ConfigError(f"The cohort cannot be written to the data folder ({exc.strerror}).") from exc
        if not is_same:
            self._read(cohort.name)
            raise QueryError(
                f"A cohort {cohort.name} with other images or options exists; it is kept. Choose another name, or "
                f"remove it with `mcp-cxr cohort remove {cohort.name}`."
            )

    def holding(self, is_held: Callable[[CohortRow], bool]) -> list[str]:
        """Return the names of the cohorts that have any such image.

        Raises:
            ConfigError: A manifest cannot be read.
        """
        return [name for name in self.names() if any(is_held(row) for row in self._read(name).rows)]

    def forget(self, is_forgotten: Callable[[CohortRow], bool], names: Iterable[str]) -> dict[str, int]:
        """Remove images from cohorts; return how many each has lost, those that lost none left out.

        Raises:
            ConfigError: A manifest cannot be read or written: nothing of an archive may be forgotten before it can.
        """
        lost: dict[str, int] = {}
        for name in names:
            before = self._read(name)
            after = before.without(is_forgotten)
            if after is not before:
                try:
                    replace_private_file(self._file(name), after.to_bytes())
                except OSError as exc:
                    raise ConfigError(f"The manifest of cohort {name} cannot be written ({exc.strerror}).") from exc
                lost[name] = len(before.rows) - len(after.rows)
        return lost

    def _file(self, name: str) -> Path:
        return self.path / f"{name}{_SUFFIX}"
