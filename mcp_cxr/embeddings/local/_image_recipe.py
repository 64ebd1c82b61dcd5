"""How a rendering becomes the tensor that an encoder expects, as its folder says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from mcp_cxr.embeddings.local._model_files import folder_error
from mcp_cxr.records import ImageSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mcp_cxr.embeddings.local._model_files import EncoderFiles
    from mcp_cxr.embeddings.local._onnx_graph import TensorInfo
    from mcp_cxr.records import Resampling

_FILTERS: Final[dict[object, Resampling]] = {
    1: "lanczos",
    2: "bilinear",
    3: "bicubic",
    4: "box",
    5: "hamming",
    "bicubic": "bicubic",
    "bilinear": "bilinear",
    "lanczos": "lanczos",
}
"""Pillow's numbers, which transformers writes, and the names that open_clip writes."""
_SIZES: Final = (16, 2048)
_CHANNELS: Final = (1, 3)


@dataclass(frozen=True, slots=True)
class ImageRecipe:
    """Size, filter and normalization of the images of one encoder."""

    size: int
    """Rows and columns. Images are squashed to it and never cropped: a crop would cut off lung apices and angles."""
    resampling: Resampling
    scale: float
    mean: tuple[float, ...]
    """One value for each channel of the graph."""
    std: tuple[float, ...]

    @property
    def spec(self) -> ImageSpec:
        """The rendering to make: gray up to `tensor`, for a third of the work and the same numbers."""
        return ImageSpec(self.size, "L", resampling=self.resampling)

    def tensor(self, images: Sequence[NDArray[np.uint8]], dtype: str) -> NDArray[Any]:
        """Return renderings, uint8 of shape (size, size), as shape (n, channels, size, size)."""
        gray = np.stack(images)[:, None].astype(np.float32)
        gray *= np.float32(self.scale)
        mean, std = (np.array(each, np.float32)[None, :, None, None] for each in (self.mean, self.std))
        return ((gray - mean) / std).astype(dtype, copy=False)


def image_recipe(files: EncoderFiles, graph_input: TensorInfo) -> ImageRecipe:
    """Return the recipe that the folder's processor describes, checked against the graph.

    Raises:
        EmbeddingRejected: It lacks a value, or does not fit the graph.
    """
    read = _read_open_clip if files.layout == "open_clip" else _read_hugging_face
    source = files.sources["processor"]
    recipe = read(files.processor, source)
    return _fitted(recipe, graph_input, source)


def _read_hugging_face(config: dict[str, Any], source: str) -> ImageRecipe:
    if config.get("do_resize") is False:
        raise folder_error(f"{source} says that images are not resized; only encoders of one size are supported.")
    normalizes, rescales = (config.get(key) is not False for key in ("do_normalize", "do_rescale"))
    crops = bool(config.get("do_center_crop"))
    size = config.get("crop_size" if crops and config.get("crop_size") is not None else "size")
    return ImageRecipe(
        size=_square(size, source),
        resampling=_filter(config.get("resample"), f"resample in {source}"),
        scale=_number(config.get("rescale_factor", 1 / 255), f"rescale_factor in {source}") if rescales else 1.0,
        mean=_channels(config.get("image_mean"), f"image_mean in {source}") if normalizes else (0.0,),
        std=_channels(config.get("image_std"), f"image_std in {source}", positive=True) if normalizes else (1.0,),
    )


def _read_open_clip(config: dict[str, Any], source: str) -> ImageRecipe:
    return ImageRecipe(
        size=_square(config.get("size"), source),
        resampling=_filter(config.get("interpolation"), f"interpolation in {source}"),
        scale=1 / 255,
        mean=_channels(config.get("mean"), f"mean in {source}"),
        std=_channels(config.get("std"), f"std in {source}", positive=True),
    )


def _square(size: object, source: str) -> int:
    """Return the side, from any of the forms in which processors write it."""
    sides: list[object] = [size]
    if isinstance(size, dict):
        given = cast("dict[str, object]", size)
        sides = [given["shortest_edge"]] if "shortest_edge" in given else [given.get("height"), given.get("width")]
    elif isinstance(size, list):
        sides = cast("list[object]", size)
    if not sides or any(isinstance(side, bool) or not isinstance(side, int) for side in sides):
        raise folder_error(f"{source} has no size in rows and columns; copy it from the model.")
    side = cast("int", sides[0])
    if any(other != side for other in sides):
        raise folder_error(f"{source} asks for images that are not square, which are not supported.")
    if not _SIZES[0] <= side <= _SIZES[1]:
        raise folder_error(f"{source} asks for images of {side} pixels a side; 16 to 2,048 are supported.")
    return side


def _filter(value: object, where: str) -> Resampling:
    try:
        return _FILTERS[value.lower() if isinstance(value, str) else value]
    except (KeyError, TypeError):
        raise folder_error(f"{where} is missing or unknown; it names the filter that resizes images.") from None


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise folder_error(f"{where} is missing or no number; copy the file from the model.")
    return float(value)


def _channels(value: object, where: str, *, positive: bool = False) -> tuple[float, ...]:
    values = cast("list[object]", value) if isinstance(value, list) else []
    numbers = tuple(_number(each, where) for each in values)
    if len(numbers) not in _CHANNELS or (positive and min(numbers) <= 0):
        raise folder_error(f"{where} is missing, or has not one value for each channel; copy the file from the model.")
    return numbers


def _fitted(recipe: ImageRecipe, graph_input: TensorInfo, source: str) -> ImageRecipe:
    """Return the recipe with a value for each channel of the graph."""
    shape = graph_input.shape
    if len(shape) != 4:  # noqa: PLR2004  # batch, channels, rows, columns
        raise folder_error(f"the image graph's input {graph_input.name!r} is no batch of images; export it again.")
    if graph_input.dtype not in {"float32", "float16"}:
        raise folder_error(f"the image graph expects {graph_input.dtype}; export it for float32 or float16.")
    for expected in shape[2:]:
        if expected not in {None, recipe.size}:
            raise folder_error(
                f"{source} makes images of {recipe.size} pixels a side and the graph expects {expected}; copy both "
                "from one model."
            )
    channels = shape[1] or max(3, len(recipe.mean))
    mean, std = (each * channels if len(each) == 1 else each for each in (recipe.mean, recipe.std))
    if channels not in _CHANNELS or len(mean) != channels or len(std) != channels:
        raise folder_error(f"the graph expects {channels} channels and {source} describes {len(mean)}.")
    return ImageRecipe(recipe.size, recipe.resampling, recipe.scale, mean, std)
