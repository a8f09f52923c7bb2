"""A comparison of two models for people, for programs, and as a sheet of pictures."""

import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cli.terminal import shortened, table
from model.training.candidate import Candidate
from model.training.comparison import (
    Answers,
    Comparison,
    Paired,
    broken,
    figures,
    least_discordant,
    shares_of_decisions,
    verdict,
)
from model.training.pictures import WEIGHTS
from model.training.plots import contact_sheet
from model.training.rounding import rounded_up
from model.training.samples import Sample, Samples

SHOWN = 20  # changed pictures in the text
ON_SHEET = 60  # ten rows
REASONS = 5  # of pictures that are left out, in the text
WIDTH = 80  # columns of the text
WIDEST = 24  # columns of a model, so that its table fits
SIDES = ("OLD", "NEW")
PICTURE = "picture, gravest first"
# Name of the figure, title of its row, bounds below it.
LABELLED_ROWS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("accuracy", "accuracy, named classes", ("interval",)),
    ("accepted", "accepted", ()),
    ("right_of_accepted", "right among these", ("interval", "at_least")),
    ("none", "other called none", ()),
    ("lost", "named classes called none", ("at_most",)),
)
UNLABELLED_ROWS: tuple[tuple[str, str, tuple[str, ...]], ...] = tuple(
    (name, name, ()) for name in ("accepted", "none", "review")
)


