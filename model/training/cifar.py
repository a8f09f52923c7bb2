"""CIFAR-100: download the archive, verify it, and lay it out as folders of pictures.

train/ and test/ get a folder each for bicycle, motorcycle and `other`; withheld/ gets twenty
classes, one of each CIFAR-100 superclass, that training never sees.
"""

import hashlib
import io
import pickle
import shutil
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

# The home page, https://www.cs.toronto.edu/~kriz/cifar.html, states the MD5
# eb9058c3a382ffc7106e4002c42a8d85; SHA-256 and size are those that Keras and other loaders check.
URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
SHA256 = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"
BYTES = 169_001_437
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


class Source(NamedTuple):
    """Where an archive is, and how to know it: SHA-256 in hexadecimal, size in bytes."""

    url: str = URL
    sha256: str = SHA256
    bytes: int = BYTES


CIFAR = Source()


def download(source: Source, archive: Path) -> None:
    """Fetch the archive, from where an interrupted download stopped.

    Raises DatasetError if the server cannot be reached, or size or SHA-256 differ.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(archive.name + ".partial")
    if not archive.is_file():
        have = partial.stat().st_size if partial.is_file() else 0
        if have < source.bytes:
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
                    total=source.bytes,
                    initial=done,
                    unit="B",
                    unit_scale=True,
                    desc="CIFAR-100",
                    disable=None,
                ) as bar,
            ):
                while chunk := answer.read(CHUNK):
                    done += len(chunk)
                    if done > source.bytes:
                        raise DatasetError(
                            f"{source.url} sends more than the {source.bytes:,} bytes of the"
                            " archive; is a proxy in the way?"
                        )
                    file.write(chunk)
                    bar.update(len(chunk))
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise DatasetError(f"{source.url}: {error}; run the same command to go on") from error
    if done < source.bytes:
        raise DatasetError(
            f"{source.url} ended at {done:,} of {source.bytes:,} bytes; run the same command to"
            " go on"
        )


def _verify(source: Source, archive: Path) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != source.sha256 or archive.stat().st_size != source.bytes:
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
            raise DatasetError(f"the archive wants to run {module}.{name}; it is not CIFAR-100")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def members(archive: Path, split: str) -> Iterator[tuple[str, str, Image.Image]]:
    """Yield (class, file name, picture) of a split (`train` or `test`) of the archive."""
    try:
        with tarfile.open(archive) as tar:
            read = {
                name: _Plain(
                    io.BytesIO(tar.extractfile(f"cifar-100-python/{name}").read()),  # type: ignore[union-attr]
                    encoding="bytes",
                ).load()
                for name in (split, "meta")
            }
    except (tarfile.TarError, KeyError, pickle.UnpicklingError, EOFError) as error:
        raise DatasetError(f"{archive} is not CIFAR-100 for Python ({error})") from error
    classes = [name.decode() for name in read["meta"][b"fine_label_names"]]
    part = read[split]
    pixels = np.asarray(part[b"data"], np.uint8).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    for label, name, image in zip(part[b"fine_labels"], part[b"filenames"], pixels, strict=True):
        yield classes[label], Path(name.decode()).name, Image.fromarray(image)


def lay_out(archive: Path, folder: Path, others: int) -> dict[str, int]:
    """Write the pictures as PNG; returns how many per `split/class`.

    others: pictures of each remaining class that training takes as `other`, of 500.
    A training picture whose pixels are also in the test split is left out.
    """
    counts: dict[str, int] = {}
    tested: set[str] = set()
    for split in ("test", "train"):
        unfinished = folder / f".{split}"
        shutil.rmtree(unfinished, ignore_errors=True)
        taken: dict[str, int] = {}
        bar = tqdm(members(archive, split), split, unit="picture", disable=None)
        for kind, name, image in bar:
            digest = fingerprint(image)
            if split == "test":
                tested.add(digest)
            elif digest in tested:
                continue
            if kind in WITHHELD:
                if split == "train":
                    continue
                target = folder / ".withheld" / kind / name
            elif kind in CLASSES:
                target = unfinished / kind / name
            else:
                taken[kind] = taken.get(kind, 0) + 1
                if split == "train" and taken[kind] > others:
                    continue
                target = unfinished / OTHER / f"{kind}__{name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            image.save(target)
            place = "withheld" if kind in WITHHELD else f"{split}/{target.parent.name}"
            counts[place] = counts.get(place, 0) + 1
    for name in ("test", "train", "withheld"):
        shutil.rmtree(folder / name, ignore_errors=True)
        if (folder / f".{name}").is_dir():
            (folder / f".{name}").replace(folder / name)
    return counts
