"""Folders of labelled pictures: one folder per class, any number of classes.

    DIR/bicycle/*.png  DIR/motorcycle/*.jpg  DIR/other/*.jpg

The class list is the list of folders. `other` is reserved: "none of the classes", which the
workflow never accepts. A folder within a class holds pictures of one kind (DIR/other/page/*.png):
every fold of a validation gets some of each kind. Pictures whose names begin with the same
`group__`, for instance a series of one scene, stay in the same fold.

A file weights.csv beside the classes (file,weight) says how many pictures each one stands for.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from pi_heif import register_heif_opener
from PIL import Image, ImageOps, UnidentifiedImageError

from cli.errors import CommandError
from model.training.suffixes import SUFFIXES

OTHER = "other"
WEIGHTS = "weights.csv"
MAX_PIXELS = 50_000_000  # a 50-megapixel phone; more is a decompression bomb or a mistake
# Strangers to a picture of a named class, in figures and promises. Data sets have any number of
# them; the shipped model's first one had 1.9.
OTHERS_A_NAMED = 2
KEPT_SIDE = 256  # pixels, as the workflow sends them: cropping to the network's 160 finds detail


class DatasetError(CommandError):
    """A folder that cannot be trained or measured with; the message says what to do."""


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures in memory.

    labels[truth[i]] is the class of images[i], an RGB picture of at most KEPT_SIDE a side;
    kinds[i] is its folder within the class, "." for the class's own.
    """

    labels: tuple[str, ...]
    paths: tuple[Path, ...]
    images: tuple[Image.Image, ...]
    truth: NDArray[np.int64]
    kinds: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def counts(self) -> dict[str, int]:
        """Return how many pictures each class has."""
        counts = np.bincount(self.truth, minlength=len(self.labels)).tolist()
        return dict(zip(self.labels, counts, strict=True))

    def only(self, chosen: NDArray[np.int64]) -> "Pictures":
        """Return some of them (indices)."""
        paths, images, kinds = (
            tuple(values[i] for i in chosen) for values in (self.paths, self.images, self.kinds)
        )
        return Pictures(self.labels, paths, images, self.truth[chosen], kinds)

    def groups(self) -> list[str]:
        """Return what stays together in a fold: the `group__` of the name, else the file itself."""
        return [
            f"{self.labels[label]}/{kind}/{path.name.split('__')[0]}"
            for label, kind, path in zip(self.truth, self.kinds, self.paths, strict=True)
        ]


def upright(path: Path | str, file: IO[bytes] | None = None) -> Image.Image:
    """Read a whole picture, upright, as RGB on white; DatasetError if it cannot be read.

    file: its bytes, where no file of the path's name has them; the path is what an error names.
    """
    register_heif_opener()  # HEIC of phones
    try:
        with Image.open(path if file is None else file) as opened:
            opened.draft("RGB", (2 * KEPT_SIDE, 2 * KEPT_SIDE))  # JPEG only: decode at a fraction
            if opened.width * opened.height > MAX_PIXELS:
                raise DatasetError(
                    f"{path}: {opened.width}x{opened.height} pixels, the limit is {MAX_PIXELS:,};"
                    " make it smaller"
                )
            picture = ImageOps.exif_transpose(opened)
            if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
                white = Image.new("RGBA", picture.size, "white")
                return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
            return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = "not a picture" if isinstance(error, UnidentifiedImageError) else error
        raise DatasetError(f"{path}: cannot be read ({reason}); repair or remove it") from error


def kept(picture: Image.Image) -> Image.Image:
    """Return a picture with at most KEPT_SIDE a side, as the workflow sends it."""
    if max(picture.size) > KEPT_SIDE:
        picture.thumbnail((KEPT_SIDE, KEPT_SIDE), Image.Resampling.BICUBIC)
    return picture


def squashed(picture: Image.Image, size: int) -> Image.Image:
    """Return the whole picture as size x size: all that the server does to an upload."""
    return picture.resize((size, size), Image.Resampling.BICUBIC)


def pixels(pictures: Pictures, chosen: Iterable[int], size: int) -> NDArray[np.float32]:
    """Return (n, 3, size, size) float32 0..1: the chosen pictures (indices) as the server does."""
    return stacked((pictures.images[i] for i in chosen), size)


def stacked(images: Iterable[Image.Image], size: int) -> NDArray[np.float32]:
    """Return (n, 3, size, size) float32 0..1 of RGB pictures, as the server does."""
    together = np.stack([np.asarray(squashed(image, size)) for image in images])
    return np.ascontiguousarray(together.transpose(0, 3, 1, 2).astype(np.float32) / 255)


