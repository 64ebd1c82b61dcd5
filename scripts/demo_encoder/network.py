"""The demonstration encoder's two towers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

DIMENSION = 128
_CELLS = 4
"""The last feature map is pooled over 4 x 4 cells: a small thing is found by its maximum, and its place is kept."""


def _convolution(inputs: int, outputs: int, size: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = _convolution(channels, channels, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.convolution(x)


class ImageTower(nn.Module):
    """Takes (batch, 1, size, size), -1 black to 1 white; returns (batch, 128)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(1, 16, 5, 2)]
        for inputs, outputs in ((16, 32), (32, 64), (64, 96)):
            layers += [_convolution(inputs, outputs, 3, 2), _Residual(outputs)]
        self.features = nn.Sequential(*layers, _convolution(96, 64, 1, 1))
        cell = size // 16 // _CELLS
        self.largest, self.mean = nn.MaxPool2d(cell), nn.AvgPool2d(cell)
        self.project = nn.Linear(2 * 64 * _CELLS**2, DIMENSION)

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors of images."""
        features = self.features(x)
        return self.project(torch.cat((self.largest(features).flatten(1), self.mean(features).flatten(1)), 1))


class TextTower(nn.Module):
    """Takes word ids and mask, int64 (batch, words); returns (batch, 128)."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, 64)
        self.neighbors = nn.Conv1d(64, 96, 3, padding=1)
        self.project = nn.Sequential(nn.Linear(192, 160), nn.ReLU(), nn.Linear(160, DIMENSION))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the vectors of texts; padding changes nothing."""
        present = mask.unsqueeze(1).to(torch.float32)
        words = self.words(ids).transpose(1, 2) * present
        heard = torch.relu(self.neighbors(words)) * present
        mean = heard.sum(2) / present.sum(2).clamp(min=1)
        return self.project(torch.cat((heard.amax(2), mean), 1))


class DualEncoder(nn.Module):
    """Both towers, and what only training needs."""

    def __init__(self, size: int, *, words: int, attributes: int) -> None:
        super().__init__()
        self.image, self.text = ImageTower(size), TextTower(words)
        self.attributes = nn.Linear(DIMENSION, attributes)
        """Reads what the image shows off its vector; dropped after training."""
        self.log_scale = nn.Parameter(torch.tensor(2.3))
        self.bias = nn.Parameter(torch.tensor(-4.0))
