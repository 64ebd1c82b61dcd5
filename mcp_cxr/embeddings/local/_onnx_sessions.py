"""Runs ONNX graphs with onnxruntime, which no other module imports."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mcp_cxr.embeddings.local._model_files import folder_error
from mcp_cxr.errors import EmbeddingRejected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mcp_cxr.embeddings.local._onnx_graph import Graph
    from mcp_cxr.records import Vectors

_NEVER: Final = "AzureExecutionProvider"
"""It sends inputs to a service."""
_ERRORS_ONLY: Final = 3
MISSING_PACKAGES: Final = (
    "MCP_CXR_EMBEDDER=local needs the packages onnxruntime and tokenizers; install them with "
    "`pip install 'mcp-cxr[local]'`."
)


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How graphs are run."""

    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    """onnxruntime's names, the preferred one first."""
    threads: int | None = None
    """Of one run; None: one for each core this process may use."""


def available_cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Session:
    """A loaded graph.

    Raises:
        EmbeddingRejected: When it is made: onnxruntime is missing, lacks a provider, or cannot load the graph.
    """

    def __init__(self, graph: Graph, output: str, options: SessionOptions) -> None:
        self._graph = graph
        self._output = output
        self._session = _load(graph, options)
        self.runs_one_by_one = graph.is_dynamically_quantized or _batch_of_one(graph)

    def run(self, inputs: dict[str, NDArray[Any]]) -> Vectors:
        """Return the graph's vectors as float32, shape (n, dimension).

        Raises:
            EmbeddingRejected: The graph fails, or puts out anything else.
        """
        try:
            vectors: Any = self._session.run([self._output], inputs)[0]
        except _library_errors() as exc:
            raise folder_error(
                f"{self._graph.path.name} fails ({_reason(exc)}); copy all files from one model again."
            ) from exc
        count = len(next(iter(inputs.values())))
        shape: tuple[int, ...] = getattr(vectors, "shape", ())
        if len(shape) != 2 or shape[0] != count or vectors.dtype.kind != "f":  # noqa: PLR2004  # rows of numbers
            raise folder_error(f"{self._graph.path.name} puts out no vector for each input; export it again.")
        return vectors.astype(np.float32)


def _batch_of_one(graph: Graph) -> bool:
    return any(each.shape[:1] == (1,) for each in graph.inputs)


def _load(graph: Graph, options: SessionOptions) -> Any:  # noqa: ANN401 - the library has no types
    ort = _onnxruntime()
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = options.threads or available_cores()
    settings.inter_op_num_threads = 1
    settings.log_severity_level = _ERRORS_ONLY
    # Waiting threads would otherwise spin, and take the cores that decode the next images.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if graph.external:
        # Weights are then used where the file is mapped, in memory that all processes share, not in copies.
        settings.add_session_config_entry("session.disable_prepacking", "1")
    _check_providers(ort, options.providers)
    try:
        session = ort.InferenceSession(str(graph.path), settings, providers=list(options.providers))
    except _library_errors() as exc:
        raise folder_error(f"onnxruntime cannot load {graph.path.name} ({_reason(exc)}); export it again.") from exc
    if session.get_providers()[0] != options.providers[0]:  # it goes on with the CPU in silence
        raise EmbeddingRejected(
            f"onnxruntime could not start {options.providers[0]}; check its driver, or set MCP_CXR_PROVIDERS to "
            "CPUExecutionProvider."
        )
    return session


def _onnxruntime() -> Any:  # noqa: ANN401 - the library has no types
    try:
        import onnxruntime  # pyright: ignore[reportMissingTypeStubs]  # loaded late: `serve` starts without it
    except ImportError as exc:
        raise EmbeddingRejected(MISSING_PACKAGES) from exc
    ort: Any = onnxruntime
    ort.disable_telemetry_events()
    ort.set_default_logger_severity(_ERRORS_ONLY)
    return ort


def _check_providers(ort: Any, wanted: tuple[str, ...]) -> None:  # noqa: ANN401 - the library has no types
    available = [name for name in ort.get_available_providers() if name != _NEVER]
    for name in wanted:
        if name not in available:
            raise EmbeddingRejected(
                f"MCP_CXR_PROVIDERS names {name}, which this onnxruntime does not have; it has {', '.join(available)}."
            )


def _library_errors() -> tuple[type[Exception], ...]:
    """Return what onnxruntime raises: its own classes have no common base."""
    state: Any = _onnxruntime().capi.onnxruntime_pybind11_state
    values: list[Any] = list(state.__dict__.values())
    classes = [each for each in values if isinstance(each, type) and issubclass(each, Exception)]
    return (*classes, RuntimeError, ValueError)


def _reason(error: Exception) -> str:
    """Return a few words of an error of onnxruntime, which may quote a whole graph."""
    words = str(error).rpartition(" : ")[2].rpartition(" failed:")[2].split()
    return " ".join(words)[:80].rstrip(" .")
