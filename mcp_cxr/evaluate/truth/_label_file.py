"""What counts as right: the labels of the archive, or of a CSV file that people made."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections import defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError
from mcp_cxr.records import LABELS, without_mimic_letter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

    from mcp_cxr.records import StoredImage

_KEYS = ("study_id", "dicom_id", "image_id", "Path")
"""Columns that can say which film or study a row is of; the first that is there does."""
_VALUES = {1.0: 1, 0.0: 0, -1.0: -1}


class TruthFile:
    """Labels by study, by image, or by the end of a file's path, from one CSV file.

    Args:
        name: The file's name, for people.
        rows: Key and labels of each row.
        key: Which of `_KEYS` the rows have.
    """

    def __init__(self, name: str, rows: Mapping[str, Mapping[str, int]], key: str) -> None:
        self.name = name
        self._key = key
        self._rows = rows
        self._by_file_name: dict[str, list[str]] = defaultdict(list)
        if key == "Path":
            for path in rows:
                self._by_file_name[PurePosixPath(path).name].append(path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file with one column of `_KEYS` and a column for any label: 1, 0, -1 or empty.

        Raises:
            ConfigError: It cannot be read, or has other columns or values.
        """
        try:
            with (gzip.open if path.suffix == ".gz" else open)(path, "rt", newline="", encoding="utf-8-sig") as lines:
                table = csv.DictReader(lines)
                columns = table.fieldnames or ()
                key = next(name for name in _KEYS if name in columns)
                labels = [label for label in LABELS if label in columns]
                rows = {row[key]: {name: _VALUES[float(row[name])] for name in labels if row[name]} for row in table}
        except (OSError, EOFError, zlib.error) as exc:
            raise ConfigError(f"Cannot read {path.name}: it is missing, forbidden or damaged.") from exc
        except (StopIteration, ValueError, KeyError, TypeError, csv.Error) as exc:
            raise ConfigError(_SHAPE.format(name=path.name)) from exc
        if not labels:
            raise ConfigError(_SHAPE.format(name=path.name))
        return cls(path.name, rows, key)

    def labels_of(self, stored: StoredImage) -> Mapping[str, int]:
        """Return what the file says of an image's study; empty where it says nothing."""
        image = stored.image
        if self._key == "Path":
            return self._rows.get(self._row_of(image.image_path) or "", {})
        if self._key == "study_id":
            return self._rows.get(image.study_id) or self._rows.get(without_mimic_letter(image.study_id)) or {}
        return self._rows.get(image.image_id, {})

    def _row_of(self, image_path: str) -> str | None:
        """Return the row's path that the image's path ends with, or that ends with it."""
        parts = PurePosixPath(image_path).parts
        for path in self._by_file_name.get(parts[-1], []):
            other = PurePosixPath(path).parts
            shared = min(len(parts), len(other))
            if parts[-shared:] == other[-shared:]:
                return path
        return None


_SHAPE = (
    "{name} is no table of labels: it needs a column study_id, dicom_id, image_id or Path, and columns named after the "
    "labels of CheXpert that hold 1, 0, -1 or nothing."
)
