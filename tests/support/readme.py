"""The tables and outputs in README.md and docs/ that other files hold the facts of.

python -m tests.support.readme              write them anew
python -m tests.support.readme console      write this one, which takes minutes: only if it is named
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path

from benchmarks import backfill, console, quality
from benchmarks.table import cells_of
from ops import bills
from ops.__main__ import COMMANDS
from ops.commands import cost
from tests.functions.serialize import attacks
from tests.support import licences
from tests.support.project import ROOT, template
from tests.verify.tools import AWS_CLI, ToolMissing

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def demo() -> str:
    """Return what the demo prints, but for its last lines, which differ from run to run."""
    done = subprocess.run(
        [sys.executable, "-m", "local", "demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    shown = done.stdout.split("\nno-image.jpg: ")[0].split("all followed\n\n")[1]
    return f"```\n{shown.strip()}\n```"


def session() -> str:
    """Return the session of tests/support/session.py. Raises ToolMissing without an AWS CLI."""
    AWS_CLI.require()
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.session"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return f"```\n{done.stdout.strip()}\n```"


def table(*rows: tuple[str, ...]) -> str:
    """Return Markdown; the first row is the header."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def parameters() -> str:
    return table(
        ("parameter", "default", "what it does"),
        *(
            (
                name,
                f"`{declared['Default']}`" if declared["Default"] != "" else "",
                declared["Description"],
            )
            for name, declared in template()["Parameters"].items()
        ),
    )


def ops() -> str:
    return table(("command", "what it does"), *((f"`{n}`", does) for n, does in COMMANDS.items()))


def reasons() -> str:
    source = (ROOT / "functions/serialize/rejection.py").read_text()
    found = re.findall(r'= "(\w+)"  # (.+)', source)
    return table(("reason", "what it means"), *((f"`{name}`", means) for name, means in found))


def model() -> str:
    figures = json.loads((ROOT / "model/pretrained/card.json").read_text())["figures"]
    header = (
        "measured on | right, of the vehicles | accepted | right among these"
        " | false acceptances, of `other` | of these surely none"
    )
    rows = [tuple(header.split(" | "))]
    keys = ("accuracy", "accepted", "right_of_accepted", "false_acceptance_rate", "none")
    for name, title in (
        ("test", "CIFAR-100's test pictures"),
        ("drawn kinds never trained on", "the same, `other` of three drawn kinds never trained on"),
        ("photos", "230 photos"),
    ):
        cells = (f"{figures[name][key]['hits']} of {figures[name][key]['of']}" for key in keys)
        rows.append((title, *cells))
    return table(*rows)


def growing_costs() -> str:
    header, *rows = cost.rows(bills.all_bills(1_000_000))
    return table(("US dollars for a million photos", *header[1:]), *map(tuple, rows))


def fixed_costs() -> str:
    header = cost.rows(bills.all_bills(1_000_000))[0]
    return table(("US dollars a month", *header[1:]), *map(tuple, cost.fixed_rows()))


def cost_sources() -> str:
    return table(("line", "what is billed", "list price", "page"), *map(tuple, cost.sources()))


def shipped() -> str:
    return table(*licences.rows())


def simulated(make: Callable[[], quality.Rows]) -> Callable[[], str]:
    """Return what writes a table of `python -m benchmarks.quality` or `benchmarks.backfill`."""
    return lambda: table(*make())


def attacked() -> str:
    return table(*attacks.table())


def console_measured() -> str:
    return table(*cells_of(console.rows()))


PARTS: dict[str, Callable[[], str]] = {
    "demo": demo,
    "session": session,
    "model": model,
    "parameters": parameters,
    "costs": growing_costs,
    "fixed costs": fixed_costs,
    "cost sources": cost_sources,
    "ops": ops,
    "reasons": reasons,
    "attacks": attacked,
    "console": console_measured,
    "licences": shipped,
    "false alarms": simulated(quality.false_alarms),
    "audits needed": simulated(quality.audits_needed),
    "coverage": simulated(quality.coverage),
    "advice": simulated(quality.advice),
    "shares": simulated(quality.shares),
    "backfill shares": simulated(backfill.shared),
    "backfill runs": simulated(backfill.simulated),
    "backfill bills": simulated(backfill.beside),
}

SLOW = {"console"}


def marked(name: str) -> re.Pattern[str]:
    """Return what finds a part: the text between its two markers."""
    return re.compile(rf"(<!-- {name}:begin -->\n)(.*?)(<!-- {name}:end -->)", re.DOTALL)


def page_of(name: str) -> Path:
    """Return the one page that holds a part."""
    [page] = [page for page in PAGES if marked(name).search(page.read_text())]
    return page


def main(names: Collection[str]) -> None:
    for name in names or [name for name in PARTS if name not in SLOW]:
        try:
            written = PARTS[name]() + "\n"
        except ToolMissing as missing:
            print(f"{name} is left as it was: {missing}", file=sys.stderr)
            continue
        page = page_of(name)
        text = marked(name).sub(lambda part, new=written: part[1] + new + part[3], page.read_text())
        page.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
