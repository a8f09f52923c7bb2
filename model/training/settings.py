"""The settings of one training; importing them needs nothing but the standard library."""

from dataclasses import dataclass

# EfficientNet-Lite0, 1 and 2: 4.7, 5.4 and 6.1 million weights; each takes more time than the last.
NETWORKS = ("lite0", "lite1", "lite2")


@dataclass(frozen=True)
class Settings:
    """One training. Each default was chosen on out-of-fold pictures: see model/LOG.md."""

    network: str = "lite2"  # one of NETWORKS
    size: int = 160  # pixels a side; the time to serve a picture grows with its square
    epochs: float = 14  # passes over the named classes (all but `other`)
    batch: int = 48  # pictures a step
    other: float = 0.5  # share of `other` in them; the named classes share the rest evenly
    trunk_rate: float = 2e-3  # peak change a step of a pretrained weight, relative to its layer
    bias_rate: float = 2e-4  # peak learning rate of the pretrained biases
    head_rate: float = 3e-3  # the head starts from nothing
    weight_decay: float = 0.02
    smoothing: float = 0.02  # label smoothing: CIFAR-100 has a few wrong labels
    frozen: int = 4  # blocks, of 16 (lite0) or 21, that keep their ImageNet weights
    average: float = 0.98  # decay per step of the exponential moving average of the weights
