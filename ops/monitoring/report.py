"""The monitoring report: one HTML file that needs nothing else, and the lines for a terminal."""

import base64
import math
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape

from model.training.figures import rounded_up
from ops.monitoring.drift import LEAST_OF_ALL, Baseline, Comparison, Judgement, same_threshold
from ops.monitoring.observations import Observation
from ops.monitoring.plots import OUTCOME_COLOURS, Plot, plots
from ops.monitoring.windows import Windows

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1f2430; margin: 0; background: #f4f5f7 }
main { max-width: 1080px; margin: 0 auto; padding: 24px }
h1 { font-size: 22px; margin: 0 } h2 { font-size: 16px; margin: 28px 0 8px }
.grey { color: #626a78 } .small { font-size: 13px }
.verdict { border-left: 6px solid; background: #fff; padding: 12px 16px; margin: 16px 0 }
.calm { border-color: #2e8b57 } .drift { border-color: #c0392b }
.tiles, .plots, .faces { display: grid; gap: 12px }
.tiles { grid-template-columns: repeat(auto-fit, minmax(210px, 1fr)) }
.tiles div, figure { background: #fff; padding: 12px 16px; margin: 0; border-radius: 4px }
.tiles b { display: block; font-size: 22px }
.plots { grid-template-columns: repeat(auto-fit, minmax(min(460px, 100%), 1fr)) }
.plots svg { width: 100%; height: auto } .plots .wide { grid-column: 1 / -1 }
.faces { grid-template-columns: repeat(auto-fill, minmax(120px, 1fr)) }
.faces img { width: 100%; aspect-ratio: 1; object-fit: cover }
figcaption { font-size: 13px; color: #626a78 }
table { border-collapse: collapse; background: #fff; width: 100% }
th, td { text-align: left; padding: 6px 12px; border-bottom: 1px solid #e3e6ea }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
td.number, td:first-child, td:last-child { white-space: nowrap }
tr.drift td { background: #fdecea }
"""
CUSTOM = (
    "PSI below 0.1 is a small change, above 0.25 a large one, by custom; what chance gives is taken"
    " off. Drift is a change that is no chance, by the test's p, and large enough to act on; one"
    " that is no chance either, but small, is slight."
)
MODELS_NAMED = 5
LEAST_P = 1e-99  # that is told


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
        # Captures tell of nothing but inferences.
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
        names = list(dict.fromkeys(each.name for each in self.judgement.drifted))
        if not self.judgement.whole:
            return "Not judged"
        return f"Drift in {', '.join(names)}" if names else "No drift"

    def promise(self) -> str:
        """Return what the verdict is worth."""
        if not self.judgement.whole:
            return f"{LEAST_OF_ALL} inferences are the least"
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
            named = ", ".join(
                f"{name or 'a model without a name'} ({number:,})"
                for name, number in models.most_common(MODELS_NAMED)
            )
            found.append(
                f"answers came from {named}; the baseline is of {self.baseline.model}, so their"
                " comparison tells little"
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
        lines += [f"! {remark}" for remark in self.remarks()]
        if self.judgement.whole:
            rows = [("compared", "baseline", "now", "PSI", "p", "")] + [
                (each.name, each.was, each.now, _psi(each.psi), _p(each.p), self._mark(each))
                for each in self.judgement.whole
            ]
            widths = [max(len(row[column]) for row in rows) for column in range(3)]
            lines.append(f"\nagainst {self.baseline.named}, {self.baseline.pictures:,} pictures")
            for row in rows:
                words = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
                line = f"  {'  '.join(words)}  {row[3]:>6}  {row[4]:>7}  {row[5]}"
                lines.append(line.rstrip())
        drifted = sum(any(map(self.judgement.drifts, some)) for some in self.judgement.windows)
        judged = sum(map(bool, self.judgement.windows))
        if judged:
            lines.append(f"  {drifted} of {judged} windows drifted")
        return "\n".join([*lines, f"{self.verdict()}. {self.promise()}."])

    def _mark(self, found: Comparison) -> str:
        if self.judgement.drifts(found):
            return "drift"
        return "slight" if found.p < self.judgement.limit else ""

    def as_html(self) -> str:
        """Return the report as one HTML page."""
        calm = "drift" if self.judgement.drifted else "calm"
        tiles = "".join(
            f"<div><span class='grey'>{escape(name)}</span><b>{escape(value)}</b>"
            f"<span class='small grey'>{escape(remark)}</span></div>"
            for name, value, remark in self.figures()
        )
        remarks = "".join(f"<p class='small'>Note: {escape(each)}.</p>" for each in self.remarks())
        drawn = "".join(
            _figure(plot) for plot in plots(self.windows, self.baseline, self.judgement)
        )
        return (
            "<!doctype html><html lang='en'><meta charset='utf-8'>"
            "<meta name='viewport' content='width=device-width'>"
            f"<title>Monitoring report</title><style>{STYLE}</style><main>"
            f"<h1>Monitoring report</h1><p class='grey'>{escape(self.source)},"
            f" {escape(self.period())}; written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC</p>"
            f"<div class='verdict {calm}'><b>{escape(self.verdict())}.</b>"
            f" <span class='grey'>{escape(self.promise())}.</span></div>"
            f"<div class='tiles'>{tiles}</div>{remarks}"
            f"<h2>Over time</h2><div class='plots'>{drawn}</div>"
            f"{self._table()}{self._faces()}</main></html>\n"
        )

    def _table(self) -> str:
        if not self.judgement.whole:
            return ""
        rows = "".join(
            f"<tr class='{'drift' * self.judgement.drifts(each)}'><td>{escape(each.name)}</td>"
            f"<td>{escape(each.was)}</td><td>{escape(each.now)}</td>"
            f"<td class='number'>{_psi(each.psi)}</td><td class='number'>{_p(each.p)}</td>"
            f"<td>{self._mark(each)}</td></tr>"
            for each in self.judgement.whole
        )
        return (
            "<h2>The whole period against the baseline</h2><table><tr><th>compared</th>"
            f"<th>baseline, {self.baseline.pictures:,} pictures</th><th>now</th>"
            "<th class='number'>PSI</th><th class='number'>p</th><th></th></tr>"
            f"{rows}</table><p class='small grey'>{CUSTOM}"
            f" Baseline: {escape(self.baseline.facts.get('source', ''))}.</p>"
        )

    def _faces(self) -> str:
        worst = self.windows.least_confident()
        if not worst:
            return ""
        return f"<h2>The least confident</h2><div class='faces'>{''.join(map(_face, worst))}</div>"


def _figure(plot: Plot) -> str:
    wide = " class='wide'" if plot.wide else ""
    return f"<figure{wide}>{plot.svg}<figcaption>{escape(plot.caption)}</figcaption></figure>"


def _face(seen: Observation) -> str:
    kind = "png" if (seen.picture or b"").startswith(b"\x89PNG") else "jpeg"
    data = base64.b64encode(seen.picture or b"").decode()
    return (
        f"<figure><img alt='' src='data:image/{kind};base64,{data}'><figcaption>"
        f"{escape(seen.label)} {seen.confidence or 0:.3f}<br>{seen.time:%m-%d %H:%M}"
        "</figcaption></figure>"
    )


def _p(value: float) -> str:
    return f"{value:.2g}" if value > LEAST_P else f"< {LEAST_P:g}"


def _psi(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
