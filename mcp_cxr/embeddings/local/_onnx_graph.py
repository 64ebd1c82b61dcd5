"""Reads what an ONNX graph is made of, without loading it: a bounded walk over its protobuf fields.

Field numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). Only the fields that
decide whether the graph may be loaded are decoded; weights are skipped.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from mcp_cxr.embeddings.local._model_files import MAX_GRAPH_BYTES, MAX_WEIGHT_BYTES, folder_error, open_model_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ALLOWED_DOMAINS: Final = ("", "ai.onnx", "com.microsoft")
_CONTROL_FLOW: Final = frozenset({"If", "Loop", "Scan", "SequenceMap"})
_FORBIDDEN: Final = frozenset({"EPContext", "PythonOp", "PythonOpGrad", "ATen", "TritonOp", "Opaque"})
"""Of com.microsoft: they run other code, or read other files."""
_DYNAMICALLY_QUANTIZED: Final = frozenset(
    {
        "DynamicQuantizeLinear",
        "DynamicQuantizeMatMul",
        "DynamicQuantizeLSTM",
        "MatMulIntegerToFloat",
        "QAttention",
    }
)
_MAX_FIELDS: Final = 3_000_000
"""Of messages that are decoded; the graph of a tower with 27 layers has less than 100,000."""
_MAX_NAME: Final = 4096
_TYPES: Final = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 10: "float16", 11: "float64"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_EXTERNAL: Final = 1

_Field: TypeAlias = tuple[int, int, int, int]
"""Number, wire type, and start and end of the value; of a varint, its value and 0."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output of a graph."""

    name: str
    dtype: str
    """As numpy names it; `type N` for the others."""
    shape: tuple[int | None, ...]
    """None where the graph leaves the size open."""


@dataclass(slots=True)
class Graph:
    """What is known of a graph before it is loaded."""

    path: Path
    inputs: list[TensorInfo] = field(default_factory=list[TensorInfo])
    outputs: list[TensorInfo] = field(default_factory=list[TensorInfo])
    external: set[Path] = field(default_factory=set["Path"])
    """Files of external data, inside the graph's folder."""
    is_dynamically_quantized: bool = False
    """Whether scales are computed from the values of a batch: a vector then depends on the others of its batch."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The graph and its external data, in a fixed order."""
        return (self.path, *sorted(self.external))


class _BadGraphError(Exception):
    """The file is no protobuf message, or is cut off."""


