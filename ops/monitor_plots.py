"""The plots of the monitoring report, as SVG text."""

import io
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from ops.drift import Baseline, Judgement, coarse
from ops.windows import Sums, Windows

OUTCOME_COLOURS = {
    "accepted": "#2e8b57",
    "review": "#e0a030",
    "rejected": "#8a8f98",
    "superseded": "#c3c7cd",
    "failed": "#c0392b",
}
LABEL_COLOURS = ["#3567b0", "#c2702e", "#8a8f98", "#6b4fa0", "#2e8b8b", "#a83e6c"]
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
    "svg.hashsalt": "monitor",  # the same figures give the same file
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
}
BARE = dict.fromkeys(("Creator", "Date", "Format", "Type"))
WIDE, HIGH = 6.4, 2.7  # inches


def plots(windows: Windows, baseline: Baseline, judgement: Judgement) -> list[tuple[str, str]]:
    """Return caption and SVG of each plot that the observations allow."""
    each = list(windows)
    whole = windows.whole()
    drawn = []
    if whole.inferences:
        drawn += [
            (
                "Confidence of the likeliest label: median and the middle 90 % of each window."
                " Below the dashed threshold a person looks.",
                _drawn(lambda axes: _confidence(axes, windows, each, baseline)),
            ),
            (
                "Confidences of the whole period beside the baseline, on a logarithmic scale.",
                _drawn(lambda axes: _histogram(axes, whole, baseline)),
            ),
        ]
    drawn.append(
        (
            "What became of the uploads of each window; the figure above a bar is their number.",
            _drawn(lambda axes: _outcomes(axes, windows, each)),
        )
    )
    if whole.inferences:
        drawn.append(
            (
                "What the model saw, the baseline first.",
                _drawn(lambda axes: _labels(axes, windows, each, baseline)),
            )
        )
    if whole.latency.sum():
        drawn.append(
            (
                "Upload to decision. S3 tells the second of an upload, so a second is the least"
                " difference that means anything.",
                _drawn(lambda axes: _latency(axes, windows, each)),
            )
        )
    if whole.inferences:
        drawn.append(
            (
                "Population stability index of each window, darker is further from the baseline;"
                " a dot marks drift, a cross too few inferences to judge.",
                _drawn(lambda axes: _drift(axes, windows, each, judgement)),
            )
        )
    return drawn


def _drawn(draw: Callable[[Any], None]) -> str:
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDE, HIGH), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.subplots())
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata=BARE, transparent=True)
    text = out.getvalue()
    return text[text.index("<svg") :]


def _times(axes: Any, windows: Windows, each: Sequence[tuple[datetime, Sums]]) -> tuple[Any, float]:
    """Return the middle of each window in days, and a window's width; name the hours below."""
    width = windows.length.total_seconds() / 86_400
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    starts = [start for start, _ in each]
    middles = np.asarray(date2num(starts)) + width / 2  # type: ignore[no-untyped-call]
    axes.set_xlim(middles.min() - width, middles.max() + width)
    return middles, width


def _confidence(
    axes: Any, windows: Windows, each: Sequence[tuple[datetime, Sums]], baseline: Baseline
) -> None:
    middles, _ = _times(axes, windows, each)
    low, middle, high = np.array(
        [sums.quantiles("confidence", [0.05, 0.5, 0.95]) for _, sums in each]
    ).T
    axes.vlines(middles, low, high, color="#9db8dc", linewidth=5)
    axes.plot(middles, middle, "o-", color="#3567b0", markersize=4, linewidth=1)
    threshold = windows.threshold(baseline.threshold)
    axes.axhline(threshold, color="#c0392b", linestyle="--", linewidth=1)
    axes.text(
        1, threshold, f"threshold {threshold:.3f} ", color="#c0392b", ha="right", va="top",
        fontsize=8, transform=axes.get_yaxis_transform(),
    )  # fmt: skip
    axes.set(title="Confidence", ylim=(min(0.4, np.nanmin(low)) - 0.02, 1.02))


