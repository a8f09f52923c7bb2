"""One training of the network: settings, batches, the loop."""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from cli.errors import CommandError
from model.training.augment import augmented
from model.training.network import Classifier
from model.training.pictures import OTHER, Pictures, squashed
from model.training.settings import Settings


class TrainingError(CommandError):
    """A training failed; the message says what was seen and what to try."""


@dataclass(frozen=True)
class Progress:
    """Loss and accuracy of the batch of one step; step counts from 1."""

    step: int
    steps: int
    loss: float
    accuracy: float


def fit(
    pictures: Pictures,
    chosen: NDArray[np.int64],
    settings: Settings,
    seed: int,
    report: Callable[[Progress], None] = lambda _: None,
) -> Classifier:
    """Train on the chosen pictures (indices) and return the network with averaged weights.

    Raises TrainingError if the loss is not a number, or if at the end of training one class is
    predicted for everything.
    """

    def average(kept: Tensor, new: Tensor, count: Any) -> Tensor:
        decay = min(settings.average, (1 + int(count)) / (4 + int(count)))  # first ones fade soon
        return torch.lerp(new, kept, decay)

    torch.manual_seed(seed)
    classes = len(pictures.labels)
    network = channels_last(Classifier(classes, settings.size, settings.frozen))
    averaged = AveragedModel(network, avg_fn=average)
    named_classes = classes - (OTHER in pictures.labels)  # `other` is the last
    named = sum(pictures.truth[chosen] < named_classes)
    steps = max(1, round(settings.epochs * named / (settings.batch * named_classes / classes)))
    groups = network.groups(settings.trunk_rate, settings.bias_rate, settings.head_rate)
    optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_share(step, steps))
    rng = Random(seed)
    predicted: set[int] = set()
    network.train()
    for step, (image, truth) in enumerate(batches(pictures, chosen, settings, seed, steps), 1):
        target = torch.nn.functional.one_hot(truth, classes).float()
        if rng.random() < settings.mixup:
            weight, other = rng.betavariate(0.4, 0.4), torch.randperm(len(truth))
            image = weight * image + (1 - weight) * image[other]
            target = weight * target + (1 - weight) * target[other]
        logits = network(image)
        loss = torch.nn.functional.cross_entropy(logits, target, label_smoothing=settings.smoothing)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss.item()} at step {step} of {steps}; lower the learning rates"
                f" (trunk {settings.trunk_rate:g}, head {settings.head_rate:g})"
            )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        averaged.update_parameters(network)
        guess = logits.argmax(1)
        if step > steps // 2:
            predicted |= set(guess.tolist())
        right = (guess == target.argmax(1)).float().mean().item()
        report(Progress(step, steps, loss.item(), right))
    if len(predicted) == 1 and steps > 1:
        raise TrainingError(
            f"the network predicts {pictures.labels[predicted.pop()]} for every picture after"
            f" {steps} steps; check the labels, add epochs or lower the learning rates"
        )
    trained: Any = averaged.module
    return cast(Classifier, trained.eval())


def rate_share(step: int, steps: int) -> float:
    """Return the share of the peak learning rate at a step: a fifth rising, then a cosine."""
    rise = 0.2 * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / (steps - rise)))


def channels_last(network: Any) -> Classifier:
    """Return the network in the memory layout in which a CPU trains three times as fast."""
    return cast(Classifier, network.to(memory_format=torch.channels_last))


def batches(
    pictures: Pictures, chosen: NDArray[np.int64], settings: Settings, seed: int, steps: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (batch, 3, size, size) float 0..1 and (batch,) labels; every class equally often."""
    rng = np.random.default_rng(seed)
    decks = [_Deck(chosen[pictures.truth[chosen] == c], rng) for c in range(len(pictures.labels))]

    def plan(step: int) -> list[tuple[int, int]]:
        first = step * settings.batch  # classes take turns, across batches too
        return [
            (decks[(first + i) % len(decks)].draw(), int(rng.integers(2**32)))
            for i in range(settings.batch)
        ]

    def make(plan: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        variations = [augmented(pictures.images[i], settings.size, Random(s)) for i, s in plan]
        return tensor(variations), torch.from_numpy(pictures.truth[[i for i, _ in plan]])

    with ThreadPoolExecutor(1) as ahead:  # the next batch is made during this one's step
        waiting = ahead.submit(make, plan(0))
        for step in range(1, steps + 1):
            ready, waiting = waiting, ahead.submit(make, plan(step))
            yield ready.result()


class _Deck:
    """Indices in random order, shuffled again when all have been drawn."""

    def __init__(self, cards: NDArray[np.int64], rng: np.random.Generator) -> None:
        self.cards, self.rng = cards, rng
        self.left: list[int] = []

    def draw(self) -> int:
        if not self.left:
            self.left = self.rng.permutation(self.cards).tolist()
        return int(self.left.pop())


def tensor(images: Sequence[Image.Image] | Sequence[NDArray[np.uint8]]) -> Tensor:
    """Stack same-sized RGB pictures as (n, 3, size, size) float32 0..1, channels last in memory."""
    pixels = torch.from_numpy(np.stack([np.asarray(image) for image in images]))
    return pixels.permute(0, 3, 1, 2).float().div_(255)


@torch.inference_mode()
def logits(
    network: Classifier, pictures: Pictures, chosen: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return (chosen, classes) raw outputs for pictures as the server would see them."""
    network.eval()
    size, parts = network.size, []
    for i in range(0, len(chosen), 100):
        members = [squashed(pictures.images[j], size) for j in chosen[i : i + 100]]
        parts.append(network(tensor(members)).numpy())
    return np.concatenate(parts)
