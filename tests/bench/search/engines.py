"""The engines that are measured: this store and others. Each imports its library when it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tests.bench.search.data import BENCH, DIMENSION, TOP, VIEWS, Data

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp_cxr.records import Filter

RIVALS = BENCH / "rivals"
"""Folder in which the other engines (`REQUIREMENTS`) are installed."""
REQUIREMENTS = ("apsw", "faiss-cpu", "lancedb", "sqlite-vec")
"""apsw, because the sqlite3 of many Pythons cannot load extensions."""
PRERELEASE = ("sqlite-vec==0.1.10a4",)
"""The version with `rescore` indexes, installed separately."""
BATCH = 256


class Engine(Protocol):
    """One archive of `data`, in a folder."""

    @property
    def filters(self) -> tuple[str, ...]:
        """Filters that it supports."""
        ...

    def __init__(self, data: Data, folder: Path) -> None: ...

    async def build(self) -> dict[str, Any]:
        """Build it; return figures to report."""
        ...

    async def open(self) -> None: ...

    async def search(self, query: np.ndarray, which: str, number: int) -> list[int]:
        """Return the numbers of the nearest images."""
        ...


ALL: tuple[str, ...] = ("none", "LATERAL", "one patient", "0.1 %")


class Ours:
    """The embedded store, called as search calls it."""

    filters: tuple[str, ...] = ALL

    def __init__(self, data: Data, folder: Path) -> None:
        from mcp_cxr.stores import EmbeddedStore

        self.data = data
        self.store = EmbeddedStore(folder)

    async def build(self) -> dict[str, Any]:
        from time import perf_counter

        from mcp_cxr.records import Fingerprint

        await self.store.create(Fingerprint("clip-like", DIMENSION, "1"), root="/films")
        seconds: list[float] = []
        for start in range(0, self.data.count, BATCH):
            numbers = range(start, min(start + BATCH, self.data.count))
            images, vectors = [self._image(number) for number in numbers], self.data.vectors[start : numbers.stop]
            began = perf_counter()
            await self.store.put(images, vectors)
            seconds.append(perf_counter() - began)
            await self.store.put_studies(self._rare_studies(numbers))
        last = seconds[-len(seconds) // 10 :]
        return {
            "upserts_a_second": round(self.data.count / sum(seconds)),
            "upserts_a_second_in_the_last_tenth": round(BATCH * len(last) / sum(last)),
        }

    async def open(self) -> None:
        await self.store.__aenter__()

    async def search(self, query: np.ndarray, which: str, number: int) -> list[int]:
        self.store._rankings.clear()  # the same queries are asked several times
        hits = await self.store.nearest(query, self._filter(which, number), limit=TOP)
        return [int(hit.image_id[-8:]) for hit in hits]

    def codes(self) -> np.ndarray:
        """Return the int8 rows; reading them is the lower bound of a scan's time."""
        copy = self.store._int8_copy._kept
        assert copy
        return copy.rows.codes

    def _filter(self, which: str, number: int) -> Filter:
        from mcp_cxr.records import Filter, SubjectId

        if which == "one patient":
            return Filter(subject_id=SubjectId(f"p{self.data.patient(number)}"))
        return {"none": Filter(), "LATERAL": Filter(view=("LATERAL",)), "0.1 %": Filter(labels=("Lung Lesion",))}[which]

    def _image(self, number: int) -> Any:
        from mcp_cxr.records import ImageId, ImageRecord, StudyId, SubjectId

        facts, scattered = self.data.facts, (number * 2654435761) % 2**32  # MIMIC's ids are in no order
        return ImageRecord(
            ImageId(f"{scattered:08x}-{number:08d}"),
            StudyId(f"s{(int(facts.study[number]) * 48271) % 2**31}"),
            SubjectId(f"p{facts.subject[number]}"),
            VIEWS[facts.view[number]],
            "ViewPosition",
            f"files/p{facts.subject[number]}/{number:08d}.dcm",
            "/films",
            {"Rows": 2544, "Columns": 3056, "StudyDescription": "CHEST (PA AND LAT)"},
        )

    def _rare_studies(self, numbers: range) -> list[Any]:
        from mcp_cxr.records import Study

        images = [self._image(number) for number in numbers if self.data.facts.rare[number]]
        studies = {
            image.study_id: Study(image.study_id, image.subject_id, labels={"Lung Lesion": 1}) for image in images
        }
        return list(studies.values())


class SqliteVec:
    """sqlite-vec, float32, with its metadata columns."""

    filters: tuple[str, ...] = ALL
    library = RIVALS / "current"
    columns = ", view TEXT, subject INTEGER, rare INTEGER"
    index = ""

    def __init__(self, data: Data, folder: Path) -> None:
        self.data = data
        self.path = folder / "vec.sqlite3"

    async def build(self) -> dict[str, Any]:
        connection = self._connect()
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            f"CREATE VIRTUAL TABLE v USING vec0(e float[{DIMENSION}] distance_metric=cosine{self.index}{self.columns})"
        )
        for start in range(0, self.data.count, 4096):
            with connection:
                connection.executemany(*self._rows(start, min(start + 4096, self.data.count)))
        return {}

    async def open(self) -> None:
        self.connection = self._connect()

    async def search(self, query: np.ndarray, which: str, number: int) -> list[int]:
        condition, value = {
            "none": ("", ()),
            "LATERAL": (" AND view = ?", ("LATERAL",)),
            "one patient": (" AND subject = ?", (self.data.patient(number),)),
            "0.1 %": (" AND rare = ?", (1,)),
        }[which]
        statement = f"SELECT rowid FROM v WHERE e MATCH ? AND k = {TOP}{condition}"  # noqa: S608 - constants
        return [row for (row,) in self.connection.execute(statement, (query.tobytes(), *value))]

    def _connect(self) -> Any:
        import apsw  # pyright: ignore[reportMissingImports]  # installed by the bench

        connection = apsw.Connection(str(self.path))
        connection.enable_load_extension(True)
        connection.load_extension(str(self.library / "sqlite_vec" / "vec0"))
        return connection

    def _rows(self, start: int, end: int) -> tuple[str, list[tuple]]:
        facts = self.data.facts
        rows = [
            (n, v.tobytes(), VIEWS[facts.view[n]], int(facts.subject[n]), int(facts.rare[n]))
            for n, v in zip(range(start, end), self.data.vectors[start:end], strict=True)
        ]
        return "INSERT INTO v (rowid, e, view, subject, rare) VALUES (?, ?, ?, ?, ?)", rows


