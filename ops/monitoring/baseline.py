"""The baseline: what inferences were like when all was well, of a model's card or of one's own."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cli.errors import CommandError
from model.endpoint.artifacts import card_key
from model.endpoint.place import bucket_name
from model.training.image_statistics import CONFIDENCE_BINS, PERCENTILES, STATISTICS
from model.training.rounding import none_threshold
from ops.monitoring.two_samples import Counts
from ops.monitoring.windows import EDGES, Histogram, Windows
from ops.stack.ledger import DECISIONS, OTHER, Ledger
from ops.stack.outputs import Stack

CARD = Path(__file__).parents[2] / "model" / "pretrained" / "card.json"
OWN = "inferences seen by python -m ops monitor"  # the source of a baseline that is no model's


@dataclass(frozen=True)
class Baseline:
    """What inferences were like when all was well; see model/training/card.py."""

    model: str
    threshold: float
    size: int  # pixels of a side, to which pictures are squashed before they are measured
    facts: dict[str, Any]
    none_threshold: float = 0.0

    @classmethod
    def read(cls, path: Path) -> "Baseline":
        """Read a card.json, a folder that holds one, or what as_json() has written.

        Raises CommandError.
        """
        path = path / "card.json" if path.is_dir() else path
        try:
            return cls.of(path.read_text(), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{path}: {getattr(error, 'strerror', None) or error}") from error

    @classmethod
    def of(cls, text: str, source: str) -> "Baseline":
        """Read the text of a card. source: where it comes from. Raises CommandError."""
        try:
            card = json.loads(text)
            found = cls(
                str(card["version"]),
                float(card["threshold"]["value"]),
                int(card["input"]["size"]),
                card["baseline"],
                none_threshold(card) or 0.0,
            )
            found.check()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CommandError(
                f"{source} holds no baseline ({type(error).__name__}: {error}): give a model's"
                " card.json or a file of --write-baseline"
            ) from error
        return found

    @property
    def pictures(self) -> int:
        return int(self.facts["pictures"])

    def check(self) -> None:
        """Read everything that is compared. Raises KeyError, TypeError or ValueError."""
        confidence = self.facts["confidence"]
        if len(confidence["edges"]) != len(confidence["share"]) + 1:
            raise ValueError("confidence has not one edge more than shares")
        numbers = [self.pictures, self.facts["other_share"], self.facts["accepted_share"]]
        numbers += [*self.facts["labels"].values(), *confidence["edges"], *confidence["share"]]
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError("a share that is no number")

    @property
    def title(self) -> str:
        """What it is of, in words."""
        return "your baseline" if self.own else f"the baseline of the model {self.model}"

    @property
    def own(self) -> bool:
        """Whether it is of inferences seen at work, and not of a model's training pictures."""
        return self.facts.get("source") == OWN


def of_model_in_use(stack: Stack) -> Baseline:
    """Return the baseline of the model that decided last, by the card that create_endpoint keeps.

    Where nothing was decided, or no such card is kept, that of the shipped model.
    """
    from botocore.exceptions import ClientError

    shipped = Baseline.read(CARD)
    ledger = Ledger(stack)
    decided = [next(ledger.of_outcome(name, newest_first=True), None) for name in DECISIONS]
    last = max(filter(None, decided), key=lambda item: item.recorded_at, default=None)
    if last is None or last.model == shipped.model:
        return shipped
    name = stack.outputs["EndpointName"]
    try:
        arn = stack.client("sagemaker").describe_endpoint(EndpointName=name)["EndpointArn"]
        region, account = arn.split(":")[3:5]
        bucket, key = bucket_name(name, account, region), card_key(last.model)
        card = stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError:  # gone, never kept, or not for this operator to read: the report tells
        return shipped
    return Baseline.of(card.decode(), f"s3://{bucket}/{key}")


def as_json(windows: Windows, baseline: Baseline) -> str:
    """Return all windows as a baseline of their own, in the form that Baseline.read() takes."""
    found = baseline_of(windows, baseline)
    card = {
        "version": found.model,
        "threshold": {"value": found.threshold},
        "input": {"size": found.size},
        "baseline": found.facts,
    }
    return json.dumps(card, indent=2) + "\n"


def baseline_of(windows: Windows, before: Baseline) -> Baseline:
    """Return what was seen as a baseline; `before` is the one it was compared with."""
    sums = windows.whole()
    total = sums.inferences
    facts: dict[str, Any] = {
        "source": OWN,
        "pictures": total,
        "confidence": {
            "edges": CONFIDENCE_BINS,
            "share": (coarse(sums.histograms["confidence"], CONFIDENCE_BINS) / total).tolist(),
        },
        "labels": {label: number / total for label, number in sums.labels.items()},
        "other_share": sums.labels[OTHER] / total,
        "accepted_share": sums.accepted / max(sums.decisions, 1),
    }
    for name in STATISTICS:
        values = sums.quantiles(name, [percent / 100 for percent in PERCENTILES])
        facts[name] = {
            f"p{percent}": None if math.isnan(value) else value
            for percent, value in zip(PERCENTILES, values, strict=True)
        }
    [(model, _)] = windows.models.most_common(1)
    return Baseline(model, windows.threshold(before.threshold), before.size, facts)


def coarse(histogram: Histogram, edges: Sequence[float]) -> Counts:
    """Return a histogram of confidences by coarser edges, which lie on its own."""
    return counts_between(histogram, edges[1:-1], EDGES["confidence"])


def counts_between(histogram: Histogram, edges: Sequence[float], own: Counts) -> Counts:
    """Return counts below, between and above edges; a bin on an edge is split in proportion.

    own: the edges of the histogram.
    """
    total = np.concatenate([[0.0], np.cumsum(histogram)])
    at = np.interp(edges, own, total)
    return np.diff(np.concatenate([[0.0], at, [total[-1]]]))
