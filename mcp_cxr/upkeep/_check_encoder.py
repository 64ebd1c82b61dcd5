"""Tries a model folder: what it is, whether its vectors behave, and how fast it is on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from anyio import to_thread

from mcp_cxr.embeddings import LocalEmbedder, describe_folder, quantize_folder, read_reference
from mcp_cxr.errors import EmbeddingRejected
from mcp_cxr.records import Rejection, Rendering

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mcp_cxr.embeddings import LocalConfig
    from mcp_cxr.records import ImageSpec, Vector, Vectors

_DRAWINGS: Final = 8
_MEASURE_S: Final = 3.0
"""Seconds for which images are embedded to measure their speed; at least one round of the drawings."""
TEXTS: Final = (
    "left pleural effusion",
    "no acute cardiopulmonary process",
    "small right apical pneumothorax",
    "the heart is enlarged",
    "pacemaker with leads in the right atrium and the right ventricle",
    "bibasilar atelectasis, otherwise the lungs are clear and there is no pleural effusion or pneumothorax",
)
EXAMPLE_IMAGES: Final = 100_000
_SAME: Final = 0.9999
_SAME_IN_A_BATCH: Final = 0.9999


@dataclass(frozen=True, slots=True)
class EncoderCheck:
    """What `model check` found."""

    folder: str
    layout: str
    files: dict[str, str]
    """What was read from which file."""
    images: str
    texts: str
    dimension: int
    megabytes: int
    """Of graphs and external data."""
    encoder: str
    """The digest that the fingerprint holds."""
    is_demo_encoder: bool
    images_per_second: float
    text_ms: float
    load_s: float
    """Seconds from the folder to the first vector of an image; a folder that is new was loaded once before."""
    archive_images: int
    """Images of the archive; of an empty one, 100,000."""
    hours: float
    """To embed them at that speed."""
    reference_images: float | None
    """Least cosine with `reference.npz`; None without one."""
    reference_texts: float | None
    closest_images: float
    """Highest cosine of two different drawings."""
    closest_texts: float
    text_in_a_batch: float
    """Least cosine of a text alone and beside a longer one, which only pads it."""
    problems: list[str]


@dataclass(frozen=True, slots=True)
class QuantizedEncoder:
    """What quantizing gave, and what it costs."""

    folder: str
    megabytes: int
    megabytes_before: int
    images: int
    """Images that were compared; drawings if the archive has none that can be read."""
    are_drawings: bool
    image_cosine: float
    """Least cosine of an image's vector before and after."""
    image_cosine_mean: float
    text_cosine: float
    speedup: float
    """Time for an image before, divided by that after."""


async def check_encoder(config: LocalConfig, *, archive_images: int) -> EncoderCheck:
    """Load an encoder, embed drawings and texts, and compare with its exporter's reference.

    Raises:
        EmbeddingRejected: The folder cannot be used.
    """
    async with LocalEmbedder(config) as embedder:
        fingerprint = await embedder.fingerprint()
        description = await to_thread.run_sync(describe_folder, config.folder)
        renderings = drawings(embedder.image_spec)
        started = time.perf_counter()
        images = await _vectors(embedder, renderings[:1])
        load_s = time.perf_counter() - started
        speed, images = await _measured(embedder, renderings)
        await embedder.embed_texts(TEXTS[:1])
        started = time.perf_counter()
        alone = np.concatenate([await embedder.embed_texts([text]) for text in TEXTS])
        text_ms = (time.perf_counter() - started) * 1000 / len(TEXTS)
        texts = await embedder.embed_texts(TEXTS)
        reference = await _compare_reference(embedder, config.folder)
    count = archive_images or EXAMPLE_IMAGES
    found = EncoderCheck(
        folder=str(config.folder),
        layout=description.layout,
        files=description.files,
        images=description.images,
        texts=description.texts,
        dimension=fingerprint.dimension,
        megabytes=round(description.weight_bytes / 1e6),
        encoder=fingerprint.service or "",
        is_demo_encoder=description.is_demo_encoder,
        images_per_second=round(speed, 2),
        text_ms=round(text_ms, 1),
        load_s=round(load_s, 1),
        archive_images=count,
        hours=round(count / speed / 3600, 1),
        reference_images=reference[0],
        reference_texts=reference[1],
        closest_images=_closest(images),
        closest_texts=_closest(texts),
        text_in_a_batch=_least(alone, texts),
        problems=[],
    )
    found.problems.extend(_problems(found))
    return found