def files(folder: Path) -> dict[str, list[Path]]:
    """Find the picture files of each class of a folder.

    Raises DatasetError for a missing folder, fewer than two classes, or an empty class.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder; give one that holds a folder per class")
    classes = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    found = {
        kind.name: sorted(p for p in kind.rglob("*") if p.suffix.lower() in SUFFIXES)
        for kind in classes
    }
    for name, paths in found.items():
        if not paths:
            raise DatasetError(
                f"{folder / name} holds no picture ({', '.join(sorted(SUFFIXES))});"
                " fill the class or remove its folder"
            )
    if len(found) < 2:
        held = f"only the folder {next(iter(found))}/" if found else "no folders"
        raise DatasetError(
            f"{folder} holds {held}; it needs a folder of pictures for each class, at least 2,"
            " for instance bicycle/ and motorcycle/"
        )
    return found


def load(folder: Path, labels: Sequence[str] = ()) -> Pictures:
    """Read every picture of a folder of class folders.

    labels: the classes a model knows, in its order; a folder of another name counts as `other`
    if the model has that class. Without it the folders are the classes, `other` last.
    Raises DatasetError, naming the folder or the file.
    """
    found = files(folder)
    known = tuple(labels) or tuple(sorted(found, key=lambda name: (name == OTHER, name)))
    unknown = [name for name in found if name not in known]
    if unknown and OTHER not in known:
        raise DatasetError(
            f"{folder} has classes the model does not know: {', '.join(unknown)};"
            f" it knows {', '.join(known)}"
        )
    paths, images, truth, kinds = [], [], [], []
    for name, members in found.items():
        for path in members:
            paths.append(path)
            images.append(kept(upright(path)))
            truth.append(known.index(name if name in known else OTHER))
            kinds.append(path.parent.relative_to(folder / name).as_posix())
    return Pictures(known, tuple(paths), tuple(images), np.array(truth, np.int64), tuple(kinds))


def weights(folder: Path, pictures: Pictures) -> NDArray[np.float64] | None:
    """Return (n,) how many pictures each one of a folder stands for; None without weights.csv.

    A picture that the file does not name was not drawn: 0. Raises DatasetError, naming the line.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        return None
    found: dict[str, float] = {}
    with path.open(newline="") as file:
        reader = csv.reader(file)
        try:
            if next(reader, []) != ["file", "weight"]:
                raise ValueError
            for name, text in reader:
                found[name] = value = float(text)
                if not 0 <= value < float("inf"):
                    raise ValueError
        except (ValueError, csv.Error) as error:
            raise DatasetError(
                f"{path}, line {reader.line_num}: write `file,weight` in the first line, then in"
                f" each a file of {folder} and a weight from 0, for instance bicycle/a.jpg,1"
            ) from error
    names = [file.relative_to(folder).as_posix() for file in pictures.paths]
    return np.array([found.get(name, 0.0) for name in names])


def fingerprint(picture: Image.Image) -> str:
    """Return the SHA-256 of the decoded pixels, the same in any lossless file format."""
    return hashlib.sha256(repr(picture.size).encode() + picture.tobytes()).hexdigest()


def refuse_duplicates(splits: Mapping[str, Pictures]) -> None:
    """Raise DatasetError if one picture is in two splits: a test of it would prove nothing."""
    seen: dict[str, tuple[str, Path]] = {}
    pairs: list[str] = []
    for split, pictures in splits.items():
        for path, image in zip(pictures.paths, pictures.images, strict=True):
            first = seen.setdefault(fingerprint(image), (split, path))
            if first[0] != split:
                pairs.append(f"{path} ({split}) is {first[1]} ({first[0]})")
    if pairs:
        raise DatasetError(
            f"{len(pairs)} pictures are in two splits, remove one of each pair: "
            + "; ".join(pairs[:5])
        )


def usual(pictures: Pictures) -> NDArray[np.int64]:
    """Return the indices of every picture of named classes, and of strangers in a usual share.

    Strangers are at most OTHERS_A_NAMED times as many; every kind of them has as many as the
    others, or all that it has.
    """
    named = np.array(pictures.labels)[pictures.truth] != OTHER
    rng = np.random.default_rng(0)
    strangers = rng.permutation(np.flatnonzero(~named))
    seen: Counter[str] = Counter()
    turns = []  # of each stranger within its kind
    for index in strangers:
        turns.append(seen[pictures.kinds[index]])
        seen[pictures.kinds[index]] += 1
    first = strangers[np.argsort(turns, kind="stable")][: OTHERS_A_NAMED * int(named.sum())]
    return np.sort(np.concatenate([np.flatnonzero(named), first]))


def folds(pictures: Pictures, count: int, seed: int) -> NDArray[np.int64]:
    """Return (n,) the fold, 0..count-1, of each picture.

    Classes and kinds are spread evenly, groups stay whole.

    Raises DatasetError if a class has fewer groups than folds.
    """
    rng = np.random.default_rng(seed)
    fold = np.zeros(len(pictures), np.int64)
    groups, kinds = np.array(pictures.groups()), np.array(pictures.kinds)
    for label, name in enumerate(pictures.labels):
        own = pictures.truth == label
        if (found := len(np.unique(groups[own]))) < count:
            raise DatasetError(
                f"class {name} has {found} pictures or groups, {count} folds need {count};"
                " add pictures or use fewer --folds"
            )
        filled = np.zeros(count)  # of the class
        for kind in np.unique(kinds[own]):
            members, sizes = np.unique(groups[own & (kinds == kind)], return_counts=True)
            of_kind = np.zeros(count)
            order = rng.permutation(len(members))
            for index in order[np.argsort(-sizes[order], kind="stable")]:  # largest first, evenly
                smallest = int(np.lexsort((filled, of_kind))[0])
                fold[groups == members[index]] = smallest
                of_kind[smallest] += sizes[index]
                filled[smallest] += sizes[index]
    return fold
