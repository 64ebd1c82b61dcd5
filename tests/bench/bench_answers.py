"""What joining, denial and feedback bring, and what a page costs at MIMIC-CXR's size: `python -m tests.bench answers`.

The first part is a trial on studies whose truth is known (`tests/support/label_space.py`); it says how the ways
compare, and nothing of how good a real model is. Nobody knows how well a real model's texts and images agree, so it is
run in three worlds, and all of them are printed. What it was tuned by: the weights of words and of examples, the pool
of studies without a report, and that the words' rankings stay beside that of the examples were chosen on other seeds,
among 16 sets of weights, 3 constants of the fusion and 12 ways and weights for examples. Feedback is that of a person
who marks each of the first ten answers as the truth says; it is judged on what comes behind them, with the marks and
without (residual collection: Salton and Buckley, JASIS 1990).

The second part is of a folder of real images with the offline embedder, where CXR_TEST_DATA names one. The third makes
an archive of 377,110 images and 227,835 reports, 4 GB in the folder that CXR_BENCH_DIR names, and uses it again.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import os
import platform
import random
import statistics
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import numpy as np

from mcp_cxr.archive import Archive
from mcp_cxr.images import ImageReader
from mcp_cxr.language.query import parse_query_text
from mcp_cxr.records import Filter, ImageId, ImageRecord, Study, StudyId, SubjectId
from mcp_cxr.search._plan import plan_words
from mcp_cxr.settings import Settings
from mcp_cxr.stores import EmbeddedStore
from tests.bench.search.data import BENCH, DIMENSION, VIEWS, Data
from tests.bench.search.data import QUERIES as QUESTIONS_OF_TEXTS
from tests.support.images_by_patient import image_to_image
from tests.support.label_space import LabelSpace, LabelSpaceEmbedder
from tests.support.search_trial import draw_queries, interval, run, swapped

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
    from typing import Any

STUDIES, QUERIES, NOISE = 2000, 240, 2.5
IMAGES, REPORTS, SUBJECTS = 377_110, 227_835, 65_379
BATCH = 1024
ROUNDS = 7
VECTOR_LEG = "vector leg, 1,000 hits"
AGREEMENTS = (0.6, 0.8, 1.0)
RATIO_TO_KEEP = 4.0
SWAPS_TO_KEEP, LOWERED_TO_KEEP = 0.05, 0.05

OTHERS = (
    "Mild cardiomegaly.",
    "There is mild pulmonary edema with vascular congestion.",
    "Patchy opacity in the {side} lower lung may reflect atelectasis or pneumonia.",
    "The endotracheal tube ends 3 cm above the carina.",
    "A small {side} apical pneumothorax is present.",
    "Right internal jugular line terminates in the SVC.",
    "Degenerative changes of the thoracic spine.",
    "The cardiac silhouette is normal in size.",
    "The mediastinal and hilar contours are unremarkable.",
    "No focal consolidation is identified.",
    "There is no pneumothorax.",
    "The osseous structures are intact.",
    "Comparison is made with the prior study from ___.",
)


async def trial(agreement: float) -> bool:
    """Print what each way finds; return whether it is what it should be."""
    space = LabelSpace(STUDIES, noise=NOISE, seed=11, agreement=agreement)  # weights were chosen on seeds 1 and 2
    asked = draw_queries(space, QUERIES, seed=12)
    print(f"\n{STUDIES} studies, half of them without report and labels; {len(asked)} questions; precision at 10")
    print(f"texts and images agree on a finding with a cosine of {agreement}")
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedStore(Path(folder)) as store, ImageReader() as reader:
            await space.fill(store)
            archive = space.archive(store, reader)
            found = await run(space, archive, asked)
            swaps = {way: await swapped(space, archive, way) for way in ("auto", "vector")}
    for way, values in found.by_way.items():
        low, high = interval(values)
        print(f"  {way:<10}{found.mean(way):.3f}  ({low:.3f} to {high:.3f})")
    gain = np.subtract(found.by_way["hybrid"], found.by_way[found.best_single])
    more = np.subtract(found.after, found.before)
    gained, fed = interval(gain.tolist()), interval(more.tolist())
    print(f"  hybrid less {found.best_single}: {gain.mean():+.3f} ({gained[0]:+.3f} to {gained[1]:+.3f})")
    print(f"  behind page 1, without feedback {np.mean(found.before):.3f}, with one round {np.mean(found.after):.3f}:")
    print(f"    {more.mean():+.3f} ({fed[0]:+.3f} to {fed[1]:+.3f}), lowered {found.lowered:.1%} of the questions")
    print(
        f"  hits on the wrong side of a finding and its denial: {swaps['auto']:.1%} (by pixels {swaps['vector']:.1%})"
    )
    kept = gain.mean() >= 0 and fed[0] > 0 and found.lowered < LOWERED_TO_KEEP and swaps["auto"] < SWAPS_TO_KEEP
    print(
        "  to keep: hybrid no worse, the interval of feedback above 0, lowered and swapped under 5 %: "
        f"{'kept' if kept else 'NOT KEPT'}"
    )
    return kept


async def real_images() -> None:
    """Print image to image on real images, beside chance."""
    folder = os.environ.get("CXR_TEST_DATA")
    if not folder:
        print("\nReal films: CXR_TEST_DATA names no folder; not measured.")
        return
    print("\nReal films, image to image with the offline embedder, same patient left out; precision at 5")
    for one in await image_to_image(Path(folder)):
        print(f"  same {one.fact:<10}{one.found:.3f}  by chance {one.chance:.3f}  ({one.images} films)")
    print(
        "  It can show that a sketch of pixels finds films made alike (place, view). Of findings it can show nothing:"
    )
    print("  each folder has its own, so whoever tells the folders apart seems to know the findings.")


def reports(images: int = IMAGES) -> Iterator[Study]:
    """Draw reports of the studies of so many images; "effusion" is said to be there in 40 % of them."""
    draw = random.Random(3)  # noqa: S311  # not for security
    for number in range(images * REPORTS // IMAGES + 1):
        side = draw.choice(("left", "right"))
        there = draw.random() < 0.4
        body = [f"There is a {draw.choice(('small', 'moderate', 'large'))} {side} pleural effusion."] if there else []
        body += [one.format(side=side) for one in draw.sample(OTHERS, draw.randint(3, 7))]
        labels = {"Pleural Effusion": 1} if there else {"Pleural Effusion": 0} if draw.random() < 0.3 else {}
        text = f"FINDINGS: {' '.join(body)}\nIMPRESSION: {body[0]}"
        subject = SubjectId(f"p{10_000_000 + number * SUBJECTS // REPORTS}")
        date = f"{2110 + number % 90}-{1 + number % 12:02}-{1 + number % 28:02}"
        yield Study(StudyId(f"s{50_000_000 + number}"), subject, date, "train", labels, text)


async def make(store: EmbeddedStore) -> None:
    """Fill the archive, unless it is."""
    data = Data(IMAGES)
    await store.create(await WideEmbedder.made().fingerprint())
    if await store.count(Filter()) == IMAGES:
        return
    studies: list[Study] = []
    for study in reports():
        studies.append(study)
        if len(studies) == BATCH:
            await store.put_studies(studies)
            studies = []
    await store.put_studies(studies)
    for start in range(0, IMAGES, BATCH):
        numbers = range(start, min(start + BATCH, IMAGES))
        images = [image_of(number, data) for number in numbers]
        await store.put(images, data.vectors[numbers.start : numbers.stop])


def image_of(number: int, data: Data) -> ImageRecord:
    """Return an image of any number; its view is that of its vector."""
    study, view = number * REPORTS // IMAGES, VIEWS[data.facts.view[number % IMAGES]]
    name = ImageId("-".join([f"{number * 2654435761 % 2**32:08x}"] * 5))
    subject = SubjectId(f"p{10_000_000 + study * SUBJECTS // REPORTS}")
    return ImageRecord(name, StudyId(f"s{50_000_000 + study}"), subject, view, "none", f"files/{name}.dcm", "/")


class WideEmbedder(LabelSpaceEmbedder):
    """Gives each text one of the made-up texts' vectors: only the time counts."""

    name = "wide"

    @classmethod
    def made(cls) -> WideEmbedder:
        """Return one."""
        return cls(LabelSpace(1, noise=1, seed=1))

    async def fingerprint(self):  # as its parent
        made = await super().fingerprint()
        return type(made)(self.name, DIMENSION, made.preprocessing)

    async def embed_texts(self, texts):  # as its parent
        rows = Data(IMAGES).queries[-QUESTIONS_OF_TEXTS:]
        return np.stack([rows[len(text) % len(rows)] for text in texts])


