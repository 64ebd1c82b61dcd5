"""MIMIC-CXR's folders: `p10/p10000032/s50414267/<dicom_id>.dcm`, the report at `p10/p10000032/s50414267.txt`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_cxr.records import ImageId, StudyId, SubjectId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_IMAGE = re.compile(
    r"(?:^|/)p(?P<group>\d\d)/(?P<subject>p(?P=group)\d{6})/(?P<study>s\d{8})/"
    r"(?P<image>[0-9a-f]{8}(?:-[0-9a-f]{8}){4})\.(?:dcm|dcm\.gz|png|jpe?g)$"
)


@dataclass(frozen=True, slots=True)
class MimicIds:
    """The ids in a MIMIC-CXR path."""

    image_id: ImageId
    study_id: StudyId
    subject_id: SubjectId


def ids_of(path: Path | str) -> MimicIds | None:
    """Return the ids in an absolute path; None if it is not in MIMIC-CXR's layout."""
    found = _IMAGE.search(path if isinstance(path, str) else path.as_posix())
    if found is None:
        return None
    return MimicIds(ImageId(found["image"]), StudyId(found["study"]), SubjectId(found["subject"]))


def report_paths(path: Path, companions: tuple[Path, ...]) -> Iterator[Path]:
    """Yield the possible paths of the report of an image in MIMIC-CXR's layout, nearest first.

    Args:
        path: The image's file.
        companions: Folders that may contain the separate tree of reports (`files/p10/...`) that PhysioNet provides.
    """
    study = path.parent
    subject = study.parent
    name = f"{study.name}.txt"
    yield subject / name
    in_tree = f"{subject.parent.name}/{subject.name}/{name}"
    for folder in companions:
        yield folder / "files" / in_tree
        yield folder / "mimic-cxr-reports/files" / in_tree
