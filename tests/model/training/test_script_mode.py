"""model/train.py as the AWS training container runs it: the toolkit of the container itself."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

for needed, extra in (("sagemaker_training", "script-mode"), ("torch", "train")):
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is missing: install the extra `{extra}`", allow_module_level=True)

ROOT = Path(__file__).parents[3]
# As a training job gives them: every value is JSON text.
HYPERPARAMETERS = {"epochs": 1, "folds": 2, "size": 32, "batch": 9, "threads": 1}


def container(base: Path) -> Path:
    """Lay out /opt/ml as SageMaker does for a script-mode job with channels and a source folder."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog", "other"):
        folder = base / "input/data/training" / name
        folder.mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    for name in ("model", "output"):
        (base / name).mkdir()
    config = base / "input/config"
    config.mkdir()
    reserved = {"sagemaker_program": "model/train.py", "sagemaker_region": "eu-central-1"}
    values = {name: json.dumps(value) for name, value in (HYPERPARAMETERS | reserved).items()}
    (config / "hyperparameters.json").write_text(json.dumps(values))
    # `localhost`: the toolkit waits for the network until the other names of its hosts resolve.
    hosts = {"current_host": "localhost", "hosts": ["localhost"], "network_interface_name": "lo"}
    (config / "resourceconfig.json").write_text(json.dumps(hosts))
    channel = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated"}
    (config / "inputdataconfig.json").write_text(json.dumps({"training": channel}))
    ignored = shutil.ignore_patterns("pretrained", "__pycache__")
    for package in ("cli", "model"):
        shutil.copytree(ROOT / package, base / "code" / package, ignore=ignored)
    return base


def run(base: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "sagemaker_training.cli.train"],
        cwd=base,
        env=kept | {"SAGEMAKER_BASE_DIR": str(base)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_training_job_leaves_a_model_where_sagemaker_collects_it(tmp_path: Path) -> None:
    base = container(tmp_path / "ml")
    ran = run(base)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "train:loss=" in ran.stdout
    assert "calibration:threshold=" in ran.stdout
    assert (base / "model/model.onnx").is_file()
    assert json.loads((base / "model/card.json").read_text())["labels"] == ["cat", "dog", "other"]
    # Where SageMaker keeps checkpoints of a spot job: /opt/ml/checkpoints.
    assert len(list((base / "checkpoints").glob("*.pt"))) == HYPERPARAMETERS["folds"]
    assert (base / "output/success").is_file()


def test_a_training_job_with_a_broken_picture_fails_and_names_it(tmp_path: Path) -> None:
    base = container(tmp_path / "ml")
    (base / "input/data/training/dog/7.png").write_bytes(b"no picture")
    ran = run(base)
    assert ran.returncode == 1
    assert "7.png: cannot be read (not a picture)" in ran.stderr
    assert (base / "output/failure").is_file()
    assert not (base / "model/model.onnx").exists()
