"""Trains the demonstration encoder on the phantoms that `draw_training_set.py` drew."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import torch
from network import DualEncoder
from PIL import Image
from sentences import ATTRIBUTES, Question, any_question, attributes, question_about, truths, vocabulary
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

from mcp_cxr.demo import PhantomFinding

if TYPE_CHECKING:
    from collections.abc import Iterator

PAD, UNKNOWN = "[PAD]", "[UNK]"
_BATCH = 64
_RATE = 3e-3
"""The highest learning rate."""
_SHIFT_SHARE = 24
"""Images are shifted by up to this part of their side."""
_ASKED_AT_RANDOM = 96
LONGEST_TEXT = 64
_LOGGED_EVERY, _SAVED_EVERY = 50, 500


def tokenizer() -> Tokenizer:
    """Return the word-level tokenizer."""
    words = [PAD, UNKNOWN, *vocabulary()]
    made = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token=UNKNOWN))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.enable_truncation(LONGEST_TEXT)
    made.enable_padding(pad_id=0, pad_token=PAD)
    return made


class TrainingSet:
    """The phantoms of a folder, `size` pixels wide and high."""

    def __init__(self, folder: Path, size: int) -> None:
        files = [np.load(path) for path in sorted(folder.glob("[0-9][0-9][0-9].npz"))]
        drawn = (image for file in files for image in file["pixels"])
        resized = [Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC) for image in drawn]
        self.pixels = torch.from_numpy(np.stack([np.asarray(image) for image in resized]))
        shown = [image for file in files for image in json.loads(str(file["shown"]))]
        self.shown = [(image["view"], [PhantomFinding(**f) for f in image["findings"]]) for image in shown]
        self.attributes = np.stack([attributes(view, findings) for view, findings in self.shown])

    def __len__(self) -> int:
        return len(self.shown)


def as_input(pixels: Tensor) -> Tensor:
    """Return uint8 (batch, size, size) as the image tower takes it: float32 (batch, 1, size, size), -1 to 1."""
    return pixels.unsqueeze(1).float() / 127.5 - 1


def _augment(pixels: Tensor, rng: torch.Generator) -> Tensor:
    """Shift each image, and change its exposure and noise; return float32 (batch, 1, size, size), -1 to 1."""
    count, size, _ = pixels.shape
    shift = size // _SHIFT_SHARE
    x = torch.nn.functional.pad(as_input(pixels), (shift,) * 4, mode="replicate")
    at = torch.randint(0, 2 * shift + 1, (count, 2), generator=rng).tolist()
    x = torch.stack([image[:, top : top + size, left : left + size] for image, (top, left) in zip(x, at, strict=True)])

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand((count, 1, 1, 1), generator=rng)

    x = x * uniform(0.85, 1.2) + uniform(-0.12, 0.12)
    return (x + torch.randn(x.shape, generator=rng) * uniform(0, 0.02)).clamp(-1.0, 1.0)


def _tokens(made: Tokenizer, questions: list[Question], drop: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    encoded = made.encode_batch([question.text for question in questions])
    ids = torch.tensor([e.ids for e in encoded])
    mask = torch.tensor([e.attention_mask for e in encoded])
    unknown = (torch.rand(ids.shape, generator=rng) < drop) & (mask > 0)
    return torch.where(unknown, torch.tensor(made.token_to_id(UNKNOWN)), ids), mask


def _balanced(logits: Tensor, true: Tensor) -> Tensor:
    """Return the loss over all pairs, the true ones as heavy as the others; what is settled weighs less."""
    loss = binary_cross_entropy_with_logits(logits, true, reduction="none")
    loss = loss * (1 - torch.exp(-loss.detach()))
    return (loss * true).sum() / true.sum().clamp(min=1) + (loss * (1 - true)).sum() / (1 - true).sum()


def new_encoder(size: int, seed: int) -> DualEncoder:
    """Return an encoder with the weights that training begins with."""
    torch.manual_seed(seed)
    return DualEncoder(size, words=tokenizer().get_vocab_size(), attributes=len(ATTRIBUTES))


def train(net: DualEncoder, training: TrainingSet, *, steps: int, seed: int) -> Iterator[int]:
    """Train the encoder and yield each step's number; the same arguments draw the same batches."""
    rng, draws = random.Random(seed), torch.Generator().manual_seed(seed)  # noqa: S311
    made = tokenizer()
    net.image.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr=_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps, pct_start=max(0.1, 2 / steps))
    order: list[int] = []
    began, running = time.monotonic(), np.zeros(2)
    for step in range(steps):
        while len(order) < _BATCH:
            order += rng.sample(range(len(training)), len(training))
        batch, order = order[:_BATCH], order[_BATCH:]
        pairs, read_off = _losses(net, training, batch, made, rng, draws)
        optimizer.zero_grad()
        (pairs + read_off).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        running = 0.98 * running + 0.02 * np.array([pairs.item(), read_off.item()])
        if (step + 1) % _LOGGED_EVERY == 0:
            shares = " ".join(f"{value / (1 - 0.98 ** (step + 1)):.3f}" for value in running)
            click.echo(f"step {step + 1}: {shares}, {time.monotonic() - began:.0f} s")
        yield step


def _losses(
    net: DualEncoder,
    training: TrainingSet,
    batch: list[int],
    made: Tokenizer,
    rng: random.Random,
    draws: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Return the loss over pairs of images and questions, and that of reading the findings off the images' vectors."""
    questions = [question_about(*training.shown[at], rng) for at in batch]
    questions += [any_question(rng) for _ in range(_ASKED_AT_RANDOM)]
    shown = training.attributes[batch]
    true = torch.from_numpy(truths(shown, questions)).float()
    x = _augment(training.pixels[batch], draws).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        image = net.image(x).float()
    text = net.text(*_tokens(made, questions, 0.03, draws))
    logits = normalize(image) @ normalize(text).T * net.log_scale.exp() + net.bias
    read_off = binary_cross_entropy_with_logits(net.attributes(image), torch.from_numpy(shown).float()) * 3
    return _balanced(logits, true), read_off


@click.command()
@click.argument("drawn", type=click.Path(path_type=Path, exists=True))
@click.argument("weights", type=click.Path(path_type=Path))
@click.option("--steps", default=1_600, show_default=True)
@click.option("--size", default=128, show_default=True, help="Pixels across and down.")
@click.option("--seed", default=20, show_default=True)
@click.option("--threads", default=1, show_default=True)
def main(drawn: Path, weights: Path, *, steps: int, size: int, seed: int, threads: int) -> None:
    """Train on the phantoms in DRAWN and write WEIGHTS, also every 500 steps."""
    torch.set_num_threads(threads)
    training = TrainingSet(drawn, size)
    click.echo(f"{len(training)} images of {size} x {size}")
    net = new_encoder(size, seed)
    for step in train(net, training, steps=steps, seed=seed):
        if (step + 1) % _SAVED_EVERY == 0 or step + 1 == steps:
            torch.save(net.state_dict(), weights)


if __name__ == "__main__":
    main()
