"""README, "Your own classes": from folders to decisions, and no function is changed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

from tests.support.project import ROOT, SHARED

PICTURES = SHARED / "cifar10-other"
OTHERS = ("cat", "horse", "frog")
TRAINED, ASKED = 140, 4  # pictures a class


def link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source.resolve())


@pytest.mark.skipif(not PICTURES.is_dir(), reason=f"there are no pictures at {PICTURES}")
def test_a_model_of_other_classes_decides_in_the_same_workflow(tmp_path: Path) -> None:
    data, asked = tmp_path / "data", tmp_path / "asked"
    for label in ("ship", "truck", *OTHERS):
        pictures = sorted((PICTURES / label).iterdir())
        count = TRAINED // len(OTHERS) if label in OTHERS else TRAINED
        for picture in pictures[:count]:
            folder = "other" if label in OTHERS else label
            link(picture, data / folder / f"{label}-{picture.name}")
        if label not in OTHERS:
            for picture in pictures[-ASKED:]:
                link(picture, asked / f"{label}-{picture.name}")

    model = tmp_path / "model"
    quick = ("--network", "lite0", "--size", "128", "--epochs", "2", "--folds", "2")
    done = run("model.train", "--data", data, "--out", model, *quick)
    assert done.returncode == 0, done.stderr[-2000:]

    done = run("local", "classify", "--json", "--model", model, *sorted(asked.iterdir()))
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 2 * ASKED
    assert {line["decision"] for line in lines} <= {"accepted", "none", "review"}
    assert {line["label"] for line in lines} <= {"ship", "truck", "other"}
    right = sum(Path(line["image"]).name.startswith(line["label"]) for line in lines)
    assert right > ASKED, lines


def run(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
