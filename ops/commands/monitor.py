"""Confidences, decisions, labels, latency and drift: a report with plots, and a summary.

    python -m ops monitor                            the ledger of a day
    python -m ops monitor --since 7d --out week
    python -m ops monitor --captures                 what the endpoint captured
    python -m ops monitor --captures .demo/captures  files of a folder
    python -m ops monitor --captures s3://BUCKET/captures/NAME/ --since 24h
    python -m ops monitor --captures FOLDER --labels bicycle,motorcycle

The ledger has the outcome of every upload and the latency; captures have the pictures, so that
brightness, sharpness and colour are compared as well; --labels names the classes of an endpoint
that answers [0.98, 0.02]. Each window and the whole are compared with
the baseline, which by default the card of the model holds: its training pictures. A camera of your
own differs from these; once the workflow does well, make a baseline of its own pictures:

    python -m ops monitor --captures --since 7d --write-baseline good.json
    python -m ops monitor --captures --baseline good.json

From captures the report embeds the eight least confident pictures. Exit code 0: no drift, or fewer
than five inferences, which is not judged, or a baseline was written; 1: drift; 2: nothing could be
reported.
"""

import argparse
from pathlib import Path

from cli.arguments import add_json, add_origin, add_since, fraction
from ops.monitoring import FALSE_ALARMS

OUT = Path("monitor")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_since(parser, "how far back (default: 24h of the ledger, all of the captures)")
    parser.add_argument(
        "--captures",
        nargs="?",
        const="",
        metavar="FOLDER-or-s3://PREFIX",
        help="read capture files instead of the ledger; without a value the stack's endpoint's",
    )
    add_origin(parser)
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
        metavar="FILE",
        help="a card.json, a model's folder, or a file of --write-baseline (default: the card"
        " of the model that decided last; for captures elsewhere that of model/pretrained)",
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
        default=FALSE_ALARMS,
        metavar="0..1",
        help="the most reports that may find drift where there is none (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, default=OUT, metavar="FOLDER", help="for index.html (default: monitor)"
    )
    parser.add_argument(
        "--write-baseline", type=Path, metavar="FILE", help="keep what is seen as a baseline"
    )
    add_json(parser, "the summary")
    parser.add_argument("--open", action="store_true", help="show the report in the browser")


def names(text: str) -> list[str]:
    """Return labels separated by commas."""
    found = [name.strip() for name in text.split(",")]
    if not all(found) or len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"{text!r}: write each label once, bicycle,motorcycle")
    return found


def run(arguments: argparse.Namespace) -> int:
    """Read, judge, write the report, and print the summary."""
    from ops.monitoring.monitor import monitor  # numpy, scipy and matplotlib: a second

    return monitor(arguments)
