"""CIFAR-100 and CIFAR-10: download the archives, verify them, lay them out as folders of pictures.

train/ and test/ get a folder each for bicycle, motorcycle and `other`; withheld/ gets twenty
classes, one of each CIFAR-100 superclass, that training never sees.
"""

import csv
import hashlib
import io
import pickle
import shutil
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from model.training.pictures import OTHER, DatasetError, fingerprint

CHUNK = 1 << 20
TIMEOUT = 30  # seconds without a byte

CLASSES = ("bicycle", "motorcycle")
# One class of every superclass, those nearest to CLASSES among the vehicles: what a
# model says of them tells how it treats things that nobody thought of.
WITHHELD = (
    *("beaver", "flatfish", "orchid", "bowl", "pear", "telephone", "couch", "cockroach"),
    *("leopard", "castle", "plain", "camel", "skunk", "crab", "woman", "turtle", "hamster"),
    *("pine_tree", "pickup_truck", "lawn_mower"),
)
MISLABELLED = Path(__file__).with_name("mislabelled.csv")


class Source(NamedTuple):
    """An archive: where it is, how to know it, how its pickles are called.

    sha256: in hexadecimal. size: bytes. train, test: files of a split. labels, names: keys of
    the class of each picture and of the names of the classes.
    """

    title: str
    url: str
    sha256: str
    size: int
    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    meta: str
    labels: bytes
    names: bytes


# The home page, https://www.cs.toronto.edu/~kriz/cifar.html, states an MD5 of each; SHA-256 and
# size are those that Keras and other loaders check.
CIFAR100 = Source(
    "CIFAR-100",
    "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    169_001_437,
    "cifar-100-python",
    ("train",),
    ("test",),
    "meta",
    b"fine_labels",
    b"fine_label_names",
)
CIFAR10 = Source(
    "CIFAR-10",
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    170_498_071,
    "cifar-10-batches-py",
    tuple(f"data_batch_{number}" for number in range(1, 6)),
    ("test_batch",),
    "batches.meta",
    b"labels",
    b"label_names",
)


def download(source: Source, archive: Path) -> None:
    """Fetch the archive, from where an interrupted download stopped.

    Raises DatasetError if the server cannot be reached, or size or SHA-256 differ.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(archive.name + ".partial")
    if not archive.is_file():
        have = partial.stat().st_size if partial.is_file() else 0
        if have < source.size:
            _fetch(source, partial, have)
        partial.replace(archive)
    _verify(source, archive)


def _fetch(source: Source, partial: Path, have: int) -> None:
    request = urllib.request.Request(source.url, headers={"Range": f"bytes={have}-"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            goes_on = answer.status == 206  # 200: the server sends the whole file again
            done = have if goes_on else 0
            with (
                partial.open("ab" if goes_on else "wb") as file,
                tqdm(
                    total=source.size,
                    initial=done,
                    unit="B",
                    unit_scale=True,
                    desc=source.title,
                    disable=None,
                ) as bar,
            ):
                while chunk := answer.read(CHUNK):
                    done += len(chunk)
                    if done > source.size:
                        raise DatasetError(
                            f"{source.url} sends more than the {source.size:,} bytes of the"
                            " archive; is a proxy in the way?"
                        )
                    file.write(chunk)
                    bar.update(len(chunk))
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise DatasetError(f"{source.url}: {error}; run the same command to go on") from error
    if done < source.size:
        raise DatasetError(
            f"{source.url} ended at {done:,} of {source.size:,} bytes; run the same command to"
            " go on"
        )


def _verify(source: Source, archive: Path) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != source.sha256 or archive.stat().st_size != source.size:
        archive.unlink()
        raise DatasetError(
            f"{archive} has SHA-256 {found}, {source.sha256} was expected; it has been removed,"
            " run the same command to fetch it again"
        )


class _Plain(pickle.Unpickler):
    """Reads the archive's pickles: NumPy arrays, lists and strings, and nothing that runs."""

    ALLOWED = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise DatasetError(f"the archive wants to run {module}.{name}; it is not CIFAR")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def members(source: Source, archive: Path, split: str) -> Iterator[tuple[str, str, Image.Image]]:
    """Yield (class, file name, picture) of a split (`train` or `test`) of the archive."""
    files: tuple[str, ...] = {"train": source.train, "test": source.test}[split]
    try:
        with tarfile.open(archive) as tar:
            meta, *parts = (_read(tar, f"{source.folder}/{name}") for name in (source.meta, *files))
    except (tarfile.TarError, KeyError, pickle.UnpicklingError, EOFError) as error:
        raise DatasetError(f"{archive} is not {source.title} for Python ({error})") from error
    classes = [name.decode() for name in meta[source.names]]
    for part in parts:
        pixels = np.asarray(part[b"data"], np.uint8).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        labels, names = part[source.labels], part[b"filenames"]
        for label, name, image in zip(labels, names, pixels, strict=True):
            yield classes[label], Path(name.decode()).name, Image.fromarray(image)


