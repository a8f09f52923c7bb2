"""Out-of-fold predictions: of each picture by a network that was trained without it."""

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

    history: (step, loss, accuracy) rows of each training, by name; it grows with every training.
    """

    pictures: Pictures
    settings: Settings
    count: int  # folds
    checkpoints: Path
    history: dict[str, list[tuple[int, float, float]]] = field(default_factory=dict)

    def out_of_fold(self, seed: int) -> tuple[Floats, Floats]:
        """Return (n, classes) raw outputs, each by the network that had not seen the picture.

        The second are those of the mirror images.
        """
        fold = folds(self.pictures, self.count, seed)
        outputs = np.zeros((2, len(self.pictures), len(self.pictures.labels)), np.float32)
        for number in range(self.count):
            seen, unseen = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            name = f"seed {seed} fold {number + 1}/{self.count}"
            path = self._checkpoint(seen, seed * 100 + number)
            predicted = path.with_suffix(".npy")
            if not predicted.is_file():
                network = self._network(path, name, seen, seed * 100 + number)
                both = [
                    logits(network, self.pictures, unseen, flipped) for flipped in (False, True)
                ]
                np.save(predicted, both)
            else:
                say(f"{name}: taken from {predicted}")
            outputs[:, unseen] = np.load(predicted)
        return outputs[0], outputs[1]

    def served(self, teacher: Floats) -> Classifier:
        """Return the network that is served: trained on every picture, and on what others saw.

        teacher: (n, classes) probabilities, each by networks that had not seen the picture.
        """
        every = np.arange(len(self.pictures))
        path = self._checkpoint(every, 0, teacher)
        return self._network(path, "served", every, 0, teacher)

    def _checkpoint(
        self, chosen: NDArray[np.int64], seed: int, teacher: Floats | None = None
    ) -> Path:
        """Return the file of a training; its name tells settings, seed, pictures and teacher."""
        pictures = self.pictures
        names = [
            f"{pictures.truth[i]}/{pictures.kinds[i]}/{pictures.paths[i].name}" for i in chosen
        ]
        key = repr((self.settings, seed, pictures.labels, names)).encode()
        taught = b"" if teacher is None else teacher.tobytes()
        return self.checkpoints / f"{hashlib.sha256(key + taught).hexdigest()[:16]}.pt"

    def _network(
        self,
        path: Path,
        name: str,
        chosen: NDArray[np.int64],
        seed: int,
        teacher: Floats | None = None,
    ) -> Classifier:
        """Return the network of a finished training, or train it."""
        if not path.is_file():
            return self._train(path, name, chosen, seed, teacher)
        kept = torch.load(path, weights_only=True)
        network = Classifier(len(self.pictures.labels), self.settings)
        network.load_state_dict(kept["weights"])
        self.history[name] = kept["history"]
        say(f"{name}: taken from {path}")
        network.eval()
        return channels_last(network)

    def _train(
        self,
        path: Path,
        name: str,
        chosen: NDArray[np.int64],
        seed: int,
        teacher: Floats | None,
    ) -> Classifier:
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
        network = fit(self.pictures, chosen, self.settings, seed, unfinished, report, teacher)
        partial = path.with_suffix(".partial")
        torch.save({"weights": network.state_dict(), "history": rows}, partial)
        partial.replace(path)
        self.history[name] = rows
        return network
