"""The filters of a search as options, for each command that selects images by them."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

_OPTIONS = (
    click.option("--view", multiple=True, help="PA, AP, FRONTAL, LATERAL, LL, RL, OTHER or UNKNOWN; may be repeated."),
    click.option("--subject", "subject_id", metavar="ID", help="Only this patient (id)."),
    click.option("--study", "study_id", metavar="ID", help="Only this study (id)."),
    click.option("--label", "labels", multiple=True, help="A CheXpert label that must be present; may be repeated."),
    click.option(
        "--no-label",
        "labels_absent",
        multiple=True,
        help="A label that is absent, or not mentioned, in a labeled study; may be repeated.",
    ),
    click.option("--from", "date_from", metavar="DATE", help="Earliest study date, YYYY-MM-DD."),
    click.option("--to", "date_to", metavar="DATE", help="Latest study date, YYYY-MM-DD."),
    click.option("--sex", help="F or M; leaves out studies without a recorded sex."),
    click.option(
        "--age-from",
        type=click.IntRange(0, 150),
        metavar="YEARS",
        help="Minimum age; leaves out studies without an age.",
    ),
    click.option(
        "--age-to", type=click.IntRange(0, 150), metavar="YEARS", help="Maximum age; leaves out studies without an age."
    ),
    click.option("--has-report", is_flag=True, default=None, help="Only studies with a report."),
    click.option("--exclude-subject-of", metavar="ID", help="Leave out the patient of this image."),
)
"""All but `--split`, which means two things."""


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, in this order."""
    return reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), command)
