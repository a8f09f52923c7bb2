"""Folders of pictures: what is read, and how it is dealt into folds."""

from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from model.training.augment import augmented
from model.training.pictures import (
    DatasetError,
    Pictures,
    folds,
    load,
    upright,
    usual,
    weights,
)
from model.training.suffixes import SUFFIXES, labelled_name


def some(tmp_path: Path, names: list[str]) -> Path:
    for number, name in enumerate(names):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shade = number * 13 % 256
        Image.new("RGB", (8, 6), (shade, 255 - shade, 90)).save(path)
    return tmp_path


def test_the_folders_are_the_classes_and_other_comes_last(tmp_path: Path) -> None:
    folder = some(tmp_path, ["other/a.png", "zebra/b.png", "ant/deep/c.jpg"])
    assert load(folder).labels == ("ant", "zebra", "other")


def test_a_class_unknown_to_a_model_counts_as_other_if_it_has_one(tmp_path: Path) -> None:
    folder = some(tmp_path, ["ant/a.png", "camel/b.png"])
    assert load(folder, ["ant", "bee", "other"]).truth.tolist() == [0, 2]
    with pytest.raises(DatasetError, match="does not know: camel; it knows ant, bee"):
        load(folder, ["ant", "bee"])


def test_a_folder_without_a_hidden_class_and_foreign_files_is_enough(tmp_path: Path) -> None:
    folder = some(tmp_path, ["ant/a.png", "bee/b.png", ".cache/c.png"])
    (folder / "ant/notes.txt").write_text("mine")
    assert len(load(folder)) == 2


def test_transparent_pixels_are_white_and_a_turned_photo_stands_upright(tmp_path: Path) -> None:
    Image.new("RGBA", (2, 2), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert upright(tmp_path / "clear.png").getpixel((0, 0)) == (255, 255, 255)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.new("RGB", (8, 4)).save(tmp_path / "turned.jpg", exif=exif)
    assert upright(tmp_path / "turned.jpg").size == (4, 8)


@pytest.mark.parametrize("name", ["a.heic", "a.avif", "heic-named.jpg", "a.webp"])
def test_what_phones_upload_is_read_whatever_its_name(tmp_path: Path, name: str) -> None:
    register_heif_opener()
    form = "HEIF" if "heic" in name else None
    Image.new("RGB", (64, 48), "red").save(tmp_path / name, form)
    assert upright(tmp_path / name).size == (64, 48)


def test_a_jpeg_larger_than_the_limit_is_read_at_a_fraction(tmp_path: Path) -> None:
    for suffix in ("jpg", "png"):
        Image.new("L", (8000, 6500)).save(tmp_path / f"large.{suffix}", compress_level=1)
    assert max(upright(tmp_path / "large.jpg").size) <= 1000
    with pytest.raises(DatasetError, match="8000x6500 pixels, the limit is 50,000,000"):
        upright(tmp_path / "large.png")


def test_a_copy_of_a_labelled_upload_has_a_name_that_is_read() -> None:
    for key in ("uploads/a.HEIC", "uploads/a", "uploads/a.unknown", "uploads/b.tar.gz"):
        assert Path(labelled_name(f"bucket/{key}#0", key)).suffix in SUFFIXES


def test_weights_are_those_of_the_file_and_a_picture_it_does_not_name_has_none(
    tmp_path: Path,
) -> None:
    folder = some(tmp_path, ["ant/deep/a.png", "ant/b.png", "other/c, d.png"])
    pictures = load(folder)
    assert weights(folder, pictures) is None
    (folder / "weights.csv").write_text('file,weight\n"other/c, d.png",2.5\nant/deep/a.png,50\n')
    found = weights(folder, pictures)
    assert found is not None
    assert found.tolist() == [0, 50, 2.5]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("ant/a.png,1\n", 1, id="no header"),
        pytest.param("file,weight\nant/a.png,-1\n", 2, id="negative"),
        pytest.param("file,weight\nant/a.png,1\nant/b.png,inf\n", 3, id="infinite"),
        pytest.param("file,weight\nant/a.png,many\n", 2, id="no number"),
        pytest.param("file,weight\nant/a.png\n", 2, id="no weight"),
        pytest.param("name,weight\nant/a.png,1\n", 1, id="another header"),
        pytest.param("", 0, id="empty"),
    ],
)
def test_weights_that_cannot_be_read_name_their_line(tmp_path: Path, text: str, line: int) -> None:
    folder = some(tmp_path, ["ant/a.png", "ant/b.png", "other/c.png"])
    (folder / "weights.csv").write_text(text)
    with pytest.raises(DatasetError, match=rf"weights\.csv, line {line}: write `file,weight`"):
        weights(folder, load(folder))


