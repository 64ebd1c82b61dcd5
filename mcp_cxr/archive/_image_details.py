"""Everything known about one image, as `Archive.show` returns it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.language import sections
from mcp_cxr.records import ImageDetails, burned_in_annotation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.records import RankedImage, StoredImage


def image_details(stored: StoredImage, of_study: Sequence[RankedImage]) -> ImageDetails:
    """Return what is known about an image, with the report by section.

    Args:
        stored: The image.
        of_study: The images of its study; the image itself may be among them.
    """
    image, study = stored.image, stored.study
    return ImageDetails(
        image_id=image.image_id,
        study_id=image.study_id,
        subject_id=image.subject_id,
        view_position=image.view_position,
        view_source=image.view_source,
        image_path=image.shown_path,
        path=image.shown_file,
        study_date=study.study_date,
        days_since_first_study=None,
        split=study.split,
        labels=dict(study.labels),
        labels_by=study.labels_by,
        sex=study.sex,
        age=study.age,
        tags={**image.tags, "BurnedInAnnotation": burned_in_annotation(image.tags)},
        grayscale=dict(image.grayscale),
        report=sections(study.report) if study.report else None,
        external=stored.external,
        other_images=sorted(other.image_id for other in of_study if other.image_id != image.image_id),
        warnings=[],
    )
