"""One training of the network: settings, batches, the loop."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
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

SAVED_EVERY = 60  # seconds: what an interruption costs at most


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
    unfinished: Path,
    report: Callable[[Progress], None] = lambda _: None,
) -> Classifier:
    """Train on the chosen pictures (indices) and return the network with averaged weights.

    unfinished: where the state is kept every minute, and taken up again; removed at the end.
    Raises TrainingError if the loss is not a number, or if at the end of training one class is
    predicted for everything.
    """
    state = _State.fresh(pictures, chosen, settings, seed)
    if unfinished.is_file():
        state.load(unfinished)
    truth = torch.from_numpy(pictures.truth)
    saved = time.monotonic()
    state.network.train()
    for step, (image, drawn) in enumerate(
        batches(pictures, chosen, settings, seed, state.steps, state.done), state.done + 1
    ):
        logits = state.network(image)
        loss = torch.nn.functional.cross_entropy(
            logits, truth[drawn], label_smoothing=settings.smoothing
        )
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss.item()} at step {step} of {state.steps}; lower the learning"
                f" rates (trunk {settings.trunk_rate:g}, head {settings.head_rate:g})"
            )
        guess = logits.argmax(1)
        state.take(loss, guess)
        right = (guess == truth[drawn]).float().mean().item()
        report(Progress(step, state.steps, loss.item(), right))
        if time.monotonic() > saved + SAVED_EVERY:
            state.save(unfinished)
            saved = time.monotonic()
    unfinished.unlink(missing_ok=True)
    if len(state.predicted) == 1 and state.steps > 1:
        raise TrainingError(
            f"the network predicts {pictures.labels[state.predicted.pop()]} for every picture after"
            f" {state.steps} steps; check the labels, add epochs or lower the learning rates"
        )
    trained: Any = state.averaged.module
    return cast(Classifier, trained.eval())


@dataclass
class _State:
    """A training as it stands. done: steps; predicted: classes in the second half of them."""

    network: Classifier
    averaged: AveragedModel
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR
    steps: int
    done: int
    predicted: set[int]

    @classmethod
    def fresh(
        cls, pictures: Pictures, chosen: NDArray[np.int64], settings: Settings, seed: int
    ) -> "_State":
        def average(kept: Tensor, new: Tensor, count: Any) -> Tensor:
            decay = min(settings.average, (1 + int(count)) / (4 + int(count)))  # first ones fade
            return torch.lerp(new, kept, decay)

        torch.manual_seed(seed)
        classes = len(pictures.labels)
        network = channels_last(Classifier(classes, settings))
        named_classes = classes - (OTHER in pictures.labels)  # `other` is the last
        named = sum(pictures.truth[chosen] < named_classes)
        share = 1 - other_share(pictures, settings)
        steps = max(1, round(settings.epochs * named / (settings.batch * share)))
        groups = network.groups(settings.trunk_rate, settings.bias_rate, settings.head_rate)
        optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda at: rate_share(at, steps))
        averaged = AveragedModel(network, avg_fn=average)
        return cls(network, averaged, optimiser, schedule, steps, 0, set())

    def take(self, loss: Tensor, guess: Tensor) -> None:
        """Take one step."""
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.schedule.step()
        self.averaged.update_parameters(self.network)
        self.done += 1
        if self.done > self.steps // 2:
            self.predicted |= set(guess.tolist())

    def save(self, path: Path) -> None:
        """Write all that a later run needs to go on with the same numbers."""
        parts = (self.network, self.averaged, self.optimiser, self.schedule)
        partial = path.with_suffix(".partial")
        kept = [part.state_dict() for part in parts]
        random = torch.get_rng_state()
        torch.save(
            {"parts": kept, "random": random, "done": self.done, "predicted": [*self.predicted]},
            partial,
        )
        partial.replace(path)

    def load(self, path: Path) -> None:
        """Go on from what `save` wrote."""
        kept = torch.load(path, weights_only=True)
        parts: tuple[Any, ...] = (self.network, self.averaged, self.optimiser, self.schedule)
        for part, state in zip(parts, kept["parts"], strict=True):
            part.load_state_dict(state)
        torch.set_rng_state(kept["random"])
        self.done, self.predicted = kept["done"], set(kept["predicted"])


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
    pictures: Pictures,
    chosen: NDArray[np.int64],
    settings: Settings,
    seed: int,
    steps: int,
    done: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (batch, 3, size, size) float 0..1 and (batch,) indices, in the shares of the settings.

    done: steps that have been taken already.
    """
    rng = np.random.default_rng(seed)
    share = other_share(pictures, settings)
    decks = [_Deck(chosen[pictures.truth[chosen] == c], rng) for c in range(len(pictures.labels))]

    def plan(step: int) -> list[tuple[int, int]]:
        first = step * settings.batch
        turns = [turn(first + i, len(decks), share) for i in range(settings.batch)]
        return [(decks[at].draw(), int(rng.integers(2**32))) for at in turns]

    def make(plan: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        variations = [augmented(pictures.images[i], settings.size, Random(s)) for i, s in plan]
        return tensor(variations), torch.tensor([i for i, _ in plan])

    for step in range(done):
        plan(step)  # draws what those steps drew
    with ThreadPoolExecutor(1) as ahead:  # the next batch is made during this one's step
        waiting = ahead.submit(make, plan(done))
        for step in range(done + 1, steps + 1):
            ready, waiting = waiting, ahead.submit(make, plan(step))
            yield ready.result()


def other_share(pictures: Pictures, settings: Settings) -> float:
    """Return the share of `other` among the pictures of a step: none without that class."""
    return settings.other if OTHER in pictures.labels else 0.0


def turn(number: int, classes: int, share: float) -> int:
    """Return the class whose turn it is, across batches too; `other`, the last, has the share."""
    others = math.floor(number * share)
    if math.floor((number + 1) * share) > others:
        return classes - 1
    return (number - others) % (classes - (share > 0))


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
