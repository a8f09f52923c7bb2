"""The card of a model: `card.json` for programs, `README.md` for people, from the same facts."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.training.figures import Floats, accepted
from model.training.image_statistics import (
    BINS,
    CONFIDENCE_BINS,
    PERCENTILES,
    STATISTICS,
    measured,
    quantiles,
)
from model.training.pictures import OTHER, Pictures, squashed
from model.training.rounding import none_threshold, rounded_up


def spread(values: list[float], top: float) -> dict[str, float]:
    """Return mean, standard deviation and percentiles of figures from 0 to `top`."""
    array: NDArray[np.float64] = np.array(values)
    counts, edges = np.histogram(np.minimum(array, top), BINS, (0, top))
    found = quantiles(counts, edges, [percent / 100 for percent in PERCENTILES])
    return {"mean": float(array.mean()), "std": float(array.std())} | {
        f"p{percent}": value for percent, value in zip(PERCENTILES, found, strict=True)
    }


def baseline(
    probabilities: Floats, pictures: Pictures, threshold: float, size: int
) -> dict[str, Any]:
    """Return what monitoring compares with: named classes' pictures, predicted out of fold.

    confidence: `share[i]` of the pictures lies in `edges[i]`..`edges[i+1]`, the last edge
    included. labels: share predicted as each label. brightness, sharpness, colour: of the squashed
    pictures, see model/training/image_statistics.py.
    """
    named = np.array(pictures.labels)[pictures.truth] != OTHER
    probabilities = probabilities[named]
    counts, _ = np.histogram(probabilities.max(1), CONFIDENCE_BINS)
    share = np.bincount(probabilities.argmax(1), minlength=len(pictures.labels)) / named.sum()
    figures = [measured(squashed(pictures.images[i], size)) for i in np.flatnonzero(named)]
    return {
        "source": "out-of-fold predictions of the named classes' training pictures",
        "pictures": len(probabilities),
        "confidence": {"edges": CONFIDENCE_BINS, "share": (counts / len(probabilities)).tolist()},
        "labels": dict(zip(pictures.labels, share.tolist(), strict=True)),
        "other_share": float(share[list(pictures.labels).index(OTHER)])
        if OTHER in pictures.labels
        else 0.0,
        "accepted_share": float(accepted(probabilities, pictures.labels, threshold).mean()),
    } | {
        name: spread([found[name] for found in figures], top)
        for name, (_, top) in STATISTICS.items()
    }


def as_json(facts: dict[str, Any]) -> str:
    """Return facts as JSON text; what could not be measured (nan) becomes null."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(inner) for inner in value]
        return None if isinstance(value, float) and math.isnan(value) else value

    return json.dumps(plain(facts), indent=2, allow_nan=False) + "\n"


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Write card.json and README.md; a NOTES.md beside them is kept at the end of the latter."""
    (folder / "card.json").write_text(as_json(card))
    notes = folder / "NOTES.md"
    text = readable(card) + ("\n" + notes.read_text() if notes.is_file() else "")
    (folder / "README.md").write_text(text)


def readable(card: dict[str, Any]) -> str:
    """Return the card as Markdown."""
    threshold, data = card["threshold"], card["data"]
    # Older cards do not name the network.
    network, size = card["recipe"].get("network", "lite0"), card["input"]["size"]
    calibrated = data.get("calibrated_on", data["pictures"])  # older cards: all of them
    counts = ", ".join(f"{count} {label}" for label, count in calibrated.items())
    parts = [
        f"# Model {card['version']}",
        "",
        f"EfficientNet-{network.title()}, {size}x{size} pixels, labels "
        + ", ".join(f"`{label}`" for label in card["labels"])
        + ". A confidence is a probability: the temperature"
        + f" ({card['temperature']:.3f}) is inside the graph.",
        "",
        f"**Threshold {rounded_up(threshold['value'])}**: {threshold['promise']}, on out-of-fold"
        f" predictions of {sum(calibrated.values())} pictures ({counts}; {data['folds']} folds).",
        "",
        *_none(card),
        *(line for warning in card["warnings"] for line in (f"> **Warning.** {warning}", "")),
        "| measured on | pictures | accuracy, named classes | accepted | right among these"
        " | false acceptance rate | AUROC | ECE |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    figures = json.loads(as_json(card["figures"]))
    measured = {name: found for name, found in figures.items() if name != "seeds"}
    parts += [_row(name, found) for name, found in measured.items()]
    parts += [
        "",
        "Shares have exact 95 % intervals, ECE a bootstrap interval. The false acceptance rate is"
        " the share of out-of-distribution pictures, those labelled `other`, that are accepted as a"
        " class.",
        "",
    ]
    seeds = card["figures"].get("seeds", [])
    if len(seeds) > 1:
        parts += [
            f"Out of fold, {len(seeds)} seeds, mean and standard deviation: "
            + "; ".join(
                f"{name.replace('_', ' ')} {np.mean(values):.4f} ± {np.std(values, ddof=1):.4f}"
                for name in seeds[0]
                for values in [[seed[name] for seed in seeds]]
            )
            + ".",
            "",
        ]
    parts += [
        "| file | bytes | ms a picture, one thread | same label as torch | mean gap |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind, agreement in card["agreement"].items():
        parts.append(
            f"| {kind} | {card['size_bytes'][kind]:,} | {card['latency_ms'][kind]:.2f} |"
            f" {agreement['same_label']:.4f} of {agreement['pictures']} |"
            f" {agreement['mean_gap']:.5f} |"
        )
    recipe = ", ".join(f"{name} {value}" for name, value in card["recipe"].items())
    parts += ["", f"Recipe: {recipe}.", ""]
    return "\n".join(parts)


def _none(card: dict[str, Any]) -> list[str]:
    """Return the lines about the threshold for none of the classes; older cards have none."""
    threshold = none_threshold(card)
    if threshold is None:
        return []
    promise = card["none"]["promise"]
    return [f"**None of the classes from {rounded_up(threshold)} on**: {promise}.", ""]


def _row(name: str, found: dict[str, Any]) -> str:
    def cell(entry: dict[str, float]) -> str:
        if not entry["of"]:
            return "-"
        return (
            f"{entry['value']:.3f} ({entry['low']:.3f}-{entry['high']:.3f};"
            f" {entry['hits']}/{entry['of']})"
        )

    error = found["ece"]
    keys = ("accuracy", "accepted", "right_of_accepted", "false_acceptance_rate")
    cells = [name.replace("_", " "), str(found["pictures"]), *(cell(found[key]) for key in keys)]
    cells += [
        "-" if found["auroc"] is None else f"{found['auroc']:.4f}",
        f"{error['value']:.3f} ({error['low']:.3f}-{error['high']:.3f})",
    ]
    return "| " + " | ".join(cells) + " |"
