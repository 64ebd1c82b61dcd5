"""The plan of an evaluation: its protocols, prompts and labels, and the files they are read from."""

from __future__ import annotations

import csv
import json
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError
from mcp_cxr.evaluate.inputs._coded_findings import CodesFile, is_codes_table, open_table
from mcp_cxr.evaluate.metrics import TITLES
from mcp_cxr.records import LABELS, without_mimic_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

    from mcp_cxr.records import StoredImage

PROTOCOLS = tuple(TITLES)

_TEMPLATES = ("{}", "a chest x-ray with {}", "chest radiograph showing {}")
_SPECIAL: Mapping[str, tuple[str, ...]] = {
    "No Finding": ("normal chest x-ray", "a normal chest radiograph", "chest x-ray with clear lungs"),
    "Support Devices": ("chest x-ray with a tube, line or pacemaker", "support devices", "a chest x-ray with devices"),
}
CLASS_PROMPTS: Mapping[str, tuple[str, ...]] = {
    label: _SPECIAL.get(label) or tuple(template.format(label.lower()) for template in _TEMPLATES) for label in LABELS
}
"""The prompts of each label."""
_KEYS = ("study_id", "dicom_id", "image_id", "Path")
"""Columns that identify the image or study of a row; the first one found is used."""
_VALUES = {1.0: 1, 0.0: 0, -1.0: -1}
_WRONG_COLUMNS = (
    "{name} has no columns of ids and labels (study_id, dicom_id, image_id or Path; CheXpert's labels) or of codes "
    "(study_id, finding, value); see docs/evaluate.md."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlan:
    """Which protocols to run, and how."""

    protocols: tuple[str, ...] = PROTOCOLS
    queries: int = 1000
    """Maximum number of queries in `reports` and `similar`."""
    studies: int = 5000
    """Number of studies in the copy of the archive that `negation`, `rankings` and `feedback` search."""
    split: str | None = None
    """Use only studies of this split, as queries and as results."""
    seed: int = 0
    resamples: int = 500
    """Number of resamples for each interval."""
    prompts: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: CLASS_PROMPTS)
    truth: TruthFile | None = None
    """Labels that decide which results are relevant, instead of the archive's."""
    codes: CodesFile | None = None
    """What people found, for `reader`."""
    independent: bool = False
    """Whether people read these labels from the images, so that the archive's labels and reports do not leak them."""

    @property
    def only_reader(self) -> bool:
        """Whether only reports are read, so that neither vectors nor an embedder are needed."""
        return self.protocols == ("reader",)


def read_prompts(path: Path) -> dict[str, tuple[str, ...]]:
    """Read a JSON object of label to prompt, or to a list of prompts; other labels are not measured.

    Raises:
        ConfigError: It cannot be read, or has another form.
    """
    try:
        by_label = json.loads(path.read_text(encoding="utf-8"))
        prompts = {label: (value,) if isinstance(value, str) else tuple(value) for label, value in by_label.items()}
    except OSError as exc:
        raise ConfigError(f"Cannot read {path} ({exc.strerror}); name a JSON file of prompts.") from exc
    except (ValueError, TypeError, AttributeError) as exc:
        raise ConfigError(f'{path} must be a JSON object such as {{"Edema": ["pulmonary edema"]}}.') from exc
    if not prompts:
        raise ConfigError(f'{path} has no prompts; give a JSON object such as {{"Edema": ["pulmonary edema"]}}.')
    if unknown := [label for label in prompts if label not in LABELS]:
        raise ConfigError(f"{path}: {unknown[0]!r} is not a label. Known: {', '.join(LABELS)}.")
    if not all(
        texts and all(isinstance(prompt, str) and prompt.strip() for prompt in texts) for texts in prompts.values()
    ):
        raise ConfigError(f"{path}: each label needs prompts, none of them empty.")
    return prompts


class TruthFile:
    """The labels of a CSV file, by study, by image, or by the end of a file's path.

    Args:
        name: The file's name, for messages.
        rows: The labels of each row by its key.
        key: The column of `_KEYS` that holds the keys.
        codes: The findings with side and size, if the file is one of codes.
    """

    def __init__(
        self, name: str, rows: Mapping[str, Mapping[str, int]], key: str, codes: CodesFile | None = None
    ) -> None:
        self.name = name
        self.codes = codes
        self._key = key
        self._rows = rows
        self._by_file_name: dict[str, list[str]] = defaultdict(list)
        if key == "Path":
            for path in rows:
                self._by_file_name[PurePosixPath(path).name].append(path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file with a column of `_KEYS` and columns named after labels, which hold 1, 0, -1 or nothing.

        Or read a file of codes (see `CodesFile`): each study has the labels of its findings, and 0 for the others.

        Raises:
            ConfigError: It cannot be read, or has other columns or values.
        """
        try:
            with open_table(path) as lines:
                table = csv.DictReader(lines)
                columns = table.fieldnames or ()
                if is_codes_table(columns):
                    codes = CodesFile.read(path)
                    return cls(path.name, codes.labels(), "study_id", codes)
                key = next(name for name in _KEYS if name in columns)
                labels = [label for label in LABELS if label in columns]
                rows = {row[key]: {name: _VALUES[float(row[name])] for name in labels if row[name]} for row in table}
        except (OSError, EOFError, zlib.error) as exc:
            raise ConfigError(
                f"Cannot read {path}: it does not exist, is damaged, or you have no permission to read it."
            ) from exc
        except (StopIteration, ValueError, KeyError, TypeError, csv.Error) as exc:
            raise ConfigError(_WRONG_COLUMNS.format(name=path.name)) from exc
        if not labels:
            raise ConfigError(_WRONG_COLUMNS.format(name=path.name))
        return cls(path.name, rows, key)

    def labels_of(self, stored: StoredImage) -> Mapping[str, int]:
        """Return the labels of an image's study; empty if the file has none."""
        return self._rows_of(stored) or {}

    def has_row_of(self, stored: StoredImage) -> bool:
        """Return whether the file has a row of an image or its study."""
        return self._rows_of(stored) is not None

    def unknown_findings(self) -> list[str]:
        """Return a line for each finding of a file of codes that the table of findings lacks."""
        if self.codes is None:
            return []
        return [
            f"{self.name}: {name!r} is left out; there is no such finding. The nearest is {nearest}."
            for name, nearest in self.codes.unknown.items()
        ]

    def _rows_of(self, stored: StoredImage) -> Mapping[str, int] | None:
        image = stored.image
        if self._key == "Path":
            return self._rows.get(self._row_of(image.image_path) or "")
        if self._key == "study_id":
            return self._rows.get(image.study_id) or self._rows.get(without_mimic_prefix(image.study_id))
        return self._rows.get(image.image_id)

    def _row_of(self, image_path: str) -> str | None:
        """Return the path in the file that is the end of the image's path, or whose end is the image's path."""
        parts = PurePosixPath(image_path).parts
        for path in self._by_file_name.get(parts[-1], []):
            other = PurePosixPath(path).parts
            shared = min(len(parts), len(other))
            if parts[-shared:] == other[-shared:]:
                return path
        return None
