"""Confidences, decisions, labels, latency and drift: a report with plots, and a summary.

    python -m ops monitor                                    the ledger of the last 24 hours
    python -m ops monitor --since 7d --out week
    python -m ops monitor --captures                         what the stack's endpoint captured
    python -m ops monitor --captures .demo/captures          capture files of a folder
    python -m ops monitor --captures s3://BUCKET/captures/NAME/ --since 24h
    python -m ops monitor --captures FOLDER --labels bicycle,motorcycle
                                                             an endpoint that answers [0.98, 0.02]

The ledger tells the fate of every upload and the latency; captures have the pictures, so that
brightness, sharpness and colour are compared as well. Each window and the whole are compared with
the baseline, which by default the card of the model holds: its training pictures. A camera of your
own differs from these; once the workflow does well, make a baseline of its own pictures:

    python -m ops monitor --captures --since 7d --write-baseline good.json
    python -m ops monitor --captures --baseline good.json

From captures the report embeds the eight least confident pictures. Exit code 0: no drift, or fewer
than five inferences, which is not judged, or a baseline was written; 1: drift; 2: nothing could be
reported.
"""

import argparse
import webbrowser
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cli.arguments import add_since, fraction
from cli.errors import CommandError
from cli.terminal import Progress
from ops.monitoring.captures import Captures, destination, in_folder, in_s3
from ops.monitoring.drift import LEAST, Baseline, as_json, judge
from ops.monitoring.observations import Observation, from_ledger
from ops.monitoring.report import Report
from ops.monitoring.windows import Windows
from ops.stack.ledger import Ledger
from ops.stack.outputs import Stack

CARD = Path(__file__).parents[2] / "model" / "pretrained" / "card.json"
FROM_ENDPOINT = "endpoint"
OUT = Path("monitor")
LEAST_OF_A_BASELINE = 100  # inferences; of fewer the rarest twentieth is told by four pictures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_since(parser, "how far back (default: 24h of the ledger, all of the captures)")
    parser.add_argument(
        "--captures",
        nargs="?",
        const=FROM_ENDPOINT,
        metavar="FOLDER-or-s3://PREFIX",
        help="read capture files instead of the ledger; without a value the stack's endpoint's",
    )
    parser.add_argument(
        "--labels",
        type=names,
        default=[],
        metavar="A,B",
        help="labels by position, of an endpoint that answers numbers alone",
    )
    parser.add_argument(
        "--baseline",
        type=Path,
        default=CARD,
        metavar="FILE",
        help="a card.json or a file of --write-baseline (default: the card of model/pretrained)",
    )
    parser.add_argument(
        "--threshold",
        type=fraction,
        metavar="0..1",
        help="what counts as accepted among captures (default: the stack's where its endpoint is"
        " asked, else the baseline's)",
    )
    parser.add_argument(
        "--false-alarms",
        type=fraction,
        default=0.01,
        metavar="0..1",
        help="the most reports that may find drift where there is none (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, default=OUT, metavar="FOLDER", help="for index.html (default: monitor)"
    )
    parser.add_argument(
        "--write-baseline", type=Path, metavar="FILE", help="keep what is seen as a baseline"
    )
    parser.add_argument("--open", action="store_true", help="show the report in the browser")


def names(text: str) -> list[str]:
    """Return labels separated by commas."""
    found = [name.strip() for name in text.split(",")]
    if not all(found) or len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"{text!r}: write each label once, bicycle,motorcycle")
    return found


def run(arguments: argparse.Namespace) -> int:
    """Read, judge, write the report, and print the summary."""
    baseline = Baseline.read(arguments.baseline)
    windows, bad = Windows(), Counter[str]()
    source, seen = observations(arguments, baseline, bad)
    with Progress() as progress:
        for number, one in enumerate(seen):
            windows.add(one)
            progress.tell(f"{number + 1:,} read, of {one.time:%Y-%m-%d %H:%M}")
    if not len(windows):
        left = f"; {bad.total():,} lines left out ({_kinds(bad)})" if bad else ""
        raise CommandError(f"{source}: nothing to report{left}; look further back with --since")
    windows.widen(LEAST)
    judgement = judge(windows, baseline, arguments.false_alarms)
    report = Report(source, windows, baseline, judgement, arguments.false_alarms, bad)
    page = arguments.out / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(report.as_html())
    print(report.as_text())
    print(f"Report: {page}")
    if arguments.open:
        webbrowser.open(page.resolve().as_uri())
    if arguments.write_baseline:  # it is for later: that it differs from the one before is no news
        keep_baseline(arguments.write_baseline, windows, baseline)
        return 0
    return 1 if judgement.drifted else 0


def observations(
    arguments: argparse.Namespace, baseline: Baseline, bad: Counter[str]
) -> tuple[str, Iterator[Observation]]:
    """Return where from, in words, and what was observed; `bad` takes the lines left out."""
    address: str | None = arguments.captures
    if address is None:
        stack = Stack.of(arguments)
        since = arguments.since or datetime.now(UTC) - timedelta(hours=24)
        return f"Ledger of {stack.name}", from_ledger(Ledger(stack), since)
    threshold = baseline.threshold
    stack = Stack.of(arguments)
    if address == FROM_ENDPOINT:
        address = destination(stack)
        threshold = float(stack.outputs["ConfidenceThreshold"])
    if arguments.threshold is not None:
        threshold = arguments.threshold
    captures = Captures(arguments.labels, threshold, baseline.size, bad)
    if address.startswith("s3://"):
        lines = in_s3(stack, address, arguments.since)
    else:
        lines = in_folder(Path(address), arguments.since)
    return f"Captures of {address}", captures.read(lines, arguments.since)


def keep_baseline(path: Path, windows: Windows, baseline: Baseline) -> None:
    """Write what was seen as a baseline for later."""
    inferences = windows.whole().inferences
    if inferences < LEAST_OF_A_BASELINE:
        raise CommandError(
            f"{path} is not written: {inferences} inferences are too few for a baseline,"
            f" {LEAST_OF_A_BASELINE} the least; look further back with --since"
        )
    path.write_text(as_json(windows, baseline))
    print(f"Baseline: {path}, of {inferences:,} inferences")


def _kinds(bad: Counter[str]) -> str:
    return ", ".join(f"{number:,} {kind}" for kind, number in bad.most_common(3))