def _histogram(axes: Any, whole: Sums, baseline: Baseline) -> None:
    edges = np.array(baseline.facts["confidence"]["edges"])
    now = coarse(whole.confidence, edges.tolist()) / whole.inferences
    was = np.array(baseline.facts["confidence"]["share"])
    axes.bar(edges[:-1], now, np.diff(edges) * 0.9, align="edge", color="#9db8dc", label="now")
    axes.stairs(was, edges, color="#222", linewidth=1, label=f"baseline, {baseline.pictures:,}")
    axes.set_yscale("log")
    axes.set(title="Confidences", xlabel="confidence", ylabel="share of inferences")
    axes.set_xlim(edges[np.flatnonzero(now + was)[0]], 1)
    axes.legend(frameon=False)


def _outcomes(axes: Any, windows: Windows, each: Sequence[tuple[datetime, Sums]]) -> None:
    middles, width = _times(axes, windows, each)
    totals = np.array([sums.uploads for _, sums in each])
    below = np.zeros(len(each))
    for name, colour in OUTCOME_COLOURS.items():
        share = np.array([sums.outcomes[name] for _, sums in each]) / totals
        if share.any():
            axes.bar(middles, share, width * 0.85, below, color=colour, label=name)
            below += share
    if len(each) <= 16:
        for at, total in zip(middles, totals, strict=True):
            axes.text(at, 1.01, f"{total:,}", ha="center", va="bottom", fontsize=7)
    _shares(axes, "Decisions")


def _labels(
    axes: Any, windows: Windows, each: Sequence[tuple[datetime, Sums]], baseline: Baseline
) -> None:
    middles, width = _times(axes, windows, each)
    first = middles.min() - 2 * width
    axes.set_xlim(first - width, middles.max() + width)
    known = list(baseline.facts["labels"])
    common = [label for label, _ in windows.whole().labels.most_common(len(LABEL_COLOURS))]
    labels = list(dict.fromkeys([*known, *common]))[: len(LABEL_COLOURS)]
    totals = np.array([max(sums.inferences, 1) for _, sums in each])
    below = np.zeros(len(each) + 1)
    for label, colour in zip(labels, LABEL_COLOURS, strict=False):
        now = np.array([sums.labels[label] for _, sums in each]) / totals
        share = np.concatenate([[baseline.facts["labels"].get(label, 0.0)], now])
        axes.bar([first, *middles], share, width * 0.85, below, color=colour, label=label)
        below += share
    axes.text(first, 1.01, "baseline", ha="center", va="bottom", fontsize=7)
    _shares(axes, "Labels")


def _shares(axes: Any, title: str) -> None:
    axes.set(title=title, ylim=(0, 1.1), yticks=[0, 0.5, 1], yticklabels=["0 %", "50 %", "100 %"])
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8)


def _latency(axes: Any, windows: Windows, each: Sequence[tuple[datetime, Sums]]) -> None:
    middles, _ = _times(axes, windows, each)
    middle, high = np.array([sums.quantiles("latency", [0.5, 0.95]) for _, sums in each]).T
    axes.plot(middles, middle, "o-", color="#3567b0", markersize=4, linewidth=1, label="median")
    axes.plot(middles, high, "s--", color="#c2702e", markersize=4, linewidth=1, label="95 %")
    axes.set(title="Latency", ylabel="seconds", ylim=(0, None))
    axes.legend(frameon=False)


def _drift(
    axes: Any, windows: Windows, each: Sequence[tuple[datetime, Sums]], judgement: Judgement
) -> None:
    middles, width = _times(axes, windows, each)
    names = [found.name for found in judgement.whole]
    columns = [judgement.whole, *judgement.windows]
    first = middles.min() - 2 * width
    axes.set_xlim(first - width, middles.max() + width)
    for at, column in zip([first, *middles], columns, strict=True):
        found = {comparison.name: comparison for comparison in column}
        for row, name in enumerate(names):
            if not column:
                axes.plot(at, row, "x", color="#c3c7cd", markersize=4)
            elif name in found:
                shade = min(max(found[name].psi, 0.0) / 0.5, 1.0)
                colour = (1.0, 0.97 - 0.55 * shade, 0.93 - 0.75 * shade)
                axes.bar(at, 0.9, width * 0.92, row - 0.45, color=colour)
                if found[name].p < judgement.limit:
                    axes.plot(at, row, "o", color="#222", markersize=3)
    axes.text(first, -0.62, "all", ha="center", va="bottom", fontsize=7)
    axes.set(title="Drift", yticks=range(len(names)), yticklabels=names)
    axes.set_ylim(len(names) - 0.4, -0.9)
