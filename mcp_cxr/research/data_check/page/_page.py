"""Renders a check of the data as a self-contained web page with the template page.html."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_cxr.records import ImageId
    from mcp_cxr.research.data_check._result import CheckEntry, CheckList, DataCheck

MOST_SHOWN = 24
"""Entries of each list that the page shows."""
_MOST_BYTES = 12 * 2**20
"""Of all renderings, before they are encoded as text."""
_IMAGES_OF_ENTRY = 2


@dataclass(slots=True)
class PageImages:
    """The renderings of a page, within bounds."""

    jpegs: dict[ImageId, bytes] = field(default_factory=dict["ImageId", bytes])
    missing: dict[ImageId, str] = field(default_factory=dict["ImageId", str])
    """Why an image has no rendering."""
    size: int = 0
    """Bytes of all renderings."""

    def add(self, image: ImageId, rendering: bytes | str) -> None:
        """Add a rendering as JPEG, or why there is none; one that would make the page too large is left out."""
        if isinstance(rendering, str):
            self.missing[image] = rendering
        elif self.size + len(rendering) > _MOST_BYTES:
            self.missing[image] = "left out: the page would be too large"
        else:
            self.jpegs[image] = rendering
            self.size += len(rendering)

    def address(self, image: ImageId) -> str | None:
        """Return a rendering as the address of an image in HTML."""
        jpeg = self.jpegs.get(image)
        return None if jpeg is None else f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def images_shown(check: DataCheck) -> list[ImageId]:
    """Return the images of the entries that the page shows, each once."""
    shown = [image for one in check.lists for entry in _first(one) for image in entry.images[:_IMAGES_OF_ENTRY]]
    return list(dict.fromkeys(shown))


def page_writer() -> Callable[[DataCheck, PageImages], str]:
    """Return a function that turns a check and the renderings of its images into HTML.

    Raises:
        ConfigError: jinja2 is not installed.
    """
    try:
        import jinja2  # in the extra `plots`
    except ImportError as exc:
        raise ConfigError(
            'The web page needs jinja2: pip install "mcp-cxr[plots]". The lists, --csv and --json do not.'
        ) from exc
    source = resources.files("mcp_cxr.research.data_check.page").joinpath("page.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(source)
    return lambda check, images: template.render(
        check=check, images=images, first=_first, shown=sum(image in images.jpegs for image in images_shown(check))
    )


def _first(one: CheckList) -> tuple[CheckEntry, ...]:
    return one.entries[:MOST_SHOWN]
