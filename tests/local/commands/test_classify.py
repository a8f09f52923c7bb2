"""`python -m local classify`."""

import json
from pathlib import Path

from tests.support.processes import run


def test_classify_prints_a_line_of_json_for_each_picture(images: Path) -> None:
    paths = [images / "large-motorcycle.jpg", images / "no-image.jpg"]
    done = run("classify", *paths, "--json", "--type", "EXPRESS")
    assert done.returncode == 0, done.stderr
    lines = {Path(line["image"]).name: line for line in map(json.loads, done.stdout.splitlines())}
    accepted, rejected = (lines[path.name] for path in paths)
    assert (accepted["decision"], accepted["label"]) == ("accepted", "motorcycle")
    assert (rejected["decision"], rejected["reason"]) == ("rejected", "unsupported_format")
    wanted = {"image", "decision", "label", "confidence", "reason", "execution", "milliseconds"}
    assert wanted <= set(accepted) & set(rejected)
