"""Out-of-fold predictions: of each picture by a network that was trained without it."""

import copy
import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from model.training.figures import Floats
from model.training.fit import Progress, channels_last, fit, logits
from model.training.network import Classifier
from model.training.pictures import Pictures, folds
from model.training.settings import Settings
from model.training.telemetry import say


@dataclass
class CrossValidation:
    """The trainings of one data set: pictures, how often they are split, where results are kept.

    history: (step, loss, accuracy) rows of each training, by name. networks: one for each fold of
    each seed. Both grow with every call of `out_of_fold`.
    """

    pictures: Pictures
    settings: Settings
    count: int  # folds
    checkpoints: Path
    history: dict[str, list[tuple[int, float, float]]] = field(default_factory=dict)
    networks: list[Classifier] = field(default_factory=list)

    def out_of_fold(self, seed: int) -> Floats:
        """Return (n, classes) raw outputs, each by the network that had not seen the picture."""
        fold = folds(self.pictures, self.count, seed)
        outputs = np.zeros((len(self.pictures), len(self.pictures.labels)), np.float32)
        for number in range(self.count):
            seen, unseen = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            name = f"seed {seed} fold {number + 1}/{self.count}"
            path = self._checkpoint(seen, seed * 100 + number)
            network = self._resume(path, name) or self._train(path, name, seen, seed * 100 + number)
            predicted = path.with_suffix(".npy")
            if not predicted.is_file():
                np.save(predicted, logits(network, self.pictures, unseen))
            outputs[unseen] = np.load(predicted)
            self.networks.append(network)
        return outputs

    def average(self) -> Classifier:
        """Return a network with the mean of all weights (Wortsman et al. 2022, "model soups").

        It works because all start from the same pretrained weights and stay near them.
        """
        network = copy.deepcopy(self.networks[0])
        states = [member.state_dict() for member in self.networks]
        network.load_state_dict(
            {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}
        )
        network.eval()
        return network

    def _checkpoint(self, chosen: NDArray[np.int64], seed: int) -> Path:
        """Return the file of a training; its name tells settings, seed and pictures."""
        pictures = self.pictures
        names = [
            f"{pictures.truth[i]}/{pictures.kinds[i]}/{pictures.paths[i].name}" for i in chosen
        ]
        key = repr((self.settings, seed, pictures.labels, names)).encode()
        return self.checkpoints / f"{hashlib.sha256(key).hexdigest()[:16]}.pt"

    def _resume(self, path: Path, name: str) -> Classifier | None:
        """Return the network of a finished training, if there is one."""
        if not path.is_file():
            return None
        kept = torch.load(path, weights_only=True)
        network = Classifier(len(self.pictures.labels), self.settings)
        network.load_state_dict(kept["weights"])
        self.history[name] = kept["history"]
        say(f"{name}: taken from {path}")
        network.eval()
        return channels_last(network)

    def _train(self, path: Path, name: str, chosen: NDArray[np.int64], seed: int) -> Classifier:
        """Train on the chosen pictures (indices) and keep the network at `path`."""
        rows: list[tuple[int, float, float]] = []
        started = time.monotonic()

        def report(at: Progress) -> None:
            rows.append((at.step, at.loss, at.accuracy))
            if at.step % max(1, at.steps // 20) == 0 or at.step == at.steps:
                spent = time.monotonic() - started
                left = spent / len(rows) * (at.steps - at.step)
                say(
                    f"{name} step={at.step}/{at.steps} left={left:.0f}s",
                    train__loss=at.loss,
                    train__accuracy=at.accuracy,
                )

        unfinished = path.with_suffix(".unfinished")
        network = fit(self.pictures, chosen, self.settings, seed, unfinished, report)
        partial = path.with_suffix(".partial")
        torch.save({"weights": network.state_dict(), "history": rows}, partial)
        partial.replace(path)
        self.history[name] = rows
        return network
