"""`python -m local classify`."""

import json
import os
import shutil
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


def test_a_file_that_cannot_be_uploaded_is_named_and_the_others_go_on(
    images: Path, tmp_path: Path
) -> None:
    shutil.copy(images / "bicycle.png", tmp_path / "bicycle.png")
    folders = tmp_path.joinpath(*("n" * 200 for _ in range(6)))
    folders.mkdir(parents=True)
    for place in (tmp_path / os.fsdecode(b"f\xfcr.jpg"), folders / "bicycle.png"):
        shutil.copy(images / "cat.jpg", place)
    done = run("classify", tmp_path, "--json", "--type", "EXPRESS")
    assert done.returncode == 1
    assert done.stderr == "2 of 3 pictures have no recorded outcome\n"
    lines = {line["image"]: line for line in map(json.loads, done.stdout.splitlines())}
    details = {Path(name).name: line["detail"] for name, line in lines.items() if line["detail"]}
    assert details == {
        "f\udcfcr.jpg": "the name is not valid UTF-8, as every key of S3 is; rename the file",
        "bicycle.png": "the key would have 1,225 bytes; the limit of S3 is 1,024 bytes;"
        " shorten the name",
    }
    assert {line["reason"] for line in lines.values() if line["detail"]} == {"unreadable"}
    assert lines[str(tmp_path / "bicycle.png")]["decision"] == "accepted"