async def quantize_encoder(
    config: LocalConfig, target: LocalConfig, renderings: Sequence[Rendering]
) -> QuantizedEncoder:
    """Write an int8 copy of `config.folder` to `target.folder`, and compare both.

    Args:
        config: The encoder to quantize.
        target: Its folder must not exist.
        renderings: Images to compare; drawings are used if there are none.

    Raises:
        ConfigError: The target exists or cannot be written.
        EmbeddingRejected: The folder cannot be used or quantized.
    """
    async with LocalEmbedder(config) as before, LocalEmbedder(target) as after:
        await before.fingerprint()
        await to_thread.run_sync(quantize_folder, config.folder, target.folder)
        shown = list(renderings) or drawings(before.image_spec)
        speeds: list[float] = []
        images: list[Vectors] = []
        for embedder in (before, after):
            await _vectors(embedder, shown[:1])
            started = time.perf_counter()
            images.append(await _vectors(embedder, shown))
            speeds.append(time.perf_counter() - started)
        texts = [await embedder.embed_texts(TEXTS) for embedder in (before, after)]
        sizes = [await to_thread.run_sync(describe_folder, each.folder) for each in (config, target)]
    cosines = (images[0] * images[1]).sum(axis=1)
    return QuantizedEncoder(
        folder=str(target.folder),
        megabytes=round(sizes[1].weight_bytes / 1e6),
        megabytes_before=round(sizes[0].weight_bytes / 1e6),
        images=len(shown),
        are_drawings=not renderings,
        image_cosine=round(float(cosines.min()), 5),
        image_cosine_mean=round(float(cosines.mean()), 5),
        text_cosine=_least(*texts),
        speedup=round(speeds[0] / speeds[1], 2),
    )


def drawings(spec: ImageSpec) -> list[Rendering]:
    """Return eight drawings as renderings: blobs on a gradient."""
    rng = np.random.default_rng(20)
    down, across = np.mgrid[0 : spec.size, 0 : spec.size].astype(np.float32) / spec.size
    made: list[Rendering] = []
    for _ in range(_DRAWINGS):
        image = 30 + 120 * (down * rng.random() + across * rng.random())
        for _ in range(4):
            y, x, radius, gain = rng.random(4)
            image += (150 * gain - 40) * np.exp(-((down - y) ** 2 + (across - x) ** 2) / (0.004 + 0.06 * radius**2))
        made.append(Rendering(np.clip(image, 0, 255).astype(np.uint8)))
    return made


async def _measured(embedder: LocalEmbedder, renderings: list[Rendering]) -> tuple[float, Vectors]:
    """Return images a second, and the vectors of the drawings."""
    vectors, done, started = np.empty((0, 0), np.float32), 0, time.perf_counter()
    while not done or time.perf_counter() - started < _MEASURE_S:
        vectors = await _vectors(embedder, renderings)
        done += len(renderings)
    return done / (time.perf_counter() - started), vectors


async def _vectors(embedder: LocalEmbedder, renderings: Sequence[Rendering]) -> Vectors:
    rows: list[Vector] = []
    for row in await embedder.embed_images(renderings):
        if isinstance(row, Rejection):
            raise EmbeddingRejected(f"The encoder gave {row.reason} for an image; export it again.")
        rows.append(row)
    return np.stack(rows)


async def _compare_reference(embedder: LocalEmbedder, folder: Path) -> tuple[float | None, float | None]:
    reference = await to_thread.run_sync(read_reference, folder)
    if reference is None:
        return None, None
    spec = embedder.image_spec
    from mcp_cxr.images import resized  # loaded late: a search needs no decoders

    images = await _vectors(embedder, [Rendering(resized(image, spec)) for image in reference.images])
    texts = await embedder.embed_texts(reference.texts)
    if images.shape != reference.image_vectors.shape or texts.shape != reference.text_vectors.shape:
        return 0.0, 0.0
    return _least(images, reference.image_vectors), _least(texts, reference.text_vectors)


def _closest(vectors: Vectors) -> float:
    cosines = vectors @ vectors.T
    return round(float(cosines[np.triu_indices(len(vectors), k=1)].max()), 4)


def _least(one: Vectors, other: Vectors) -> float:
    return round(float((one * other).sum(axis=1).min()), 6)


def _problems(found: EncoderCheck) -> list[str]:
    """Return what is wrong, and what to do."""
    problems: list[str] = []
    for kind, cosine in (("images", found.reference_images), ("texts", found.reference_texts)):
        if cosine is not None and not cosine >= _SAME:
            problems.append(
                f"The vectors of {kind} are not the exporter's (cosine {cosine:.4f}, reference.npz); copy graphs, "
                "tokenizer and configuration from one export."
            )
    for kind, cosine in (("images", found.closest_images), ("texts", found.closest_texts)):
        if cosine > _SAME:
            problems.append(f"Two different {kind} get the same vector (cosine {cosine}); export the model again.")
    if found.text_in_a_batch < _SAME_IN_A_BATCH:
        problems.append(
            f"A text gets another vector beside a longer one (cosine {found.text_in_a_batch:.4f}): padding is not left "
            "out; export with an attention_mask input."
        )
    return problems
