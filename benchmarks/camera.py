"""Two weeks of a camera, made up of the sample pictures: in the second, its lens fogs.

    python -m benchmarks.camera .demo/camera          2,016 captures in before/ and now/
    python -m ops monitor --captures .demo/camera/before --write-baseline .demo/good.json
    python -m ops monitor --captures .demo/camera/now --baseline .demo/good.json

Each capture is a picture as the workflow sends it and the answer of the model of model/pretrained,
in files as SageMaker writes them. The camera looks at a road from 6 to 18 o'clock, by the light of
the hour; the fog begins on the fifth day and grows.
"""

import argparse
import base64
import io
import json
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageFilter, ImageOps

from cli.terminal import Progress
from model.serving.server import Classifier
from model.training.pictures import squashed, upright
from ops.monitoring.baseline import CARD

SAMPLES = Path(__file__).parents[1] / "events" / "images"
VEHICLES = ("bicycle.png", "motorcycle-drawing.png")  # on white, so a road can lie behind them
OUT_OF_DISTRIBUTION = ("car.png", "kick-scooter.png")
OUT_OF_DISTRIBUTION_SHARE = 0.03  # of the pictures
WEEK, HOURS, EACH_HOUR = 7, range(6, 18), 12
FOG_FROM, FOG_WHOLE = 4.0, 6.5  # days after the second week began
SIDE = 256  # pixels, as the workflow sends them


def main() -> int:
    """Write the captures."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.camera",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    folder = parser.parse_args().folder
    for former in ("before", "now"):
        shutil.rmtree(folder / former, ignore_errors=True)
    look, number = Classifier(CARD.parent), np.random.default_rng(0)
    samples = {
        name: squashed(upright(SAMPLES / name), SIDE) for name in (*VEHICLES, *OUT_OF_DISTRIBUTION)
    }
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    count = 0
    with Progress() as progress:
        for moment, day in moments(today - timedelta(days=2 * WEEK)):
            kind = OUT_OF_DISTRIBUTION if number.random() < OUT_OF_DISTRIBUTION_SHARE else VEHICLES
            seen = on_a_road(samples[str(number.choice(kind))], number)
            picture = as_sent(fogged(in_the_light(seen, moment, number), day - WEEK))
            part = folder / ("before" if day < WEEK else "now")
            path = part / "camera" / "AllTraffic" / f"{moment:%Y/%m/%d/%H}" / "00.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:
                file.write(line(moment, picture, look.classify(picture)) + "\n")
            count += 1
            progress.tell(f"{moment:%Y-%m-%d %H:%M}")
    print(f"{count:,} captures in {folder}/before and {folder}/now")
    return 0


def moments(begin: datetime) -> Iterator[tuple[datetime, float]]:
    """Yield when pictures are taken, and how many days after the first midnight that is."""
    for day in range(2 * WEEK):
        for hour in HOURS:
            for at in range(EACH_HOUR):
                after = timedelta(days=day, hours=hour, minutes=at * 60 / EACH_HOUR)
                yield begin + after, after / timedelta(days=1)


def on_a_road(subject: Image.Image, number: np.random.Generator) -> Image.Image:
    """Return what is on white, somewhere before a road and a sky."""
    sky, road = number.uniform(205, 245, 3), number.uniform(150, 205) * np.ones(3)
    horizon = number.uniform(0.35, 0.65) * SIDE
    above = 1 / (1 + np.exp((np.arange(SIDE) - horizon) / 6))[:, None]
    rows = above * sky + (1 - above) * road
    values = np.repeat(rows[:, None], SIDE, axis=1) + number.normal(0, 6, (SIDE, SIDE, 1))
    road_and_sky = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    turned = subject.rotate(number.normal(0, 3), Image.Resampling.BICUBIC, fillcolor="white")
    size = int(SIDE * number.uniform(0.7, 0.95))
    small = turned.resize((size, size))
    canvas = Image.new("RGB", (SIDE, SIDE), "white")
    canvas.paste(small, tuple(number.integers(0, SIDE - size, 2)))
    if number.random() < 0.5:
        canvas = ImageOps.mirror(canvas)
    return ImageChops.multiply(road_and_sky, canvas)


def in_the_light(
    picture: Image.Image, moment: datetime, number: np.random.Generator
) -> Image.Image:
    """Darken a picture in the morning and in the evening, and as the clouds have it."""
    noon = 1 - abs(moment.hour - 11.5) / 6
    light = (0.9 + 0.15 * noon) * number.normal(1, 0.08)
    return picture.point(lambda value: int(min(255, value * light)))


def fogged(picture: Image.Image, day: float) -> Image.Image:
    """Blur a picture and veil it, the more the later."""
    thick = min(1.0, max(0.0, (day - FOG_FROM) / (FOG_WHOLE - FOG_FROM)))
    if not thick:
        return picture
    veil = Image.new("RGB", picture.size, "lightgrey")
    return Image.blend(picture.filter(ImageFilter.GaussianBlur(7 * thick)), veil, 0.6 * thick)


def as_sent(picture: Image.Image) -> bytes:
    """Return a picture as a file."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()


def line(moment: datetime, picture: bytes, answer: object) -> str:
    """Return a line of a capture file."""
    record = {
        "captureData": {
            "endpointInput": {
                "observedContentType": "image/jpeg",
                "mode": "INPUT",
                "data": base64.b64encode(picture).decode(),
                "encoding": "BASE64",
            },
            "endpointOutput": {
                "observedContentType": "application/json",
                "mode": "OUTPUT",
                "data": json.dumps(answer),
                "encoding": "JSON",
            },
        },
        "eventMetadata": {"inferenceTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}"},
        "eventVersion": "0",
    }
    return json.dumps(record)


if __name__ == "__main__":
    sys.exit(main())
