"""VinDr-CXR: `train/<image_id>.dicom`; three radiologists labelled each image of the training set, by itself."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from mcp_cxr.layouts._adapter import Adapter, RowsByKey, TableForm, TableReading
from mcp_cxr.layouts._facts import FileFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAME = re.compile(r"(?:(?P<split>train|test)/)?(?P<image>[0-9a-f]{32})\.(?:dicom|dcm|png|jpe?g)$", re.IGNORECASE)
_NOT_LABELS = frozenset({"image_id", "rad_id", "rad_ID", ""})


class _Image(NamedTuple):
    labels: Mapping[str, int]
    votes: Mapping[str, int]


class VindrLayout(Adapter):
    """VinDr-CXR, as published and as on Kaggle."""

    name = "vindr"
    title = "VinDr-CXR"
    tables = (
        TableForm(
            "labels",
            re.compile(r"image_labels_(?:train|test)\.csv(?:\.gz)?", re.IGNORECASE),
            ("image_id",),
            signature=("image_id", "Aortic enlargement", "Cardiomegaly", "No finding"),
            aliases={"rad_ID": "rad_id"},
            is_one_of_several=True,
        ),
        TableForm(
            "boxes",
            re.compile(r"annotations_(?:train|test)\.csv(?:\.gz)?", re.IGNORECASE),
            ("image_id", "class_name"),
            signature=("image_id", "class_name", "rad_id", "x_min"),
            aliases={"rad_ID": "rad_id"},
            is_one_of_several=True,
            superseded_by=("labels",),
        ),
    )
    lacks = (
        "No patients and no studies: each image is a study of its own unless its header says more.",
        "No reports.",
        "A label is present if two of three readers named it, uncertain if one did; the votes are kept.",
    )
    label_names: ClassVar[Mapping[str, str]] = {
        "No finding": "No Finding",
        "Pleural effusion": "Pleural Effusion",
        "Pleural thickening": "Pleural Other",
        "Nodule/Mass": "Lung Lesion",
        "Lung tumor": "Lung Lesion",
        "Rib fracture": "Fracture",
        "Clavicle fracture": "Fracture",
    }

    def read(self, form: TableForm, reading: TableReading) -> RowsByKey[Any]:
        """Read votes for images, or boxes, each of which is a vote."""
        rows = _votes_by_row(reading) if form.kind == "labels" else _votes_by_box(reading)
        return RowsByKey(rows)

    def facts_of(self, path: str) -> FileFacts | None:
        """Return the facts of an image that a table names."""
        found = _NAME.search(path)
        if found is None:
            return None
        image: _Image | None = self.find("labels", found["image"]) or self.find("boxes", found["image"])
        if image is None:
            return None
        return FileFacts(
            image=f"vindr-{found['image']}",
            split=(found["split"] or "").lower() or None,
            labels=self.with_common_names(image.labels),
            labels_by="people",
            votes=image.votes,
        )


def _image(votes: Mapping[str, int], names: frozenset[str], readers: int) -> _Image:
    """Return the labels of an image: of several readers, two make it present and one makes it uncertain."""
    needed = min(readers, 2)
    labels = {name: 1 if votes.get(name, 0) >= needed else -1 if votes.get(name) else 0 for name in sorted(names)}
    return _Image(labels, dict(votes))


def _votes_by_row(reading: TableReading) -> Iterator[tuple[str, _Image]]:
    names = tuple(name for name in reading.table.header if name not in _NOT_LABELS)
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    readers: Counter[str] = Counter()
    for image, *cells in reading.table.cells(("image_id", *names)):
        readers[image] += 1
        votes[image].update(name for name, value in reading.labelled(names, cells).items() if value == 1)
    for image, count in readers.items():
        yield image, _image(votes[image], frozenset(names), count)


def _votes_by_box(reading: TableReading) -> Iterator[tuple[str, _Image]]:
    readers: dict[str, set[str]] = defaultdict(set)
    named: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for image, name, reader in reading.table.cells(("image_id", "class_name", "rad_id")):
        readers[image].add(reader)
        named[image].add((name, reader))
    names = frozenset(name for pairs in named.values() for name, _ in pairs)
    for image, pairs in named.items():
        yield image, _image(Counter(name for name, _ in pairs), names, len(readers[image]))
