"""mcp-cxr forget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mcp_cxr.cli._common import DONE, FAILED, confirmed, note, say, with_archive
from mcp_cxr.errors import ConfigError, NotFound

if TYPE_CHECKING:
    from mcp_cxr.records import ForgetPreview


@click.command()
@click.option("--subject", help="Remove all images of this patient.")
@click.option("--study", help="Remove all images of this study.")
@click.option("--image", help="Remove this image.")
def forget(*, subject: str | None, study: str | None, image: str | None) -> int:
    """Remove a patient, a study or an image; asks you to type yes. Image files are kept."""
    from mcp_cxr.records import Filter, ImageId, StudyId, SubjectId

    given = [name.strip() for name in (subject, study, image) if name and name.strip()]
    if len(given) != 1:
        raise ConfigError("Give exactly one of --subject, --study and --image.")
    (name,) = given
    where = Filter(
        subject_id=SubjectId(name) if subject else None,
        study_id=StudyId(name) if study else None,
        image_id=ImageId(name) if image else None,
    )
    found = with_archive(lambda archive: archive.forget_preview(where))
    if not found.images and not found.external_in_archive and not found.cohorts:
        kind = "patient" if subject else "study" if study else "image"
        raise NotFound(f"The archive has no {kind} {name}; nothing was removed.")
    if not confirmed(_question(found)):
        note("Not confirmed; nothing was removed.")
        return FAILED
    say(f"Images removed: {with_archive(lambda archive: archive.forget(found.where))}")
    note("Image files are kept; ingesting them again adds the images again.")
    return DONE


def _question(found: ForgetPreview) -> str:
    others = (
        " and rows of the same patient, study or image that another program wrote" if found.external_in_archive else ""
    )
    kept = "vectors, reports, labels, finding scores and entries of the data check"
    cohorts = f" They are also removed from these cohorts: {', '.join(found.cohorts)}." if found.cohorts else ""
    return f"This removes {found.images} images of {found.studies} studies{others}, with {kept}.{cohorts}"
