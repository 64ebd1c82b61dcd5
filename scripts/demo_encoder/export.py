"""Writes a trained demonstration encoder as a model folder: ONNX in Hugging Face's layout, checked against torch."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import click
import numpy as np
import onnxruntime
import torch
from network import DIMENSION, DualEncoder
from sentences import NAMES
from torch import nn
from torch.nn.functional import normalize
from train import LONGEST_TEXT, PAD, UNKNOWN, TrainingSet, as_input, new_encoder, tokenizer

_CHECKED_IMAGES = 16
_SAME_COSINE = 0.999999
_MOST_BYTES = 3_000_000


class _Vision(nn.Module):
    def __init__(self, net: DualEncoder) -> None:
        super().__init__()
        self.tower = net.image

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return normalize(self.tower(pixel_values))


class _Text(nn.Module):
    def __init__(self, net: DualEncoder) -> None:
        super().__init__()
        self.tower = net.text

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return normalize(self.tower(input_ids, attention_mask))


def write_graphs(net: DualEncoder, folder: Path, size: int) -> tuple[Path, Path]:
    """Write both towers; the vectors have unit length."""
    graphs = folder / "onnx"
    graphs.mkdir(parents=True, exist_ok=True)
    vision, text = graphs / "vision_model.onnx", graphs / "text_model.onnx"
    batch, words = {0: "batch"}, {0: "batch", 1: "sequence"}
    torch.onnx.export(
        _Vision(net).eval(),
        (torch.zeros(2, 1, size, size),),
        str(vision),
        input_names=["pixel_values"],
        output_names=["image_embeds"],
        dynamic_axes={"pixel_values": batch, "image_embeds": batch},
        opset_version=17,
        dynamo=False,
    )
    torch.onnx.export(
        _Text(net).eval(),
        (torch.ones(2, 5, dtype=torch.long), torch.ones(2, 5, dtype=torch.long)),
        str(text),
        input_names=["input_ids", "attention_mask"],
        output_names=["text_embeds"],
        dynamic_axes={"input_ids": words, "attention_mask": words, "text_embeds": batch},
        opset_version=17,
        dynamo=False,
    )
    return vision, text


def write_settings(folder: Path, size: int, origin: dict[str, object]) -> None:
    """Write how images and texts are prepared, and where the encoder comes from."""
    tokenizer().save(str(folder / "tokenizer.json"))
    settings: dict[str, dict[str, object]] = {
        "config.json": {
            "model_type": "mcp-cxr-demo",
            "projection_dim": DIMENSION,
            "text_config": {"max_position_embeddings": LONGEST_TEXT},
            "mcp_cxr": {"demo_encoder": True, **origin},
        },
        "preprocessor_config.json": {
            "do_resize": True,
            "size": {"height": size, "width": size},
            "resample": 3,
            "do_center_crop": False,
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": [0.5],
            "image_std": [0.5],
        },
        "tokenizer_config.json": {
            "pad_token": PAD,
            "unk_token": UNKNOWN,
            "model_max_length": LONGEST_TEXT,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
    }
    for name, content in settings.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")


def check_parity(net: DualEncoder, folder: Path, images: np.ndarray) -> dict[str, np.ndarray]:
    """Return images and texts with the vectors of the trained encoder; raise if the graphs' are others."""
    texts = [names[0] for names in NAMES.values()] + ["small left pleural effusion and a right upper lung nodule."]
    made = tokenizer()
    encoded = made.encode_batch(texts)
    ids, mask = np.array([e.ids for e in encoded]), np.array([e.attention_mask for e in encoded])
    pixels = as_input(torch.from_numpy(images))
    with torch.no_grad():
        expected = (
            normalize(net.image(pixels)).numpy(),
            normalize(net.text(torch.from_numpy(ids), torch.from_numpy(mask))).numpy(),
        )
    vision, text = (onnxruntime.InferenceSession(str(folder / "onnx" / f"{n}_model.onnx")) for n in ("vision", "text"))
    got = (
        vision.run(None, {"pixel_values": pixels.numpy()})[0],
        text.run(None, {"input_ids": ids, "attention_mask": mask})[0],
    )
    lowest = min(float((a * b).sum(1).min()) for a, b in zip(expected, got, strict=True))
    click.echo(f"cosine of graphs and trained encoder: at least {lowest:.8f}")
    if lowest < _SAME_COSINE:
        raise click.ClickException("The graphs give other vectors than the trained encoder.")
    return dict(
        zip(("images", "texts", "image_vectors", "text_vectors"), (images, np.array(texts), *expected), strict=True)
    )


def digest(files: tuple[Path, ...]) -> str:
    """Return the SHA-256 of the files, one after the other."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


@click.command()
@click.argument("weights", type=click.Path(path_type=Path, exists=True))
@click.argument("drawn", type=click.Path(path_type=Path, exists=True))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--seed", required=True, type=int)
@click.option("--steps", required=True, type=int)
@click.option("--size", default=128, show_default=True)
def main(weights: Path, drawn: Path, folder: Path, *, seed: int, steps: int, size: int) -> None:
    """Write the encoder of WEIGHTS, trained on DRAWN, as a model FOLDER."""
    net = new_encoder(size, seed)
    net.load_state_dict(torch.load(weights))
    net.eval()
    graphs = write_graphs(net, folder, size)
    training = TrainingSet(drawn, size)
    reference = check_parity(net, folder, training.pixels[:_CHECKED_IMAGES].numpy())
    np.savez(folder / "reference.npz", **reference)
    command = ["git", "log", "-1", "--format=%H", "--", str(Path(__file__).parent)]
    commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    origin = {"digest": digest(graphs), "seed": seed, "commit": commit, "images": len(training), "steps": steps}
    write_settings(folder, size, origin)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    click.echo(f"{folder}: {size:,} bytes, digest {origin['digest'][:16]}")
    if size > _MOST_BYTES:
        raise click.ClickException(f"More than {_MOST_BYTES:,} bytes.")


if __name__ == "__main__":
    main()
