"""Ask every offline judge of the application, and print what each found and cannot see.

    python -m tests.verify
    python -m tests.verify --only checkov --only statelint

What a judge needs is installed into .verify/ first. The exit code is 1 if a judge found a fault
or could not be asked.
"""

import argparse
import logging
import sys
import textwrap
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.support.project import ROOT
from tests.verify.judges import JUDGES, Judge
from tests.verify.tools import Tool, ToolMissing

NEVER_ON_AWS = """\
None of this has run on AWS. What only AWS itself can show: whether its services behave as their
documents and the embedded AWS say; quotas of an account; delivery to the pipe, the audit log and
X-Ray under its own roles; latencies, cold starts and prices; the SageMaker endpoint's start."""


@dataclass
class Verdict:
    """What a judge said; asked is False where it could not be asked."""

    judge: Judge
    asked: bool
    findings: list[str] = field(default_factory=list)

    @property
    def result(self) -> str:
        """The judgement in a word or two."""
        if not self.asked:
            return "NOT ASKED"
        return f"{len(self.findings)} FAULTS" if self.findings else "passed"


def ask(judge: Judge) -> Verdict:
    """Install what a judge needs, and let it judge."""
    try:
        if judge.tool and not judge.tool.installed:
            judge.tool.install()
        return Verdict(judge, True, judge.findings(ROOT))
    except ToolMissing as missing:
        return Verdict(judge, False, [str(missing)])


def verdicts(judges: Sequence[Judge]) -> Iterator[Verdict]:
    """Ask one judge after the other, while what they need is installed side by side."""
    missing: dict[Tool, None] = {
        judge.tool: None for judge in judges if judge.tool and not judge.tool.installed
    }
    with ThreadPoolExecutor() as pool:
        for tool in missing:
            say(f"installing {tool.package} {tool.version}")
        installing = [pool.submit(tool.install) for tool in missing]
        for each in installing:
            each.exception()  # ask() tries once more, and tells
    for judge in judges:
        say(f"asking {judge.name}")
        yield ask(judge)


def say(what: str) -> None:
    """Show progress, apart from the table."""
    print(what, file=sys.stderr, flush=True)


def print_table(asked: Sequence[Verdict]) -> None:
    """Print one line per judge, then what was found."""
    lines = [("judge", "version", "looked at", "result", "cannot see")]
    lines += [
        (
            each.judge.name,
            each.judge.version(),
            each.judge.looks_at,
            each.result,
            each.judge.blind_to,
        )
        for each in asked
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        print("  ".join([*cells, line[4]]))
    for each in asked:
        for finding in each.findings:
            print(f"\n{each.judge.name}:")
            print(textwrap.indent(finding, "  "))


def main() -> int:
    """Ask the judges that the command line names, or all."""
    parser = argparse.ArgumentParser(
        "python -m tests.verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [judge.name for judge in JUDGES]
    parser.add_argument(
        "--only", action="append", choices=names, metavar="JUDGE", help=f"of {', '.join(names)}"
    )
    only = parser.parse_args().only or names
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of its own telemetry
    asked = list(verdicts([judge for judge in JUDGES if judge.name in only]))
    print_table(asked)
    print(f"\n{NEVER_ON_AWS}")
    return 1 if any(each.findings for each in asked) else 0


if __name__ == "__main__":
    sys.exit(main())
