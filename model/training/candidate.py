"""A model folder as it would be served: its graph, its card, and what it costs to run."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cli.errors import CommandError
from model.training.export import Model, milliseconds
from model.training.pictures import OTHER
from model.training.rounding import none_threshold


@dataclass(frozen=True)
class Candidate:
    """A model that may serve.

    threshold, none_threshold: of its card, probabilities of 0..1; the latter is None where the
    card has none. size: bytes of the graph. latency: processor time of a picture on one thread, ms.
    """

    model: Model
    card: dict[str, Any]
    threshold: float
    none_threshold: float | None
    size: int
    latency: float

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Read a model folder; raises CommandError without a graph or the threshold of a card."""
        graph, card = folder / "model.onnx", folder / "card.json"
        if not graph.is_file():
            raise CommandError(
                f"{folder} holds no model.onnx: give a model folder, as python -m model.train"
                " writes it"
            )
        try:
            found = json.loads(card.read_text())
            threshold = float(found["threshold"]["value"])
            none = none_threshold(found)
        except FileNotFoundError:
            raise CommandError(
                f"{folder} holds no card.json: it tells the threshold to compare at; python -m"
                " model.train writes it beside the model"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CommandError(
                f"{card}: it tells no threshold ({type(error).__name__}); take the card that"
                " python -m model.train wrote beside the model"
            ) from error
        size = graph.stat().st_size
        model = Model(graph)
        return cls(model, found, threshold, none, size, milliseconds(graph))


def refuse_other_classes(old: Candidate, new: Candidate) -> None:
    """Raise CommandError for models of different named classes; one may lack `other`.

    A picture of a class that only one of them knows could be right for that one alone.
    """
    named = [sorted(set(side.model.labels) - {OTHER}) for side in (old, new)]
    if named[0] != named[1]:
        raise CommandError(
            f"the old model tells {', '.join(named[0])} apart, the new one {', '.join(named[1])}:"
            " only models of the same classes can be compared; measure each alone with"
            " python -m model.evaluate"
        )
