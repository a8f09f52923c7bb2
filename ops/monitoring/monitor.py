"""One run of monitor: what is read, judged, written and printed."""

import argparse
import sys
import webbrowser
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cli.errors import CommandError
from cli.terminal import Progress
from ops.monitoring import FALSE_ALARMS
from ops.monitoring.baseline import CARD, Baseline, as_json, of_model_in_use
from ops.monitoring.capture_files import destination, in_folder, in_s3
from ops.monitoring.captures import Captures
from ops.monitoring.drift import MINIMUM_WINDOW, judge
from ops.monitoring.observations import Observation, from_ledger
from ops.monitoring.page import as_html
from ops.monitoring.report import Report
from ops.monitoring.windows import Windows
from ops.stack.ledger import UPLOAD, Ledger
from ops.stack.outputs import Stack

MINIMUM_BASELINE = 100  # inferences; of fewer, four pictures make up the rarest twentieth


def monitor(arguments: argparse.Namespace) -> int:
    """Read, judge, write the report and print the summary; return the command's exit code."""
    baseline = _baseline(arguments)
    windows, bad = Windows(), Counter[str]()
    source, seen = observations(arguments, baseline, bad)
    with Progress() as progress:
        for number, observation in enumerate(seen, 1):
            windows.add(observation)
            progress.tell(f"{number:,} read, of {observation.time:%Y-%m-%d %H:%M}")
    if not len(windows):
        left = f"; {bad.total():,} lines left out ({_kinds(bad)})" if bad else ""
        raise CommandError(f"{source}: nothing to report{left}{_further_back(arguments)}")
    windows.widen(MINIMUM_WINDOW)
    judgement = judge(windows, baseline, arguments.false_alarms)
    report = Report(source, windows, baseline, judgement, arguments.false_alarms, bad)
    page = arguments.out / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(as_html(report))
    print(report.as_json() if arguments.json else report.as_text())
    print(f"Report: {page}", file=sys.stderr if arguments.json else sys.stdout)
    if arguments.open:
        webbrowser.open(page.resolve().as_uri())
    if arguments.write_baseline:  # it is for later: that it differs from the one before is no news
        kept = keep_baseline(arguments.write_baseline, windows, baseline, _further_back(arguments))
        print(kept, file=sys.stderr if arguments.json else sys.stdout)
        return 0
    return 1 if judgement.drifted else 0


def of_ledger(stack: Stack, since: datetime, false_alarms: float = FALSE_ALARMS) -> Report:
    """Return the report of a stack's ledger since a moment. Raises CommandError if it is empty."""
    baseline, windows = of_model_in_use(stack), Windows()
    for observation in from_ledger(Ledger(stack), since):
        windows.add(observation)
    source = f"Ledger of {stack.name}"
    if not len(windows):
        raise CommandError(f"{source}: nothing to report; look further back with since")
    windows.widen(MINIMUM_WINDOW)
    judgement = judge(windows, baseline, false_alarms)
    return Report(source, windows, baseline, judgement, false_alarms, Counter())


def _baseline(arguments: argparse.Namespace) -> Baseline:
    """Return what is compared with; capture files of a folder or bucket belong to no stack."""
    if arguments.baseline or arguments.captures:
        return Baseline.read(arguments.baseline or CARD)
    return of_model_in_use(Stack.of(arguments))


def observations(
    arguments: argparse.Namespace, baseline: Baseline, bad: Counter[str]
) -> tuple[str, Iterator[Observation]]:
    """Return where from, in words, and what was observed; `bad` takes the lines left out."""
    address: str | None = arguments.captures
    if address is None:
        stack = Stack.of(arguments)
        since = arguments.since or datetime.now(UTC) - timedelta(hours=24)
        seen = from_ledger(Ledger(stack), since, arguments.origin)
        which = "" if arguments.origin == UPLOAD else ", what backfills have brought"
        return f"Ledger of {stack.name}{which}", seen
    threshold, none_threshold = baseline.threshold, baseline.none_threshold
    stack = Stack.of(arguments)
    if not address:  # of the stack's endpoint
        address = destination(stack)
        threshold = float(stack.outputs["ConfidenceThreshold"])
        none_threshold = float(stack.outputs["NoneThreshold"])
    if arguments.threshold is not None:
        threshold = arguments.threshold
    captures = Captures(arguments.labels, threshold, none_threshold, baseline.size, bad)
    if address.startswith("s3://"):
        lines = in_s3(stack, address, arguments.since)
    else:
        lines = in_folder(Path(address), arguments.since)
    return f"Captures of {address}", captures.read(lines, arguments.since)


def keep_baseline(path: Path, windows: Windows, baseline: Baseline, further_back: str = "") -> str:
    """Write what was seen as a baseline for later; return a line about it.

    further_back: advice, where there are too few inferences.
    """
    inferences = windows.whole().inferences
    if inferences < MINIMUM_BASELINE:
        raise CommandError(
            f"{path} is not written: {inferences} inferences are too few for a baseline,"
            f" {MINIMUM_BASELINE} the least{further_back}"
        )
    path.write_text(as_json(windows, baseline))
    return f"Baseline: {path}, of {inferences:,} inferences"


def _further_back(arguments: argparse.Namespace) -> str:
    """Return advice that helps where not all was read: captures are, unless --since is given."""
    limited = arguments.captures is None or arguments.since is not None
    return "; look further back with --since" if limited else ""


def _kinds(bad: Counter[str]) -> str:
    return ", ".join(f"{number:,} {kind}" for kind, number in bad.most_common(3))
