"""`FittedProbes`: probes, how good they are, and the scores of images; and the format of their file."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from mcp_cxr.errors import ConfigError, NotFound
from mcp_cxr.records import ImageId
from mcp_cxr.research.probes._linear_probes import LinearProbes
from mcp_cxr.research.probes._moments import FOLDS
from mcp_cxr.research.probes._training_data import NEEDED
from mcp_cxr.safe_files import replace_private_file

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from mcp_cxr.records import Vector, Vectors

_FORMAT = 1
_DAMAGED = (
    *(EOFError, ValueError, KeyError, TypeError, AttributeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),  # what zipfile raises, each for its kind
)
_MADE = "learn the probes again with `mcp-cxr probe fit`"
NOT_FITTED = "No probes were learned for this archive yet. Run `mcp-cxr probe fit`."


@dataclass(frozen=True, slots=True)
class Probe:
    """One label that was learned, measured out of fold on the images whose label is known."""

    label: str
    present: int
    """Images with it: value 1."""
    absent: int
    """Images without it: value 0, or not mentioned in a labeled study."""
    uncertain: int
    """Images that were left out: value -1."""
    subjects: int
    """Patients of the images with it."""
    auc: float
    brier_skill: float
    """How much smaller the squared error is than that of the prevalence; 1 is perfect, 0 is no better."""
    calibration_slope: float
    """Of the truth on the logit of the score: 1 is calibrated, below 1 too sure."""


@dataclass(frozen=True, slots=True)
class ProbeChoices:
    """What the probes were learned from, and how."""

    fitted_at: str
    """ISO time, UTC."""
    version: str
    """Of mcp-cxr."""
    location: str
    """Of a store on a server; empty of one that lies beside this file, and may be moved with it."""
    model: str
    dimension: int
    preprocessing: str
    images: int
    """Images of the archive when the probes were learned."""
    labeled: int
    """Those whose study has labels."""
    subjects: int
    folds: int
    method: str
    positives_only: int
    """Labeled images whose table names only what is present: what it does not name counted as absent."""


@dataclass(frozen=True, slots=True)
class FittedProbes:
    """The probes of an archive, and out-of-fold scores of its images."""

    choices: ProbeChoices
    probes: tuple[Probe, ...]
    not_fitted: dict[str, str]
    """Labels without a probe, each with the reason."""
    image_ids: tuple[ImageId, ...]
    """The images that have scores, by id."""
    values: Vectors
    """float32, shape (images, probes), 0 to 1: each from the probe that saw no image of the patient."""
    linear: LinearProbes
    stale: tuple[str, ...] = field(default=())
    """Why the probes should be learned again; empty if nothing changed."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that have a probe, in the order of the columns of `values`."""
        return tuple(probe.label for probe in self.probes)

    def column(self, label: str) -> Vector:
        """Return the scores of a label, shape (images,).

        Raises:
            NotFound: The label has no probe.
        """
        return self.values[:, self.probes.index(self.probe(label))]

    def probe(self, label: str) -> Probe:
        """Return the probe of a label; its case does not matter.

        Raises:
            NotFound: The label has no probe.
        """
        by_name = {probe.label.casefold(): probe for probe in self.probes}
        if found := by_name.get(label.strip().casefold()):
            return found
        reasons = {name.casefold(): reason for name, reason in self.not_fitted.items()}
        if reason := reasons.get(label.strip().casefold()):
            raise NotFound(f"{label} has no probe: it is {reason}; {NEEDED}. Ingest more labeled studies.")
        if not self.probes:
            raise NotFound(f"There is no probe of {label!r}: no label had enough examples. See `mcp-cxr probe list`.")
        raise NotFound(f"There is no probe of {label!r}. Known: {', '.join(self.labels)}.")

    def without(self, image_ids: Collection[ImageId], reason: str) -> FittedProbes:
        """Return the same without the scores of these images, marked stale."""
        gone = frozenset(image_ids)
        kept = [row for row, image_id in enumerate(self.image_ids) if image_id not in gone]
        ids = tuple(self.image_ids[row] for row in kept)
        return replace(self.marked_stale(reason), image_ids=ids, values=self.values[kept])

    def marked_stale(self, reason: str) -> FittedProbes:
        """Return the same, marked stale for one more reason."""
        return replace(self, stale=tuple(dict.fromkeys((*self.stale, reason))))


def save(path: Path, fitted: FittedProbes) -> None:
    """Write probes and scores into a file that only its owner may read, in place of an earlier one.

    Raises:
        ConfigError: It cannot be written.
    """
    facts = {
        "format": _FORMAT,
        "choices": asdict(fitted.choices),
        "probes": [asdict(probe) for probe in fitted.probes],
        "not_fitted": fitted.not_fitted,
        "stale": fitted.stale,
    }
    content = io.BytesIO()
    np.savez(
        content,
        facts=_bytes(json.dumps(facts)),
        image_ids=_bytes("\n".join(fitted.image_ids)),
        values=fitted.values,
        weights=fitted.linear.weights,
        offsets=fitted.linear.offsets,
        ridges=fitted.linear.ridges,
    )
    try:
        replace_private_file(path, content.getvalue())
    except OSError as exc:
        raise ConfigError(f"{path} cannot be written ({exc.strerror}); check the folder and free space.") from exc


def load(path: Path) -> FittedProbes:
    """Return what `save` wrote.

    Raises:
        NotFound: There is no such file.
        ConfigError: It cannot be read, or another version wrote it.
    """
    try:
        with path.open("rb") as file:
            arrays = dict(np.load(file, allow_pickle=False))
        facts = json.loads(arrays["facts"].tobytes())
        if facts["format"] != _FORMAT:
            raise ConfigError(f"{path} is of another version of mcp-cxr; {_MADE}.")
        return _fitted(facts, arrays)
    except FileNotFoundError:
        raise NotFound(NOT_FITTED) from None
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read ({exc.strerror}); check its permissions.") from exc
    except _DAMAGED as exc:
        raise ConfigError(f"{path} is damaged; {_MADE}.") from exc


def _fitted(facts: dict[str, Any], arrays: dict[str, Any]) -> FittedProbes:
    ids = arrays["image_ids"].tobytes().decode()
    choices = TypeAdapter(ProbeChoices).validate_python(facts["choices"])
    fitted = FittedProbes(
        choices,
        TypeAdapter(tuple[Probe, ...]).validate_python(facts["probes"]),
        TypeAdapter(dict[str, str]).validate_python(facts["not_fitted"]),
        tuple(map(ImageId, ids.split("\n"))) if ids else (),
        arrays["values"],
        LinearProbes(arrays["weights"], arrays["offsets"], arrays["ridges"]),
        TypeAdapter(tuple[str, ...]).validate_python(facts["stale"]),
    )
    _require_shapes(fitted)
    return fitted


def _require_shapes(fitted: FittedProbes) -> None:
    """Refuse arrays that are not those of the facts beside them.

    Raises:
        ValueError: They are not.
    """
    linear, images, probes = fitted.linear, len(fitted.image_ids), len(fitted.probes)
    for array, shape in (
        (fitted.values, (images, probes)),
        (linear.weights, (FOLDS, probes, fitted.choices.dimension)),
        (linear.offsets, (FOLDS, probes)),
        (linear.ridges, (FOLDS, probes)),
    ):
        if array.shape != shape or array.dtype != np.float32:
            raise ValueError(f"{array.dtype} {array.shape} instead of {shape}")


def _bytes(text: str) -> Any:  # noqa: ANN401  # an array of bytes
    return np.frombuffer(text.encode(), np.uint8)
