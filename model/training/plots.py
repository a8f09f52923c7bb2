"""Plots: training curves, reliability, risk against coverage, confusion, worst mistakes."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageOps

from cli.terminal import shortened
from model.training.calibration import NONE_RISK, RISK
from model.training.figures import (
    BINS,
    Bools,
    Floats,
    accepted,
    measure,
    risk_coverage,
)
from model.training.pictures import OTHER, Pictures, upright
from model.training.rounding import rounded_up

TILE, LINE = 160, 14  # pixels
CHARACTERS = 31  # of a line of a caption that a tile surely holds
WORST = 24  # mistakes on the contact sheet


def draw(
    probabilities: Floats,
    pictures: Pictures,
    threshold: float,
    none_threshold: float | None,
    out: Path,
) -> None:
    """Write the plots into `out`.

    reliability.png, risk-coverage.png, confusion.png and mistakes.png; none-coverage.png where
    there is a threshold for none of the classes.
    """
    guess, confidence = probabilities.argmax(1), probabilities.max(1)
    right = guess == pictures.truth
    reliability(confidence, right, out / "reliability.png")
    named = accepted(probabilities, pictures.labels, 0)
    risk(confidence[named], right[named], threshold, RISK, out / "risk-coverage.png")
    if none_threshold is not None:
        of_class = np.array(pictures.labels)[pictures.truth] != OTHER
        lost(confidence[~named], of_class[~named], int(of_class.sum()), none_threshold, out)
    figures = measure(probabilities, pictures.truth, pictures.labels, threshold)
    confusion(figures["confusion"], pictures.labels, out / "confusion.png")
    wrong = np.flatnonzero(~right)
    worst = wrong[np.argsort(-confidence[wrong])][:WORST]
    captions = [
        (
            partial(upright, pictures.paths[i]),
            f"is {pictures.labels[pictures.truth[i]]}\n"
            f"{pictures.labels[guess[i]]} {confidence[i]:.2f}",
        )
        for i in worst
    ]
    contact_sheet(captions, out / "mistakes.png")


def _axes(title: str, across: str, up: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(6, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)  # no window, and no global state as with pyplot
    axes = figure.subplots()
    axes.set(title=title, xlabel=across, ylabel=up)
    axes.grid(alpha=0.3)
    return figure, axes


def curves(history: dict[str, list[tuple[int, float, float]]], path: Path) -> None:
    """Draw the loss of each training by step; history: name to (step, loss, accuracy) rows."""
    figure, axes = _axes("Training", "step", "loss (lines), error on variations (dots)")
    for name, rows in history.items():
        steps, losses, accuracies = np.array(rows).T
        window = max(1, len(losses) // 20)
        smooth = np.convolve(losses, np.ones(window) / window, "valid")
        (line,) = axes.plot(steps[window - 1 :], smooth, label=name)
        axes.plot(steps, 1 - accuracies, ".", color=line.get_color(), alpha=0.25, markersize=3)
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(path)


def reliability(confidence: Floats, right: Bools, path: Path) -> None:
    """Draw accuracy by confidence: on the diagonal a confidence means what it says."""
    figure, axes = _axes("Reliability", "confidence", "share right")
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    for number in np.unique(place):
        inside, middle = place == number, (number + 0.5) / BINS
        axes.bar(middle, right[inside].mean(), 0.9 / BINS, color="tab:blue", alpha=0.7)
        axes.plot(confidence[inside].mean(), right[inside].mean(), "k.", markersize=4)
        axes.text(middle, 0.02, inside.sum(), ha="center", fontsize=7)
    axes.plot([0, 1], [0, 1], "k--", linewidth=0.8)
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    figure.savefig(path)


def risk(confidence: Floats, right: Bools, threshold: float, limit: float, path: Path) -> None:
    """Draw the error among accepted pictures by share accepted, with the chosen threshold."""
    figure, axes = _axes("Risk and coverage", "share accepted", "error among accepted")
    thresholds, coverage, error = risk_coverage(confidence, right)
    if len(coverage):
        axes.plot(coverage, error)
        at = int((thresholds >= float(rounded_up(threshold))).sum())  # the one that is deployed
        if at:
            label = f"threshold {rounded_up(threshold)}"
            axes.plot(coverage[at - 1], error[at - 1], "o", label=label)
    axes.axhline(limit, color="tab:red", linestyle="--", label=f"limit {limit:.1%}")
    axes.set(xlim=(0, 1), ylim=(0, None))
    axes.legend()
    figure.savefig(path)


def lost(confidence: Floats, named: Bools, total: int, threshold: float, out: Path) -> None:
    """Draw the named classes' pictures that are called none of them by the share of strangers.

    confidence, named: of the pictures called `other`, with whether they are of a named class.
    total: pictures of named classes.
    """
    figure, axes = _axes("None of the classes", "strangers decided", "named classes' pictures lost")
    order = np.argsort(-confidence, kind="stable")
    mistakes = np.cumsum(named[order])
    share = np.cumsum(~named[order]) / max(1, int((~named).sum()))
    axes.plot(share, mistakes / total)
    at = int((confidence >= float(rounded_up(threshold))).sum())
    if at:
        label = f"threshold {rounded_up(threshold)}"
        axes.plot(share[at - 1], mistakes[at - 1] / total, "o", label=label)
    axes.axhline(NONE_RISK, color="tab:red", linestyle="--", label=f"limit {NONE_RISK:.1%}")
    axes.set(xlim=(0, 1), ylim=(0, None))
    axes.legend()
    figure.savefig(out / "none-coverage.png")


def confusion(counts: Sequence[Sequence[int]], labels: Sequence[str], path: Path) -> None:
    """Draw counts by true class (rows) and predicted class; colour is the share of a row."""
    figure, axes = _axes("Confusion", "predicted", "true")
    matrix = np.array(counts)
    axes.grid(visible=False)
    axes.imshow(matrix / np.maximum(matrix.sum(1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=30)
    axes.set_yticks(range(len(labels)), labels)
    for row, column in np.ndindex(*matrix.shape):
        dark = matrix[row, column] > 0.6 * max(1, matrix[row].sum())
        axes.text(column, row, matrix[row, column], ha="center", color="w" if dark else "k")
    figure.savefig(path)


def contact_sheet(
    items: Sequence[tuple[Callable[[], Image.Image], str]],
    path: Path,
    empty: str = "no mistakes",
    across: int = 6,
) -> None:
    """Write pictures with their captions as PNG, in rows of `across`.

    items: how to read each picture, since the whole ones together may not fit into memory, and its
    caption, of one or more lines. empty: what a sheet without pictures says.
    """
    rows = max(1, -(-len(items) // across))
    lines = max((caption.count("\n") + 1 for _, caption in items), default=0)
    height = TILE + lines * LINE + 2
    sheet = Image.new("RGB", (across * TILE, rows * height), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (read, caption) in enumerate(items):
        left, top = index % across * TILE, index // across * height
        sheet.paste(ImageOps.pad(read(), (TILE - 4, TILE - 4), color="white"), (left, top))
        text = "\n".join(shortened(line, CHARACTERS) for line in caption.split("\n"))
        draw.multiline_text((left + 2, top + TILE - 3), text, fill="black", spacing=1)
    if not items:
        draw.text((4, 4), empty, fill="black")
    sheet.save(path, "PNG")
