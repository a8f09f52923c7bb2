"""Photos of one's own among the pictures of a data set."""

from pathlib import Path
from random import Random

from PIL import Image
from tqdm import tqdm

from model.training.pictures import files, upright

SIDES = (32, 256)  # pixels, of the longer side: from CIFAR's pictures to what training keeps
KIND = "own"


def add(own: Path, folder: Path) -> dict[str, int]:
    """Write a reduced copy of each picture of the class folders of `own` to those of `folder`.

    The size is drawn, from a seed: were all photos large and all other pictures small, a network
    could tell classes by it. Those of an earlier call go first: their labels may have been
    corrected since. Returns how many there are of each class. Raises DatasetError for
    what is no folder of class folders, or cannot be read.
    """
    rng = Random(0)
    counts, given = {}, files(own)
    for earlier in folder.glob(f"*/{KIND}/*.png"):
        earlier.unlink()
    for name, paths in given.items():
        target = folder / name / KIND
        target.mkdir(parents=True, exist_ok=True)
        for number, path in enumerate(tqdm(paths, f"own {name}", unit="picture", disable=None)):
            picture = upright(path)
            side = round(SIDES[0] * (SIDES[1] / SIDES[0]) ** rng.random())
            picture.thumbnail((side, side), Image.Resampling.BICUBIC)
            group, mark, _ = path.name.partition("__")  # what belongs together still does
            picture.save(target / f"{group + mark if mark else ''}{number:06}.png")
        counts[name] = len(paths)
    return counts
