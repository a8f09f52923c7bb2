"""The report of quality, as lines for a terminal or as one JSON object."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from textwrap import fill
from typing import Any

from scipy import stats

from cli.escaping import escaped
from cli.terminal import shortened, table
from model.endpoint.samconfig import deployments
from ops.quality.estimates import (
    BROKEN,
    EVIDENCE,
    KEPT,
    LEVEL,
    RISK,
    Estimate,
    estimate,
    estimates_by,
    interval,
)
from ops.quality.samples import ACTED_ON, Window
from ops.quality.threshold import DIGITS, Advice, advise, of_newest_model

PARAMETERS = {"accepted": "ConfidenceThreshold", "none": "NoneThreshold"}
LISTED = 10  # classes and models; of weeks the newest, a year
WEEKS = 53
LONGEST_NAME = 100  # characters of a label or a model
COLUMNS = 80
HEADER = ("decision", "uploads", "audited", "wrong", "error", "95 % interval", "promise")
GROUP_HEADER = ("", "audited", "wrong", "error", "95 % interval")
CHANCE = 1e-4  # of so few audits as are called too few for their share


@dataclass(frozen=True)
class Report:
    """Everything that is reported.

    source: where it was read, in words. uploads: how many were decided accepted and none. stack:
    its name, which chooses the environment to deploy. audit_share: that is audited now, in percent.
    """

    source: str
    stack: str
    window: Window
    uploads: Mapping[str, int]
    audit_share: float

    @property
    def broken(self) -> bool:
        """Whether the promise is shown broken, for accepted or for none."""
        return any(found.verdict == BROKEN for found in self.estimates.values())

    @cached_property
    def estimates(self) -> dict[str, Estimate]:
        """The error of accepted, and of none where there is any."""
        return {
            decision: estimate(self.window, decision)
            for decision in ACTED_ON
            if decision == "accepted" or self.uploads[decision]
        }

    def groups(self, decision: str) -> dict[str, dict[str, Estimate]]:
        """Return the error by class, model and week; the largest classes and models."""
        found = {
            "class": estimates_by(self.window, decision, lambda sample: sample.guess),
            "model": estimates_by(self.window, decision, lambda sample: sample.model),
            "week": estimates_by(self.window, decision, lambda sample: sample.week),
        }
        for kind in ("class", "model"):
            names = sorted(found[kind], key=lambda name: -found[kind][name].audited)[:LISTED]
            found[kind] = {name: found[kind][name] for name in sorted(names)}
        found["week"] = dict(list(found["week"].items())[-WEEKS:])
        return found

    @cached_property
    def advice(self) -> dict[str, Advice]:
        """The threshold that keeps the promise, for accepted and for none."""
        return {decision: advise(self.window, decision) for decision in self.estimates}

    @cached_property
    def in_use(self) -> dict[str, float]:
        """The thresholds by which the newest upload of the sample was decided."""
        newest = max(self.window.equal(), key=lambda sample: sample.time, default=None)
        if newest is None:
            return {}
        return {"accepted": newest.threshold, "none": newest.none_threshold}

    @cached_property
    def deployments(self) -> list[str]:
        """The commands that deploy the advised thresholds; none if they are in use."""
        in_use = self.in_use
        values = {
            PARAMETERS[decision]: written(advice.threshold)
            for decision, advice in self.advice.items()
            if advice.threshold is not None
            and not math.isclose(advice.threshold, in_use[decision], abs_tol=10**-DIGITS)
        }
        return deployments(values, self.stack) if values else []

    def remarks(self) -> list[str]:
        """Return what a reader must know besides."""
        found = []
        for decision, estimated in self.estimates.items():
            found += [f"{decision}: {text}" for text in self._remarks_on(decision, estimated)]
        return found

    def _remarks_on(self, decision: str, found: Estimate) -> Iterator[str]:
        if found.verdict == BROKEN:
            yield (
                f"at least {found.lower:.2%} is wrong, with {LEVEL:.0%} confidence; evidence"
                f" {_times(found.evidence)}, {EVIDENCE:.0f} shows the promise broken"
            )
        elif found.verdict == KEPT:
            yield f"at most {found.upper:.2%} is wrong, with {LEVEL:.0%} confidence"
        else:
            yield (
                f"{_audits(found.more, 'more ')} without an error show the promise kept; evidence"
                f" {_times(found.evidence)}, {EVIDENCE:.0f} shows it broken"
            )
        if waiting := found.due - found.audited:
            are, them = ("is", "it") if waiting == 1 else ("are", "them")
            yield f"{_audits(waiting)} {are} still due; those that are done stand for {them}"
        if found.sample < found.audited:
            yield (
                f"the interval is of the {found.sample:,} audits below the smallest share,"
                f" {self.window.share:.3g}; the error is of all {found.audited:,}"
            )
        below = sum(sample.position < self.window.share for sample in self.window.due(decision))
        uploads, share = self.uploads[decision], self.window.share or self.audit_share / 100
        if not share and uploads:
            yield "no audit was due: deploy with AuditShare above 0"
        elif stats.binom.cdf(below, uploads, share) < CHANCE:
            were = "was" if below == 1 else "were"
            yield (
                f"{_audits(below)} {were} due of {uploads:,} uploads, fewer than a share of"
                f" {share:.3g}: for a part of the period there were none, and it is not in the"
                " figures; begin later with --since"
            )
        elif uploads and not found.due:
            yield f"no audit has been due yet: {100 * share:.3g} % of {uploads:,} uploads"

    def as_text(self) -> str:
        """Return the report for a terminal."""
        estimates = self.estimates
        rows = [
            (decision, f"{self.uploads[decision]:,}", *cells(found), found.verdict)
            for decision, found in estimates.items()
        ]
        lines = [
            self.source,
            f"promise: at most {RISK:.0%} wrong, with {LEVEL:.0%} confidence",
            "",
            table(HEADER, rows, right=HEADER[1:6]),
            *(fill(f"! {remark}", COLUMNS, subsequent_indent="  ") for remark in self.remarks()),
        ]
        for decision in estimates:
            for kind, found in self.groups(decision).items():
                if found:
                    name = f"{decision}, by {kind}"
                    group_rows = [
                        (group[:LONGEST_NAME], *cells(value)) for group, value in found.items()
                    ]
                    header = (name, *GROUP_HEADER[1:])
                    grouped = table(header, group_rows, right=header[1:], flexible=header[:1])
                    lines += ["", grouped]
        lines += ["", *self.advice_as_text()]
        if commands := self.deployments:
            lines += ["to deploy:", *(f"    {command}" for command in commands)]
        lines += ["", self.agreement_as_text()]
        return "\n".join(lines)

    def advice_as_text(self) -> Iterator[str]:
        """Yield the advice on each threshold as lines."""
        in_use = self.in_use
        for decision, advice in self.advice.items():
            name = PARAMETERS[decision]
            if advice.threshold is not None:
                yield f"{name} {written(advice.threshold)} keeps the promise on these labels:"
                yield (
                    f"  {advice.wrong:,} wrong of {advice.labelled:,} labelled; it takes"
                    f" {advice.share:.1%} of the uploads; now {written(in_use[decision])}"
                )
            elif advice.missing:
                yield f"{name}: {advice.missing:,} more labels of the random sample are needed"
            else:
                yield (
                    f"{name}: no threshold can be shown to keep the promise:\n"
                    f"  {advice.wrong:,} wrong of the surest {advice.labelled:,}"
                )
        if models := sorted({sample.model for sample in of_newest_model([*self.window.equal()])}):
            yield f"for model {shortened(escaped(models[0]), COLUMNS - 10)}"

    def agreement_as_text(self) -> str:
        """Return how often two people agree, as a line."""
        pairs, agreeing = self.window.pairs, self.window.agreeing
        if not pairs:
            return "no upload has labels by two people"
        low, high = interval(agreeing, pairs)
        return (
            f"labels by two people: {pairs:,} pairs, {agreeing / pairs:.1%} agree"
            f" ({low:.1%} to {high:.1%})"
        )

    def as_json(self) -> str:
        """Return the same as one JSON object; an error is null where nothing was audited."""
        in_use, window = self.in_use, self.window
        document = {
            "source": self.source,
            "promise": {"risk": RISK, "level": LEVEL, "evidence": EVIDENCE},
            "broken": self.broken,
            "decisions": {
                decision: {"uploads": self.uploads[decision]}
                | _as_json(found)
                | {
                    kind: {name: _as_json(value) for name, value in values.items()}
                    for kind, values in self.groups(decision).items()
                }
                for decision, found in self.estimates.items()
            },
            "thresholds": {
                PARAMETERS[decision]: vars(advice) | {"in_use": in_use.get(decision)}
                for decision, advice in self.advice.items()
            },
            "deploy": self.deployments,
            "reviewers": {
                "pairs": window.pairs,
                "agreeing": window.agreeing,
                "interval": interval(window.agreeing, window.pairs),
            },
            "remarks": self.remarks(),
        }
        return json.dumps(document, indent=2)


def written(threshold: float) -> str:
    """Return a threshold as the parameter takes it."""
    return f"{threshold:.{DIGITS}f}".rstrip("0").rstrip(".")


def cells(found: Estimate) -> Sequence[str]:
    """Return an estimate as texts: audited, wrong, error, interval."""
    if not found.audited:
        return "0", "0", "-", "-"
    low, high = found.interval
    return (
        f"{found.audited:,}",
        f"{found.wrong:,}",
        f"{found.error:.2%}",
        f"{low:.2%} - {high:.2%}",
    )


def _audits(count: int, more: str = "") -> str:
    return f"{count:,} {more}audit{'s' * (count != 1)}"


def _times(evidence: float) -> str:
    return f"{evidence:.2g}" if evidence < EVIDENCE else f"{min(evidence, 1e6):,.0f}"


def _as_json(found: Estimate) -> dict[str, Any]:
    return {
        "due": found.due,
        "audited": found.audited,
        "sample": found.sample,
        "wrong": found.wrong,
        "error": None if math.isnan(found.error) else found.error,
        "interval": found.interval,
        "lower": found.lower,
        "upper": found.upper,
        "evidence": found.evidence,
        "verdict": found.verdict,
        "more": found.more,
    }
