"""The monitoring report: figures, verdict and remarks, as lines for a terminal or as JSON."""

import json
import math
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from textwrap import TextWrapper

from cli.terminal import table
from model.training.rounding import rounded_up
from ops.monitoring.baseline import Baseline
from ops.monitoring.comparisons import Comparison, same_threshold
from ops.monitoring.drift import MINIMUM_PERIOD, Judgement
from ops.monitoring.plots import OUTCOME_COLOURS
from ops.monitoring.windows import Windows

MODELS_LISTED = 5
SMALLEST_P = 1e-99  # that is written out
COLUMNS = 80
HEADER = ("compared", "baseline", "now", "PSI", "p", "result")


@dataclass(frozen=True)
class Report:
    """Everything that is reported. source: where it was read, in words. bad: lines left out."""

    source: str
    windows: Windows
    baseline: Baseline
    judgement: Judgement
    false_alarms: float
    bad: Counter[str]

    def period(self) -> str:
        """Return the time from the first observation to the last."""
        return f"{self.windows.first:%Y-%m-%d %H:%M} to {self.windows.last:%Y-%m-%d %H:%M} UTC"

    def figures(self) -> list[tuple[str, str, str]]:
        """Return name, value and a remark of each figure of the whole period."""
        whole = self.windows.whole()
        # Captures hold nothing but inferences.
        counted = "inferences" if whole.inferences == whole.uploads else "uploads"
        found = [(counted, f"{whole.uploads:,}", f"in windows of {self.span()}")]
        for name in OUTCOME_COLOURS:
            if number := whole.outcomes[name]:
                found.append((name, f"{number / whole.uploads:.1%}", f"{number:,}"))
        if whole.inferences:
            low, middle = whole.quantiles("confidence", [0.05, 0.5])
            threshold = self.windows.threshold(self.baseline.threshold)
            remark = f"5 % are below {low:.3f}; threshold {rounded_up(threshold)}"
            found.append(("median confidence", f"{middle:.3f}", remark))
        if whole.histograms["latency"].sum():
            middle, high = whole.quantiles("latency", [0.5, 0.95])
            found.append(("median latency", f"{middle:.1f} s", f"95 % are within {high:.1f} s"))
        if reviewed := whole.reviews.total():
            share = whole.reviews[True] / reviewed
            found.append(("reviewers agreed", f"{share:.1%}", f"of {reviewed:,} reviewed"))
        return found

    def span(self) -> str:
        """Return the length of a window in words."""
        minutes = self.windows.length // timedelta(minutes=1)
        for unit, of in (("day", 1440), ("hour", 60), ("minute", 1)):
            if minutes >= of and not minutes % of:
                number = minutes // of
                return f"{number} {unit}" + "s" * (number > 1)
        return "less than a minute"

    def verdict(self) -> str:
        """Return in a sentence whether, and in what, there is drift."""
        names = list(dict.fromkeys(found.name for found in self.judgement.drifted))
        if not self.judgement.whole:
            return "Not judged"
        return f"Drift in {', '.join(names)}" if names else "No drift"

    def promise(self) -> str:
        """Return what the verdict is worth."""
        if not self.judgement.whole:
            return f"{MINIMUM_PERIOD} inferences are the least"
        tests = len(self.judgement.whole) + sum(map(len, self.judgement.windows))
        return (
            f"{tests} tests at p < {self.judgement.limit:.2g}: where nothing has changed, at most"
            f" {self.false_alarms:.1%} of the reports find drift"
        )

    def remarks(self) -> list[str]:
        """Return what a reader must know besides."""
        found = [f"left out, {number:,} lines: {kind}" for kind, number in self.bad.most_common()]
        models = self.windows.models
        if set(models) - {self.baseline.model}:
            listed = ", ".join(
                f"{name or 'a model without a name'} ({number:,})"
                for name, number in models.most_common(MODELS_LISTED)
            )
            found.append(
                f"answers came from {listed}; the baseline is of {self.baseline.model}, so their"
                " comparison says little: give the card of the model in use,"
                " --baseline FOLDER/card.json"
            )
        if not self.baseline.own:
            found.append(
                "the baseline is the pictures that the model was trained on, and your cameras"
                " differ from them at once: keep a good time of theirs with --write-baseline, and"
                " compare with it by --baseline"
            )
        whole = self.windows.whole()
        if not same_threshold(whole, self.baseline):
            used = " to ".join(dict.fromkeys(map(rounded_up, whole.thresholds)))
            found.append(
                f"the share accepted is not compared: it was decided at {used}, the baseline's at"
                f" {rounded_up(self.baseline.threshold)}"
            )
        return found

    def as_text(self) -> str:
        """Return the summary for a terminal."""
        lines = [f"{self.source}, {self.period()}"]
        lines += [f"  {name:<20}{value:>9}  {remark}" for name, value, remark in self.figures()]
        lines += [wrapped(f"! {remark}") for remark in self.remarks()]
        if self.judgement.whole:
            rows = [
                (
                    found.name,
                    found.was,
                    found.now,
                    psi_as_text(found.psi),
                    p_as_text(found.p),
                    self.mark(found),
                )
                for found in self.judgement.whole
            ]
            flexible = ("baseline", "now")
            lines.append(f"\nagainst {self.baseline.title}, {self.baseline.pictures:,} pictures")
            lines.append(table(HEADER, rows, right=("PSI", "p"), flexible=flexible, indent="  "))
        drifted = sum(any(map(self.judgement.drifts, found)) for found in self.judgement.windows)
        judged = sum(map(bool, self.judgement.windows))
        if judged:
            lines.append(f"  {drifted} of {judged} windows drifted")
        return "\n".join([*lines, wrapped(f"{self.verdict()}. {self.promise()}.")])

    def mark(self, found: Comparison) -> str:
        """Return a word for the result of a comparison."""
        if self.judgement.drifts(found):
            return "drift"
        return "slight" if found.p < self.judgement.limit else ""

    def as_json(self) -> str:
        """Return the same as one JSON object; psi is null where there is none."""
        figures = {
            name: {"value": value, "remark": remark} for name, value, remark in self.figures()
        }
        comparisons = [
            {
                "name": found.name,
                "baseline": found.was,
                "now": found.now,
                "psi": None if math.isnan(found.psi) else found.psi,
                "p": found.p,
                "drift": self.judgement.drifts(found),
            }
            for found in self.judgement.whole
        ]
        windows = [
            {
                "start": start.isoformat(),
                "drift": [f.name for f in found if self.judgement.drifts(f)],
            }
            for (start, _), found in zip(self.windows, self.judgement.windows, strict=True)
        ]
        return json.dumps(
            {
                "source": self.source,
                "period": self.period(),
                "figures": figures,
                "baseline": {"model": self.baseline.model, "pictures": self.baseline.pictures},
                "verdict": self.verdict(),
                "comparisons": comparisons,
                "windows": windows,
                "remarks": self.remarks(),
            },
            indent=2,
        )


def wrapped(text: str) -> str:
    """Return a sentence in lines that fit a terminal; names and options stay whole."""
    lines = TextWrapper(
        COLUMNS, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return lines.fill(text)


def p_as_text(value: float) -> str:
    """Return the p of a test in few digits."""
    return f"{value:.2g}" if value > SMALLEST_P else f"< {SMALLEST_P:g}"


def psi_as_text(value: float) -> str:
    """Return a population stability index, - where there is none."""
    return "-" if math.isnan(value) else f"{value:.3f}"
