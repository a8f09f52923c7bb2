"""Run every offline linter and validator on the application, and what proves it; print one table.

    python -m tests.verify
    python -m tests.verify --only checkov --only "least privilege"

What a check needs is installed into .verify/ first. The exit code is 1 if anything found a fault,
or a check could not be run. A proof that this machine cannot run (no container engine, no newer
Python) is NOT RUN, with its reason, and no fault.
"""

import argparse
import logging
import sys
import textwrap
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.support.project import ROOT
from tests.verify import proofs
from tests.verify.judges import JUDGES, Judge
from tests.verify.proofs import PROOFS, Proof
from tests.verify.tools import Tool, ToolMissing

NEVER_ON_AWS = """\
None of this has run on AWS. What only AWS itself can show: whether its services behave as their
documents and the embedded AWS say; quotas of an account; delivery to the pipe, the audit log and
X-Ray under its own roles; latencies, cold starts and prices; the SageMaker endpoint's start."""


@dataclass
class Verdict:
    """What a row of the table says. notes: printed below the table; failed: if it is a fault."""

    row: Judge | Proof
    result: str
    notes: list[str] = field(default_factory=list)
    failed: bool = False


def ask(judge: Judge) -> Verdict:
    """Run a linter or validator; install what it needs, if that has not been done."""
    say(f"running {judge.name}")
    try:
        if judge.tool and not judge.tool.installed:
            judge.tool.install()
        findings = judge.findings(ROOT)
    except ToolMissing as missing:
        return Verdict(judge, "NOT INSTALLED", [str(missing)], failed=True)
    if findings:
        return Verdict(judge, f"{len(findings)} FAULTS", findings, failed=True)
    return Verdict(judge, "passed")


def install(rows: Sequence[Judge | Proof]) -> None:
    """Install what rows need, side by side; what cannot be installed is in their notes."""
    missing: dict[Tool, None] = {
        row.tool: None for row in rows if row.tool and not row.tool.installed
    }
    with ThreadPoolExecutor() as pool:
        for tool in missing:
            say(f"installing {tool.package} {tool.version}")
        installing = [pool.submit(tool.install) for tool in missing]
        for installation in installing:
            installation.exception()


def prove(chosen: Sequence[Proof]) -> Iterator[Verdict]:
    """Run the tests of proofs, all together."""
    if not chosen:
        return
    say(f"running the tests of {', '.join(proof.name for proof in chosen)}")
    for proof, outcome in zip(chosen, proofs.run(chosen), strict=True):
        if outcome.failures:
            result = f"{len(outcome.failures)} FAULTS"
        elif outcome.skipped:
            result = "NOT RUN"
        else:
            result = f"{outcome.passed} passed"
        skipped = [outcome.skipped] if outcome.skipped else []
        yield Verdict(proof, result, [*outcome.failures, *skipped], bool(outcome.failures))


def say(what: str) -> None:
    """Show progress, apart from the table."""
    print(what, file=sys.stderr, flush=True)


def print_table(asked: Sequence[Verdict]) -> None:
    """Print one line per row, then what was found."""
    lines = [("check", "version", "looked at", "result", "cannot see")]
    lines += [
        (
            verdict.row.name,
            verdict.row.version(),
            verdict.row.looks_at,
            verdict.result,
            verdict.row.blind_to,
        )
        for verdict in asked
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        print("  ".join([*cells, line[4]]))
    for verdict in asked:
        for note in verdict.notes:
            print(f"\n{verdict.row.name}:")
            print(textwrap.indent(note, "  "))


def main() -> int:
    """Run the checks that the command line names, or all."""
    parser = argparse.ArgumentParser(
        "python -m tests.verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [row.name for row in (*JUDGES, *PROOFS)]
    parser.add_argument(
        "--only", action="append", choices=names, metavar="CHECK", help=f"of {', '.join(names)}"
    )
    only = parser.parse_args().only or names
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of its own telemetry
    judges = [judge for judge in JUDGES if judge.name in only]
    chosen = [proof for proof in PROOFS if proof.name in only]
    install([*judges, *chosen])
    asked = [ask(judge) for judge in judges]
    asked += prove(chosen)
    print_table(asked)
    print(f"\n{NEVER_ON_AWS}")
    return 1 if any(verdict.failed for verdict in asked) else 0


if __name__ == "__main__":
    sys.exit(main())
