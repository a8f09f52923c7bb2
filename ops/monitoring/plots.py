"""The plots of the monitoring report, as SVG text."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from model.training.rounding import rounded_up
from ops.monitoring.baseline import Baseline, coarse
from ops.monitoring.drift import Judgement
from ops.monitoring.plot_style import (
    BLUE,
    DARK,
    FAINT,
    ORANGE,
    PALE,
    RED,
    TimedSums,
    beside,
    drawn,
    line,
    shares,
    times,
)
from ops.monitoring.windows import OTHERS, Sums, Windows
from ops.stack.ledger import OTHER

OUTCOME_COLOURS = {
    "accepted": "#2e8b57",
    "none": "#3567b0",
    "review": "#e0a030",
    "rejected": "#8a8f98",
    "superseded": "#c3c7cd",
    "failed": "#c0392b",
}
LABEL_COLOURS = ["#3567b0", "#c2702e", "#8a8f98", "#6b4fa0", "#2e8b8b", "#a83e6c"]
MORE_LABELS = "#d5d9df"
# So few shades that the scale is drawn, and not embedded as a picture.
SHADES = LinearSegmentedColormap.from_list("psi", ["#eef1f5", "#f3c9a0", "#d9762b"], N=40)
DARKEST_PSI = 0.5
SURE = [0.05, 0.2, 0.5, 0.9, 0.99, 0.999, 0.9999]  # ticks of a scale that is finest at its ends
MOST_SURE = 1 - 1e-5  # at 1 that scale has no end
MOST_COUNTED = 16  # windows; above more bars their numbers would run into each other


class Plot(NamedTuple):
    """A plot of the report. wide: takes the room of two."""

    caption: str
    svg: str
    wide: bool


def plots(windows: Windows, baseline: Baseline, judgement: Judgement) -> list[Plot]:
    """Return each plot that the observations allow; none leaves a gap in rows of two."""
    timed = list(windows)
    whole = windows.whole()
    asked: list[tuple[str, Callable[[Any], None]]] = []
    if whole.inferences:
        asked += [
            (
                "Confidence of the likeliest label: median and the middle 90 % of each window, on a"
                " scale that is finest where it matters. Below the dashed threshold a person"
                " looks.",
                lambda figure: _confidence(figure, windows, timed, baseline),
            ),
            (
                "Confidences of the whole period beside the baseline, on a logarithmic scale.",
                lambda figure: _histogram(figure, whole, baseline),
            ),
        ]
    counted = "; the figure above a bar is their number" if len(timed) <= MOST_COUNTED else ""
    asked.append(
        (
            f"What became of the uploads of each window{counted}.",
            lambda figure: _outcomes(figure, windows, timed),
        )
    )
    if whole.inferences:
        asked.append(
            (
                "What the model saw, beside the baseline.",
                lambda figure: _labels(figure, windows, timed, baseline),
            )
        )
    if whole.histograms["latency"].sum():
        asked.append(
            (
                "Upload to decision. S3 gives the second of an upload, so a second is the least"
                " difference that means anything.",
                lambda figure: _latency(figure, windows, timed),
            )
        )
    found = [
        Plot(caption, drawn(draw, wide), wide)
        for at, (caption, draw) in enumerate(asked)
        for wide in [at == 0 and len(asked) % 2 == 1]
    ]
    if judgement.whole and len(timed) > 1:
        caption = (
            "Population stability index of each window, beyond what chance gives: darker is further"
            " from the baseline. A dot marks drift, a cross too few inferences to judge."
        )
        svg = drawn(lambda figure: _drift(figure, windows, timed, judgement), wide=True)
        found.append(Plot(caption, svg, True))
    return found


def _confidence(figure: Any, windows: Windows, timed: TimedSums, baseline: Baseline) -> None:
    axes = figure.subplots()
    middles, _ = times(axes, windows, timed)
    low, middle, high = np.clip(
        [sums.quantiles("confidence", [0.05, 0.5, 0.95]) for _, sums in timed],
        1 - MOST_SURE,
        MOST_SURE,
    ).T
    threshold = windows.threshold(baseline.threshold)
    axes.vlines(middles, low, high, color=PALE, linewidth=5)
    line(axes, middles, middle, "o-", color=BLUE)
    axes.axhline(min(threshold, MOST_SURE), color=RED, linestyle="--", linewidth=1)
    axes.text(
        1, 1.02, f"- - -  threshold {rounded_up(threshold)}", color=RED, ha="right", va="bottom",
        fontsize=8, transform=axes.transAxes,
    )  # fmt: skip
    axes.set_yscale("logit")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_yticks(SURE, [f"{tick:g}" for tick in SURE])
    top = max(0.999, np.nanmax(high))
    axes.set(title="Confidence", ylim=(min(0.4, np.nanmin(low)), top + (1 - top) / 2))


def _histogram(figure: Any, whole: Sums, baseline: Baseline) -> None:
    axes = figure.subplots()
    edges = np.array(baseline.facts["confidence"]["edges"])
    now = coarse(whole.histograms["confidence"], edges.tolist()) / whole.inferences
    was = np.array(baseline.facts["confidence"]["share"])
    axes.bar(edges[:-1], now, np.diff(edges) * 0.9, align="edge", color=PALE, label="now")
    axes.stairs(was, edges, color=DARK, linewidth=1, label=f"baseline, {baseline.pictures:,}")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set(title="Confidences", xlabel="confidence", ylabel="share of inferences")
    axes.set_xlim(edges[np.flatnonzero(now + was)[0]], 1)
    axes.legend(frameon=False, loc="upper left")


def _outcomes(figure: Any, windows: Windows, timed: TimedSums) -> None:
    axes = figure.subplots()
    middles, width = times(axes, windows, timed)
    totals = np.array([sums.uploads for _, sums in timed])
    below = np.zeros(len(timed))
    bars = {}
    for name, colour in OUTCOME_COLOURS.items():
        share = np.array([sums.outcomes[name] for _, sums in timed]) / totals
        if share.any():
            bars[name] = axes.bar(middles, share, width * 0.85, below, color=colour)
            below += share
    if len(timed) <= MOST_COUNTED:
        for at, total in zip(middles, totals, strict=True):
            axes.text(at, 1.01, f"{total:,}", ha="center", va="bottom", fontsize=7)
    axes.set_title("Decisions")
    shares(axes, axes, bars)


def _labels(figure: Any, windows: Windows, timed: TimedSums, baseline: Baseline) -> None:
    before, axes = beside(figure, "Labels", "baseline")
    middles, width = times(axes, windows, timed)
    was = baseline.facts["labels"]
    common = (label for label, _ in windows.whole().labels.most_common())
    labels = [*sorted(was, key=lambda label: (label == OTHER, label))]  # the same colours always
    labels += [label for label in common if label not in was and label != OTHERS]
    coloured = dict(zip(labels, LABEL_COLOURS, strict=False))
    totals = np.array([max(sums.inferences, 1) for _, sums in timed])
    below, below_before, bars = np.zeros(len(timed)), 0.0, {}

    def stack(name: str, colour: str, now: Any, share_before: float) -> None:
        nonlocal below, below_before
        bars[name] = axes.bar(middles, now, width * 0.85, below, color=colour)
        before.bar(0, share_before, 0.85, below_before, color=colour)
        below, below_before = below + now, below_before + share_before

    for label, colour in coloured.items():
        now = np.array([sums.labels[label] for _, sums in timed]) / totals
        stack(label, colour, now, was.get(label, 0.0))
    if len(labels) > len(coloured) or windows.whole().labels[OTHERS]:
        rest = np.array([sums.inferences > 0 for _, sums in timed]) - below
        stack("more labels", MORE_LABELS, rest, sum(was.values()) - below_before)
    shares(axes, before, bars)


def _latency(figure: Any, windows: Windows, timed: TimedSums) -> None:
    axes = figure.subplots()
    middles, _ = times(axes, windows, timed)
    middle, high = np.array([sums.quantiles("latency", [0.5, 0.95]) for _, sums in timed]).T
    line(axes, middles, middle, "o-", color=BLUE, label="median")
    line(axes, middles, high, "s--", color=ORANGE, label="95 %")
    axes.set(title="Latency", ylabel="seconds", ylim=(0, None))
    axes.legend(frameon=False)


def _drift(figure: Any, windows: Windows, timed: TimedSums, judgement: Judgement) -> None:
    all_of_it, axes = beside(figure, "Drift", "all")
    middles, width = times(axes, windows, timed)
    every = [judgement.whole, *judgement.windows]
    names = list(dict.fromkeys(found.name for column in every for found in column))
    shade = ScalarMappable(Normalize(0, DARKEST_PSI), SHADES)
    columns = [(all_of_it, 0.0, 1.0, judgement.whole)]
    columns += [(axes, at, width, found) for at, found in zip(middles, every[1:], strict=True)]
    for place, at, wide, column in columns:
        found = {comparison.name: comparison for comparison in column}
        for row, name in enumerate(names):
            if name in found:
                colour = shade.to_rgba(np.nan_to_num(found[name].psi))
                place.bar(at, 0.88, wide * 0.92, row - 0.44, color=colour)
                if judgement.drifts(found[name]):
                    place.plot(at, row, "o", color=DARK, markersize=4)
            elif not column:
                place.plot(at, row, "x", color=FAINT, markersize=4)
    all_of_it.set_yticks(range(len(names)), names)
    all_of_it.set_ylim(len(names) - 0.4, -0.6)
    bar = figure.colorbar(shade, ax=axes, aspect=12, pad=0.01, ticks=[0, 0.1, 0.25, DARKEST_PSI])
    bar.ax.set_yticklabels(["0", "0.1 small", "0.25 large", "0.5 or more"])
    bar.solids.set_edgecolor("face")  # no lines between the shades
    bar.outline.set_visible(False)
