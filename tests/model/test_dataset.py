"""CIFAR's archives from a server and own folders: what is laid out, and what is refused."""

import hashlib
import http.server
import io
import json
import pickle
import re
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("tqdm", reason="the data set's download needs the extra `train`")

from model.dataset import main
from model.training import own_pictures, strangers
from model.training.cifar import (
    CIFAR10,
    CIFAR100,
    MISLABELLED,
    WITHHELD,
    Source,
    download,
    lay_out,
    members,
    mislabelled,
)
from model.training.pictures import DatasetError, fingerprint, load

CLASSES = ["apple", "bicycle", "bus", "lawn_mower", "motorcycle"]
TEN = ["frog", "ship"]
PER_CLASS = 4


def archive_bytes(source: Source, classes: list[str], seed: int = 0) -> bytes:
    """Make an archive of a few pictures of some classes, as the original."""
    rng = np.random.default_rng(seed)
    parts: dict[str, object] = {source.meta: {source.names: [c.encode() for c in classes]}}
    for split in (*source.train, *source.test):
        labels = [c for c in range(len(classes)) for _ in range(PER_CLASS)]
        parts[split] = {
            b"data": rng.integers(0, 256, (len(labels), 3072), np.uint8),
            source.labels: labels,
            b"filenames": [f"{classes[c]}_s_{i:06}.png".encode() for i, c in enumerate(labels)],
        }
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, part in parts.items():
            content = python2_pickle(part)
            entry = tarfile.TarInfo(f"{source.folder}/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


class _Python2(pickle._Pickler):  # the C pickler cannot be taught
    """Writes strings as Python 2 did, with which CIFAR-100 was made."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_string(self: Any, text: bytes) -> None:
        self.write(pickle.BINSTRING + len(text).to_bytes(4, "little") + text)
        self.memoize(text)

    dispatch[bytes] = save_string


def python2_pickle(part: object) -> bytes:
    file = io.BytesIO()
    _Python2(file, protocol=2).dump(part)
    return file.getvalue().replace(b"cnumpy._core.", b"cnumpy.core.")


class Home(http.server.ThreadingHTTPServer):
    """Serves one archive, with ranges unless told otherwise; notes the ranges asked for."""

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content, self.sends = content, len(content)
        self.knows_ranges = True
        self.ranges: list[str] = []


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Home

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.server.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if self.server.knows_ranges else 0
        self.send_response(206 if self.server.knows_ranges else 200)
        self.end_headers()
        self.wfile.write(self.server.content[start : self.server.sends])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def content() -> bytes:
    return archive_bytes(CIFAR100, CLASSES)


@pytest.fixture
def home(content: bytes) -> Iterator[Home]:
    server = Home(content)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def source(home: Home, of: Source = CIFAR100) -> Source:
    """Return the source of what a server has, in place of the original."""
    return of._replace(
        url=f"http://127.0.0.1:{home.server_port}/{of.url.rsplit('/', 1)[1]}",
        sha256=hashlib.sha256(home.content).hexdigest(),
        size=len(home.content),
    )


@pytest.fixture
def archive(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "archive.tar.gz"
    path.write_bytes(content)
    return path


def test_an_interrupted_download_goes_on_where_it_stopped(home: Home, tmp_path: Path) -> None:
    target = tmp_path / "archive.tar.gz"
    home.sends = 1000
    with pytest.raises(DatasetError, match=r"ended at 1,000 of .* run the same command"):
        download(source(home), target)
    home.sends = len(home.content)
    download(source(home), target)
    assert home.ranges == ["bytes=0-", "bytes=1000-"]
    assert target.read_bytes() == home.content


def test_a_server_without_ranges_sends_it_all_again(home: Home, tmp_path: Path) -> None:
    target = tmp_path / "archive.tar.gz"
    (tmp_path / "archive.tar.gz.partial").write_bytes(b"x" * 500)
    home.knows_ranges = False
    download(source(home), target)
    assert target.read_bytes() == home.content


def test_a_finished_download_is_not_repeated(home: Home, tmp_path: Path) -> None:
    target = tmp_path / "archive.tar.gz"
    target.write_bytes(home.content)
    download(source(home), target)
    assert home.ranges == []


def test_a_wrong_checksum_is_refused_and_the_file_removed(home: Home, tmp_path: Path) -> None:
    target = tmp_path / "archive.tar.gz"
    wrong = source(home)._replace(sha256="0" * 64)
    with pytest.raises(DatasetError, match=r"SHA-256 [0-9a-f]{64}, 0{64} was expected"):
        download(wrong, target)
    assert not target.exists()


def test_a_server_that_is_gone_is_named(tmp_path: Path) -> None:
    gone = CIFAR100._replace(url="http://127.0.0.1:9/x.tar.gz", sha256="0" * 64, size=10)
    with pytest.raises(DatasetError, match=r"127\.0\.0\.1:9.*run the same command"):
        download(gone, tmp_path / "x.tar.gz")


def test_an_archive_that_wants_to_run_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("pwned",)

    path = tmp_path / "evil.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name in ("train", "meta"):
            content = pickle.dumps(Evil())
            entry = tarfile.TarInfo(f"cifar-100-python/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    with pytest.raises(DatasetError, match="wants to run"):
        next(members(CIFAR100, path, "train"))


def test_an_archive_of_another_data_set_is_refused(archive: Path) -> None:
    with pytest.raises(DatasetError, match="is not CIFAR-10 for Python"):
        next(members(CIFAR10, archive, "train"))


def test_the_layout_has_the_named_classes_other_and_the_withheld(
    archive: Path, tmp_path: Path
) -> None:
    ten = tmp_path / "ten.tar.gz"
    ten.write_bytes(archive_bytes(CIFAR10, TEN, seed=1))
    counts = lay_out({CIFAR100: archive, CIFAR10: ten}, tmp_path / "data", others=3)
    assert counts == {
        "test/bicycle": 4,
        "test/motorcycle": 4,
        "test/other": 8,  # apple and bus, all of them
        "train/bicycle": 4,
        "train/motorcycle": 4,
        "train/other": 12,  # three of each of both archives
        "withheld": 4,
    }
    assert "lawn_mower" in WITHHELD
    assert [p.name for p in (tmp_path / "data/withheld").iterdir()] == ["lawn_mower"]
    kinds = {p.name for p in (tmp_path / "data/train/other").iterdir()}
    assert kinds == {"apple", "bus", "cifar10-frog", "cifar10-ship"}


def test_what_shows_something_else_is_left_out_of_training_alone(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = tmp_path / "mislabelled.csv"
    listed.write_text("name,labelled,shows\nbicycle_s_000004,bicycle,a bag\n")
    monkeypatch.setattr("model.training.cifar.MISLABELLED", listed)
    counts = lay_out({CIFAR100: archive}, tmp_path / "data", others=3)
    assert (counts["train/bicycle"], counts["test/bicycle"]) == (3, 4)
    assert not (tmp_path / "data/train/bicycle/bicycle_s_000004.png").exists()
    assert (tmp_path / "data/test/bicycle/bicycle_s_000004.png").exists()


def test_every_picture_that_is_left_out_has_its_class_and_a_reason() -> None:
    lines = MISLABELLED.read_text().splitlines()
    assert lines[0] == "name,labelled,shows"
    assert len(mislabelled()) == len(lines) - 1
    for line in lines[1:]:
        name, kind, reason = line.split(",")
        assert re.fullmatch(r"[a-z_]+_s_\d{6}", name)
        assert kind in ("bicycle", "motorcycle")
        assert reason


def test_pixels_survive_the_layout(archive: Path, tmp_path: Path) -> None:
    lay_out({CIFAR100: archive}, tmp_path / "data", others=3)
    pictures = members(CIFAR100, archive, "train")
    original = next(image for kind, _, image in pictures if kind == "bicycle")
    written = sorted((tmp_path / "data/train/bicycle").iterdir())[0]
    assert Image.open(written).tobytes() == original.tobytes()


def test_the_command_downloads_lays_out_and_checks(
    home: Home,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo = tmp_path / "mine/bicycle/scene1__a.png"
    picture(photo, 5, (800, 600))
    picture(tmp_path / "mine/van/b.png", 6)
    monkeypatch.setattr("model.dataset.DRAWN", 2)
    monkeypatch.setattr("model.dataset.UNSEEN", 3)
    words = ["--out", str(tmp_path / "data"), "--own", str(tmp_path / "mine")]
    assert main(words, [source(home)]) == 0
    printed = capsys.readouterr().out
    drawn = 2 * (len(strangers.KINDS) - len(strangers.KEPT_BACK))
    assert f"train: 5 bicycle, 4 motorcycle, 1 van, {8 + drawn} other" in printed
    assert len(list((tmp_path / "data/test/motorcycle").iterdir())) == PER_CLASS
    [own] = (tmp_path / "data/train/bicycle/own").iterdir()
    assert own.name.startswith("scene1__")  # its scene stays in one fold
    with Image.open(own) as reduced:
        assert 32 <= max(reduced.size) <= 256
        assert reduced.width / reduced.height == pytest.approx(4 / 3, abs=0.05)
    for kind in strangers.KEPT_BACK:
        assert len(list((tmp_path / "data/unseen/other" / kind).iterdir())) == 3
        assert not (tmp_path / "data/train/other" / kind).exists()


def test_own_pictures_are_looked_for_before_the_download(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--out", str(tmp_path / "data"), "--own", str(tmp_path / "nowhere")]
    assert main(words, [source(home)]) == 2
    assert "nowhere is not a folder" in capsys.readouterr().err
    assert home.ranges == []
    assert not (tmp_path / "data").exists()


def test_own_pictures_replace_those_of_the_last_time(tmp_path: Path) -> None:
    mine, folder = tmp_path / "mine", tmp_path / "train"
    for name in ("bicycle/scene__a.png", "bicycle/b.png", "van/c.png"):
        picture(mine / name, len(name))
    picture(folder / "bicycle/downloaded.png", 1)
    own_pictures.add(mine, folder)
    (mine / "bicycle/scene__a.png").rename(mine / "van/scene__a.png")  # its label was wrong
    own_pictures.add(mine, folder)
    found = {path.relative_to(folder).parts[0] for path in folder.glob("*/own/scene__*")}
    assert found == {"van"}
    assert load(folder).counts() == {"bicycle": 2, "van": 2}


@pytest.mark.parametrize("kind", strangers.KINDS)
def test_a_drawn_stranger_is_the_same_for_the_same_number(kind: str) -> None:
    pictures = [strangers.drawn(kind, number) for number in range(5)]
    assert len({fingerprint(image) for image in pictures}) == 5
    assert fingerprint(strangers.drawn(kind, 3)) == fingerprint(pictures[3])
    assert all(image.mode == "RGB" and max(image.size) <= 600 for image in pictures)


def test_a_folder_within_a_class_is_a_kind(tmp_path: Path) -> None:
    for name in ("ant/a.png", "other/page/b.png", "other/map/deep/c.png"):
        picture(tmp_path / name, len(name))
    assert load(tmp_path).kinds == (".", "map/deep", "page")


def picture(path: Path, seed: int, size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    for number, name in enumerate(["train/cat/a.png", "train/dog/b.png", "test/cat/c.png"]):
        picture(tmp_path / name, number)
    picture(tmp_path / "test/dog/d.png", 9)
    return tmp_path


def test_own_folders_pass_the_check(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", str(own / "train"), str(own / "test")]) == 0
    assert "train: 1 cat, 1 dog" in capsys.readouterr().out
    assert main(["--json", "--check", str(own / "train")]) == 0
    assert json.loads(capsys.readouterr().out) == {str(own / "train"): {"cat": 1, "dog": 1}}


def empty(own: Path) -> None:
    (own / "train/cow").mkdir()


def broken(own: Path) -> None:
    (own / "train/cat/bad.jpg").write_bytes(b"not a picture")


def truncated(own: Path) -> None:
    whole = (own / "train/cat/a.png").read_bytes()
    (own / "train/cat/half.png").write_bytes(whole[: len(whole) // 2])


def duplicate(own: Path) -> None:  # the same pixels in another format
    Image.open(own / "train/cat/a.png").save(own / "test/cat/same.bmp")


def single(own: Path) -> None:
    (own / "train/dog/b.png").unlink()
    (own / "train/dog").rmdir()


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        pytest.param(empty, r"train/cow holds no picture", id="empty class"),
        pytest.param(broken, r"bad\.jpg: cannot be read \(not a picture\)", id="not a picture"),
        pytest.param(truncated, r"half\.png: cannot be read", id="truncated"),
        pytest.param(duplicate, r"same\.bmp .* is .*a\.png", id="duplicate across splits"),
        pytest.param(
            single,
            "holds only the folder cat/; it needs a folder of pictures for each class",
            id="one class only",
        ),
    ],
)
def test_a_folder_that_would_spoil_training_is_refused(
    own: Path, harm: Callable[[Path], None], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    harm(own)
    assert main(["--check", str(own / "train"), str(own / "test")]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert re.search(message, printed), printed


def test_a_missing_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", str(tmp_path / "nowhere")]) == 2
    assert "nowhere is not a folder" in capsys.readouterr().err
