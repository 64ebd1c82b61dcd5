"""Copies of an image, as data sets come to have them: compressed, resized, cropped, brightened, mirrored."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from mcp_cxr.images import DisplayOptions, resized
from mcp_cxr.records import Rendering
from mcp_cxr.research.vectors import near_duplicates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from mcp_cxr.archive import Archive
    from mcp_cxr.records import ImageSpec, Vector, Vectors

    Grays = NDArray[np.uint8]


_COPIED_PX = 512  # longer side of what is copied


def _jpeg(quality: int) -> Callable[[Grays], Grays]:
    def copy(grays: Grays) -> Grays:
        file = io.BytesIO()
        Image.fromarray(grays).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file))

    return copy


def _resized(ratio: float) -> Callable[[Grays], Grays]:
    def copy(grays: Grays) -> Grays:
        size = (round(grays.shape[1] * ratio), round(grays.shape[0] * ratio))
        return np.asarray(Image.fromarray(grays).resize(size, Image.Resampling.BICUBIC))

    return copy


def _cropped(share: float) -> Callable[[Grays], Grays]:
    def copy(grays: Grays) -> Grays:
        rows, columns = (round(side * share) for side in grays.shape)
        return np.ascontiguousarray(grays[rows : grays.shape[0] - rows, columns : grays.shape[1] - columns])

    return copy


def _gamma(exponent: float) -> Callable[[Grays], Grays]:
    return lambda grays: (255 * (grays / 255) ** exponent).round().astype(np.uint8)


KINDS: Mapping[str, Callable[[Grays], Grays]] = {
    "JPEG 90": _jpeg(90),
    "JPEG 75": _jpeg(75),
    "JPEG 50": _jpeg(50),
    "resized to 3/4": _resized(0.75),
    "resized to 1/2": _resized(0.5),
    "resized to 2": _resized(2),
    "cropped by 1 %": _cropped(0.01),
    "cropped by 3 %": _cropped(0.03),
    "gamma 0.9": _gamma(0.9),
    "gamma 1.2": _gamma(1.2),
    "mirrored": lambda grays: np.ascontiguousarray(grays[:, ::-1]),
}
ALL_FOUND = ("JPEG 90", "JPEG 75", "resized to 3/4", "resized to 1/2", "resized to 2")
"""Kinds of which every copy is found at the default threshold."""


@dataclass(frozen=True, slots=True)
class PlantedCopies:
    """The vectors of an archive's images, and of a copy of each by kind."""

    originals: Vectors
    copies: Mapping[str, Vectors]
    subjects: NDArray[np.int64]
    """The patient of each image."""
    mean: Vector

    def found(self, kind: str, least: float) -> tuple[float, int]:
        """Return the share of copies found over the border, and how many pairs of two patients were found with them."""
        count = len(self.originals)
        found = near_duplicates(
            np.vstack([self.originals, self.copies[kind]]),
            mean=self.mean,
            least=least,
            sets=np.repeat([0, 1], count),
        )
        second = found.second - count
        others = self.subjects[found.first] != self.subjects[second]
        return float((found.first == second).sum()) / count, int(others.sum())


async def plant_copies(archive: Archive, kinds: Sequence[str] = tuple(KINDS)) -> PlantedCopies:
    """Return copies of all images of an archive of drawings, embedded as ingest embeds."""
    stored = await archive.store.images_after(None, limit=1000)
    options = DisplayOptions(max_px=_COPIED_PX)
    pictures = [(await archive.view(one.image.image_id, options)).data for one in stored]
    grays = [decoded(one) for one in pictures]

    async def embed(copies: list[Grays]) -> Vectors:
        renderings = [rendered(copy, archive.embedder.image_spec) for copy in copies]
        return np.stack([one for one in await archive.embedder.embed_images(renderings) if isinstance(one, np.ndarray)])

    originals = await embed(grays)
    return PlantedCopies(
        originals,
        {kind: await embed([KINDS[kind](one) for one in grays]) for kind in kinds},
        np.unique([one.image.subject_id for one in stored], return_inverse=True)[1],
        originals.mean(axis=0),
    )


def decoded(picture: bytes) -> Grays:
    """Return the gray levels of a view."""
    return np.asarray(Image.open(io.BytesIO(picture)).convert("L"))


def rendered(grays: Grays, spec: ImageSpec) -> Rendering:
    """Return the rendering of a copy."""
    return Rendering(np.array(Image.fromarray(resized(np.ascontiguousarray(grays), spec)).convert(spec.mode)))