def test_a_group_stays_in_one_fold_and_classes_are_spread_evenly(tmp_path: Path) -> None:
    names = [f"ant/{n}.png" for n in range(12)] + [
        f"other/{kind}__{n}.png" for kind in "pqrs" for n in range(3)
    ]
    pictures = load(some(tmp_path, names))
    fold = folds(pictures, 2, seed=0)
    for kind in "pqrs":
        members = [i for i, path in enumerate(pictures.paths) if path.name.startswith(kind)]
        assert len(set(fold[members].tolist())) == 1
    for label in (0, 1):
        assert np.bincount(fold[pictures.truth == label]).tolist() == [6, 6]


def test_every_kind_is_in_every_fold(tmp_path: Path) -> None:
    names = [f"ant/{n}.png" for n in range(9)]
    names += [f"other/{kind}/{n}.png" for kind in "pqrstu" for n in range(4)]
    pictures = load(some(tmp_path, names))
    fold = folds(pictures, 3, seed=0)
    for kind in "pqrstu":
        members = [found == kind for found in pictures.kinds]
        assert sorted(np.bincount(fold[members])) == [1, 1, 2]
    assert np.bincount(fold[pictures.truth == 1]).tolist() == [8, 8, 8]


def kinds(count: dict[str, int]) -> Pictures:
    """Return pictures by CLASS/KIND and how many of it there are."""
    names = [name for name, number in count.items() for _ in range(number)]
    labels = ("bicycle", "motorcycle", "other")
    truth = np.array([labels.index(name.split("/")[0]) for name in names])
    paths = tuple(Path(f"{number}.png") for number in range(len(names)))
    dots = tuple(Image.new("RGB", (1, 1)) for _ in names)
    return Pictures(labels, paths, dots, truth, tuple(name.split("/")[1] for name in names))


def test_promises_are_made_of_two_strangers_to_a_picture_of_a_class_every_kind_alike() -> None:
    rare = {f"other/kind{number}": 2 for number in range(5)}
    pictures = kinds(
        {"bicycle/.": 10, "motorcycle/.": 5, "other/truck": 400, "other/cat": 30} | rare
    )
    chosen = pictures.only(usual(pictures))
    assert chosen.counts() == {"bicycle": 10, "motorcycle": 5, "other": 30}
    strangers = Counter(chosen.kinds)
    assert [strangers[f"kind{number}"] for number in range(5)] == [2] * 5
    assert strangers["truck"] == strangers["cat"] == 10


def test_all_strangers_are_usual_where_there_are_few() -> None:
    pictures = kinds({"bicycle/.": 10, "motorcycle/.": 5, "other/truck": 9})
    assert len(usual(pictures)) == len(pictures)


def test_more_folds_than_pictures_of_a_class_are_refused(tmp_path: Path) -> None:
    pictures: Pictures = load(some(tmp_path, ["ant/a.png", "ant/b.png", "bee/c.png"]))
    with pytest.raises(DatasetError, match="class bee has 1 pictures or groups, 2 folds need 2"):
        folds(pictures, 2, seed=0)


@pytest.mark.parametrize("shape", [(32, 32), (640, 200), (3, 90)], ids=["tiny", "wide", "thin"])
def test_a_variation_is_a_square_of_bytes_and_the_seed_decides_it(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape[::-1], 3), np.uint8)
    picture = Image.fromarray(pixels)
    for seed in range(40):
        variation = augmented(picture, 64, Random(seed))
        assert variation.shape == (64, 64, 3)
        assert variation.dtype == np.uint8
        assert (variation == augmented(picture, 64, Random(seed))).all()
