"""Measure speed, memory and size, each row beside its floor, and print one table.

    python -m benchmarks                    every suite
    python -m benchmarks functions server   some
    python -m benchmarks --json             one JSON object a row, to compare runs with

A floor is the least that the same work can cost here: the bare library calls without our code,
measured in the same run. Figures of two machines, or of two runs under different load, compare
by their ratios.
"""

import argparse
import importlib
import json
import os
import pkgutil
import platform
import sys
from pathlib import Path

from benchmarks.table import Row, print_rows


def main() -> int:
    """Run the suites that the command line names, or all of them."""
    suites = sorted(
        module.name
        for module in pkgutil.iter_modules([str(Path(__file__).parent)])
        if module.name not in ("__main__", "process", "table")
    )
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(suites)}")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    arguments = parser.parse_args()
    if unknown := set(arguments.suites) - set(suites):
        parser.error(f"no suite {', '.join(sorted(unknown))}; there are: {', '.join(suites)}")
    if not arguments.json:
        print(
            f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
            f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}"
        )
    for suite in arguments.suites or suites:
        module = importlib.import_module(f"benchmarks.{suite}")
        if not hasattr(module, "rows"):
            continue
        print(f"measuring {suite} ...", file=sys.stderr, flush=True)
        rows: list[Row] = module.rows()
        if arguments.json:
            for row in rows:
                print(json.dumps({"suite": suite, **row}), flush=True)
        else:
            title = (module.__doc__ or suite).splitlines()[0]
            print_rows(title, rows)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