def inspect_graph(path: Path) -> Graph:
    """Return what a graph is made of, if it may be loaded.

    Raises:
        EmbeddingRejected: It is no ONNX graph, is cut off, has operators of other domains or control flow, or external
            data outside its folder.
    """
    with open_model_file(path) as file:
        size = file.seek(0, 2)
        if size > MAX_GRAPH_BYTES:
            raise folder_error(f"{path.name} is larger than 2 GB, which no ONNX graph is; export it again.")
        if not size:
            raise folder_error(f"{path.name} is empty; copy it again.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                graph = _Inspection(path, content).result(size)
            except (_BadGraphError, UnicodeDecodeError) as exc:
                raise folder_error(f"{path.name} is cut off or no ONNX graph; copy it again.") from exc
    if sum(each.stat().st_size for each in graph.files) > MAX_WEIGHT_BYTES:
        raise folder_error(f"{path.name} has more than {MAX_WEIGHT_BYTES >> 30} GB of weights.")
    return graph


class _Inspection:
    """One walk over one file."""

    def __init__(self, path: Path, content: mmap.mmap) -> None:
        self._content = content
        self._left = _MAX_FIELDS
        self._graph = Graph(path)
        self._weights: set[str] = set()

    def result(self, size: int) -> Graph:
        has_graph = False
        for number, wire, start, end in self._fields(0, size):
            if number == 7 and wire == _BYTES:  # noqa: PLR2004  # ModelProto.graph
                has_graph = True
                self._read_graph(start, end)
            elif number == 25 and wire == _BYTES:  # noqa: PLR2004  # ModelProto.functions
                self._read_function(start, end)
        if not has_graph or not self._graph.outputs:
            raise _BadGraphError
        # Before IR version 4 a graph lists its weights among its inputs.
        self._graph.inputs = [each for each in self._graph.inputs if each.name not in self._weights]
        return self._graph

    def _read_graph(self, start: int, end: int) -> None:
        for number, wire, first, last in self._fields(start, end):
            if wire != _BYTES:
                continue
            match number:
                case 1:
                    self._read_node(first, last)
                case 5:
                    self._weights.add(self._read_tensor(first, last))
                case 11:
                    self._graph.inputs.append(self._value_info(first, last))
                case 12:
                    self._graph.outputs.append(self._value_info(first, last))
                case 15:
                    raise folder_error(f"{self._name} has sparse weights, which are not supported.")
                case _:
                    pass

    def _read_function(self, start: int, end: int) -> None:
        for number, wire, first, last in self._fields(start, end):
            if number == 7 and wire == _BYTES:  # noqa: PLR2004  # FunctionProto.node
                self._read_node(first, last)

    def _read_node(self, start: int, end: int) -> None:
        operator = domain = ""
        for number, wire, first, last in self._fields(start, end):
            if wire != _BYTES:
                continue
            match number:
                case 4:
                    operator = self._text(first, last)
                case 7:
                    domain = self._text(first, last)
                case 5:
                    self._read_attribute(first, last)
                case _:
                    pass
        if domain not in _ALLOWED_DOMAINS:
            raise folder_error(
                f"{self._name} has an operator of domain {domain[:40]!r}; only ai.onnx and com.microsoft are loaded."
            )
        if operator in _CONTROL_FLOW or operator in _FORBIDDEN:
            raise folder_error(f"{self._name} has the operator {operator}, which is not loaded; export it again.")
        self._graph.is_dynamically_quantized |= operator in _DYNAMICALLY_QUANTIZED

    def _read_attribute(self, start: int, end: int) -> None:
        for number, wire, first, last in self._fields(start, end):
            if wire != _BYTES:
                continue
            if number in (6, 11):  # AttributeProto.g, graphs
                raise folder_error(f"{self._name} has a graph within a graph, which is not loaded; export it again.")
            if number in (5, 10):  # t, tensors
                self._read_tensor(first, last)
            if number in (22, 23):  # sparse_tensor, sparse_tensors
                raise folder_error(f"{self._name} has sparse weights, which are not supported.")

    def _read_tensor(self, start: int, end: int) -> str:
        """Check where the values are; return the name."""
        name, is_external = "", False
        entries: dict[str, str] = {}
        for number, wire, first, last in self._fields(start, end):
            if number == 8 and wire == _BYTES:  # noqa: PLR2004  # TensorProto.name
                name = self._text(first, last)
            elif number == 13 and wire == _BYTES:  # noqa: PLR2004  # external_data
                key, value = self._entry(first, last)
                entries[key] = value
            elif number == 14 and wire == _VARINT:  # noqa: PLR2004  # data_location
                is_external = first == _EXTERNAL
        if is_external or entries:
            self._add_external(entries)
        return name

    def _entry(self, start: int, end: int) -> tuple[str, str]:
        parts = {1: "", 2: ""}
        for number, wire, first, last in self._fields(start, end):
            if number in parts and wire == _BYTES:
                parts[number] = self._text(first, last)
        return parts[1], parts[2]

    def _add_external(self, entries: dict[str, str]) -> None:
        location, folder = entries.get("location", ""), self._graph.path.parent
        path = folder / location
        if not location or path.parent != folder or location in {".", ".."} or "\\" in location:
            raise folder_error(f"{self._name} names weights outside its folder, or none; export it again.")
        if path not in self._graph.external:
            if not os.path.lexists(path):  # False for names that no file can have, for which Path raises
                raise folder_error(f"{location[:60]} is missing, the weights of {self._name}; copy it too.")
            open_model_file(path).close()
            self._graph.external.add(path)
        try:
            offset, length = (int(entries.get(key, "0")) for key in ("offset", "length"))
        except ValueError:
            raise _BadGraphError from None
        if min(offset, length) < 0:
            raise _BadGraphError
        if offset + length > path.stat().st_size:
            raise folder_error(f"{location[:60]} is cut off: {self._name} needs more of it; copy it again.")

    def _value_info(self, start: int, end: int) -> TensorInfo:
        name, dtype, shape = "", "unknown", ()
        for number, wire, first, last in self._fields(start, end):
            if wire != _BYTES:
                continue
            if number == 1:
                name = self._text(first, last)
            elif number == 2:  # noqa: PLR2004  # ValueInfoProto.type
                dtype, shape = self._tensor_type(first, last)
        return TensorInfo(name, dtype, shape)

    def _tensor_type(self, start: int, end: int) -> tuple[str, tuple[int | None, ...]]:
        dtype, shape = "unknown", ()
        for number, wire, first, last in self._fields(start, end):
            if number != 1 or wire != _BYTES:  # TypeProto.tensor_type
                continue
            for inner, inner_wire, begin, stop in self._fields(first, last):
                if inner == 1 and inner_wire == _VARINT:  # elem_type
                    dtype = _TYPES.get(begin, f"type {begin}")
                elif inner == 2 and inner_wire == _BYTES:  # noqa: PLR2004  # shape
                    shape = tuple(self._dimension(*dim[2:]) for dim in self._fields(begin, stop) if dim[:2] == (1, 2))
        return dtype, shape

    def _dimension(self, start: int, end: int) -> int | None:
        for number, wire, value, _ in self._fields(start, end):
            if number == 1 and wire == _VARINT:
                return value
        return None

    def _text(self, start: int, end: int) -> str:
        if end - start > _MAX_NAME:
            raise _BadGraphError
        return self._content[start:end].decode()

    @property
    def _name(self) -> str:
        return self._graph.path.name

    def _fields(self, start: int, end: int) -> Iterator[_Field]:
        """Yield the fields of a message."""
        at = start
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise folder_error(f"{self._name} has more parts than any encoder; export it again.")
            tag, at = self._varint(at, end)
            number, wire = tag >> 3, tag & 7
            if wire == _VARINT:
                value, at = self._varint(at, end)
                yield number, wire, value, 0
                continue
            if wire == _BYTES:
                length, at = self._varint(at, end)
            elif wire in (_FIXED32, _FIXED64):
                length = 4 if wire == _FIXED32 else 8
            else:
                raise _BadGraphError
            if length > end - at or not number:
                raise _BadGraphError
            yield number, wire, at, at + length
            at += length

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = shift = 0
        while at < end and shift < 64:  # noqa: PLR2004  # bits of the widest
            byte = self._content[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004  # the last byte
                return value, at
            shift += 7
        raise _BadGraphError