async def scale() -> bool:
    """Print what a page costs; return whether the ratio is kept.

    Each round asks for another earliest date, so that no answer is one that was kept.
    """
    async with _archive() as archive:
        vector = (await archive.embedder.embed_texts(["x"]))[0]
        words = plan_words(parse_query_text("left pleural effusion"), Filter(), by_vector=True).terms
        example = (await archive.search(limit=1, view=["PA"])).images[0].image_id

        def page(query: str, **how: Any) -> Callable[[str], Awaitable[object]]:
            return lambda date: archive.search(query, view=["FRONTAL"], date_from=date, **how)

        ways: dict[str, Callable[[str], Awaitable[object]]] = {
            VECTOR_LEG: lambda date: archive.store.nearest(vector, _frontal(date), limit=1000),
            "words leg, 1,000 hits": lambda date: archive.store.match(words, _frontal(date), limit=1000),
            "page by pixels": page("left pleural effusion", mode="vector"),
            "page by words": page("left pleural effusion", mode="words"),
            "hybrid page": page("left pleural effusion"),
            "hybrid page, one word": page("effusion"),
            "hybrid page, with a denial": page("cardiomegaly without effusion"),
            "hybrid page, with a label": page("left effusion", labels=["Pleural Effusion"]),
            "hybrid page, without a label": page("pneumothorax", labels_absent=["Pleural Effusion"]),
            "hybrid page, with an example": page("effusion", like=[example]),
        }
        times = {
            name: [await _seconds(way, f"2112-01-{n + 1:02}") for n in range(ROUNDS)] for name, way in ways.items()
        }
    print(f"\n{IMAGES:,} images, {REPORTS:,} reports, view = PA or AP, a date; ms: first, median of {ROUNDS - 1} more")
    medians = {name: 1000 * statistics.median(taken[1:]) for name, taken in times.items()}
    for name, (first, *more) in times.items():
        spread = f"({1000 * min(more):.1f} to {1000 * max(more):.1f})"
        print(f"  {name:<30}{1000 * first:>8.1f}{medians[name]:>8.1f}  {spread}")
    ratio = max(medians[name] for name in medians if name.startswith("hybrid")) / medians[VECTOR_LEG]
    print(f"  slowest hybrid page / vector leg alone: {ratio:.2f}, at most {RATIO_TO_KEEP}: {_verdict(ratio)}")
    return ratio <= RATIO_TO_KEEP


def _frontal(date: str) -> Filter:
    return Filter(view=("PA", "AP"), date_from=date)


def _verdict(ratio: float) -> str:
    return "kept" if ratio <= RATIO_TO_KEEP else "NOT KEPT"


async def _seconds(way: Callable[[str], Awaitable[object]], date: str) -> float:
    started = time.perf_counter()
    await way(date)
    return time.perf_counter() - started


@asynccontextmanager
async def _archive() -> AsyncGenerator[Archive]:
    async with EmbeddedStore(BENCH / "answers") as store, ImageReader() as reader:
        await make(store)
        yield Archive(Settings.model_validate({}), store, WideEmbedder.made(), reader)


def main() -> int:
    versions = (
        f"Python {platform.python_version()}, numpy {np.__version__}, {platform.machine()}, {os.cpu_count()} cores"
    )
    print(f"Search: {versions}, load {os.getloadavg()[0]:.1f}")
    found = [anyio.run(trial, agreement) for agreement in AGREEMENTS]
    anyio.run(real_images)
    fast = anyio.run(scale)
    return 0 if all(found) and fast else 1


if __name__ == "__main__":
    sys.exit(main())
