"""Drift: after how many pictures does `python -m ops monitor` notice a change?

    python -m benchmarks.drift FOLDER [--own] [--draws 300] [--pictures DIR]
    python -m benchmarks.drift data/test          pictures as the model's own
    python -m benchmarks.drift photos --own       a camera's, and its own baseline

FOLDER has held-out pictures, a folder for each class, `other` among them. From these, so many are
drawn at random, changed, classified by the model of model/pretrained and judged in one window, at
most 1 % false alarms. A change is noticed where 95 % of the draws find drift. `nothing` is the
pictures as they are: what is found there is a false alarm. The baseline is the card's, or with
--own the pictures of the named classes that are not drawn, as --write-baseline would keep them.
--pictures keeps a sheet of the changes.
"""

import argparse
import io
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from model.serving.server import Classifier
from model.training.image_statistics import measured
from model.training.pictures import OTHER, files, squashed
from ops.monitoring.baseline import CARD, Baseline, baseline_of
from ops.monitoring.drift import judge
from ops.monitoring.observations import Observation, decide
from ops.monitoring.windows import Windows

SIZES = (5, 10, 20, 30, 50, 100, 200)
NOTICED = 0.95
SIDE = 256  # pixels, as the workflow sends them
FALSE_ALARMS = 0.01

Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def blurred(picture: Image.Image, _: np.random.Generator) -> Image.Image:
    """Out of focus: a disc of 2 % of the side."""
    return picture.filter(ImageFilter.GaussianBlur(SIDE * 0.02))


