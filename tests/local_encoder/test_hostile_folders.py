"""A model folder is hostile until proven otherwise: what it may not hold, and what a first load may not do."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mcp_cxr.embeddings import LocalConfig, LocalEmbedder, read_reference
from mcp_cxr.embeddings.local import _first_load
from mcp_cxr.embeddings.local._encoder import describe_encoder
from mcp_cxr.errors import EmbeddingRejected
from tests.support.encoders import SIZE, TinyEncoder, tokenizer, write_json

if TYPE_CHECKING:
    from collections.abc import Callable

VISION = "onnx/vision_model.onnx"


def refusal(folder: Path) -> str:
    """Return the one line with which a folder is refused before anything is loaded."""
    with pytest.raises(EmbeddingRejected) as caught:
        describe_encoder(folder)
    assert "onnxruntime" not in str(caught.value)
    return str(caught.value)


def with_node(folder: Path, node: onnx.NodeProto) -> Path:
    encoder = TinyEncoder()
    encoder.write(folder)
    encoder.save(encoder.vision(node), folder / VISION)
    return folder


def branch() -> onnx.GraphProto:
    value = helper.make_tensor("c", TensorProto.FLOAT, [1], [1.0])
    node = helper.make_node("Constant", [], ["out"], value=value)
    return helper.make_graph([node], "b", [], [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])])


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (helper.make_node("Evil", ["w"], ["x"], domain="ai.example"), "domain 'ai.example'"),
        (helper.make_node("If", ["c"], ["x"], then_branch=branch(), else_branch=branch()), "graph within a graph|If"),
        (helper.make_node("Loop", ["m", "c"], ["x"], body=branch()), "graph within a graph|Loop"),
        (helper.make_node("EPContext", [], ["x"], domain="com.microsoft"), "EPContext"),
        (helper.make_node("PythonOp", ["w"], ["x"], domain="com.microsoft"), "PythonOp"),
    ],
    ids=lambda value: getattr(value, "op_type", ""),
)
def test_operators_that_run_other_code_are_refused(tmp_path: Path, node: onnx.NodeProto, words: str):
    import re

    assert re.search(words, refusal(with_node(tmp_path, node)))


def test_operators_in_functions_of_the_model_are_seen(tmp_path: Path):
    encoder = TinyEncoder()
    encoder.write(tmp_path)
    model = encoder.vision()
    inner = helper.make_node("Evil", ["x"], ["y"], domain="ai.example")
    model.functions.append(
        helper.make_function("com.microsoft", "F", ["x"], ["y"], [inner], [helper.make_opsetid("ai.example", 1)])
    )
    onnx.save(model, tmp_path / VISION)
    assert "ai.example" in refusal(tmp_path)


def external(location: str, **more: str) -> onnx.TensorProto:
    tensor = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3 * SIZE * SIZE, 8])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


@pytest.mark.parametrize(
    ("location", "more", "words"),
    [
        ("../secret.bin", {}, "outside its folder"),
        ("/etc/passwd", {}, "outside its folder"),
        ("sub/weights.bin", {}, "outside its folder"),
        ("", {}, "outside its folder"),
        ("*/_ORT_MEM_ADDR_/*", {"offset": "4096", "length": "8"}, "outside its folder"),
        ("gone.bin", {}, "is missing"),
        ("short.bin", {"offset": "0", "length": "1000000"}, "cut off"),
        ("short.bin", {"offset": "x"}, "cut off"),
        ("short.bin", {"offset": "-8", "length": "8"}, "cut off"),
        ("long" * 200, {}, "is missing"),
        ("null\0", {}, "is missing"),
        ("link.bin", {}, "cp -rL"),
    ],
)
def test_weights_lie_inside_the_folder(tmp_path: Path, location: str, more: dict[str, str], words: str):
    encoder = TinyEncoder()
    encoder.write(tmp_path)
    (tmp_path / "secret.bin").write_bytes(bytes(50_000))
    (tmp_path / "onnx/short.bin").write_bytes(b"short")
    (tmp_path / "onnx/link.bin").symlink_to(tmp_path / "secret.bin")
    model = encoder.vision()
    del model.graph.initializer[:]
    model.graph.initializer.append(external(location, **more))
    (tmp_path / VISION).write_bytes(model.SerializeToString())
    assert words in refusal(tmp_path)


def test_weights_in_an_attribute_are_seen_too(tmp_path: Path):
    node = helper.make_node("Constant", [], ["c"])
    node.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(external("/etc/passwd"))
    assert "outside its folder" in refusal(with_node(tmp_path, node))


def test_a_folder_of_links_is_told_to_be_copied(tmp_path: Path):
    blobs = TinyEncoder().write(tmp_path / "blobs")
    snapshot = tmp_path / "snapshot"
    for path in [each for each in blobs.rglob("*") if each.is_file()]:
        link = snapshot / path.relative_to(blobs)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    assert "cp -rL" in refusal(snapshot)
    linked = tmp_path / "linked"
    linked.symlink_to(blobs)
    assert describe_encoder(linked).files.root == blobs


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut in half": lambda data: data[: len(data) // 2],
    "cut by one": lambda data: data[:-1],
    "empty": lambda _: b"",
    "text": lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
    "zeros": lambda data: bytes(len(data)),
    "a length beyond the end": lambda data: b"\x3a\xff\xff\xff\xff\x7f" + data,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_graph_is_one_line(tmp_path: Path, damage: str):
    path = TinyEncoder().write(tmp_path) / VISION
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert "vision_model.onnx" in refusal(tmp_path)


def test_any_byte_changed_is_a_cxr_error_or_none(tmp_path: Path):
    path = TinyEncoder().write(tmp_path) / "onnx/text_model.onnx"
    original = bytearray(path.read_bytes())
    rng = np.random.default_rng(20)
    for _ in range(300):
        changed = original.copy()
        for place in rng.integers(0, len(changed), 3):
            changed[place] = rng.integers(0, 256)
        path.write_bytes(changed)
        with contextlib.suppress(EmbeddingRejected):
            describe_encoder(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b"[" * 100_000),
        ("config.json", b"[1, 2]"),
        ("config.json", b"\xff\xfe"),
        ("tokenizer_config.json", b" " * (9 << 20)),
        ("preprocessor_config.json", b"{"),
    ],
)
def test_configuration_is_read_within_bounds(tmp_path: Path, name: str, content: bytes):
    (TinyEncoder().write(tmp_path) / name).write_bytes(content)
    assert name in refusal(tmp_path)


@pytest.mark.parametrize("value", [5, None, [], {}, ["x"], {"a": 1}, "x", True, 1e400, -1, ""], ids=repr)
@pytest.mark.parametrize(
    ("name", "key"),
    [
        *(("config.json", key) for key in ("model_type", "text_config", "mcp_cxr")),
        *(
            ("tokenizer_config.json", key)
            for key in ("pad_token", "model_max_length", "tokenizer_class", "model_input_names", "do_lower_case")
        ),
        *(
            ("preprocessor_config.json", key)
            for key in ("size", "crop_size", "resample", "rescale_factor", "image_mean", "image_std", "do_resize")
        ),
    ],
)
def test_a_value_of_any_kind_is_followed_or_refused(tmp_path: Path, name: str, key: str, value: Any):
    path = TinyEncoder(config={"model_type": "siglip"}).write(tmp_path) / name
    write_json(path, json.loads(path.read_text()) | {key: value})
    with contextlib.suppress(EmbeddingRejected):
        describe_encoder(tmp_path)


def test_a_pipe_in_the_folder_does_not_hang(tmp_path: Path):
    path = TinyEncoder().write(tmp_path) / "config.json"
    path.unlink()
    os.mkfifo(path)
    assert "config.json" in refusal(tmp_path)


@pytest.mark.parametrize("kind", ["pickle", "text", "many", "other arrays"])
def test_a_reference_is_read_within_bounds_and_without_pickle(tmp_path: Path, kind: str):
    path = TinyEncoder().write(tmp_path) / "reference.npz"
    arrays: dict[str, Any] = {
        "pickle": {"images": np.array([print], object)},
        "many": {f"a{n}": np.zeros(1) for n in range(40)},
        "other arrays": {"images": np.zeros(3)},
        "text": {},
    }[kind]
    np.savez(path, **arrays)
    if kind == "text":
        path.write_text("no archive")
    with pytest.raises(EmbeddingRejected, match=r"reference\.npz"):
        read_reference(tmp_path)


async def first_load_error(folder: Path, state: Path) -> str:
    async with LocalEmbedder(LocalConfig(folder, "1", state / "encoders.json")) as embedder:
        with pytest.raises(EmbeddingRejected) as caught:
            await embedder.fingerprint()
    assert not await anyio.Path(state).exists()  # nothing is written
    assert "\n" not in str(caught.value)
    return str(caught.value)


def constant(values: Any) -> Any:
    return numpy_helper.from_array(np.asarray(values), "w")


def nan_weights(folder: Path) -> None:
    encoder = TinyEncoder()
    model = encoder.vision()
    model.graph.initializer[0].CopyFrom(constant(np.full((3 * SIZE * SIZE, 8), np.nan, np.float32)))
    encoder.save(model, folder / VISION)


def one_vector(folder: Path) -> None:
    encoder = TinyEncoder()
    model = encoder.vision()
    model.graph.initializer[0].CopyFrom(constant(np.zeros((3 * SIZE * SIZE, 8), np.float32)))
    model.graph.node.append(helper.make_node("Add", ["image_embeds", "one"], ["shifted"]))
    model.graph.initializer.append(numpy_helper.from_array(np.ones(8, np.float32), "one"))
    model.graph.output[0].name = "shifted"
    encoder.save(model, folder / VISION)


def too_much_memory(folder: Path) -> None:
    shape = numpy_helper.from_array(np.array([1 << 36], np.int64), "shape")
    encoder = TinyEncoder()
    model = encoder.vision(helper.make_node("ConstantOfShape", ["shape"], ["huge"]))
    model.graph.initializer.append(shape)
    model.graph.node.append(helper.make_node("ReduceSum", ["huge"], ["total"], keepdims=0))
    model.graph.node.append(helper.make_node("Add", ["image_embeds", "total"], ["sum"]))
    model.graph.output[0].name = "sum"
    encoder.save(model, folder / VISION)


def other_vocabulary(folder: Path) -> None:
    encoder = TinyEncoder(words=5)
    encoder.save(encoder.text(), folder / "onnx/text_model.onnx")


def no_tokenizer(folder: Path) -> None:
    write_json(folder / "tokenizer.json", tokenizer() | {"model": {"type": "Nothing"}})


def unmasked_padding(folder: Path) -> None:
    encoder = TinyEncoder()
    model = encoder.text()
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name == "masked":
                node.input[place] = "vectors"
    encoder.save(model, folder / "onnx/text_model.onnx")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (nan_weights, "not finite"),
        (one_vector, "same vector"),
        (too_much_memory, "vision_model.onnx|onnxruntime ended|needs more"),
        (other_vocabulary, "more tokens than the text graph"),
        (no_tokenizer, "tokenizer.json cannot be read"),
        (unmasked_padding, "does not leave out padding"),
    ],
)
async def test_a_first_load_that_fails_is_one_line(tmp_path: Path, spoil: Callable[[Path], None], words: str):
    import re

    folder = TinyEncoder().write(tmp_path / "model")
    spoil(folder)
    assert re.search(words, await first_load_error(folder, tmp_path / "state"))


async def test_a_first_load_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_first_load, "_SECONDS", 0)
    folder = TinyEncoder().write(tmp_path / "model")
    assert "took more than 0 s" in await first_load_error(folder, tmp_path / "state")


async def test_a_crash_in_the_first_load_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_first_load, "_MODULE", "faulthandler_is_no_answer")
    folder = TinyEncoder().write(tmp_path / "model")
    assert "onnxruntime ended with code" in await first_load_error(folder, tmp_path / "state")


async def test_an_encoder_is_loaded_first_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = LocalConfig(TinyEncoder().write(tmp_path / "model"), "1", tmp_path / "encoders.json")
    async with LocalEmbedder(config) as embedder:
        fingerprint = await embedder.fingerprint()
    assert config.encoder_cache_file.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(_first_load, "_MODULE", "no_module")
    moved = config.folder.rename(tmp_path / "moved")
    async with LocalEmbedder(LocalConfig(moved, "1", config.encoder_cache_file)) as embedder:
        assert await embedder.fingerprint() == fingerprint


def test_nothing_opens_a_socket(tmp_path: Path):
    """The kernel kills the process at its first socket of a network: seccomp on the system calls of x86-64."""
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        pytest.skip("seccomp filters are of Linux, this one of x86-64")
    folder = TinyEncoder().write(tmp_path / "model")
    script = Path(__file__).with_name("without_sockets.py")
    done = subprocess.run(
        [sys.executable, str(script), str(folder), str(tmp_path / "encoders.json")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, "embedded\n"), done.stderr
    refused = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=60)
    assert refused.returncode < 0  # the filter works


async def test_a_run_that_is_cancelled_stops_between_batches(tmp_path: Path):
    from mcp_cxr.records import Rendering

    config = LocalConfig(TinyEncoder().write(tmp_path / "model"), "1", tmp_path / "encoders.json")
    async with LocalEmbedder(config) as embedder:
        renderings = [Rendering(np.full((SIZE, SIZE), n % 256, np.uint8)) for n in range(20_000)]
        await embedder.embed_images(renderings[:2])
        with anyio.move_on_after(0.05) as scope:
            await embedder.embed_images(renderings)
        assert scope.cancelled_caught
        assert len(await embedder.embed_images(renderings[:1])) == 1
