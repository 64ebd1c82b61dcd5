"""mcp-cxr forget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mcp_cxr.cli._common import DONE, FAILED, confirmed, note, say, with_archive
from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from mcp_cxr.records import ForgetPreview


@click.command()
@click.option("--subject", help="Everything of one patient.")
@click.option("--study", help="Everything of one study.")
@click.option("--image", help="One image.")
def forget(*, subject: str | None, study: str | None, image: str | None) -> int:
    """Remove a patient, a study or an image, after a typed yes. The films' own files stay."""
    from mcp_cxr.records import Filter, ImageId, StudyId, SubjectId

    given = [name.strip() for name in (subject, study, image) if name and name.strip()]
    if len(given) != 1:
        raise ConfigError("Name one of --subject, --study and --image.")
    (name,) = given
    where = Filter(
        subject_id=SubjectId(name) if subject else None,
        study_id=StudyId(name) if study else None,
        image_id=ImageId(name) if image else None,
    )
    found = with_archive(lambda archive: archive.forget_preview(where))
    if not confirmed(_told(found)):
        note("Not confirmed; nothing was removed.")
        return FAILED
    say(f"Images removed: {with_archive(lambda archive: archive.forget(found.where))}")
    note("Where their files are still there, the next ingest of them brings them back.")
    return DONE


def _told(found: ForgetPreview) -> str:
    others = " and what other programs wrote of it" if found.external_in_archive else ""
    return f"This removes {found.images} images of {found.studies} studies{others}, with vectors, reports and labels."
