"""Labelled and audited pictures of a stack on the embedded AWS, laid out to train with."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pi_heif", reason="reading pictures needs the extra `ops` or `train`")

import numpy as np
from PIL import Image

from model.dataset import main
from model.training import stack_labels
from model.training.pictures import load, refuse_duplicates, weights
from model.training.stack_labels import LabelledStack, part_of, weight
from ops.reviewing import reviews
from ops.reviewing.reviews import Reviews
from ops.stack import ledger, uploads
from ops.stack.ledger import Decision
from ops.stack.outputs import Stack as OpsStack
from tests.functions.serialize.attacks import exif_of_shared_values
from tests.support.cloud import Cloud, Stack
from tests.support.ops import role
from tests.support.workflow import decided

HELD_OUT = 20


def picture(number: int, form: str = "PNG") -> bytes:
    """Return a file of noise, another for each number."""
    pixels = np.random.default_rng(number).integers(0, 256, (40, 60, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def part(data: bytes) -> str:
    return part_of(hashlib.sha256(data).hexdigest()[:16], HELD_OUT)


def numbers(wanted: str, start: int, count: int) -> list[int]:
    """Return the numbers of so many pictures that belong in a part."""
    found = (number for number in range(start, start + 1000) if part(picture(number)) == wanted)
    return [next(found) for _ in range(count)]


@pytest.fixture(scope="module")
def own(cloud: Cloud) -> Stack:
    """A stack whose labels are those of this file alone."""
    from local.follow import Follower

    outputs = cloud.aws.deploy("test-labels")
    return Stack(cloud.aws, cloud.container, outputs, Follower(cloud.aws, outputs))


@pytest.fixture(autouse=True)
def forgotten(own: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test begin with no label, and reach the embedded AWS as a user does."""
    for name, value in own.aws.environment().items():
        monkeypatch.setenv(name, value)
    table = judge().ledger
    for outcome in stack_labels.OUTCOMES:
        for item in list(table.of_outcome(outcome)):
            table.delete_unchanged(item)


@cache
def judge() -> Reviews:
    return Reviews(OpsStack("test-labels"), "ann", ["bicycle", "motorcycle"])


def uploaded(own: Stack, data: bytes, key: str = "", decision: str = "review") -> Decision:
    """Return the item of an upload for which the model is asked to be sure, or not."""
    confidence = {"review": 0.5, "accepted": 0.999}[decision]
    inferences = [
        {"label": "bicycle", "confidence": confidence},
        {"label": "other", "confidence": 1 - confidence},
    ]
    answer = {"inferences": inferences, "model": "trial"}
    own.container.tell((200, "application/json", json.dumps(answer).encode()))
    item = judge().ledger.get(decided(own, data, key)["upload"])
    own.container.heal()
    assert item is not None
    assert item.decision == decision
    return item


def labelled(own: Stack, data: bytes, label: str, key: str = "") -> Decision:
    return judge().label(uploaded(own, data, key), label).decision


def audited(own: Stack, data: bytes, audit: str, share: float, **changes: Any) -> Decision:
    """Record the audit of an accepted picture, as its reviewer does."""
    before = uploaded(own, data, decision="accepted")
    label = changes.pop("label", before.label)
    outcome = "confirmed" if audit == "agreed" else "reviewed"
    after = judge().ledger.change(
        before, outcome=outcome, label=label, audit=audit, audit_share=share, reviewer="ann"
    )
    judge().uploads.label(after.upload, after.s3_bucket, after.s3_key, after.etag, after.label)
    return after


def take(out: Path, *words: str) -> int:
    return main(["--from-stack", "test-labels", "--out", str(out), *words])


def tree(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file()
    }


def classes(out: Path) -> dict[str, list[str]]:
    """Return part and class of each picture, by the digits of its upload."""
    return {
        path.name.partition("__")[2].partition(".")[0]: [path.parts[-3], path.parts[-2]]
        for path in out.glob("*/*/*")
    }


def digits(item: Decision) -> str:
    return uploads.labelled_name(item.upload, item.s3_key).partition(".")[0]


