"""Train a classifier on folders of labelled pictures; write a model folder that can be served.

    python -m model.train --data data/train --test data/test --out out/model
    python -m model.train --data labelled --out out/quick --epochs 1 --folds 2     (a trial)

DATA holds a folder per class (bicycle/ motorcycle/ other/, or any other names, at least two);
`other` is reserved for "none of the classes". The same file is the entry point of a SageMaker
training job: there the SM_* variables are the defaults of --data, --test, --out.

What happens, in this order: folds of the training data give predictions of unseen pictures;
on these the temperature and the thresholds are chosen; the folds' networks are then averaged
into one, exported as int8 and fp32, and checked; int8 is served unless it lost too much. Trainings
are kept as checkpoints, an unfinished one every minute: the same command continues where an
interrupted one stopped.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from cli.arguments import Parser, fraction, integer_between, number_between, positive
from cli.errors import guarded
from model.training.settings import NETWORKS, Settings


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    found = Parser("python -m model.train", __doc__ or "")
    env = os.environ.get
    where = found.add_argument_group("where")
    where.add_argument(
        "--data", default=env("SM_CHANNEL_TRAINING"), help="training pictures, a folder per class"
    )
    where.add_argument(
        "--test",
        default=env("SM_CHANNEL_TEST"),
        help="pictures measured once at the end; none of them may be in --data",
    )
    where.add_argument(
        "--out",
        type=Path,
        default=env("SM_MODEL_DIR", "out/model"),
        help="model folder to write (default: %(default)s)",
    )
    where.add_argument(
        "--checkpoints",
        type=Path,
        help="folder of finished trainings (default: OUT/../checkpoints)",
    )
    how = found.add_argument_group("how (defaults were chosen on out-of-fold pictures)")
    for flag, least, most, default, text in (
        ("--folds", 2, 100, 5, "parts that the training pictures are split into"),
        ("--seeds", 1, 100, 1, "repetitions of the folds"),
        ("--threads", 0, 1024, 0, "processor threads, 0 for as many as cores"),
    ):
        how.add_argument(
            flag,
            type=integer_between(least, most),
            default=default,
            metavar="N",
            help=f"{text} (default: {default})",
        )
    how.add_argument(
        "--network",
        choices=NETWORKS,
        default=Settings.network,
        help="EfficientNet-Lite0, 1 or 2 (default: %(default)s); lite0 at --size 128 is less than"
        " half the work for a small device",
    )
    types = {
        "size": positive,
        "batch": positive,
        "frozen": integer_between(0, 21),
        "other": number_between(0.01, 0.99),
        "epochs": number_between(0.01, 10_000),
        "smoothing": number_between(0, 0.9),
        "average": number_between(0, 0.9999),
    }
    for field in fields(Settings):
        if field.name != "network":
            how.add_argument(
                "--" + field.name.replace("_", "-"),
                type=types.get(field.name, fraction),  # rates
                default=field.default,
                metavar="N",
                help="(default: %(default)s)",
            )
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = parser().parse_args(words)
    if not arguments.data:
        parser().error("--data is needed: a folder with a folder of pictures per class")
    return guarded(lambda: run(arguments), "train", "run the same command to continue")


def run(arguments: argparse.Namespace) -> int:
    """Train as the options say."""
    import torch

    from model.training.pipeline import train

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    train(
        Path(arguments.data),
        Path(arguments.test) if arguments.test else None,
        arguments.out,
        arguments.checkpoints or arguments.out.parent / "checkpoints",
        arguments.folds,
        arguments.seeds,
        Settings(**{field.name: getattr(arguments, field.name) for field in fields(Settings)}),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