def night(picture: Image.Image, number: np.random.Generator) -> Image.Image:
    """A fifth of the light, and the noise of a sensor that strains."""
    values = np.asarray(picture, np.float32) * 0.2 + number.normal(0, 8, (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def grey(picture: Image.Image, _: np.random.Generator) -> Image.Image:
    """A camera without colours."""
    return picture.convert("L").convert("RGB")


def broken_lens(picture: Image.Image, _: np.random.Generator) -> Image.Image:
    """A dark blot over the middle and a crack across."""
    broken = picture.copy()
    draw = ImageDraw.Draw(broken)
    draw.ellipse([int(SIDE * part) for part in (0.3, 0.25, 0.75, 0.7)], fill=(25, 25, 25))
    draw.line([(0, int(SIDE * 0.8)), (SIDE, int(SIDE * 0.15))], fill=(230, 230, 230), width=4)
    return broken


def slightly_blurred(picture: Image.Image, _: np.random.Generator) -> Image.Image:
    """A little out of focus: 0.7 % of the side."""
    return picture.filter(ImageFilter.GaussianBlur(SIDE * 0.007))


def dusk(picture: Image.Image, _: np.random.Generator) -> Image.Image:
    """Six tenths of the light."""
    return ImageEnhance.Brightness(picture).enhance(0.6)


def pale(picture: Image.Image, _: np.random.Generator) -> Image.Image:
    """Half the colour."""
    return ImageEnhance.Color(picture).enhance(0.5)


def smeared(picture: Image.Image, _: np.random.Generator) -> Image.Image:
    """A finger's smear over a quarter of the lens."""
    mask = Image.new("L", picture.size, 0)
    ImageDraw.Draw(mask).ellipse([0, 0, int(SIDE * 0.56), int(SIDE * 0.56)], fill=220)
    soft = picture.filter(ImageFilter.GaussianBlur(SIDE * 0.03))
    return Image.composite(soft, picture, mask.filter(ImageFilter.GaussianBlur(SIDE * 0.03)))


CHANGES: dict[str, Change] = {
    "nothing": lambda picture, _: picture,
    "blur": blurred,
    "night": night,
    "grey": grey,
    "broken lens": broken_lens,
    "a little blur": slightly_blurred,
    "dusk": dusk,
    "half the colour": pale,
    "a smear": smeared,
}
NEW_CLASS = (0.05, 0.2, 0.5)  # share of the pictures that show none of the classes


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.drift",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--own", action="store_true", help="a baseline of the same pictures")
    parser.add_argument("--draws", type=int, default=300, help="default: %(default)s")
    parser.add_argument("--pictures", type=Path, metavar="DIR")
    arguments = parser.parse_args()
    found = files(arguments.folder)
    named = [path for label, paths in found.items() if label != OTHER for path in paths]
    out_of_distribution = found.get(OTHER, [])
    if arguments.pictures:
        sheet(named, arguments.pictures)
    card = Baseline.read(CARD)
    look = Classifier(CARD.parent)
    number = np.random.default_rng(0)
    seen = {
        name: list(observed(named, change, look, card, number)) for name, change in CHANGES.items()
    }
    other = list(observed(out_of_distribution, CHANGES["nothing"], look, card, number))
    of = "the pictures not drawn" if arguments.own else f"{card.pictures:,} training pictures"
    print(
        f"{len(named)} pictures of the classes, {len(other)} out of distribution,"
        f" {arguments.draws} draws; baseline of {of}\n"
    )
    most = len(named) // 2 if arguments.own else len(named)
    sizes = [size for size in SIZES if size <= most]
    print(
        f"{'change':<20}{'noticed':>8}  " + "".join(f"{size:>7}" for size in sizes) + "  first in"
    )

    def show(name: str, pool: list[Observation], strange: float) -> None:
        """Print how often drift is found at each size, and from which size on it is noticed."""
        shares, by = [], Counter[str]()
        for size in sizes:
            names = []
            for _ in range(arguments.draws):
                order = number.permutation(len(pool))
                new = int(number.binomial(size, strange))
                some = [pool[i] for i in order[: size - new]]
                some += [other[i] for i in number.permutation(len(other))[:new]]
                rest = [seen["nothing"][i] for i in order[size:]]
                names.append(names_of_drift(some, own(rest, card) if arguments.own else card))
            shares.append(sum(map(bool, names)) / arguments.draws)
            by.update(some_names[0] for some_names in names if some_names)
        row(name, sizes, shares, ", ".join(label for label, _ in by.most_common(2)))

    for name, pool in seen.items():
        show(name, pool, 0.0)
    for share in NEW_CLASS:
        show(f"new class, {share:.0%}", seen["nothing"], share)
    return 0


def observed(
    paths: list[Path],
    change: Change,
    look: Classifier,
    baseline: Baseline,
    number: np.random.Generator,
) -> Iterator[Observation]:
    """Yield what monitoring would see of pictures that a changed camera takes."""
    for path in paths:
        with Image.open(path) as opened:
            changed = change(squashed(opened.convert("RGB"), SIDE), number)
        file = io.BytesIO()
        changed.save(file, "PNG")
        [best, *_] = look.classify(file.getvalue())["inferences"]
        yield Observation(
            datetime(2026, 1, 1, tzinfo=UTC),
            decide(best["label"], best["confidence"], baseline.threshold, baseline.none_threshold),
            label=best["label"],
            confidence=best["confidence"],
            statistics=measured(squashed(changed, baseline.size)),
        )


def names_of_drift(some: list[Observation], baseline: Baseline) -> list[str]:
    """Return in what one window has drifted, the surest first."""
    windows = Windows()
    windows.add_all(some)
    found = judge(windows, baseline, FALSE_ALARMS).drifted
    return [test.name for test in sorted(found, key=lambda test: test.p)]


def own(some: list[Observation], baseline: Baseline) -> Baseline:
    """Return a baseline of observations."""
    windows = Windows()
    windows.add_all(some)
    return baseline_of(windows, baseline)


def row(name: str, sizes: Sequence[int], shares: Sequence[float], by: str) -> None:
    """Print a row of the table."""
    noticed = "-"
    for size, share in zip(reversed(sizes), reversed(shares), strict=True):
        if share < NOTICED:
            break
        noticed = str(size)
    cells = "".join(f"{share:>7.1%}" for share in shares)
    print(f"{name:<20}{noticed:>8}  {cells}  {by}", flush=True)


def sheet(paths: list[Path], folder: Path) -> None:
    """Write one picture that shows every change of a few pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    number = np.random.default_rng(0)
    some = paths[:: max(1, len(paths) // 4)][:4]
    board = Image.new("RGB", (SIDE // 2 * len(CHANGES), SIDE // 2 * len(some)))
    for down, path in enumerate(some):
        with Image.open(path) as opened:
            picture = squashed(opened.convert("RGB"), SIDE)
        for across, change in enumerate(CHANGES.values()):
            tile = change(picture, number).resize((SIDE // 2, SIDE // 2))
            board.paste(tile, (across * SIDE // 2, down * SIDE // 2))
    board.save(folder / "changes.png")


if __name__ == "__main__":
    sys.exit(main())
