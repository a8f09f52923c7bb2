"""Put two models side by side on the same pictures, before the new one serves.

    python -m model.compare OLD NEW DATA
    python -m model.compare model/pretrained out/model labels/test --sheet changed.png
    python -m model.compare model/pretrained out/model captures

OLD and NEW are model folders; each is judged by the thresholds of its own card. DATA holds a folder
of pictures per class, which neither model was trained on; a folder whose name they do not know
counts as `other`. Or it holds pictures without labels, or capture files of the endpoint (*.jsonl):
then it shows what would change, and no verdict.

It prints what each model gets right, accepts and calls none, who changed, and McNemar's exact test
of two questions: whose class is right, and what software decides rightly without a person. A model
is better or worse only where p is below 0.05.

Exit codes: 0 NEW is not shown to be worse, 1 it is shown to be worse, or to break a promise of its
card on these pictures with 95 % confidence, 2 it could not be compared, 130 interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cli.arguments import Parser, add_json
from cli.errors import CommandError, guarded

if TYPE_CHECKING:
    from model.training.comparison_report import Report
    from model.training.figures import Floats

TOGETHER = 50  # pictures in memory


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    found = Parser("python -m model.compare", __doc__ or "")
    found.add_argument("old", type=Path, metavar="OLD", help="model folder, the one that serves")
    found.add_argument("new", type=Path, metavar="NEW", help="model folder, the one that may serve")
    found.add_argument("data", type=Path, metavar="DATA", help="folder of pictures or captures")
    found.add_argument(
        "--unlabelled", action="store_true", help="the folders in DATA are no classes"
    )
    found.add_argument(
        "--sheet", type=Path, metavar="FILE", help="write the changed pictures as a PNG"
    )
    add_json(found, "print all figures and every changed picture")
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = parser().parse_args(words)
    return guarded(lambda: run(arguments), "train")


def run(arguments: argparse.Namespace) -> int:
    """Compare, print the report, write the sheet if asked; return the exit code."""
    from model.training.card import as_json

    report = compared(arguments.old, arguments.new, arguments.data, arguments.unlabelled)
    print(as_json(report.as_dict()).rstrip() if arguments.json else report.as_text())
    if arguments.sheet:
        shown = report.write_sheet(arguments.sheet)
        print(shown, file=sys.stderr if arguments.json else sys.stdout)
    return 1 if report.stay else 0


def compared(old: Path, new: Path, data: Path, unlabelled: bool = False) -> "Report":
    """Let two model folders answer to the pictures of a folder; show progress on a terminal.

    Raises CommandError for what cannot be compared.
    """
    import numpy as np
    from tqdm import tqdm

    from model.training.candidate import Candidate, refuse_other_classes
    from model.training.comparison import Comparison, answers
    from model.training.comparison_report import Report, of_samples
    from model.training.pictures import DatasetError, kept, stacked
    from model.training.samples import samples_of

    sides = Candidate.of(old), Candidate.of(new)
    refuse_other_classes(*sides)
    samples = samples_of(data, sides[0].model.labels, unlabelled)
    left_out: dict[str, str] = {}
    found: tuple[list[Floats], list[Floats]] = [], []
    with tqdm(
        total=len(samples.members), desc="comparing", unit="picture", disable=None, leave=False
    ) as bar:
        for first in range(0, len(samples.members), TOGETHER):
            images = []
            for sample in samples.members[first : first + TOGETHER]:
                try:
                    images.append(kept(sample.read()))
                except DatasetError as error:
                    left_out[sample.name] = str(error)
                bar.update()
            for side, parts in zip(sides, found, strict=True):
                if images:
                    parts.append(side.model.probabilities(stacked(images, side.model.size)))
    if not any(found):
        reason = next(iter(left_out.values()))
        raise CommandError(f"{data}: none of {len(left_out)} pictures can be read: {reason}")
    samples = of_samples(samples, left_out)
    old_answers, new_answers = (
        answers(np.concatenate(parts), side.model.labels, side.threshold, side.none_threshold)
        for side, parts in zip(sides, found, strict=True)
    )
    comparison = Comparison(
        tuple(sample.name for sample in samples.members),
        np.array([sample.truth for sample in samples.members]) if samples.labelled else None,
        old_answers,
        new_answers,
    )
    return Report(str(data), *sides, samples, left_out, comparison)


if __name__ == "__main__":
    sys.exit(main())
