"""The layout of the state machines' files: what fits into 100 columns stands on one line.

python -m tests.support.asl_layout      write the files in this layout, and the steps of a backfill
                                        that lists a bucket to that which reads an inventory
"""

import json
from typing import Any

from tests.support.project import ROOT

PATHS = sorted((ROOT / "statemachine").glob("*.asl.json"))
WIDTH, INDENT = 100, 2  # columns


def written(value: Any, indent: int = 0, before: str = "") -> str:
    """Return a value as JSON. before: what stands in front of it on its first line."""
    line = json.dumps(value)
    fits = indent + len(before) + len(line) < WIDTH  # a comma may follow
    if not value or not isinstance(value, dict | list) or (fits and indent):
        return before + line
    deeper = indent + INDENT
    if isinstance(value, dict):
        parts = [written(part, deeper, f"{json.dumps(name)}: ") for name, part in value.items()]
    else:
        parts = [written(part, deeper) for part in value]
    opening, closing = line[0], line[-1]
    inside = ",\n".join(" " * deeper + part for part in parts)
    return f"{before}{opening}\n{inside}\n{' ' * indent}{closing}"


def copied(machine: dict[str, Any]) -> dict[str, Any]:
    """Return the state machine of backfills, its second map with the steps of the first.

    A reader is written into its map, so there are two, and the names of all states must differ.
    """
    first, second = (machine["States"][name] for name in ("List bucket", "Read inventory"))
    text = json.dumps(first["ItemProcessor"])
    for name in first["ItemProcessor"]["States"]:
        text = text.replace(json.dumps(name), json.dumps(f"{name} (inventory)"))
    second["ItemProcessor"] = json.loads(text)
    return machine


if __name__ == "__main__":
    for path in PATHS:
        machine = json.loads(path.read_text())
        path.write_text(
            written(copied(machine) if path.stem.startswith("backfill") else machine) + "\n"
        )
