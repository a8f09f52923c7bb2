"""Pictures to compare models on, read one after the other: labelled or not, files or captures.

What cannot be read is left out and named, not an error: among uploads there are such files, and the
workflow rejects them.
"""

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from model.endpoint.capture_lines import SUFFIX, BadLineError, body_of, lines_of
from model.training.pictures import OTHER, WEIGHTS, DatasetError, files, upright
from model.training.suffixes import SUFFIXES


@dataclass(frozen=True)
class Sample:
    """A picture.

    name: its path in the folder; of a capture the file and the number of the line. truth: its
    class, None without a label. read: returns it upright as RGB, or raises DatasetError.
    """

    name: str
    truth: str | None
    read: Callable[[], Image.Image]


@dataclass(frozen=True)
class Samples:
    """Pictures of one folder.

    labelled: whether each has a truth. strangers: pictures by folder that is no class of the
    models and counts as `other`. even: whether each stands for as many others.
    """

    members: tuple[Sample, ...]
    labelled: bool
    strangers: Counter[str]
    even: bool = True


def samples_of(folder: Path, labels: Sequence[str], unlabelled: bool = False) -> Samples:
    """Find the pictures of a folder: a folder per class, any pictures, or capture files.

    labels: the classes that the models know; a folder of another name counts as `other`.
    unlabelled: folders are no classes. Raises DatasetError, naming the folder and the way out.
    """
    if not folder.is_dir():
        raise DatasetError(
            f"{folder} is not a folder; give one that holds a folder per class, pictures, or"
            " capture files of an endpoint"
        )
    if captures := sorted(folder.rglob(f"*{SUFFIX}")):
        found = tuple(_captured(folder, captures))
        if not found:
            raise DatasetError(f"{folder}: its {SUFFIX} files are empty; give other captures")
        return Samples(found, labelled=False, strangers=Counter())
    loose = any(path.suffix.lower() in SUFFIXES for path in folder.iterdir() if path.is_file())
    if unlabelled or (loose and not any(path.is_dir() for path in folder.iterdir())):
        return Samples(_pictures(folder), labelled=False, strangers=Counter())
    return _labelled(folder, labels)


def _pictures(folder: Path) -> tuple[Sample, ...]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise DatasetError(
            f"{folder} holds no picture ({', '.join(sorted(SUFFIXES))}); give another folder"
        )
    return tuple(_sample(folder, path, None) for path in paths)


def _labelled(folder: Path, labels: Sequence[str]) -> Samples:
    classes = files(folder)
    named = [label for label in labels if label != OTHER]
    if not set(classes) & set(named):
        raise DatasetError(
            f"no folder of {folder} is a class of the models ({', '.join(named)}):"
            " rename those that hold its pictures, or give --unlabelled if folders are no classes"
        )
    strangers = Counter(
        {name: len(paths) for name, paths in classes.items() if name not in (*named, OTHER)}
    )
    found = tuple(
        _sample(folder, path, OTHER if name in strangers else name)
        for name, paths in classes.items()
        for path in paths
    )
    return Samples(found, True, strangers, even=not (folder / WEIGHTS).is_file())


def _sample(folder: Path, path: Path, truth: str | None) -> Sample:
    return Sample(path.relative_to(folder).as_posix(), truth, partial(upright, path))


def _captured(folder: Path, paths: Sequence[Path]) -> Iterator[Sample]:
    """Yield the requests of capture files; whether each is a picture is seen when it is read."""
    for path in paths:
        with path.open("rb") as file:
            at = 0
            for number, line in enumerate(lines_of(file), 1):
                if line is None or line.strip():
                    name = f"{path.relative_to(folder).as_posix()}:{number}"
                    yield Sample(name, None, partial(_request, path, at, name))
                at = file.tell()


def _request(path: Path, at: int, name: str) -> Image.Image:
    """Return the picture of the line that begins at a byte of a capture file."""
    with path.open("rb") as file:
        file.seek(at)
        line = next(lines_of(file))
    try:
        if line is None:
            raise BadLineError("longer than a capture can be")
        sent = json.loads(line)["captureData"]["endpointInput"]
        picture = body_of(sent)
    except (BadLineError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = error if isinstance(error, BadLineError) else "no captured request"
        raise DatasetError(f"{name}: {reason}") from error
    return upright(name, io.BytesIO(picture))