class SqliteVecRescore(SqliteVec):
    """Its int8 `rescore` index, which has no metadata columns, so no filters."""

    filters: tuple[str, ...] = ("none",)
    library = RIVALS / "prerelease"
    columns = ""
    index = " indexed by rescore(quantizer=int8, oversample=8)"

    def _rows(self, start: int, end: int) -> tuple[str, list[tuple]]:
        rows = zip(range(start, end), self.data.vectors[start:end], strict=True)
        return "INSERT INTO v (rowid, e) VALUES (?, ?)", [(n, v.tobytes()) for n, v in rows]


class LanceDb:
    """LanceDB with IVF_RQ, with probes for a recall near 1, and indexes for the filters."""

    filters: tuple[str, ...] = ALL

    def __init__(self, data: Data, folder: Path) -> None:
        self.data = data
        self.folder = folder

    async def build(self) -> dict[str, Any]:
        import lancedb  # pyright: ignore[reportMissingImports]  # installed by the bench
        import pyarrow as pa  # pyright: ignore[reportMissingImports]  # installed by the bench

        def batches():
            facts = self.data.facts
            for start in range(0, self.data.count, 8192):
                part = slice(start, min(start + 8192, self.data.count))
                flat = pa.array(self.data.vectors[part].ravel(), pa.float32())
                yield pa.record_batch(
                    {
                        "n": pa.array(np.arange(part.start, part.stop)),
                        "vector": pa.FixedSizeListArray.from_arrays(flat, DIMENSION),
                        "view": pa.array([VIEWS[view] for view in facts.view[part]]),
                        "subject": pa.array(facts.subject[part]),
                        "rare": pa.array(facts.rare[part].astype(np.int64)),
                    }
                )

        schema = next(batches()).schema
        table = lancedb.connect(self.folder).create_table("v", batches(), schema=schema)
        table.create_index(metric="cosine", index_type="IVF_RQ", num_partitions=max(16, int(self.data.count**0.5)))
        table.create_scalar_index("subject")
        table.create_scalar_index("view", index_type="BITMAP")
        table.create_scalar_index("rare", index_type="BITMAP")
        return {}

    async def open(self) -> None:
        import lancedb  # pyright: ignore[reportMissingImports]  # installed by the bench

        self.table = lancedb.connect(self.folder).open_table("v")

    async def search(self, query: np.ndarray, which: str, number: int) -> list[int]:
        search = self.table.search(query).distance_type("cosine").nprobes(200).refine_factor(50).limit(TOP)
        condition = {
            "none": None,
            "LATERAL": "view = 'LATERAL'",
            "one patient": f"subject = {self.data.patient(number)}",
            "0.1 %": "rare = 1",
        }[which]
        if condition:
            search = search.where(condition, prefilter=True)
        return search.select(["n"]).to_arrow()["n"].to_pylist()


class Faiss:
    """faiss with 8 bits a number in memory, filtered by lists of rows, rescored from the float32 file."""

    filters: tuple[str, ...] = ALL

    def __init__(self, data: Data, folder: Path) -> None:
        self.data = data
        self.path = folder / "sq8.faiss"

    async def build(self) -> dict[str, Any]:
        import faiss  # pyright: ignore[reportMissingImports]  # installed by the bench

        index = faiss.IndexScalarQuantizer(DIMENSION, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
        index.train(np.ascontiguousarray(self.data.vectors[:: max(1, self.data.count // 20_000)]))
        for start in range(0, self.data.count, 8192):
            index.add(np.ascontiguousarray(self.data.vectors[start : start + 8192]))
        faiss.write_index(index, str(self.path))
        return {}

    async def open(self) -> None:
        import faiss  # pyright: ignore[reportMissingImports]  # installed by the bench

        faiss.omp_set_num_threads(1)
        self.faiss: Any = faiss
        self.index = faiss.read_index(str(self.path))

    async def search(self, query: np.ndarray, which: str, number: int) -> list[int]:
        chosen = {}
        if which != "none":
            rows = np.flatnonzero(self.data.mask(which, number))
            chosen = {"params": self.faiss.SearchParameters(sel=self.faiss.IDSelectorBatch(rows))}
        _, found = self.index.search(query[None, :], 10 * TOP, **chosen)
        rows = np.sort(found[0][found[0] >= 0])
        cosines = self.data.vectors[rows] @ query
        return rows[np.argsort(-cosines)[:TOP]].tolist()


ENGINES: dict[str, Callable[[Data, Path], Engine]] = {
    "this store": Ours,
    "sqlite-vec float32": SqliteVec,
    "sqlite-vec rescore": SqliteVecRescore,
    "LanceDB IVF_RQ": LanceDb,
    "faiss SQ8": Faiss,
}