def _read(tar: tarfile.TarFile, name: str) -> Any:
    file = tar.extractfile(name)
    assert file is not None  # a folder of that name
    return _Plain(io.BytesIO(file.read()), encoding="bytes").load()


def mislabelled() -> dict[str, str]:
    """Return why a training picture of CLASSES is left out, by file name (without suffix)."""
    with MISLABELLED.open(newline="") as file:
        return {row["name"]: row["shows"] for row in csv.DictReader(file)}


def lay_out(
    archives: dict[Source, Path], folder: Path, others: int, *, audited: bool = True
) -> dict[str, int]:
    """Write the pictures as PNG; returns how many per `split/class`.

    archives: CIFAR-100's, and CIFAR-10's if there is one. others: pictures of each remaining class
    that training takes as `other`. audited: leave out what `mislabelled` names. A training
    picture whose pixels are also in the test split is left out.
    """
    left_out = mislabelled() if audited else {}
    counts: dict[str, int] = {}
    taken: dict[tuple[str, ...], int] = {}
    tested: set[str] = set()
    for name in ("test", "train", "withheld"):
        shutil.rmtree(folder / f".{name}", ignore_errors=True)
    for source, archive in archives.items():
        for split in ("test", "train"):
            bar = tqdm(
                members(source, archive, split),
                f"{source.title} {split}",
                unit="picture",
                disable=None,
            )
            for kind, name, image in bar:
                digest = fingerprint(image)
                place = _place(source, split, kind)
                if split == "test":
                    tested.add(digest)
                elif digest in tested or Path(name).stem in left_out:
                    continue
                enough = others if place[:2] == ("train", OTHER) else sys.maxsize
                if not place or taken.get(place, 0) >= enough:
                    continue
                taken[place] = taken.get(place, 0) + 1
                target = Path(folder, f".{place[0]}", *place[1:], name)
                target.parent.mkdir(parents=True, exist_ok=True)
                image.save(target)
                counted = "withheld" if place[0] == "withheld" else "/".join(place[:2])
                counts[counted] = counts.get(counted, 0) + 1
    for name in ("test", "train", "withheld"):
        shutil.rmtree(folder / name, ignore_errors=True)
        if (folder / f".{name}").is_dir():
            (folder / f".{name}").replace(folder / name)
    return counts


def _place(source: Source, split: str, kind: str) -> tuple[str, ...]:
    """Return the folders of a class's pictures; none for those that are not used."""
    if source.title != CIFAR100.title:  # CIFAR-10 has neither bicycles nor motorcycles
        return ("train", OTHER, f"cifar10-{kind}") if split == "train" else ()
    if kind in WITHHELD:
        return ("withheld", kind) if split == "test" else ()
    return (split, kind) if kind in CLASSES else (split, OTHER, kind)