@dataclass(frozen=True)
class Report:
    """All that is known of two models on the pictures of a folder.

    samples: those that were compared, in the order of the comparison. left_out: what could not be
    read, with the reason.
    """

    data: str
    old: Candidate
    new: Candidate
    samples: Samples
    left_out: Mapping[str, str]
    comparison: Comparison

    @cached_property
    def measured(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The figures of both models: with labels those of `figures`, else shares of decisions."""
        found = self.comparison
        if found.truth is None:
            return shares_of_decisions(found.old), shares_of_decisions(found.new)
        return figures(found.old, found.truth), figures(found.new, found.truth)

    @cached_property
    def questions(self) -> dict[str, Paired]:
        """The tests of the comparison; none without labels."""
        return self.comparison.questions()

    @cached_property
    def breaks(self) -> list[str]:
        """The promises that the new model breaks on these pictures."""
        judged = self.comparison.truth is not None and self.samples.even
        return broken(self.new.card, self.measured[1]) if judged else []

    @property
    def stay(self) -> bool:
        """Whether the new model is shown to be worse, or breaks a promise of its card."""
        return verdict(self.questions, self.breaks)[0]

    def verdict(self) -> list[str]:
        """Return what follows, in sentences."""
        changed = len(self.comparison.changed())
        if self.comparison.truth is None:
            sentences = ["No verdict: without labels nobody knows which model is right."]
            if changed:
                sentences.append(f"To find out, label the {changed} changed pictures.")
            return sentences
        sentences = verdict(self.questions, self.breaks)[1]
        sentences += [
            sentence for name, test in self.questions.items() if (sentence := _missing(name, test))
        ]
        if not self.samples.even:
            sentences.append(
                f"Promises are not judged here: by {WEIGHTS}, some pictures stand for more than"
                " others."
            )
        return sentences

    def as_dict(self) -> dict[str, Any]:
        """Return all of it for a program, every changed picture by name."""
        found = self.comparison
        sides = {
            name: {
                "version": side.model.version,
                "input_size": side.model.size,
                "size_bytes": side.size,
                "latency_ms": side.latency,
                "threshold": side.threshold,
                "none_threshold": side.none_threshold,
                **measured,
            }
            for name, side, measured in zip(
                ("old", "new"), (self.old, self.new), self.measured, strict=True
            )
        }
        return {
            "data": self.data,
            "pictures": len(found.names),
            "labelled": found.truth is not None,
            "counted_as_other": dict(self.samples.strangers),
            "left_out": dict(self.left_out),
            **sides,
            "agreement": found.agreement(),
            "tests": {
                name: {**asdict(test), "shown": test.shown} for name, test in self.questions.items()
            },
            "kinds": [
                {"old": old, "new": new, "pictures": count}
                for (old, new), count in found.kinds().items()
            ],
            "changed": [
                {
                    "picture": found.names[index],
                    "is": None if found.truth is None else str(found.truth[index]),
                    "old": _answer(found.old, index),
                    "new": _answer(found.new, index),
                }
                for index in found.changed()
            ],
            "broken_promises": self.breaks,
            "stay": self.stay,
            "verdict": self.verdict(),
        }

    def as_text(self) -> str:
        """Return what a person reads, in 80 columns."""
        parts = [self._heading(), self._models()]
        if self.questions:
            parts.append(_tests(self.questions))
        told = [textwrap.fill(sentence, WIDTH) for sentence in self.verdict()]
        parts += [*self._changes(), "\n".join(told)]
        return "\n\n".join(parts)

    def write_sheet(self, path: Path) -> str:
        """Write the changed pictures with both answers as PNG; return what it shows, in words."""
        found, changed = self.comparison, self.comparison.changed()
        chosen = changed[:ON_SHEET]
        contact_sheet(
            [(self.samples.members[index].read, self._caption(index)) for index in chosen],
            path,
            "no picture changed",
        )
        return f"{path}: {len(chosen)} of {len(changed)} changed pictures of {len(found.names)}"

    def _caption(self, index: int) -> str:
        found, sample = self.comparison, self.samples.members[index]
        answers = [
            f"{name.lower()} {_words(side, index)}"
            for name, side in zip(SIDES, (found.old, found.new), strict=True)
        ]
        return "\n".join([sample.truth or Path(sample.name).name, *answers])

    def _heading(self) -> str:
        lines = [f"{len(self.comparison.names)} pictures of {self.data}"]
        if self.samples.strangers:
            folders = ", ".join(f"{name} {count}" for name, count in self.samples.strangers.items())
            lines.append(f"counted as other: {folders}")
        if self.left_out:
            lines.append(f"left out: {len(self.left_out)}")
            lines += [f"  {reason}" for reason in list(self.left_out.values())[:REASONS]]
        return "\n".join(lines)

    def _models(self) -> str:
        sides = (self.old, self.new)
        rows = [
            ["version", *(shortened(side.model.version, WIDEST) for side in sides)],
            ["input, pixels a side", *(str(side.model.size) for side in sides)],
            ["size, MB", *(f"{side.size / 1e6:.1f}" for side in sides)],
            ["ms a picture, one thread", *(f"{side.latency:.2f}" for side in sides)],
            ["accepts from", *(rounded_up(side.threshold) for side in sides)],
            ["none from", *(_threshold(side.none_threshold) for side in sides)],
        ]
        labelled = self.comparison.truth is not None
        for name, title, bounds in LABELLED_ROWS if labelled else UNLABELLED_ROWS:
            found = [measured[name] for measured in self.measured]
            rows.append([title, *map(_share, found)])
            rows += [_bound(kind, found) for kind in bounds]
        text = table(["", *SIDES], rows)
        if labelled:
            return text
        same = self.comparison.agreement()
        return (
            f"{text}\n\nsame class: {_share(same['same_class'])}"
            f"\nsame decision: {_share(same['same_decision'])}"
        )

    def _changes(self) -> list[str]:
        """Return who changed: counts of each kind, and the gravest by name."""
        found, changed = self.comparison, self.comparison.changed()
        if not len(changed):
            return ["No picture changed its class or decision."]
        kinds = [[str(count), *kind] for kind, count in found.kinds().items()]
        rows = [
            [found.names[index], _words(found.old, index), _words(found.new, index)]
            for index in changed[:SHOWN]
        ]
        named = table([PICTURE, *SIDES], rows, flexible=[PICTURE])
        if len(changed) > SHOWN:
            named += f"\n{len(changed) - SHOWN} more: --json names them all"
        return [table(["changed", *SIDES], kinds, right=["changed"]), named]


def of_samples(samples: Samples, left_out: Mapping[str, str]) -> Samples:
    """Return the samples that could be read."""
    kept: tuple[Sample, ...] = tuple(
        sample for sample in samples.members if sample.name not in left_out
    )
    return Samples(kept, samples.labelled, samples.strangers, samples.even)


def _tests(questions: Mapping[str, Paired]) -> str:
    rows = [
        [name, str(test.worse), str(test.better), _p(test.p), test.shown or "not shown"]
        for name, test in questions.items()
    ]
    header = ["McNemar's exact test", "only OLD", "only NEW", "p", "NEW is"]
    return table(header, rows, right=header[1:4])


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "<0.001"


def _missing(name: str, test: Paired) -> str:
    """Return what a difference that is not shown would take; empty where it is shown."""
    seen = test.worse + test.better
    if test.shown:
        return ""
    if not seen:
        return f"{name}: no picture tells them apart; it takes {least_discordant()}."
    if test.more is None:
        return f"{name}: the {seen} pictures that tell them apart are as good as even."
    return (
        f"{name}: {test.more} more pictures that tell them apart would show a difference, if they"
        f" fall as these {seen} do."
    )


def _answer(found: Answers, index: int) -> dict[str, Any]:
    return {
        "label": str(found.labels[index]),
        "confidence": float(found.confidence[index]),
        "decision": str(found.decisions[index]),
    }


def _words(found: Answers, index: int) -> str:
    return f"{found.labels[index]} {found.confidence[index]:.3f} {found.decisions[index]}"


def _threshold(value: float | None) -> str:
    return "-" if value is None else rounded_up(value)


def _share(entry: Mapping[str, float]) -> str:
    if not entry["of"]:
        return "-"
    return f"{entry['value']:.2%}  {entry['hits']:,} of {entry['of']:,}"


def _bound(kind: str, entries: list[dict[str, float]]) -> list[str]:
    """Return the row of an interval, or of a one-sided bound."""
    if kind == "interval":
        cells = [f"{entry['low']:.2%} to {entry['high']:.2%}" for entry in entries]
        return ["  95 % interval", *cells]
    words = kind.replace("_", " ")
    return [f"  {words}, 95 % confidence", *(f"{entry[kind]:.2%}" for entry in entries)]
