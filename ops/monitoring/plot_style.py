"""How the monitoring report's plots are drawn: style, axes of time, columns, SVG text."""

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from ops.monitoring.windows import Sums, Windows

BLUE, PALE = "#3567b0", "#9db8dc"
RED, ORANGE = "#c0392b", "#c2702e"
DARK, FAINT = "#1f2430", "#b4bac3"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
    "svg.hashsalt": "monitor",  # the same figures give the same file
    "text.parse_math": False,  # a label is no formula
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
}
BARE = dict.fromkeys(("Creator", "Date", "Format", "Type"))
NARROW, WIDE, HIGH = 6.4, 13.2, 2.7  # inches

TimedSums = Sequence[tuple[datetime, Sums]]


def drawn(draw: Callable[[Any], None], wide: bool) -> str:
    """Return what a function draws on a figure, as SVG text. wide: takes the room of two."""
    with rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the browser has other fonts
        warnings.filterwarnings("ignore", "AutoDateLocator was unable")  # windows of seconds
        figure = Figure(figsize=(WIDE if wide else NARROW, HIGH), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata=BARE, transparent=True)
    text = out.getvalue()
    return text[text.index("<svg") :]


def times(axes: Any, windows: Windows, timed: TimedSums) -> tuple[Any, float]:
    """Return the middle of each window in days, and a window's width; name the hours below."""
    width = windows.length.total_seconds() / 86_400
    locator = AutoDateLocator(maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    starts = [start for start, _ in timed]
    middles = np.asarray(date2num(starts)) + width / 2  # type: ignore[no-untyped-call]
    axes.set_xlim(middles.min() - 0.6 * width, middles.max() + 0.6 * width)
    return middles, width


def line(axes: Any, middles: Any, values: Any, style: str, **more: str) -> None:
    """Draw a line that breaks off where windows are missing, at night for instance."""
    steps = np.diff(middles)
    gaps = np.flatnonzero(steps > 1.5 * steps.min(initial=np.inf)) + 1
    middles, values = (np.insert(points, gaps, np.nan) for points in (middles, values))
    axes.plot(middles, values, style, markersize=4, linewidth=1, **more)


def beside(figure: Any, title: str, name: str) -> tuple[Any, Any]:
    """Return a narrow axes for one column without a time, and the wide one beside it."""
    narrow, wide = figure.subplots(
        1, 2, sharey=True, width_ratios=(1, 2.6 * figure.get_figwidth()), gridspec_kw={"wspace": 0}
    )
    narrow.set_title(title).set_in_layout(False)
    narrow.set(xticks=[0], xlim=(-0.55, 0.55))
    narrow.set_xticklabels([name])
    narrow.tick_params(bottom=False)
    for axes in (narrow, wide):
        axes.spines["bottom"].set_visible(False)
    wide.spines["left"].set_visible(False)
    wide.tick_params(left=False)
    return narrow, wide


def shares(axes: Any, first: Any, bars: Mapping[str, Any]) -> None:
    """Name the shares: the first axes bears the ticks. bars: by name."""
    first.set(ylim=(0, 1.1), yticks=[0, 0.5, 1])
    first.set_yticklabels(["0 %", "50 %", "100 %"])
    axes.legend(
        [*bars.values()], [*bars], loc="center left", bbox_to_anchor=(1, 0.5), frameon=False,
        fontsize=8,
    )  # fmt: skip
