"""Canonical picture: does the model answer as it does on the whole upload?

    python -m benchmarks.canonical_agreement FOLDER [FOLDER ...]
    python -m benchmarks.canonical_agreement data/train --enlarge --every 2

The floor of the confidence is the whole picture at full resolution, decoded and squashed to the
model's input in one step. --enlarge makes 500 to 2,400 pixels of small pictures first, with a
sensor's noise and a camera's JPEG, so that there is something to reduce.
"""

import argparse
import importlib
import io
import os
import random
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageChops

from benchmarks.table import Row, print_rows, row
from model.serving.server import Classifier

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SCONES_DATA", ROOT / "data"))  # what python -m model.dataset makes
WHOLE = 100_000  # pixels; no picture has a longer side

sys.path.append(str(ROOT / "functions" / "serialize"))
canonical: Any = importlib.import_module("canonical")
decoding: Any = importlib.import_module("decoding")
formats: Any = importlib.import_module("formats")
SUFFIXES = {suffix for kind in formats.FORMATS for suffix in kind.suffixes}


def rows() -> list[Row]:
    """Measure on every fifth training picture, enlarged; nothing where the data is missing."""
    folder = DATA / "train"
    if not folder.is_dir():
        print(f"no {folder}: the agreement is not measured", file=sys.stderr)
        return []
    return measure(uploads([folder], every=5, enlarge=True))


def uploads(folders: list[Path], every: int, enlarge: bool) -> Iterator[bytes]:
    """Yield the picture files under the folders."""
    paths = sorted(
        path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES
    )
    chance = random.Random(7)
    for path in paths[::every]:
        data = path.read_bytes()
        yield enlarged(whole_picture(data), chance) if enlarge else data


def enlarged(image: Image.Image, chance: random.Random) -> bytes:
    """Return a JPEG of 500 to 2,400 pixels, of any usual proportions, as a camera would save."""
    longest = round(2 ** chance.uniform(9, 11.2))
    proportion = chance.choice([1, 1, 4 / 3, 3 / 4, 16 / 9, 9 / 16])
    size = (round(longest * min(1, proportion)), round(longest / max(1, proportion)))
    large = image.resize(size, chance.choice([Image.Resampling.BICUBIC, Image.Resampling.NEAREST]))
    noise = Image.effect_noise(size, chance.uniform(4, 24)).convert("RGB")
    file = io.BytesIO()
    ImageChops.add(large, noise, 1, -128).save(file, "JPEG", quality=chance.choice([75, 85, 92]))
    return file.getvalue()


def whole_picture(data: bytes) -> Image.Image:
    """Return the picture at full resolution: RGB, upright, on white."""
    image, stripped = decoding.decoded(formats.format_of(data), data, WHOLE)
    whole: Image.Image = canonical.upright_rgb(image, stripped, WHOLE)
    return whole


def measure(files: Iterator[bytes]) -> list[Row]:
    """Return how many labels agree and how far the confidences differ."""
    classifier = Classifier(ROOT / "model" / "pretrained")
    same, differences, sizes = [], [], []
    for data in files:
        picture = canonical.canonical_picture(data)
        whole = whole_picture(data).resize(
            (classifier.width, classifier.height), Image.Resampling.BICUBIC
        )
        pixels = np.stack(
            [
                classifier.pixels(picture.data),
                np.asarray(whole, np.float32).transpose(2, 0, 1) / np.float32(255),
            ]
        )
        ours, floor = classifier.probabilities(pixels)
        same.append(int(ours.argmax() == floor.argmax()))
        differences.append(abs(float(ours.max()) - float(floor.max())))
        sizes.append(len(picture.data))
    return [
        row("pictures", len(same), ""),
        row("the same label", 100 * statistics.mean(same), "%", aim=">= 99.5 %"),
        row("mean difference of the confidence", statistics.mean(differences), "", aim="<= 0.01"),
        row("largest difference of the confidence", max(differences), ""),
        row("median size of the canonical picture", statistics.median(sizes), "bytes"),
        row("largest", max(sizes), "bytes", aim="<= 44,000"),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--enlarge", action="store_true", help="make large pictures of small ones")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th picture")
    arguments = parser.parse_args()
    print_rows(
        "Canonical picture against the whole picture",
        measure(uploads(arguments.folders, arguments.every, arguments.enlarge)),
    )
