"""The layout of the state machine's file: what fits into 100 columns stands on one line.

python -m tests.support.asl_layout      write the file in this layout
"""

import json
from typing import Any

from tests.support.project import ROOT

PATH = ROOT / "statemachine/classify_image.asl.json"
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


if __name__ == "__main__":
    PATH.write_text(written(json.loads(PATH.read_text())) + "\n")
