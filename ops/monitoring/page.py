"""The monitoring report as one HTML file that needs nothing else."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from html import escape

from ops.monitoring.observations import Observation
from ops.monitoring.plots import Plot, plots
from ops.monitoring.report import Report, p_as_text, psi_as_text

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
.wide { overflow-x: auto } .wide svg { min-width: 640px }
.faces { grid-template-columns: repeat(auto-fill, minmax(120px, 1fr)) }
.faces img { width: 100%; aspect-ratio: 1; object-fit: cover }
figcaption { font-size: 13px; color: #626a78 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; background: #fff; width: 100% }
th, td { text-align: left; padding: 6px 12px; border-bottom: 1px solid #e3e6ea }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
td.number, td:first-child { white-space: nowrap }
.scroll td:nth-child(n + 3):not(.number) { min-width: 8em }
tr.drift td { background: #fdecea }
"""
CUSTOM = (
    "PSI below 0.1 is a small change, above 0.25 a large one, by custom; what chance gives is taken"
    " off. Drift is a change that is statistically significant, by the test's p, and large enough"
    " to act on; one that is significant but small is slight."
)


def as_html(report: Report) -> str:
    """Return the report as one HTML page."""
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>Monitoring report</title><style>{STYLE}</style><main>"
        f"<h1>Monitoring report</h1>{body(report)}</main></html>\n"
    )


def body(report: Report, embedded: Callable[[str], str] = str) -> str:
    """Return the report without its title, as a part of a page.

    embedded: makes HTML of a plot's SVG, for a page that allows no inline styles.
    """
    calm = "drift" if report.judgement.drifted else "calm"
    tiles = "".join(
        f"<div><span class='grey'>{escape(name)}</span><b>{escape(value)}</b>"
        f"<span class='small grey'>{escape(remark)}</span></div>"
        for name, value, remark in report.figures()
    )
    remarks = "".join(
        f"<p class='small'>Note: {escape(remark)}.</p>" for remark in report.remarks()
    )
    drawn = "".join(
        _figure(plot, embedded(plot.svg))
        for plot in plots(report.windows, report.baseline, report.judgement)
    )
    return (
        f"<p class='grey'>{escape(report.source)},"
        f" {escape(report.period())}; written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC</p>"
        f"<div class='verdict {calm}'><b>{escape(report.verdict())}.</b>"
        f" <span class='grey'>{escape(report.promise())}.</span></div>"
        f"<div class='tiles'>{tiles}</div>{remarks}"
        f"<h2>Over time</h2><div class='plots'>{drawn}</div>"
        f"{_table(report)}{_least_confident(report)}"
    )


def _table(report: Report) -> str:
    if not report.judgement.whole:
        return ""
    rows = "".join(
        f"<tr class='{'drift' * report.judgement.drifts(found)}'><td>{escape(found.name)}</td>"
        f"<td class='whole'>{report.mark(found)}</td>"
        f"<td>{escape(found.was)}</td><td>{escape(found.now)}</td>"
        f"<td class='number'>{psi_as_text(found.psi)}</td>"
        f"<td class='number'>{p_as_text(found.p)}</td></tr>"
        for found in report.judgement.whole
    )
    return (
        "<h2>The whole period against the baseline</h2><div class='scroll' tabindex='0'"
        " role='region' aria-label='The whole period'><table><tr><th>compared</th><th>change</th>"
        f"<th>baseline, {report.baseline.pictures:,} pictures</th><th>now</th>"
        "<th class='number'>PSI</th><th class='number'>p</th></tr>"
        f"{rows}</table></div><p class='small grey'>{CUSTOM}"
        f" Baseline: {escape(report.baseline.facts.get('source', ''))}.</p>"
    )


def _least_confident(report: Report) -> str:
    worst = report.windows.least_confident()
    if not worst:
        return ""
    return f"<h2>The least confident</h2><div class='faces'>{''.join(map(_thumbnail, worst))}</div>"


def _figure(plot: Plot, drawn: str) -> str:
    wide = " class='wide' tabindex='0'" if plot.wide else ""  # keys scroll it on a phone
    return f"<figure{wide}>{drawn}<figcaption>{escape(plot.caption)}</figcaption></figure>"


def _thumbnail(seen: Observation) -> str:
    kind = "png" if (seen.picture or b"").startswith(b"\x89PNG") else "jpeg"
    data = base64.b64encode(seen.picture or b"").decode()
    return (
        f"<figure><img alt='' src='data:image/{kind};base64,{data}'><figcaption>"
        f"{escape(seen.label)} {seen.confidence or 0:.3f}<br>{seen.time:%m-%d %H:%M}"
        "</figcaption></figure>"
    )