def weight_of(out: Path) -> dict[str, float]:
    """Return the weights of both parts, by the digits of the upload."""
    found = {}
    for name in ("train", "test"):
        with (out / name / "weights.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                assert (out / name / row["file"]).is_file()
                found[Path(row["file"]).stem.partition("__")[2]] = float(row["weight"])
    return found


def test_labels_and_audits_are_laid_out_with_what_they_stand_for(
    own: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, test = numbers("train", 0, 3), numbers("test", 0, 2)
    doubtful = labelled(own, picture(train[0]), "motorcycle")
    held_out = labelled(own, picture(test[0]), "bicycle", "odd ../k\x1bey?.jpe%2Fg")
    agreed = audited(own, picture(train[1]), "agreed", 2.0)
    differs = audited(own, picture(test[1]), "corrected", 4.0, label="other")
    noticed = audited(own, picture(train[2]), "not_due", 2.0, label="other")
    uploaded(own, picture(9000), decision="accepted")  # nobody has looked at it
    assert take(tmp_path / "labels") == 0
    assert classes(tmp_path / "labels") == {
        digits(doubtful): ["train", "motorcycle"],
        digits(held_out): ["test", "bicycle"],
        digits(agreed): ["train", "bicycle"],
        digits(differs): ["test", "other"],
        digits(noticed): ["train", "other"],
    }
    assert weight_of(tmp_path / "labels") == {
        digits(doubtful): 1,
        digits(held_out): 1,
        digits(agreed): 50,
        digits(differs): 25,
        digits(noticed): 0,
    }
    printed = capsys.readouterr()
    assert f"{tmp_path}/labels/train: 1 bicycle, 1 motorcycle, 1 other" in printed.out
    assert "5 fetched now, 0 removed" in printed.err
    splits = {name: load(tmp_path / "labels" / name) for name in ("train", "test")}
    refuse_duplicates(splits)
    found = weights(tmp_path / "labels/train", splits["train"])
    assert found is not None
    assert sorted(found) == [0, 1, 50]


def test_a_second_run_gives_the_same_and_fetches_nothing(
    own: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        labelled(own, picture(100 + number), "bicycle")
    audited(own, picture(103), "agreed", 2.0)
    assert take(tmp_path / "labels") == 0
    before = tree(tmp_path / "labels")
    capsys.readouterr()
    assert take(tmp_path / "labels") == 0
    assert tree(tmp_path / "labels") == before
    assert "0 fetched now, 0 removed" in capsys.readouterr().err
    assert take(tmp_path / "again") == 0
    assert tree(tmp_path / "again") == before


def test_what_is_held_out_stays_so_whatever_is_labelled_later(own: Stack, tmp_path: Path) -> None:
    first = [labelled(own, picture(200 + number), "bicycle") for number in range(4)]
    assert take(tmp_path) == 0
    before = classes(tmp_path)
    assert len(before) == len(first)
    for number in range(4):
        labelled(own, picture(300 + number), "motorcycle")
    assert take(tmp_path) == 0
    after = classes(tmp_path)
    assert len(after) == 8
    assert {name: after[name] for name in before} == before


def test_copies_of_one_picture_are_in_one_part_and_in_one_fold(own: Stack, tmp_path: Path) -> None:
    for wanted in ("test", "train"):
        [number] = numbers(wanted, 400, 1)
        items = [labelled(own, picture(number), "bicycle", f"{wanted}-{n}.png") for n in range(3)]
        assert len({item.upload for item in items}) == 3
    labelled(own, picture(numbers("train", 450, 1)[0]), "other")
    assert take(tmp_path) == 0
    counted = {
        name: len(list((tmp_path / name / "bicycle").iterdir())) for name in stack_labels.PARTS
    }
    assert counted == {"train": 3, "test": 3}
    groups = load(tmp_path / "train").groups()
    assert len(groups) == 4
    assert len(set(groups)) == 2


def test_about_as_many_are_held_out_as_asked_for_and_a_larger_share_only_adds() -> None:
    contents = [hashlib.sha256(bytes([n % 256, n // 256])).hexdigest()[:16] for n in range(5000)]
    held_out = {
        share: {content for content in contents if part_of(content, share) == "test"}
        for share in (0, 10, 20, 90)
    }
    assert not held_out[0]
    assert len(held_out[20]) == pytest.approx(1000, abs=120)  # four standard deviations
    assert held_out[10] < held_out[20] < held_out[90]


def test_a_corrected_label_moves_the_picture_and_one_taken_back_removes_it(
    own: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moves, goes, stays = (labelled(own, picture(500 + n), "bicycle") for n in range(3))
    assert take(tmp_path) == 0
    mine = tmp_path / "train/bicycle/mine.png"
    mine.parent.mkdir(exist_ok=True, parents=True)
    mine.write_bytes(picture(599))
    changed = judge().ledger.change(moves, label="motorcycle", recorded_at="2026-12-01T00:00Z")
    judge().copy(changed)
    judge().undo(goes)
    capsys.readouterr()
    assert take(tmp_path) == 0
    assert "0 fetched now, 1 removed" in capsys.readouterr().err
    found = classes(tmp_path)
    assert found[digits(moves)][1] == "motorcycle"
    assert digits(goes) not in found
    assert digits(stays) in found
    assert mine.is_file()


def test_a_class_without_a_picture_has_no_folder(own: Stack, tmp_path: Path) -> None:
    only = labelled(own, picture(510), "bicycle")
    assert take(tmp_path) == 0
    judge().ledger.change(only, label="other")
    assert take(tmp_path) == 0
    assert [path.parent.name for path in tmp_path.glob("*/*/*")] == ["other"]
    assert list(tmp_path.glob("*/bicycle")) == []


def test_the_upload_stands_in_for_a_copy_and_one_that_is_gone_is_counted(
    own: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    s3, bucket = own.aws.client("s3"), own.outputs["UploadBucket"]
    without_copy, overwritten = (labelled(own, picture(600 + n), "bicycle") for n in range(2))
    for item in (without_copy, overwritten):
        copy = judge().uploads.labelled(item.upload, item.s3_key, item.label)
        s3.delete_object(Bucket=bucket, Key=copy)
    s3.put_object(Bucket=bucket, Key=overwritten.s3_key, Body=picture(699))
    assert take(tmp_path) == 0
    assert set(classes(tmp_path)) == {digits(without_copy)}
    assert "1 labelled pictures were deleted or overwritten" in capsys.readouterr().err
    s3.delete_object(Bucket=bucket, Key=without_copy.s3_key)
    assert take(tmp_path) == 0  # what was fetched in time stays
    assert set(classes(tmp_path)) == {digits(without_copy)}


def test_photos_of_phones_are_kept_as_they_are_and_what_training_refuses_is_left_out(
    own: Stack, tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heic = (images.parents[1] / "ops/acceptance/bicycle.heic").read_bytes()
    file = io.BytesIO()
    Image.new("L", (8000, 6500)).save(file, "PNG", compress_level=1)  # the workflow reads it
    labelled(own, heic, "bicycle", "photo.HEIC")
    labelled(own, picture(700, "TIFF"), "other", "scan.tif")
    large = labelled(own, file.getvalue(), "other", "large.png")
    costly = labelled(own, exif_of_shared_values(), "other", "costly.png")
    strange = uploaded(own, picture(701))
    judge().ledger.change(strange, outcome="reviewed", label="../../etc", reviewer="bob")
    assert take(tmp_path) == 0
    told = capsys.readouterr().err
    assert f"left out: {large.upload}: 8000x6500 pixels, the limit is 50,000,000" in told
    assert f"left out: {costly.upload}: it takes more than 1,000 MB of memory" in told
    assert f"left out: {strange.upload}: the label '../../etc' is no name of a folder" in told
    found = sorted(path.suffix for path in tmp_path.glob("*/*/*"))
    assert found == [".heic", ".tif"]
    assert heic in tree(tmp_path).values()


def test_a_damaged_file_is_fetched_again(
    own: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled(own, picture(800), "bicycle")
    assert take(tmp_path) == 0
    whole = tree(tmp_path)
    [path] = tmp_path.glob("*/*/*")
    path.write_bytes(path.read_bytes()[:100])
    capsys.readouterr()
    assert take(tmp_path) == 0
    assert "1 fetched now" in capsys.readouterr().err
    assert tree(tmp_path) == whole


def test_an_interrupted_run_leaves_whole_files_and_the_next_one_goes_on(
    own: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        labelled(own, picture(900 + number), "bicycle")
    monkeypatch.setattr(stack_labels, "TOGETHER", 2)
    fetch = LabelledStack.fetch

    def interrupted(stack: LabelledStack, label: stack_labels.Label, path: Path) -> bool:
        if len(classes(tmp_path)) == 2:
            path.write_bytes(b"half")
            raise KeyboardInterrupt
        return fetch(stack, label, path)

    with monkeypatch.context() as patched:
        patched.setattr(LabelledStack, "fetch", interrupted)
        assert take(tmp_path) == 130
    assert "interrupted; run the same command to continue" in capsys.readouterr().err
    assert len(classes(tmp_path)) == 2
    assert not (tmp_path / stack_labels.PARTIAL).exists()
    assert take(tmp_path) == 0
    assert "2 fetched now" in capsys.readouterr().err
    assert len(classes(tmp_path)) == 4


@pytest.mark.parametrize(
    ("words", "error"),
    [
        pytest.param(["--from-stack", "test-labels"], "needs --out", id="no folder"),
        pytest.param(
            ["--from-stack", "test-labels", "--out", "x", "--own", "y"],
            "goes without --own and --check",
            id="own",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(
    words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert error in capsys.readouterr().err


def another_stack(out: Path) -> list[str]:
    (out / "source.json").write_text('{"bucket": "elsewhere", "held_out_percent": 20}')
    return []


def another_share(_out: Path) -> list[str]:
    return ["--held-out", "30"]


def a_data_set(out: Path) -> list[str]:
    (out / "source.json").unlink()
    return []


def no_stack(_out: Path) -> list[str]:
    return ["--from-stack", "test-none"]


@pytest.mark.parametrize(
    ("harm", "error"),
    [
        pytest.param(another_stack, 'says {"bucket": "elsewhere"', id="another stack"),
        pytest.param(another_share, "same stack and --held-out, or another --out", id="share"),
        pytest.param(a_data_set, "which is not of --from-stack: give another", id="a data set"),
        pytest.param(no_stack, "there is no stack test-none in us-east-1", id="no stack"),
    ],
)
def test_a_folder_of_something_else_is_left_alone(
    own: Stack,
    tmp_path: Path,
    harm: Callable[[Path], list[str]],
    error: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    labelled(own, picture(950), "bicycle")
    assert take(tmp_path) == 0
    words = harm(tmp_path)
    before = tree(tmp_path)
    assert take(tmp_path, *words) == 2
    assert error in capsys.readouterr().err
    assert tree(tmp_path) == before


def test_a_stack_without_a_label_says_how_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert take(tmp_path) == 2
    assert "no labelled picture yet: label some with" in capsys.readouterr().err


def test_the_viewer_s_policy_is_enough(
    own: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Judged by the embedded AWS, which denies a role what its policies do not allow."""
    labelled(own, picture(960), "bicycle")
    gone = labelled(own, picture(961), "bicycle")
    copy = judge().uploads.labelled(gone.upload, gone.s3_key, gone.label)
    s3, bucket = own.aws.client("s3"), own.outputs["UploadBucket"]
    for key in (copy, gone.s3_key):
        s3.delete_object(Bucket=bucket, Key=key)
    iam, policy = own.aws.client("iam"), own.outputs["ViewerPolicyArn"]
    with role(own, "viewer") as given:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", given["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", given["SecretAccessKey"])
        monkeypatch.setenv("AWS_SESSION_TOKEN", given["SessionToken"])
        assert take(tmp_path / "without") == 2
        assert "attach the policy in the stack's output ViewerPolicyArn" in capsys.readouterr().err
        iam.attach_role_policy(RoleName="viewer", PolicyArn=policy)
        assert take(tmp_path / "labels") == 0
        assert len(classes(tmp_path / "labels")) == 1
        iam.detach_role_policy(RoleName="viewer", PolicyArn=policy)


@pytest.mark.parametrize(
    ("decision", "audit", "share", "expected"),
    [
        pytest.param("review", "not_due", 2, 1, id="doubtful"),
        pytest.param("", "", 0, 1, id="from before audits"),
        pytest.param("accepted", "agreed", 2, 50, id="audited"),
        pytest.param("none", "corrected", 100, 1, id="all of them audited"),
        pytest.param("accepted", "not_due", 2, 0, id="noticed by somebody"),
        pytest.param("accepted", "due", 2, 0, id="due still"),
        pytest.param("accepted", "agreed", 0, 0, id="without a share"),
    ],
)
def test_a_label_stands_for(decision: str, audit: str, share: float, expected: float) -> None:
    assert weight(decision, audit, share) == expected


def test_what_is_known_of_the_ledger_is_what_the_ledger_says() -> None:
    assert set(stack_labels.ATTRIBUTES) <= {field.name for field in fields(Decision)}
    assert stack_labels.INDEX == ledger.INDEX
    assert set(stack_labels.OUTCOMES) == {"reviewed", "confirmed"} <= set(ledger.OUTCOMES)
    assert stack_labels.AUDITED == (ledger.AGREED, ledger.CORRECTED)
    assert stack_labels.DOUBTFUL[0] in ledger.DECISIONS
    assert stack_labels.LABELLED == uploads.LABELLED
    assert stack_labels.GONE == uploads.GONE
    assert stack_labels.CLASS == reviews.LABEL
